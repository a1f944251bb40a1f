"""Recurring notifications: what goes out again and again, when it does next, and what it did."""

import datetime as dt
import re
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import messages
from django.db.models import TextChoices
from django.forms.models import model_to_dict
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.dates import WEEKDAYS as WEEKDAY_NAMES
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.campaigns.audience.audience import Audience
from apps.campaigns.models import Missed, Recurring, ZoneMode
from apps.campaigns.recurring import clocks, recurrence
from apps.campaigns.recurring import edit as recurring_edit
from apps.campaigns.recurring.edit import RecurringValues
from apps.campaigns.recurring.recurrence import WEEKDAYS, BadCadence
from apps.dashboard.send.campaigns.forms import AudienceForm, WallField
from apps.dashboard.shell.edit_page import kept
from apps.dashboard.shell.forms import (
    JsonField,
    WhatIsSentForm,
    ZoneField,
    also_offer,
    channel_choices,
    offer,
)
from apps.dashboard.shell.paging import page_of
from apps.lib import wallclock
from apps.lib.written import written

ROWS = Recurring.objects.select_related("notification_type", "template").prefetch_related("zones")
TIMES_SHOWN = 5


class HowOften(TextChoices):
    DAILY = "daily", _("Every day")
    WEEKLY = "weekly", _("Every week")
    MONTHLY = "monthly", _("Every month")
    CRON = "cron", _("A cron line")


# The fields that make up a cadence, by its kind.
PARTS = {
    HowOften.DAILY: ["times"],
    HowOften.WEEKLY: ["times", "weekdays"],
    HowOften.MONTHLY: ["times", "days"],
    HowOften.CRON: ["cron"],
}
# The fields that the next times are worked out from.
CLOCK_FIELDS = {"kind", "times", "weekdays", "days", "cron", "zone"}
# The fields that stand in the row under their own names.
SAME_IN_ROW = ("name", "channels", "data", "zone_mode", "zone", "missed")


class RecurringForm(WhatIsSentForm):
    name = forms.CharField(max_length=120, label=_("Name"), help_text=_("Only your team sees it."))
    data = JsonField(  # type: ignore[assignment]  # a field; Django keeps it in base_fields
        required=False,
        label=_("Values"),
        rows=3,
        example='{"offer": "Spring"}',
        help_text=_('For the template\'s variables, as JSON: {"offer": "Spring"}.'),
    )
    kind = forms.ChoiceField(
        choices=HowOften.choices,
        initial=HowOften.DAILY,
        widget=forms.RadioSelect,
        label=_("How often"),
    )
    times = forms.CharField(
        required=False,
        initial="09:00",
        label=_("Times"),
        help_text=_("One or more, with commas: 09:00, 18:00."),
    )
    weekdays = forms.MultipleChoiceField(
        choices=[(day, WEEKDAY_NAMES[place]) for place, day in enumerate(WEEKDAYS)],
        required=False,
        widget=forms.CheckboxSelectMultiple,
        label=_("Weekdays"),
    )
    days = forms.CharField(
        required=False,
        label=_("Days of the month"),
        help_text=_("For example 1, 15, 31. 31 is always the last day."),
    )
    cron = forms.CharField(
        required=False,
        label=_("Cron line"),
        max_length=100,
        help_text=_("Minute, hour, day of the month, month, weekday: 0 9 * * 1-5."),
    )
    zone_mode = forms.ChoiceField(
        choices=ZoneMode.choices,
        initial=ZoneMode.SITE,
        widget=forms.RadioSelect,
        label=_("Time zone"),
    )
    zone = ZoneField(required=False, label=_("Named zone"))
    starts = WallField(
        required=False,
        label=_("Not before (optional)"),
        help_text=_("In the named zone, else the site's."),
    )
    ends = WallField(required=False, label=_("Not after (optional)"))
    missed = forms.ChoiceField(
        choices=Missed.choices,
        initial=Missed.SKIP,
        widget=forms.RadioSelect,
        label=_("If the scheduler was down"),
        help_text=_("Workers were down at that time."),
    )
    tolerance = forms.IntegerField(
        min_value=0,
        max_value=recurring_edit.LONGEST_TOLERANCE // 60,
        initial=15,
        label=_("Minutes that still count as in time"),
    )

    def __init__(self, row: Recurring | None, data: Any = None) -> None:
        initial = None
        channels: list[str] = []
        audience: dict[str, Any] = {}
        if row:
            initial = _initial(row)
            channels = row.channels
            audience = row.audience
        super().__init__(data, initial=initial)
        offer(self, "channels", channel_choices(channels))
        if row:
            also_offer(self, row.template)
        self.audience = AudienceForm(audience, data)

    def clean_days(self) -> list[Any]:
        days: list[Any] = _words(self.cleaned_data["days"])
        for place, word in enumerate(days):
            if word.isdecimal():
                days[place] = int(word)
        return days

    def clean_times(self) -> list[str]:
        return _words(self.cleaned_data["times"])

    def cadence(self) -> dict[str, Any]:
        """What belongs to the kind; what else was typed there is of no account."""
        typed = self.cleaned_data
        kind = typed["kind"]
        cadence = {"kind": kind}
        for name in PARTS[kind]:
            cadence[name] = typed[name]
        return cadence

    def values(self) -> RecurringValues:
        """Whether they go together is the domain's own business."""
        typed = self.cleaned_data
        zone = _zone(typed["zone"])
        starts_at = _instant(typed["starts"], zone)
        ends_at = _instant(typed["ends"], zone)
        named = ""
        if typed["zone_mode"] == ZoneMode.NAMED:
            named = typed["zone"]
        tolerance = typed["tolerance"] * 60
        return RecurringValues(
            name=typed["name"],
            notification_type=typed["notification_type"],
            template=typed["template"],
            channels=typed["channels"],
            data=typed["data"],
            zone_mode=typed["zone_mode"],
            zone=named,
            missed=typed["missed"],
            starts_at=starts_at,
            ends_at=ends_at,
            tolerance=tolerance,
            cadence=self.cadence(),
            audience=self.audience.audience(),
        )


def _zone(name: str) -> ZoneInfo:
    """Return the zone of a name; the site's for none, or for one that is not known."""
    known = clocks.known_zone(name)
    return wallclock.zone(known)


def _instant(wall: dt.datetime | None, zone: ZoneInfo) -> dt.datetime | None:
    if wall:
        return wallclock.instant(wall, zone)
    return None


def _wall(moment: dt.datetime | None, zone: ZoneInfo) -> dt.datetime | None:
    if moment is None:
        return None
    local = moment.astimezone(zone)
    return local.replace(tzinfo=None)


def _words(text: str) -> list[str]:
    words = re.split(r"[\s,;]+", text)
    return [word for word in words if word]


def _initial(row: Recurring) -> dict[str, Any]:
    initial = model_to_dict(row, SAME_IN_ROW)
    initial |= _initial_cadence(row.cadence)
    initial["notification_type"] = row.notification_type.key
    if row.template:
        initial["template"] = row.template.uid
    initial["tolerance"] = row.tolerance // 60
    zone = _zone(row.zone)
    initial["starts"] = _wall(row.starts_at, zone)
    initial["ends"] = _wall(row.ends_at, zone)
    return initial


def _initial_cadence(cadence: dict[str, Any]) -> dict[str, Any]:
    times = cadence.get("times", [])
    days = cadence.get("days", [])
    initial = {"kind": cadence["kind"]}
    initial["times"] = ", ".join(times)
    initial["weekdays"] = cadence.get("weekdays", [])
    initial["days"] = ", ".join(map(str, days))
    initial["cron"] = cadence.get("cron", "")
    return initial


def clock_of(row: Recurring) -> str:
    """Whose clock it goes by, after "at 09:00 "."""
    if row.zone_mode == ZoneMode.FOLLOWER:
        return gettext("by each follower's own clock")
    zone = clocks.known_zone(row.zone)
    return gettext("in {zone}").format(zone=zone)


@dataclass(frozen=True)
class RecurringLine:
    """A recurring notification in the list; `next_at` is None when it is paused or over."""

    row: Recurring
    when: str
    next_at: dt.datetime | None


def _line(row: Recurring) -> RecurringLine:
    sentence = _sentence(row)
    clock = clock_of(row)
    next_at = min(_next_moments(row), default=None)
    return RecurringLine(row, when=f"{sentence}, {clock}", next_at=next_at)


def _sentence(row: Recurring) -> str:
    cadence = recurrence.parse(row.cadence)
    return recurrence.sentence(cadence)


def _next_moments(row: Recurring) -> list[dt.datetime]:
    """The next moment of each clock that goes on."""
    clocks_of_row = row.zones.all()
    return [clock.next_at for clock in clocks_of_row if clock.next_at]


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    rows = [_line(row) for row in ROWS.all()]
    return render(request, "dashboard/send/recurring/list.html", {"rows": rows})


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    row = get_object_or_404(ROWS, uid=uid)
    audience = Audience.stored(row.audience)
    chosen, without = audience.words()
    coming = []
    if row.active:
        moments = clocks.coming(row, after=timezone.now())
        coming = _local(moments, row.zone)
    context = {"row": row, "coming": coming, "chosen": chosen, "without": without}
    context["when"] = _sentence(row)
    context["clock"] = clock_of(row)
    context["zone"] = clocks.known_zone(row.zone)
    context["zones"] = len(_next_moments(row))
    context["tolerance"] = row.tolerance // 60
    occurrences = row.occurrences.select_related("notification")
    context["page"] = page_of(request, occurrences)
    return render(request, "dashboard/send/recurring/detail.html", context)


def _local(moments: list[dt.datetime], zone: str) -> list[str]:
    """Write moments in the zone that it goes by, which is perhaps not the reader's."""
    tz = _zone(zone)
    return [written(moment.astimezone(tz), "EEEE, d MMMM y, HH:mm") for moment in moments]


@requires(Capability.SEND)
def add(request: HttpRequest) -> HttpResponse:
    return _edit(request, None)


@requires(Capability.SEND)
def edit(request: HttpRequest, uid: UUID) -> HttpResponse:
    return _edit(request, get_object_or_404(ROWS, uid=uid))


def _edit(request: HttpRequest, row: Recurring | None) -> HttpResponse:
    """One address for looking and saving: the button says which (`show`, or neither)."""
    form = RecurringForm(row, request.POST or None)
    coming = None
    if request.method == "POST":
        form_valid = form.is_valid()
        valid = form.audience.is_valid() and form_valid
        if "show" in request.POST:
            coming = _look(form)
            form.audience.errors.clear()
        elif valid:
            saved = kept(form, lambda: _save(request, form, row))
            if saved:
                said = gettext("{name} was saved.").format(name=saved.name)
                messages.success(request, said)
                return redirect("dashboard:recurring-one", saved.uid)
    context = {"row": row, "form": form, "coming": coming}
    return render(request, "dashboard/send/recurring/edit.html", context)


def _look(form: RecurringForm) -> list[str]:
    """The next five times of what was typed so far."""
    if form.errors.keys() & CLOCK_FIELDS:
        return []
    zone = form.cleaned_data["zone"]
    known = clocks.known_zone(zone)
    now = timezone.now()
    try:
        cadence = recurrence.parse(form.cadence())
    except BadCadence as error:
        form.errors.clear()
        form.add_error(None, str(error))
        return []
    form.errors.clear()  # a name is not needed to look
    found = recurrence.coming(cadence, zone=known, after=now, count=TIMES_SHOWN)
    return _local(found, zone)


def _save(request: HttpRequest, form: RecurringForm, row: Recurring | None) -> Recurring:
    values = form.values()
    by = staff_actor(request)
    now = timezone.now()
    if row:
        return recurring_edit.change_recurring(recurring=row, values=values, by=by, now=now)
    return recurring_edit.create_recurring(values=values, by=by, now=now)


@requires(Capability.SEND)
@require_POST
def act(request: HttpRequest, uid: UUID, verb: str) -> HttpResponse:
    row = get_object_or_404(ROWS, uid=uid)
    by = staff_actor(request)
    now = timezone.now()
    if verb == "delete":
        recurring_edit.delete_recurring(recurring=row, by=by, now=now)
        said = gettext("{name} was deleted. What it sent stays in the books.")
        messages.success(request, said.format(name=row.name))
        return redirect("dashboard:recurring")
    if verb == "pause":
        recurring_edit.pause(recurring=row, by=by, now=now)
        said = gettext("Paused. What is on its way goes on; stop that on its notification.")
        messages.success(request, said)
    else:
        recurring_edit.resume(recurring=row, by=by, now=now)
        messages.success(request, gettext("It goes on with the next time."))
    return redirect("dashboard:recurring-one", uid)


VERBS = ("pause", "resume", "delete")

urlpatterns = [
    path("recurring/", index, name="recurring"),
    path("recurring/add/", add, name="recurring-add"),
    path("recurring/<uuid:uid>/", detail, name="recurring-one"),
    path("recurring/<uuid:uid>/edit/", edit, name="recurring-edit"),
]
for verb in VERBS:
    address = f"recurring/<uuid:uid>/{verb}/"
    urlpatterns.append(path(address, act, {"verb": verb}, name=f"recurring-{verb}"))
