"""Occurrences: each time of each clock becomes a notification once, or the reason why not.

One transaction moves the clock's `next_at` on and writes the occurrence with its notification.
Whoever dies before it commits leaves the clock as it was, and it is found again; of two who look at
once one finds that the clock has moved.
"""

import datetime as dt
import logging
from typing import Any

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils.translation import gettext_noop

from apps.campaigns import launch
from apps.campaigns.audience.audience import Audience
from apps.campaigns.models import Missed, Occurrence, Recurring, RecurringZone, ZoneMode
from apps.campaigns.recurring import clocks, edit, recurrence
from apps.content.models import Version
from apps.followers.models import Category, Follower
from apps.lib import wallclock
from apps.lib.actor import SYSTEM
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Delivery, Notification, Source
from apps.notifications.notify import Intent, NotNotifiable, open_notification
from apps.notifications.safety import restored

LAUNCH_TASK = "apps.campaigns.recurring.occurrences.launch_occurrence"
AT_ONCE = 100  # clocks that strike in one look
YOUNG = dt.timedelta(days=30)  # older launches that stand still were left so by a person
# stored in English, translated where they are shown
TOO_LATE = gettext_noop("Nobody was at work at that time, and it was too late afterwards.")
NOBODY_MEANT = gettext_noop("Nobody was in the audience.")
logger = logging.getLogger("carillon.recurring")


def due(now: dt.datetime) -> QuerySet[RecurringZone]:
    """Find the clocks that have to strike."""
    return RecurringZone.objects.filter(next_at__lte=now)


@only_with(due)
def start_due(*, now: dt.datetime) -> None:
    """Schedule: begin every occurrence whose time has come. Safe when several run at once.

    After a restore none begins by itself: it has perhaps been sent.
    """
    if restored.look(now=now):
        return
    for clock in due(now).order_by("next_at")[:AT_ONCE]:
        try:
            strike(clock=clock, now=now)
        except Exception:  # one that can't start must not hold up the others
            logger.exception("The clock %s could not strike; it is tried again.", clock)


def strike(*, clock: RecurringZone, now: dt.datetime) -> Occurrence | None:
    """Send what a clock says is due, or write down why not.

    None when somebody else was faster, or nobody is meant.
    """
    with transaction.atomic():
        rows = Recurring.objects.select_related("notification_type", "template")
        # whoever changes or pauses it waits for this, or has moved the clock
        row = rows.select_for_update(of=("self",), no_key=True).get(pk=clock.recurring_id)
        planned = RecurringZone.objects.get(pk=clock.pk).next_at
        if planned is None or planned > now:
            return None
        zone = clocks.known_zone(clock.zone)
        cadence = recurrence.parse(row.cadence)
        send_missed = row.missed == Missed.ONCE
        turn = recurrence.turn(
            cadence,
            zone=zone,
            planned=planned,
            now=now,
            send_missed=send_missed,
            tolerance=row.tolerance,
        )
        next_at = clocks.next_time(row, clock.zone, after=now)
        if not RecurringZone.objects.filter(pk=clock.pk, next_at=planned).update(next_at=next_at):
            return None
        if row.occurrences.filter(zone=clock.zone, at=turn.at).exists():
            # a change that waited for the last strike set the clock by a time before it
            return None
        wall = turn.at.astimezone(wallclock.zone(zone)).replace(tzinfo=dt.UTC)
        occurrence = Occurrence(
            recurring=row, zone=clock.zone, at=turn.at, wall=wall, started_at=now
        )
        occurrence.audience = Audience.stored(row.audience).frozen()
        meant = followers_of(occurrence).exists()
        if not meant and row.zone_mode == ZoneMode.FOLLOWER:
            return None  # dozens of zones without anybody would fill the history
        if turn.missed:
            occurrence.problem = TOO_LATE
        elif not meant:
            occurrence.problem = NOBODY_MEANT
        else:
            occurrence.notification, occurrence.problem = _open(row, occurrence, now=now)
        occurrence.save()
        if occurrence.notification:
            announce(LAUNCH_TASK, lane=Lane.BULK, occurrence_id=occurrence.pk)
    return occurrence


def _open(
    row: Recurring, occurrence: Occurrence, *, now: dt.datetime
) -> tuple[Notification | None, str]:
    kind = row.notification_type
    if not kind.active:
        return None, f"The message type “{kind.name}” is switched off."
    lane = Lane.BULK  # planned, as a campaign
    if kind.category == Category.CRITICAL:
        lane = Lane.CRITICAL
    try:
        version: Version = edit.version_of(row)
        intent = Intent(
            notification_type=kind,
            version=version,
            channels=row.channels or None,
            data=row.data,
            dedup_key=f"recurring:{row.uid}:{occurrence.zone}:{occurrence.at:%Y-%m-%dT%H:%MZ}",
            source=Source.RECURRING,
        )
        with transaction.atomic():
            return open_notification(intent=intent, lane=lane, by=SYSTEM, now=now), ""
    except (NotNotifiable, edit.BadRecurring) as error:
        return None, str(error)[:500]


# ------------------------------------------------------------------ whom
def followers_of(occurrence: Any) -> QuerySet[Follower]:
    """Find the audience; where each follower's own zone counts, those whose clock it is.

    Whoever has changed zones since another clock struck for the same wall time has got it already.
    """
    people = Audience.stored(occurrence.audience).followers(now=occurrence.started_at, sliced=True)
    if occurrence.recurring.zone_mode != ZoneMode.FOLLOWER:
        return people
    round_ = Occurrence.objects.filter(recurring=occurrence.recurring, wall=occurrence.wall)
    earlier = round_.filter(notification__isnull=False).exclude(zone=occurrence.zone)
    if occurrence.pk:
        earlier = earlier.filter(pk__lt=occurrence.pk)
    people = people.filter(time_zone=occurrence.zone)
    if done := list(earlier.values_list("notification", flat=True)):
        got_it = Delivery.objects.filter(follower=OuterRef("pk"), notification__in=done)
        people = people.exclude(Exists(got_it))
    return people


def launch_occurrence(*, occurrence_id: int, **_: object) -> None:
    """Task: freeze the audience for a while, then announce itself again.

    A second one finds it leased.
    """
    if launch.freeze_for_a_while(Occurrence.objects.filter(pk=occurrence_id), followers_of):
        announce(LAUNCH_TASK, lane=Lane.BULK, occurrence_id=occurrence_id)


def stalled(now: dt.datetime) -> QuerySet[Occurrence]:
    """Find the young occurrences that nobody is at."""
    young = Occurrence.objects.filter(started_at__gt=now - YOUNG)
    return launch.abandoned(young, now)


@only_with(stalled)
def resume_stalled(*, now: dt.datetime) -> None:
    """Schedule: wake up launches whose launcher died, or whose wake-up call was lost."""
    for occurrence_id in stalled(now).values_list("pk", flat=True)[: launch.AT_ONCE]:
        announce(LAUNCH_TASK, lane=Lane.BULK, occurrence_id=occurrence_id)
