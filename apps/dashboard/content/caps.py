"""Caps: how many messages one follower gets in a window; list, add, change, remove."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.forms import channel_choices, offer
from apps.dashboard.shell.paging import beside
from apps.followers.models import Channel
from apps.notifications.decide.cap_rules import (
    CapValues,
    change_cap,
    create_cap,
    delete_cap,
    values_of,
)
from apps.notifications.models import Cap, CapOutcome

UNITS = {"hours": 3600, "minutes": 60, "seconds": 1}


class CapForm(forms.Form):
    elsewhere = "window"
    name = forms.CharField(
        max_length=100, label=_("Name"), help_text=_("Shown as the reason why a message waits.")
    )
    limit = forms.IntegerField(min_value=1, label=_("Messages to one follower"))
    window = forms.IntegerField(min_value=1, label=_("In a window of"))
    unit = forms.ChoiceField(
        label=_("Of which unit"),
        choices=[
            ("days", _("calendar days in the follower's zone, today the first")),
            ("hours", pgettext_lazy("unit of time", "hours")),
            ("minutes", pgettext_lazy("unit of time", "minutes")),
            ("seconds", pgettext_lazy("unit of time", "seconds")),
        ],
        help_text=_("Hours, minutes and seconds look back from each message."),
    )
    channels = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        label=_("Channels counted together"),
        required=False,
        help_text=_("A cap for each channel apart is several caps."),
    )
    commercial = forms.BooleanField(
        required=False,
        label=_("Commercial messages only"),
        help_text=_("Not ticked: all count. Critical ones always pass."),
    )
    outcome = forms.ChoiceField(
        choices=CapOutcome.choices,
        label=_("When the cap is reached"),
        help_text=_("What can't be gathered, because its type is never in digests, waits."),
    )
    enabled = forms.BooleanField(
        required=False,
        label=_("Enabled"),
        help_text=_("Off: it stops nothing, and counts nothing."),
    )

    def __init__(self, data: Any = None, *, cap: Cap | None) -> None:
        if cap:
            before = values_of(cap)
        else:
            before = CapValues(name="", channels=["email"], limit=3, days=1)
        window, unit = _window(before)
        initial: dict[str, Any] = {"window": window, "unit": unit}
        for name in ("name", "limit", "channels", "commercial", "outcome", "enabled"):
            initial[name] = getattr(before, name)
        super().__init__(data, initial=initial)
        offer(self, "channels", channel_choices(before.channels))

    def values(self) -> CapValues:
        typed = dict(self.cleaned_data)
        window = typed.pop("window")
        unit = typed.pop("unit")
        if unit == "days":
            return CapValues(**typed, days=window)
        return CapValues(**typed, seconds=window * UNITS[unit])


def _window(values: CapValues) -> tuple[int, str]:
    """Give a cap's window in the largest unit that says it in whole numbers."""
    if values.days is not None:
        return values.days, "days"
    seconds = values.seconds or 1
    unit = next(unit for unit, size in UNITS.items() if seconds % size == 0)
    return seconds // UNITS[unit], unit


def _rule(cap: Cap) -> str:
    """Say how many in which time."""
    window, unit = _window(values_of(cap))
    match unit:
        case "days":
            said = ngettext(
                "{limit} in {count} calendar day", "{limit} in {count} calendar days", window
            )
        case "hours":
            said = ngettext("{limit} in {count} hour", "{limit} in {count} hours", window)
        case "minutes":
            said = ngettext("{limit} in {count} minute", "{limit} in {count} minutes", window)
        case _:
            said = ngettext("{limit} in {count} second", "{limit} in {count} seconds", window)
    return said.format(limit=cap.limit, count=window)


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    caps = list(Cap.objects.all())
    for cap in caps:
        labels = [str(Channel(channel).label) for channel in cap.channels]
        beside(cap, rule=_rule(cap), labels=labels)
    return render(request, "dashboard/content/caps/list.html", {"rows": caps})


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.EDIT)
def edit(request: HttpRequest, uid: UUID) -> HttpResponse:
    return _edit(request, get_object_or_404(Cap, uid=uid))


def _edit(request: HttpRequest, cap: Cap | None) -> HttpResponse:
    form = CapForm(request.POST or None, cap=cap)

    def save() -> Cap:
        by = staff_actor(request)
        now = timezone.now()
        if cap:
            return change_cap(cap=cap, values=form.values(), by=by, now=now)
        return create_cap(values=form.values(), by=by, now=now)

    def done(saved: Cap) -> HttpResponse:
        said = gettext("{name} was added.")
        if cap:
            said = gettext("{name} was saved.")
        messages.success(request, said.format(name=saved.name))
        return redirect("dashboard:caps")

    template = "dashboard/content/caps/edit.html"
    return edit_page(request, form, template, {"cap": cap}, save=save, done=done)


@requires(Capability.EDIT)
@require_POST
def remove(request: HttpRequest, uid: UUID) -> HttpResponse:
    cap = get_object_or_404(Cap, uid=uid)
    delete_cap(cap=cap, by=staff_actor(request), now=timezone.now())
    messages.success(request, gettext("{name} was removed.").format(name=cap.name))
    return redirect("dashboard:caps")


urlpatterns = [
    path("caps/", index, name="caps"),
    path("caps/add/", add, name="cap-add"),
    path("caps/<uuid:uid>/", edit, name="cap"),
    path("caps/<uuid:uid>/remove/", remove, name="cap-remove"),
]
