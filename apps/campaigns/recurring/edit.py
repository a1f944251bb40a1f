"""Recurring notifications: create, change, pause, resume and delete them."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.campaigns.audience.audience import Audience
from apps.campaigns.audience.segments import names_segment
from apps.campaigns.models import Missed, Recurring, Segment, ZoneMode
from apps.campaigns.recurring import clocks, recurrence
from apps.content import lint
from apps.content.drafts import published_version, wordless
from apps.content.models import Template, Version
from apps.followers.models import NotificationType
from apps.lib import wallclock
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.partial import UNSET, Unset, changes, given
from apps.lib.refusals import NOT_FOUND, NOT_NOW, UNFIT, RefusalKind, Refused
from apps.notifications import control
from apps.notifications.models import Notification, NotificationState
from apps.notifications.types.data_schema import Unfit, check_fit
from apps.notifications.types.edit import template_of

LONGEST_TOLERANCE = 7 * 24 * 3600
FARTHEST_YEARS = 10


class BadRecurring(Refused):
    """Values that can't be sent again and again; `field` is the one to change."""


class RecurringNameTaken(Refused):
    """Another recurring notification has this name."""

    kind = RefusalKind.STATE
    field = "name"


@dataclass(frozen=True, slots=True)
class RecurringValues:
    """What people decide about a recurring notification, named as the columns of Recurring.

    A new one needs its name, type, audience and cadence; the columns have defaults for the rest.
    """

    name: str | Unset = UNSET
    notification_type: NotificationType | Unset = UNSET
    audience: Mapping[str, Any] | Unset = UNSET
    cadence: Mapping[str, Any] | Unset = UNSET
    template: Template | Unset | None = UNSET
    channels: Sequence[str] | Unset = UNSET
    data: Mapping[str, Any] | Unset = UNSET
    zone_mode: str | Unset = UNSET
    zone: str | Unset = UNSET
    missed: str | Unset = UNSET
    tolerance: int | Unset = UNSET
    starts_at: dt.datetime | Unset | None = UNSET
    ends_at: dt.datetime | Unset | None = UNSET


# ------------------------------------------------------------------ acts
def create_recurring(*, values: RecurringValues, by: Actor, now: dt.datetime) -> Recurring:
    """Create a recurring notification, active at once.

    Raises BadRecurring, RecurringNameTaken, recurrence.BadCadence, audience.BadAudience.
    """
    row = Recurring(**_columns(values), created_at=now, updated_at=now)
    _check(row, now=now)
    _save(row, Kind.RECURRING_CHANGED, {"after": _described(row)}, by=by, now=now)
    return row


def change_recurring(
    *, recurring: Recurring, values: RecurringValues, by: Actor, now: dt.datetime
) -> Recurring:
    """Change a recurring notification and return it as it is now.

    Times from now on are the new ones; what is on its way stays as it is. Raises as
    `create_recurring`.
    """
    with transaction.atomic():
        row = _locked(recurring)
        before = _described(row)
        for name, value in _columns(values).items():
            setattr(row, name, value)
        _check(row, now=now)
        if data := changes(before, _described(row)):
            row.updated_at = now
            _save(row, Kind.RECURRING_CHANGED, data, by=by, now=now)
    return row


def pause(*, recurring: Recurring, by: Actor, now: dt.datetime) -> Recurring:
    """Begin nothing more until `resume`. A second time changes nothing."""
    return _switch(recurring, Kind.RECURRING_PAUSED, active=False, by=by, now=now)


def resume(*, recurring: Recurring, by: Actor, now: dt.datetime) -> Recurring:
    """Go on with the next time; those of the pause are not made up for.

    A second time changes nothing.
    """
    return _switch(recurring, Kind.RECURRING_RESUMED, active=True, by=by, now=now)


def delete_recurring(*, recurring: Recurring, by: Actor, now: dt.datetime) -> None:
    """Delete a recurring notification; what it sent stays in the books.

    What is just being planned is cancelled, for nobody would go on with it.
    """
    with transaction.atomic():
        row = _locked(recurring)  # a strike ends first
        half = Notification.objects.filter(occurrence__recurring=row, planned_at=None)
        for notification in half.exclude(state=NotificationState.CANCELLED):
            control.cancel(notification=notification, by=by, now=now)
        data = {"before": _described(row)}
        tell(Kind.RECURRING_DELETED, by=by, now=now, about=row, data=data)
        row.delete()


def _locked(recurring: Recurring) -> Recurring:
    return Recurring.objects.select_for_update(no_key=True).get(pk=recurring.pk)


def _switch(
    recurring: Recurring, kind: Kind, *, active: bool, by: Actor, now: dt.datetime
) -> Recurring:
    with transaction.atomic():
        row = _locked(recurring)
        if row.active != active:
            row.active = active
            row.updated_at = now
            _save(row, kind, {}, by=by, now=now)
    return row


def _columns(values: RecurringValues) -> dict[str, Any]:
    columns = given(values)
    if "name" in columns:
        columns["name"] = columns["name"].strip()
    if "channels" in columns:
        columns["channels"] = list(columns["channels"])
    return columns


def _described(row: Recurring) -> dict[str, Any]:
    """Return the values as JSON has them, for the history."""
    described = {each.name: getattr(row, each.name) for each in fields(RecurringValues)}
    described["notification_type"] = row.notification_type.key
    described["template"] = row.template and row.template.key
    described["starts_at"] = row.starts_at and row.starts_at.isoformat()
    described["ends_at"] = row.ends_at and row.ends_at.isoformat()
    return described


def _save(row: Recurring, kind: Kind, data: dict[str, Any], *, by: Actor, now: dt.datetime) -> None:
    try:
        with transaction.atomic():
            row.save()
            clocks.set_clocks(row, now=now)
            tell(kind, by=by, now=now, about=row, data=data)
    except IntegrityError as error:
        if not Recurring.objects.filter(name=row.name).exclude(pk=row.pk).exists():
            raise
        said = _("There is already one called “{name}”. Choose another name.")
        raise RecurringNameTaken(said.format(name=row.name)) from error


# ------------------------------------------------------------------ checking
def _check(row: Recurring, *, now: dt.datetime) -> None:
    """Check all values together, and bring cadence and audience into their one fixed form."""
    if not row.name:
        raise BadRecurring(_("Give it a name."), field="name")
    row.cadence = recurrence.as_data(recurrence.parse(row.cadence))
    audience = Audience.parse(row.audience)
    if audience.is_empty:
        raise BadRecurring(_("Choose who gets it."), field="audience")
    row.audience = audience.as_data()
    if fault := row.not_offered():
        raise BadRecurring(fault, field="channels", cause=UNFIT)
    if fault := wordless(version_of(row), row.channels):
        raise BadRecurring(fault, field="channels", cause=UNFIT)
    _check_zone(row)
    _check_times(row, now=now)


def _check_zone(row: Recurring) -> None:
    if row.zone_mode not in ZoneMode.values:
        raise BadRecurring(_one_of(ZoneMode.values), field="zone_mode")
    if (row.zone_mode == ZoneMode.NAMED) != bool(row.zone):
        said = _("Name a zone, and only if it goes by a named zone.")
        raise BadRecurring(said, field="zone", cause=UNFIT)
    if row.zone:
        try:
            wallclock.zone(row.zone)
        except wallclock.UnknownZone as error:
            raise BadRecurring(str(error), field="zone", cause=NOT_FOUND) from error


def _check_times(row: Recurring, *, now: dt.datetime) -> None:
    if row.missed not in Missed.values:
        raise BadRecurring(_one_of(Missed.values), field="missed")
    if not 0 <= row.tolerance <= LONGEST_TOLERANCE:
        said = _("Choose a tolerance of at most seven days, in seconds.")
        raise BadRecurring(said, field="tolerance")
    for name, moment in (("starts_at", row.starts_at), ("ends_at", row.ends_at)):
        if moment and abs(moment.year - now.year) > FARTHEST_YEARS:
            said = _("Choose a time within {years} years.").format(years=FARTHEST_YEARS)
            raise BadRecurring(said, field=name, cause=NOT_NOW)
    if row.starts_at and row.ends_at and row.ends_at <= row.starts_at:
        said = _("It would end before it starts. Choose a later end.")
        raise BadRecurring(said, field="ends_at", cause=NOT_NOW)


def _one_of(words: Iterable[str]) -> str:
    return _("Choose one of: {known}.").format(known=", ".join(words))


# ------------------------------------------------------------------ what is sent
def version_of(recurring: Recurring) -> Version:
    """Return the published words of today. Raises BadRecurring."""
    kind = recurring.notification_type
    template = recurring.template or template_of(kind)
    if template is None:
        said = _("There is no default template of “{type}”. Choose one.")
        raise BadRecurring(said.format(type=kind.name), field="template", cause=NOT_FOUND)
    version = published_version(template)
    if version is None:
        said = _("The template {key} is not published. Publish it first.")
        raise BadRecurring(said.format(key=template.key), field="template", cause=NOT_FOUND)
    try:
        lint.check_data(version, recurring.data, channels=recurring.channels or None)
        if kind.schema is not None:
            check_fit(kind.schema, recurring.data)
    except (lint.BadData, Unfit) as error:
        raise BadRecurring(str(error), field="data", cause=UNFIT) from error
    return version


def uses_of(segment: Segment) -> list[str]:
    """Name those that choose or exclude a segment, as sentences begin."""
    rows = [row for row in Recurring.objects.all() if names_segment(row.audience, segment)]
    return [_("The recurring “{name}”").format(name=row.name) for row in rows]
