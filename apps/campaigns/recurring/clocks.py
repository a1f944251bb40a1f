"""The clocks of recurring notifications: a row for each zone they go by, with its next time."""

import datetime as dt

from django.conf import settings
from django.db import transaction

from apps.campaigns.models import Recurring, RecurringZone, ZoneMode
from apps.campaigns.recurring import recurrence
from apps.followers.models import Follower
from apps.lib import wallclock


def next_time(recurring: Recurring, zone: str, *, after: dt.datetime) -> dt.datetime | None:
    """Find the next time after `after` by one clock; None when it is paused or over."""
    if not recurring.active:
        return None
    if recurring.starts_at:
        after = max(after, recurring.starts_at - dt.timedelta(microseconds=1))
    cadence = recurrence.parse(recurring.cadence)
    found = recurrence.first(cadence, zone=known_zone(zone), after=after)
    if found is None or (recurring.ends_at and found > recurring.ends_at):
        return None
    return found


def coming(recurring: Recurring, *, after: dt.datetime, count: int = 5) -> list[dt.datetime]:
    """Find the next times for whoever is in the site's zone (or the named one).

    Also while it is paused.
    """
    if recurring.starts_at:
        after = max(after, recurring.starts_at - dt.timedelta(microseconds=1))
    cadence = recurrence.parse(recurring.cadence)
    found = recurrence.coming(cadence, zone=known_zone(recurring.zone), after=after, count=count)
    return [at for at in found if not recurring.ends_at or at <= recurring.ends_at]


def known_zone(name: str) -> str:
    """Return the zone itself, or the site's for "" and for a name that is not known (any more)."""
    try:
        if name:
            return wallclock.zone(name).key
        return settings.TIME_ZONE
    except wallclock.UnknownZone:
        return settings.TIME_ZONE


def set_clocks(recurring: Recurring, *, now: dt.datetime) -> None:
    """Set each clock's next time anew, after a change of anything.

    A clock that is to strike just now still does.
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
    """Schedule: add a clock for each zone that somebody has since the last look.

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
