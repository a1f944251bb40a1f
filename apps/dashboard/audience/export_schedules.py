"""Exports that begin by themselves: the list, and what administrators decide about each."""

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.campaigns.models import Segment
from apps.dashboard.shell.edit_page import edit_page
from apps.dashboard.shell.paging import beside
from apps.followers.exports.due import start
from apps.followers.exports.formats import FORMATS
from apps.followers.exports.schedules import (
    ScheduleValues,
    Store,
    change_schedule,
    create_schedule,
    delete_schedule,
    known_store,
)
from apps.followers.exports.source import sources
from apps.followers.models import ExportEvery, ExportPlace, ExportSchedule
from apps.lib.refusals import Refused

_TYPED = ("name", "kind", "file_format", "every", "at", "place", "folder", "active")
_OF_STORE = ("bucket", "region", "endpoint", "access_key")


class ExportScheduleForm(forms.Form):
    elsewhere = "name"
    name = forms.CharField(max_length=100, label=_("Name"))
    kind = forms.ChoiceField(label=_("Rows of"))
    segment = forms.ModelChoiceField(
        Segment.objects.all(),
        to_field_name="uid",
        required=False,
        label=_("Segment"),
        help_text=_("For the people of a segment: which one."),
    )
    file_format = forms.ChoiceField(
        choices=[(name, name.upper()) for name in FORMATS], label=_("Format")
    )
    every = forms.ChoiceField(choices=ExportEvery.choices, label=_("When"))
    at = forms.TimeField(
        widget=forms.TimeInput({"type": "time"}, format="%H:%M"),
        label=_("At"),
        help_text=_("By the site's clock."),
    )
    place = forms.ChoiceField(choices=ExportPlace.choices, label=_("Where to"))
    folder = forms.CharField(
        max_length=200,
        label=_("Folder"),
        help_text=_("Each export gets a folder of its own in it, named after its time and rows."),
    )
    bucket = forms.CharField(
        max_length=63, required=False, label=_("Bucket"), help_text=_("This and below: of a store.")
    )
    region = forms.CharField(max_length=40, required=False, label=_("Region"))
    endpoint = forms.CharField(
        max_length=200,
        required=False,
        label=_("Address of the store"),
        help_text=_("Empty: Amazon S3."),
    )
    access_key = forms.CharField(
        max_length=200,
        required=False,
        label=_("Access key"),
        help_text=_("Empty: the role of the machine."),
    )
    secret_key = forms.CharField(
        max_length=200,
        required=False,
        label=_("Secret key"),
        widget=forms.PasswordInput({"autocomplete": "new-password"}),
        help_text=_("It is kept encrypted and never shown. Empty: it stays as it was."),
    )
    active = forms.BooleanField(required=False, label=_("Active"))

    def __init__(self, data: Any = None, *, schedule: ExportSchedule | None) -> None:
        initial: dict[str, Any] = {"kind": "followers", "every": "daily", "at": "03:00"}
        initial |= {"folder": "followers", "active": True}
        if schedule:
            store = known_store(schedule)
            initial = {name: getattr(schedule, name) for name in _TYPED}
            initial |= {name: getattr(store, name) for name in _OF_STORE}
            initial["segment"] = schedule.asked.get("segment")
        super().__init__(data, initial=initial)
        kinds = [(name, source.label) for name, source in sources().items()]
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]  # of a ChoiceField

    def values(self) -> ScheduleValues:
        typed = self.cleaned_data
        asked = {}
        if typed["segment"]:
            asked["segment"] = str(typed["segment"].uid)
        store = Store(
            **{name: typed[name].strip() for name in _OF_STORE},
            secret_key=typed["secret_key"] or None,
        )
        return ScheduleValues(**{name: typed[name] for name in _TYPED}, asked=asked, store=store)


@requires(Capability.SEND)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = list(ExportSchedule.objects.all())
    for row in rows:
        beside(row, label=sources()[row.kind].label)
    return render(request, "dashboard/audience/exports/schedules.html", {"rows": rows})


@requires(Capability.ADMINISTER)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.ADMINISTER)
def edit(request: HttpRequest, uid: UUID) -> HttpResponse:
    return _edit(request, get_object_or_404(ExportSchedule, uid=uid))


def _edit(request: HttpRequest, schedule: ExportSchedule | None) -> HttpResponse:
    form = ExportScheduleForm(request.POST or None, schedule=schedule)

    def save() -> ExportSchedule:
        by = staff_actor(request)
        now = timezone.now()
        if schedule:
            return change_schedule(schedule=schedule, values=form.values(), by=by, now=now)
        return create_schedule(values=form.values(), by=by, now=now)

    def done(saved: ExportSchedule) -> HttpResponse:
        messages.success(request, gettext("{name} was saved.").format(name=saved.name))
        return redirect("dashboard:export-schedules")

    template = "dashboard/audience/exports/schedule.html"
    return edit_page(request, form, template, {"schedule": schedule}, save=save, done=done)


@requires(Capability.ADMINISTER)
@require_POST
def run(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Begin one now, beside its times."""
    schedule = get_object_or_404(ExportSchedule, uid=uid)
    try:
        start(schedule=schedule, by=staff_actor(request), now=timezone.now())
    except Refused as error:
        messages.error(request, error.sentence)
    else:
        said = gettext("The export runs; how it ended stands here in a while.")
        messages.success(request, said)
    return redirect("dashboard:export-schedules")


@requires(Capability.ADMINISTER)
@require_POST
def remove(request: HttpRequest, uid: UUID) -> HttpResponse:
    schedule = get_object_or_404(ExportSchedule, uid=uid)
    delete_schedule(schedule=schedule, by=staff_actor(request), now=timezone.now())
    messages.success(request, gettext("{name} was removed.").format(name=schedule.name))
    return redirect("dashboard:export-schedules")


urlpatterns = [
    path("exports/scheduled/", index, name="export-schedules"),
    path("exports/scheduled/add/", add, name="export-schedule-add"),
    path("exports/scheduled/<uuid:uid>/", edit, name="export-schedule"),
    path("exports/scheduled/<uuid:uid>/run/", run, name="export-schedule-run"),
    path("exports/scheduled/<uuid:uid>/remove/", remove, name="export-schedule-remove"),
]
