"""Launching: start the campaigns that are due, and plan a run in slices that survive a kill.

The checkpoint is the notification's `planned_through`, moved by freeze_slice in the transaction of
the rows it made. The lease on the run (or on the occurrence of a recurring one) only keeps two
launchers from doing the same work at once; should both be at it, they wait for each other on the
notification's row and nobody is planned twice.
"""

import datetime as dt
import logging
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from django.db.models import Q, QuerySet

from apps.campaigns import lifecycle
from apps.campaigns.audience.audience import Audience
from apps.campaigns.models import Campaign, CampaignState, Occurrence, Run
from apps.campaigns.readiness import Missing
from apps.followers.models import Follower
from apps.lib import steady_clock
from apps.lib.facts import Fact
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import NotificationState
from apps.notifications.plan import finish_planning, freeze_slice
from apps.notifications.safety import restored

LEASE = dt.timedelta(seconds=20)  # renewed with every slice, of less than a second
UNHEARD = dt.timedelta(seconds=10)  # a call that a killed lane had taken wakes nobody for 5 minutes
# followers per statement; each one pays anew for reading the tables a segment asks about
SLICE = 10_000
AT_ONCE = 20  # campaigns that are started, or runs that are resumed, in one look
WORK_SECONDS = 10.0  # a task is short, so that a stopping worker is soon empty
Row = TypeVar("Row", Run, Occurrence)
logger = logging.getLogger("carillon.campaigns")


def due(now: dt.datetime) -> QuerySet[Campaign]:
    """Find the campaigns whose time has come."""
    return Campaign.objects.filter(state=CampaignState.SCHEDULED, send_at__lte=now)


@only_with(due)
def start_due(*, now: dt.datetime) -> None:
    """Schedule: start every campaign whose time has come. Safe when several run at once.

    After a restore none starts by itself: it has perhaps been sent.
    """
    if restored.look(now=now):
        return
    for campaign in due(now).order_by("send_at")[:AT_ONCE]:
        try:
            lifecycle.start_scheduled(campaign=campaign, now=now)
        except Exception:  # one campaign that can't start must not hold up the others
            logger.exception("Campaign %s could not be started; it is tried again.", campaign.uid)


def on_restore_answered(facts: Sequence[Fact]) -> None:
    """Subscriber: unless what waits is to be sent again, put campaigns whose time went by back to
    draft: they have perhaps been sent.
    """
    for fact in facts:
        if fact.data["how"] == restored.Answer.RESUME:
            continue
        for campaign in due(fact.at).order_by("pk"):
            because = [Missing("schedule", "The database was restored: it was perhaps sent.")]
            lifecycle.unschedule(campaign=campaign, by=fact.by, now=fact.at, because=because)


def launch(*, run_id: int, **_: object) -> None:
    """Task: freeze the run's audience for at most WORK_SECONDS, then announce itself again.

    A second one finds it leased.
    """
    if freeze_for_a_while(Run.objects.filter(pk=run_id), _followers_of):
        announce(lifecycle.LAUNCH_TASK, lane=Lane.BULK, run_id=run_id)


def _followers_of(run: Run) -> QuerySet[Follower]:
    # the run's own start, so that "within the last 7 days" means the same in every slice
    return Audience.stored(run.audience).followers(now=run.started_at, sliced=True)


def freeze_for_a_while(
    rows: QuerySet[Row], followers_of: Callable[[Row], QuerySet[Follower]]
) -> bool:
    """Plan the notification of the one row for at most WORK_SECONDS.

    True when there is more to do and nobody at it.
    """
    now = steady_clock.now()
    free = Q(lease_until__isnull=True) | _over(now)
    unplanned = rows.filter(free, notification__isnull=False, notification__planned_at=None)
    if not unplanned.update(lease_until=now + LEASE):
        return False
    row = rows.select_related("notification").get()
    followers = followers_of(row)
    notification = row.notification
    assert notification is not None  # noqa: S101  # asked for above
    stop_at = time.monotonic() + WORK_SECONDS
    while freeze_slice(
        notification=notification, followers=followers, now=steady_clock.now(), size=SLICE
    ):
        if time.monotonic() > stop_at:
            rows.update(lease_until=None)
            return True
        rows.update(lease_until=steady_clock.now() + LEASE)
    finish_planning(notification=notification, now=steady_clock.now())
    rows.update(lease_until=None)
    return False


def _over(now: dt.datetime) -> Q:
    """Leases that are over, and those that only a wrong clock can have written."""
    return Q(lease_until__lte=now) | Q(lease_until__gt=now + 2 * LEASE)


def abandoned(rows: QuerySet[Row], now: dt.datetime) -> QuerySet[Row]:
    """Find the launches that nobody is at."""
    unheard = Q(started_at__lte=now - UNHEARD) | Q(started_at__gt=now + UNHEARD)
    return rows.filter(
        _over(now) | (Q(lease_until__isnull=True) & unheard),
        notification__planned_at__isnull=True,
        notification__state__in=[NotificationState.PLANNING, NotificationState.PAUSED],
    )


def stalled(now: dt.datetime) -> QuerySet[Run]:
    """Find the runs of campaigns that nobody is at."""
    return abandoned(Run.objects.all(), now)


@only_with(stalled)
def resume_stalled(*, now: dt.datetime) -> None:
    """Schedule: wake up launches whose launcher died, or whose wake-up call was lost."""
    for run_id in stalled(now).values_list("pk", flat=True)[:AT_ONCE]:
        announce(lifecycle.LAUNCH_TASK, lane=Lane.BULK, run_id=run_id)
