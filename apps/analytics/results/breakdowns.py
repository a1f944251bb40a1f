"""Counts of one send that are at hand when somebody looks.

1. Up to FEW deliveries are counted in the request that asks, every time.
2. Of more, what was counted is kept with how the tallies stood, and shown with the moment in which
   it was true. While they stand so nothing was sent or opened; who changes their language or is
   deleted moves after an hour.
3. Else it is counted again, but not before PATIENCE times as long as it took has passed.
4. Those of campaigns and recurring notifications are counted ahead, by tasks that the tick
   announces, so that whoever looks at the results of a million need not wait.
"""

import datetime as dt
import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone

from apps.analytics.models import Breakdown
from apps.analytics.results.counts import Counts, count
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.models import EngagementTally, Notification, Tally

FEW = 2_000  # deliveries that are counted for a page in a hundredth of a second
PATIENCE = 50  # two per cent of a processor for one notification that changes all the time
GOOD = dt.timedelta(hours=1)
MOST = 200  # the newest of them
ASKED = dt.timedelta(minutes=5)  # a task that was announced before is lost or waits its turn
COUNT_TASK = "apps.analytics.results.breakdowns.count_again"
WATCHED = dt.timedelta(days=30)  # who opens something later than that waits for the next look


@dataclass(frozen=True, slots=True)
class Counted:
    """Counts, and when they were true; `kept` says that they are from before."""

    counts: Counts
    at: dt.datetime
    kept: bool


def breakdown_of(notification: Notification, *, now: dt.datetime) -> Counted:
    """The counts of a notification: of this moment where few were sent."""
    stood, total = _standing([notification.pk])[notification.pk]
    if total <= FEW:
        return Counted(count(notification), now, kept=False)
    kept = Breakdown.objects.filter(pk=notification.pk).first()
    if kept and kept.counts and kept.counted_at and not _is_due(kept, stood, now):
        counts = Counts.from_data(kept.counts)
        return Counted(counts, kept.counted_at, kept=True)
    return Counted(_keep(notification, stood, now=now), now, kept=False)


def young(now: dt.datetime) -> QuerySet[Notification]:
    """Find what campaigns and recurring notifications sent of late."""
    ours = Q(run__isnull=False) | Q(occurrence__isnull=False)
    return Notification.objects.filter(ours, created_at__gte=now - WATCHED)


@only_with(young)
def announce_due(*, now: dt.datetime) -> None:
    """Schedule: have large sends counted again whose numbers have changed."""
    newest = young(now).order_by("-pk").values_list("pk", flat=True)[:MOST]
    standing = _standing(newest)
    large = [pk for pk, (_, total) in standing.items() if total > FEW]
    kept = Breakdown.objects.defer("counts").in_bulk(large)
    for pk in large:
        row = kept.get(pk) or Breakdown(pk=pk)
        asked = row.asked_at is not None and now - row.asked_at < ASKED
        changed = row.stood != standing[pk][0]
        if asked or not changed or not _is_due(row, standing[pk][0], now):
            continue
        with transaction.atomic():
            Breakdown.objects.update_or_create(pk=pk, defaults={"asked_at": now})
            announce(COUNT_TASK, lane=Lane.BULK, notification_id=pk)


def count_again(*, notification_id: int) -> None:
    """Task: count one, unless somebody did meanwhile."""
    now = timezone.now()
    notification = Notification.objects.filter(pk=notification_id).first()
    if notification is None:
        return
    stood, _ = _standing([notification_id])[notification_id]
    kept = Breakdown.objects.filter(pk=notification_id).first()
    if kept is None or _is_due(kept, stood, now):
        _keep(notification, stood, now=now)


def _is_due(kept: Breakdown, stood: str, now: dt.datetime) -> bool:
    """Whether it has to be counted again, and may be by now."""
    if kept.counted_at is None:
        return True
    age = now - kept.counted_at
    rested = age >= dt.timedelta(seconds=kept.took * PATIENCE)
    return rested and (kept.stood != stood or age >= GOOD)


def _keep(notification: Notification, stood: str, *, now: dt.datetime) -> Counts:
    began = time.monotonic()
    counts = count(notification)
    took = time.monotonic() - began
    Breakdown.objects.update_or_create(
        pk=notification.pk,
        defaults={"stood": stood, "counts": counts.as_data(), "counted_at": now, "took": took},
    )
    return counts


def _standing(notifications: Iterable[int]) -> dict[int, tuple[str, int]]:
    """How the tallies of notifications stand, as a digest, and how many deliveries each has."""
    parts: dict[int, list[list[object]]] = defaultdict(list)
    totals: dict[int, int] = defaultdict(int)
    asked = list(notifications)
    places = Tally.objects.filter(notification__in=asked).order_by()
    of_place = ("notification", "channel", "status", "reason")
    for pk, *place, number in places.values_list(*of_place).annotate(n=Sum("count")):
        totals[pk] += number
        if number:
            parts[pk].append([*place, number])
    looks = EngagementTally.objects.filter(notification__in=asked, link=0).order_by()
    of_look = ("notification", "kind")
    sums = looks.values_list(*of_look).annotate(p=Sum("people"), t=Sum("times"))
    for pk, *look, people, times in sums:
        parts[pk].append([*look, people, times])
    return {pk: (_digest(parts[pk]), totals[pk]) for pk in asked}


def _digest(parts: list[list[object]]) -> str:
    written = json.dumps(sorted(map(str, parts)))
    return hashlib.sha256(written.encode()).hexdigest()
