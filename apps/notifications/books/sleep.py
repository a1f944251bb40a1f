"""Notifications of which nothing is due for a while sleep:
a claim does not look at a hundred thousand that wait for the morning.

Being asleep says nothing else about a notification. Whoever moves its rows or their times calls
`wake`. What somebody forgot, or could not wake because its row was locked, is a minute late at most
(`wake_overslept`).
"""

import datetime as dt
import time
from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import DateTimeField, Exists, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Least

from apps.followers.models import Channel
from apps.lib.processes.ticking import only_with
from apps.lib.queue.lanes import Lane
from apps.notifications.books import tallies
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
    Shelf,
    Slice,
)

WORTH_IT = dt.timedelta(minutes=1)  # nobody falls asleep for less
EARLY = dt.timedelta(seconds=1)  # the tick looks once a second
CHUNK = 1000  # notifications per transaction
WORK_SECONDS = 1.0  # the tick has other things to do; what is left is next time's
_NEVER = Value(dt.datetime(9000, 1, 1, tzinfo=dt.UTC), DateTimeField())


def awake(now: dt.datetime) -> QuerySet[Notification]:
    """Find the notifications that claims look at."""
    return Notification.objects.filter(state=NotificationState.SENDING, wakes_at__isnull=True)


@only_with(awake)
def fall_asleep(*, now: dt.datetime) -> None:
    """Schedule: put notifications to sleep that have a while to wait and nothing in a sender's
    hands, until their earliest row is due.
    """
    until = time.monotonic() + WORK_SECONDS
    for lane in Lane:
        position: int | None = 0
        while position is not None and time.monotonic() < until:
            position = _fall_asleep(lane, position, now)


def _fall_asleep(lane: Lane, position: int, now: dt.datetime) -> int | None:
    """Put the next ones by id to sleep; the last of them, or None when there are no more."""
    idle = awake(now).alias(queued=tallies.standing(DeliveryStatus.QUEUED), earliest=_earliest())
    idle = idle.filter(queued=0, earliest__gt=now + WORTH_IT, earliest__lt=_NEVER)
    with transaction.atomic():
        ids = list(_free(idle.filter(lane=lane.value, pk__gt=position))[:CHUNK])
        if ids:
            # asked again: a row may have been moved before its notification was locked
            idle.filter(pk__among=set(ids)).update(wakes_at=F("earliest"))
    if len(ids) == CHUNK:
        return ids[-1]
    return None


def _earliest() -> Least:
    """An expression for notifications: when the first of their waiting rows is due, by one index
    entry for each channel.

    Of the rows that are held any one will do: what a digest gives back is woken with it.
    """
    of = Delivery.objects.filter(notification=OuterRef("pk"))
    candidates = [of.filter(shelf=Shelf.HELD).order_by("-id")]
    for channel in Channel.values:
        pending = of.filter(shelf=Shelf.WAITING, channel=channel)
        candidates.append(pending.order_by("due_at"))
    free = Slice.objects.filter(notification=OuterRef("pk"), owner="")
    sliced = free.values("notification__send_at")[:1]
    moments = [Coalesce(Subquery(sliced), _NEVER)]
    for rows in candidates:
        # SQLite's least of several is NULL where one of them is
        moments.append(Coalesce(Subquery(rows.values("due_at")[:1]), _NEVER))
    return Least(*moments)


def late(now: dt.datetime) -> QuerySet[Notification]:
    """Find the notifications that sleep and whose hour has come."""
    return Notification.objects.filter(wakes_at__lte=now + EARLY)


@only_with(late)
def wake_up(*, now: dt.datetime) -> None:
    """Schedule: wake the notifications whose hour has come."""
    _wake_all(late(now).order_by("wakes_at").values_list("pk", flat=True))


def wake_overslept(*, now: dt.datetime) -> None:
    """Schedule, the safety net: wake the notifications with a row that is due before they would
    wake.
    """
    earlier = Delivery.objects.filter(
        notification=OuterRef("pk"), shelf=Shelf.WAITING, due_at__lt=OuterRef("wakes_at")
    )
    free = Slice.objects.filter(notification=OuterRef("pk"), owner="")
    earliest = Exists(earlier) | (Q(send_at__lt=F("wakes_at")) & Exists(free))
    overslept = Notification.objects.filter(earliest, wakes_at__isnull=False)
    _wake_all(overslept.values_list("pk", flat=True))


def _wake_all(ids: QuerySet[Notification, int]) -> None:
    until = time.monotonic() + WORK_SECONDS
    while wake(ids[:CHUNK]) == CHUNK and time.monotonic() < until:
        pass


def wake(notifications: Iterable[int]) -> int:
    """Let the claim look at these notifications from now on; how many slept.

    Never waits: the caller may hold deliveries, and a cancel locks the notification first. A
    notification that is locked is left to the safety net.
    """
    asleep = Notification.objects.filter(pk__among=set(notifications), wakes_at__isnull=False)
    with transaction.atomic(savepoint=False):
        ids = set(_free(asleep))
        if ids:
            Notification.objects.filter(pk__among=ids).update(wakes_at=None)
    return len(ids)


def _free(notifications: QuerySet[Notification]) -> QuerySet[Notification, int]:
    """Lock the notifications that nobody else has locked; their ids in order."""
    # SQLite has one writer at a time anyway
    skip = connection.features.has_select_for_update_skip_locked
    locked = notifications.select_for_update(of=("self",), skip_locked=skip, no_key=True)
    return locked.order_by("pk").values_list("pk", flat=True)
