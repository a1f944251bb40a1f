"""From "its time has come" to "everyone is frozen": start what is due, and plan a run in slices that survive a kill.

The checkpoint is the notification's `planned_through`, moved by freeze_slice in the transaction of the rows it made.
The lease on the run only keeps two launchers from doing the same work at once; should both be at it, they wait for
each other on the notification's row and nobody is planned twice.
"""

import datetime as dt
import logging
import time

from django.db.models import Q
from django.utils import timezone

from apps.campaigns import audience, lifecycle
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import NotificationState
from apps.notifications.plan import finish_planning, freeze_slice

LEASE = dt.timedelta(seconds=20)  # renewed with every slice, of less than a second
UNHEARD = dt.timedelta(seconds=10)  # a call that a killed lane had taken wakes nobody for 5 minutes
SLICE = 10_000  # followers per statement; each one pays anew for reading the tables a segment asks about
WORK_SECONDS = 10.0  # a task is short, so that a stopping worker is soon empty
logger = logging.getLogger("carillon.campaigns")


def start_due(*, now: dt.datetime) -> None:
    """Schedule: start every campaign whose time has come. Safe when several run at once."""
    for campaign in Campaign.objects.filter(state=CampaignState.SCHEDULED, send_at__lte=now).order_by("send_at")[:20]:
        try:
            lifecycle.start_scheduled(campaign=campaign, now=now)
        except Exception:  # one campaign that can't start must not hold up the others
            logger.exception("Campaign %s could not be started; it is tried again.", campaign.uid)


def launch(*, run_id: int, **_: object) -> None:
    """Task: freeze the run's audience for at most 10 s, then announce itself again. A second one finds it leased."""
    now = timezone.now()
    free = Q(lease_until__isnull=True) | Q(lease_until__lte=now)
    if not Run.objects.filter(free, pk=run_id, notification__planned_at__isnull=True).update(lease_until=now + LEASE):
        return
    run = Run.objects.select_related("notification").get(pk=run_id)
    # the run's own start, so that "within the last 7 days" means the same in every slice
    followers = audience.followers_of(run.audience, now=run.started_at)
    stop_at = time.monotonic() + WORK_SECONDS
    while freeze_slice(notification=run.notification, followers=followers, now=timezone.now(), size=SLICE):
        if time.monotonic() > stop_at:
            Run.objects.filter(pk=run_id).update(lease_until=None)
            announce(lifecycle.LAUNCH_TASK, lane=Lane.BULK, run_id=run_id)
            return
        Run.objects.filter(pk=run_id).update(lease_until=timezone.now() + LEASE)
    finish_planning(notification=run.notification, now=timezone.now())
    Run.objects.filter(pk=run_id).update(lease_until=None)


def resume_stalled(*, now: dt.datetime) -> None:
    """Schedule: wake up launches whose launcher died, or whose wake-up call was lost."""
    stalled = Run.objects.filter(
        Q(lease_until__lte=now) | Q(lease_until__isnull=True, started_at__lte=now - UNHEARD),
        notification__planned_at__isnull=True,
        notification__state__in=[NotificationState.PLANNING, NotificationState.PAUSED],
    )
    for run_id in stalled.values_list("pk", flat=True)[:20]:
        announce(lifecycle.LAUNCH_TASK, lane=Lane.BULK, run_id=run_id)
