"""Notifications of which nothing is due for a while sleep:
a claim does not look at a hundred thousand that wait for the morning.

Being asleep says nothing about a notification but that; who moves its rows or their times calls
`wake`. What somebody forgot, or could not wake because its row was locked, is a minute late at most
(`wake_overslept`).
"""

import datetime as dt
import time
from collections.abc import Iterable

from django.db import connection, transaction
from django.db.models import DateTimeField, Exists, F, OuterRef, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce, Least

from apps.followers.models import Channel
from apps.lib.queue.lanes import Lane
from apps.notifications.books import tallies
from apps.notifications.models import Delivery, DeliveryStatus, Notification, NotificationState

WORTH_IT = dt.timedelta(minutes=1)  # nobody falls asleep for less
EARLY = dt.timedelta(seconds=1)  # the tick looks once a second
CHUNK = 1000  # notifications per transaction
WORK_SECONDS = 1.0  # the tick has other things to do; what is left is next time's
_NEVER = Value(dt.datetime(9000, 1, 1, tzinfo=dt.UTC), DateTimeField())


def fall_asleep(*, now: dt.datetime) -> None:
    """Schedule: until their earliest row is due,
    all that have a while to wait and nothing in a sender's hands.
    """
    until = time.monotonic() + WORK_SECONDS
    for lane in Lane:
        position: int | None = 0
        while position is not None and time.monotonic() < until:
            position = _fall_asleep(lane, position, now)


def _fall_asleep(lane: Lane, position: int, now: dt.datetime) -> int | None:
    """The next ones by id; the last of them, or None when there are no more."""
    awake = Notification.objects.filter(state=NotificationState.SENDING, wakes_at__isnull=True)
    idle = awake.alias(queued=tallies.standing(DeliveryStatus.QUEUED), earliest=_earliest())
    idle = idle.filter(queued=0, earliest__gt=now + WORTH_IT, earliest__lt=_NEVER)
    with transaction.atomic():
        ids = list(_free(idle.filter(lane=lane.value, pk__gt=position))[:CHUNK])
        if ids:  # asked again: a row may have been moved before its notification was locked
            idle.filter(pk__among=set(ids)).update(wakes_at=F("earliest"))
    if len(ids) == CHUNK:
        return ids[-1]
    return None


def _earliest() -> Least:
    """Of notifications: when the first of their waiting rows is due,
    one index entry for each channel.

    Of those that are held any one will do: what a digest gives back is woken with it.
    """
    of = Delivery.objects.filter(notification=OuterRef("pk"))
    held = of.filter(status=DeliveryStatus.HELD).order_by("-id")
    pending = [
        of.filter(status=DeliveryStatus.PENDING, channel=each).order_by("due_at")
        for each in Channel.values
    ]
    # SQLite's least of several is NULL where one of them is
    return Least(
        *(Coalesce(Subquery(rows.values("due_at")[:1]), _NEVER) for rows in (held, *pending))
    )


def wake_up(*, now: dt.datetime) -> None:
    """Schedule: those whose hour has come."""
    late = (
        Notification.objects.filter(wakes_at__lte=now + EARLY)
        .order_by("wakes_at")
        .values_list("pk", flat=True)
    )
    _wake_all(late)


def wake_overslept(*, now: dt.datetime) -> None:
    """Schedule, the safety net: those with a row that is due before they would wake."""
    earlier = Delivery.objects.filter(
        notification=OuterRef("pk"), status=DeliveryStatus.PENDING, due_at__lt=OuterRef("wakes_at")
    )
    overslept = Notification.objects.filter(Exists(earlier), wakes_at__isnull=False).values_list(
        "pk", flat=True
    )
    _wake_all(overslept)


def _wake_all(ids: QuerySet[Notification, int]) -> None:
    until = time.monotonic() + WORK_SECONDS
    while wake(ids[:CHUNK]) == CHUNK and time.monotonic() < until:
        pass


def wake(notifications: Iterable[int]) -> int:
    """Let the claim look at them from now on; how many slept.

    Never waits: the caller may hold deliveries, and a cancel locks the notification first.
    One that is locked is left to the safety net.
    """
    with transaction.atomic(savepoint=False):
        ids = set(
            _free(Notification.objects.filter(pk__among=set(notifications), wakes_at__isnull=False))
        )
        if ids:
            Notification.objects.filter(pk__among=ids).update(wakes_at=None)
    return len(ids)


def _free(notifications: QuerySet[Notification]) -> QuerySet[Notification, int]:
    """Their ids in order, locked; not those that somebody else has locked."""
    skip = (
        connection.features.has_select_for_update_skip_locked
    )  # SQLite has one writer at a time anyway
    locked = notifications.select_for_update(of=("self",), skip_locked=skip, no_key=True)
    return locked.order_by("pk").values_list("pk", flat=True)
