"""Recurring notifications: make, change, pause, resume and delete them,
and keep a row for each clock they go by.
"""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from apps.campaigns.audience.audience import Audience
from apps.campaigns.models import Missed, Recurring, RecurringZone, ZoneMode
from apps.campaigns.recurring import recurrence
from apps.content import lint
from apps.content.drafts import published_version, wordless
from apps.content.models import Template, Version
from apps.followers.models import Channel, Follower, NotificationType
from apps.lib import wallclock
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications import control
from apps.notifications.models import Notification, NotificationState
from apps.notifications.types.data_schema import Unfit, check_fit
from apps.notifications.types.edit import template_of

LONGEST_TOLERANCE = 7 * 24 * 3600
FARTHEST_YEARS = 10


class BadRecurring(Refused):
    """These values can't be sent again and again; `field` is the one to change."""


class RecurringNameTaken(Refused):
    """Another recurring notification has this name."""

    kind = RefusalKind.STATE
    field = "name"


@dataclass(frozen=True, slots=True)
class RecurringValues:
    """All that people decide, named as the columns of Recurring."""

    name: str
    notification_type: NotificationType
    audience: Mapping[str, Any]
    cadence: Mapping[str, Any]
    template: Template | None = None
    channels: Sequence[str] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    zone_mode: str = ZoneMode.SITE
    zone: str = ""
    missed: str = Missed.SKIP
    tolerance: int = 900
    starts_at: dt.datetime | None = None
    ends_at: dt.datetime | None = None


# ------------------------------------------------------------------ acts
def make_recurring(*, values: RecurringValues, by: Actor, now: dt.datetime) -> Recurring:
    """It is active at once.

    Raises BadRecurring, RecurringNameTaken, recurrence.BadCadence, audience.BadAudience.
    """
    row = Recurring(**_columns(values, now=now), created_at=now, updated_at=now)
    _save(row, Kind.RECURRING_CHANGED, {"after": _described(row)}, by=by, now=now)
    return row


def change_recurring(
    *, recurring: Recurring, values: RecurringValues, by: Actor, now: dt.datetime
) -> Recurring:
    """Times from now on are the new ones; what is on its way stays as it is.

    Raises as `make_recurring`.
    """
    columns = _columns(values, now=now)
    with transaction.atomic():
        row = Recurring.objects.select_for_update(no_key=True).get(pk=recurring.pk)
        before = _described(row)
        for name, value in columns.items():
            setattr(row, name, value)
        after = _described(row)
        both = {"before": before, "after": after}
        if changed := [name for name in after if before[name] != after[name]]:
            row.updated_at = now
            said = {when: {name: values[name] for name in changed} for when, values in both.items()}
            _save(row, Kind.RECURRING_CHANGED, said, by=by, now=now)
    return row


def pause(*, recurring: Recurring, by: Actor, now: dt.datetime) -> Recurring:
    """Nothing more is begun until `resume`. A second time changes nothing."""
    return _switch(recurring, Kind.RECURRING_PAUSED, active=False, by=by, now=now)


def resume(*, recurring: Recurring, by: Actor, now: dt.datetime) -> Recurring:
    """Go on with the next time; those of the pause are not made up for.

    A second time changes nothing.
    """
    return _switch(recurring, Kind.RECURRING_RESUMED, active=True, by=by, now=now)


def delete_recurring(*, recurring: Recurring, by: Actor, now: dt.datetime) -> None:
    """What it sent stays in the books; what is just being planned is cancelled,
    for nobody would go on with it.
    """
    with transaction.atomic():
        recurring = Recurring.objects.select_for_update(no_key=True).get(
            pk=recurring.pk
        )  # a strike ends first
        half = Notification.objects.filter(occurrence__recurring=recurring, planned_at=None)
        for notification in half.exclude(state=NotificationState.CANCELLED):
            control.cancel(notification=notification, by=by, now=now)
        data = {"before": _described(recurring)}
        tell(Kind.RECURRING_DELETED, by=by, now=now, about=recurring, data=data)
        recurring.delete()


def _switch(
    recurring: Recurring, kind: Kind, *, active: bool, by: Actor, now: dt.datetime
) -> Recurring:
    with transaction.atomic():
        row = Recurring.objects.select_for_update(no_key=True).get(pk=recurring.pk)
        if row.active != active:
            row.active = active
            row.updated_at = now
            _save(row, kind, {}, by=by, now=now)
    return row


def _save(row: Recurring, kind: Kind, data: dict[str, Any], *, by: Actor, now: dt.datetime) -> None:
    try:
        with transaction.atomic():
            row.save()
            _set_clocks(row, now=now)
            tell(kind, by=by, now=now, about=row, data=data)
    except IntegrityError as error:
        if not Recurring.objects.filter(name=row.name).exclude(pk=row.pk).exists():
            raise
        raise RecurringNameTaken(
            f"There is already one called “{row.name}”. Choose another name."
        ) from error


# ------------------------------------------------------------------ clocks
def next_time(recurring: Recurring, zone: str, *, after: dt.datetime) -> dt.datetime | None:
    """The next time after `after` by one clock; None when it is paused or over."""
    if not recurring.active:
        return None
    if recurring.starts_at:
        after = max(after, recurring.starts_at - dt.timedelta(microseconds=1))
    found = recurrence.first(
        recurrence.parse(recurring.cadence), zone=known_zone(zone), after=after
    )
    if found is None or (recurring.ends_at and found > recurring.ends_at):
        return None
    return found


def coming(recurring: Recurring, *, after: dt.datetime, count: int = 5) -> list[dt.datetime]:
    """The next times for whoever is in the site's zone (or the named one),
    also while it is paused.
    """
    if recurring.starts_at:
        after = max(after, recurring.starts_at - dt.timedelta(microseconds=1))
    cadence = recurrence.parse(recurring.cadence)
    found = recurrence.coming(cadence, zone=known_zone(recurring.zone), after=after, count=count)
    return [at for at in found if not recurring.ends_at or at <= recurring.ends_at]


def known_zone(name: str) -> str:
    """The zone itself; the site's for "" and for a name that the time zone database does not have
    (any more).
    """
    try:
        if name:
            return wallclock.zone(name).key
        return settings.TIME_ZONE
    except wallclock.UnknownZone:
        return settings.TIME_ZONE


def _set_clocks(recurring: Recurring, *, now: dt.datetime) -> None:
    """Each clock's next time anew, after a change of anything;
    one that is to strike just now still does.
    """
    zones = _zones(recurring)
    clocks = RecurringZone.objects.filter(recurring=recurring)
    clocks.exclude(zone__in=zones).delete()
    due = set()
    if recurring.active:
        due = set(clocks.filter(next_at__lte=now).values_list("zone", flat=True))
    for zone in zones - due:
        next_at = next_time(recurring, zone, after=now)
        RecurringZone.objects.update_or_create(
            recurring=recurring, zone=zone, defaults={"next_at": next_at}
        )


def _zones(recurring: Recurring) -> set[str]:
    if recurring.zone_mode == ZoneMode.FOLLOWER:
        return {"", *_zones_of_people()}
    return {recurring.zone}


def _zones_of_people() -> set[str]:
    return set(Follower.objects.order_by().values_list("time_zone", flat=True).distinct())


def add_new_zones(*, now: dt.datetime) -> None:
    """Schedule: a clock for each zone that somebody has since the last look.

    Safe when several run at once.
    """
    following = list(Recurring.objects.filter(zone_mode=ZoneMode.FOLLOWER, active=True))
    if not following:
        return
    people = _zones_of_people()
    for recurring in following:
        with transaction.atomic():
            # a change or a pause at the same moment: one waits for the other
            row = Recurring.objects.select_for_update(no_key=True).get(pk=recurring.pk)
            for zone in people - set(row.zones.values_list("zone", flat=True)):
                next_at = next_time(row, zone, after=now)
                RecurringZone.objects.get_or_create(
                    recurring=row, zone=zone, defaults={"next_at": next_at}
                )


# ------------------------------------------------------------------ what is sent
def version_of(recurring: Recurring) -> Version:
    """The published words of today. Raises BadRecurring."""
    return _version(recurring.notification_type, recurring.template, recurring.data)


def _version(kind: NotificationType, template: Template | None, data: Mapping[str, Any]) -> Version:
    template = template or template_of(kind)
    if template is None:
        raise BadRecurring(f"No template speaks for “{kind.name}”. Choose one.", field="template")
    version = published_version(template)
    if version is None:
        raise BadRecurring(
            f"The template {template.key} is not published. Publish it first.", field="template"
        )
    try:
        lint.check_data(version, data)
        if kind.schema is not None:
            check_fit(kind.schema, data)
    except (lint.BadData, Unfit) as error:
        raise BadRecurring(str(error), field="data") from error
    return version


def _columns(values: RecurringValues, *, now: dt.datetime) -> dict[str, Any]:
    """The columns, checked and in one fixed form."""
    if not values.name.strip():
        raise BadRecurring("Give it a name.", field="name")
    cadence = recurrence.as_data(recurrence.parse(values.cadence))
    audience = Audience.parse(dict(values.audience))
    if audience.is_empty:
        raise BadRecurring("Choose who gets it.", field="audience")
    if unknown := [
        channel for channel in values.channels if channel not in values.notification_type.channels
    ]:
        labels = ", ".join(
            str(Channel(one).label) if one in Channel.values else one for one in unknown
        )
        raise BadRecurring(
            f"{values.notification_type.name} is not offered on {labels}.", field="channels"
        )
    version = _version(values.notification_type, values.template, values.data)
    if fault := wordless(version, values.channels):
        raise BadRecurring(fault, field="channels")
    if values.zone_mode not in ZoneMode.values:
        raise BadRecurring(f"Choose one of: {', '.join(ZoneMode.values)}.", field="zone_mode")
    if (values.zone_mode == ZoneMode.NAMED) != bool(values.zone):
        raise BadRecurring("Name a zone, and only if it goes by a named zone.", field="zone")
    if values.zone:
        try:
            wallclock.zone(values.zone)
        except wallclock.UnknownZone as error:
            raise BadRecurring(str(error), field="zone") from error
    if values.missed not in Missed.values:
        raise BadRecurring(f"Choose one of: {', '.join(Missed.values)}.", field="missed")
    if not 0 <= values.tolerance <= LONGEST_TOLERANCE:
        raise BadRecurring(
            "Choose a tolerance of at most seven days, in seconds.", field="tolerance"
        )
    for name in ("starts_at", "ends_at"):
        if (moment := getattr(values, name)) and abs(moment.year - now.year) > FARTHEST_YEARS:
            raise BadRecurring(f"Choose a time within {FARTHEST_YEARS} years.", field=name)
    if values.starts_at and values.ends_at and values.ends_at <= values.starts_at:
        raise BadRecurring("It would end before it starts. Choose a later end.", field="ends_at")
    plain = {
        "cadence": cadence,
        "audience": audience.as_data(),
        "channels": list(values.channels),
        "data": dict(values.data),
    }
    columns = {name: getattr(values, name) for name in RecurringValues.__dataclass_fields__}
    return columns | plain | {"name": values.name.strip()}


def values_of(row: Recurring) -> RecurringValues:
    return RecurringValues(
        **{name: getattr(row, name) for name in RecurringValues.__dataclass_fields__}
    )


def _described(row: Recurring) -> dict[str, Any]:
    """Its values as JSON has them, for the history."""
    plain = {name: getattr(row, name) for name in RecurringValues.__dataclass_fields__}
    moments = {name: plain[name] and plain[name].isoformat() for name in ("starts_at", "ends_at")}
    keys = {
        "notification_type": row.notification_type.key,
        "template": row.template and row.template.key,
    }
    return plain | moments | keys


def using(segment_uid: str) -> list[Recurring]:
    """Those that choose or exclude a segment."""
    parts = ("segments", "exclude_segments")
    return [
        row
        for row in Recurring.objects.all()
        if any(segment_uid in row.audience.get(part, []) for part in parts)
    ]
