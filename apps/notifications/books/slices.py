"""Slices: deliveries of a large notification that wait for their first try, some hundreds together.

A row of a slice that is in hand says so itself, as any other does (`queued`, with its owner), and
only then can be sent. The slice says where such rows are to be found, as no index does.
"""

import datetime as dt
from collections.abc import Iterable, Sequence

from django.db import connection, transaction
from django.db.models import (
    DateTimeField,
    Exists,
    ExpressionWrapper,
    OuterRef,
    Q,
    QuerySet,
    Value,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Now

from apps.followers.models import Channel
from apps.lib.queue.lanes import Lane
from apps.lib.sql.raw import run
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
    Slice,
)

LEASE = dt.timedelta(seconds=60)
LEAST = 100  # of fewer, each is claimed by itself
CLOSED_AT_ONCE = 20
# what may wait again one day, by itself
_MAY_COME_BACK = (
    DeliveryStatus.PENDING,
    DeliveryStatus.HELD,
    DeliveryStatus.FAILED,
    DeliveryStatus.IN_DOUBT,
)
_SLICES = Slice._meta.db_table
_DELIVERIES = Delivery._meta.db_table
_LIVE = (NotificationState.PLANNING, NotificationState.SENDING, NotificationState.PAUSED)


def lease_end() -> Combinable:
    """When a lease that begins now ends, by the clock of the database: the clocks of two machines
    may differ by more than a lease.
    """
    return ExpressionWrapper(Now() + Value(LEASE), output_field=DateTimeField())


def made_for(notification: Notification, channel: str, people: int) -> bool:
    """Whether so many deliveries of the notification are planned as a slice.

    Not where each is due at its own time, as in a chain; nor where a claim asks for some of them
    only, those that a service of phones knows.
    """
    return (
        people >= LEAST
        and notification.lane == Lane.BULK
        and channel != Channel.PUSH
        and channel not in notification.fallback[1:]
    )


def take(notification: int, channel: str, *, owner: str, most: int, now: dt.datetime) -> set[int]:
    """Take up to `most` deliveries of the notification's slices for an owner, in order, and lock
    them; their ids. In the claim's transaction, which marks them as in hand.

    By hand: the ORM would need longer to write these statements, for each claim, than the database
    to answer them.
    """
    moment = connection.ops.adapt_datetimefield_value(now)
    until = connection.ops.adapt_datetimefield_value(now + LEASE)
    free = (
        f"SELECT id, first, last FROM {_SLICES} "  # noqa: S608  # names of ours and marks
        "WHERE notification_id = %s AND channel = %s AND owner = '' "
        f"ORDER BY first LIMIT 1{_lock()}"
    )
    waiting = (
        f"SELECT id FROM {_DELIVERIES} WHERE id BETWEEN %s AND %s "  # noqa: S608  # as above
        "AND notification_id = %s AND channel = %s AND in_slice AND status = 'pending' "
        f"AND due_at <= %s ORDER BY id LIMIT %s{_lock()}"
    )
    whole = f"UPDATE {_SLICES} SET owner = %s, until = %s WHERE id = %s"  # noqa: S608  # as above
    rest = f"UPDATE {_SLICES} SET first = %s WHERE id = %s"  # noqa: S608  # as above
    beginning = (
        f"INSERT INTO {_SLICES} "  # noqa: S608  # as above
        "(notification_id, channel, first, last, owner, until) VALUES (%s, %s, %s, %s, %s, %s)"
    )
    taken: set[int] = set()
    while len(taken) < most:
        found = run(free, [notification, channel])
        if not found:
            break
        [(pk, first, last)] = found
        wanted = most - len(taken)
        ids = [
            each for (each,) in run(waiting, [first, last, notification, channel, moment, wanted])
        ]
        taken.update(ids)
        if len(ids) == wanted and ids[-1] < last:
            run(rest, [ids[-1] + 1, pk])
            run(beginning, [notification, channel, first, ids[-1], owner, until])
        else:  # also where nothing of it was left, so that it is closed
            run(whole, [owner, until, pk])
    return taken


def _lock() -> str:
    """What locks rows that nobody else has locked; SQLite has one writer at a time anyway."""
    if connection.vendor == "postgresql":
        return " FOR NO KEY UPDATE SKIP LOCKED"
    return ""


def rows_of(each: Slice) -> QuerySet[Delivery]:
    """Find the deliveries of a slice."""
    return Delivery.objects.filter(
        pk__gte=each.first,
        pk__lte=each.last,
        notification=each.notification_id,
        channel=each.channel,
        in_slice=True,
    )


def in_hand(owner: str) -> set[int]:
    """The ids of deliveries in the owner's slices that are in a sender's hands."""
    return _with_status(owned(owner=owner).values_list("pk", flat=True), [DeliveryStatus.QUEUED])


def _with_status(slices: Iterable[int], statuses: Sequence[str], lock: str = "") -> set[int]:
    """The ids of deliveries in these slices that have one of the statuses."""
    slices = list(slices)
    if not slices:
        return set()
    found = run(
        f"SELECT d.id FROM {_SLICES} s JOIN {_DELIVERIES} d "  # noqa: S608  # names and marks
        "ON d.id BETWEEN s.first AND s.last AND d.notification_id = s.notification_id "
        "AND d.channel = s.channel "
        f"WHERE s.id IN ({_marks(slices)}) AND d.in_slice AND d.status IN ({_marks(statuses)}) "
        f"ORDER BY d.id{lock}",
        [*slices, *statuses],
    )
    return {pk for (pk,) in found}


def _marks(values: Sequence[object]) -> str:
    return ", ".join(["%s"] * len(values))


def owned(**of: object) -> QuerySet[Slice]:
    """Find the slices that senders hold. The first condition is in the index `slice_owned`."""
    return Slice.objects.filter(~Q(owner=""), **of)


def renew(owner: str) -> None:
    """Renew the leases of which half is over."""
    owned(owner=owner, until__lt=Now() + LEASE / 2).update(until=lease_end())


def close_some() -> None:
    """Schedule: close slices of which nothing is in hand and nothing will be claimed any more. What
    came back to one meanwhile waits by itself from then on.

    Rows get into a sender's hands in the transaction in which their slice does, so nothing more
    comes into its hands from a slice that it has.
    """
    related = Q(
        pk__gte=OuterRef("first"),
        pk__lte=OuterRef("last"),
        notification=OuterRef("notification"),
        channel=OuterRef("channel"),
        in_slice=True,
    )
    held = Exists(Delivery.objects.filter(related, status=DeliveryStatus.QUEUED))
    # whoever ends a notification takes what waits, a chunk at a time
    waits = Exists(Delivery.objects.filter(related, status=DeliveryStatus.PENDING))
    ended = ~Q(notification__state__in=_LIVE)
    through = (~Q(owner="") & ~held) | (ended & ~held & ~waits)
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        some = Slice.objects.filter(through).select_for_update(
            of=("self",), skip_locked=skip, no_key=True
        )
        locked = list(some.order_by("pk").values_list("pk", flat=True)[:CLOSED_AT_ONCE])
        # again, now that nobody claims from them
        free = Slice.objects.filter(~held, pk__in=locked)
        ids = list(free.values_list("pk", flat=True))
        lock = ""
        if connection.vendor == "postgresql":
            lock = " FOR NO KEY UPDATE OF d"
        left = _with_status(ids, _MAY_COME_BACK, lock)
        Delivery.objects.filter(pk__among=left).update(in_slice=False)
        Slice.objects.filter(pk__in=ids).delete()


def let_out(notification: int) -> int:
    """Let out what says that it is in a slice, and is in none; how many.

    For repair by hand: nothing should need this.
    """
    theirs = Slice.objects.filter(
        notification=OuterRef("notification"),
        channel=OuterRef("channel"),
        first__lte=OuterRef("pk"),
        last__gte=OuterRef("pk"),
    )
    rows = Delivery.objects.filter(notification=notification, in_slice=True)
    lost = rows.filter(~Exists(theirs), status__in=_MAY_COME_BACK)
    with transaction.atomic():
        locked = lost.select_for_update(of=("self",), no_key=True).order_by("pk")
        ids = set(locked.values_list("pk", flat=True))
        Delivery.objects.filter(pk__among=ids).update(in_slice=False)
    return len(ids)
