"""The sums beside the rows: a delivery that changes its status moves its tally in the same
transaction.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Count, Model, OuterRef, Subquery, Sum
from django.db.models.functions import Coalesce

from apps.lib.actor import SYSTEM
from apps.lib.facts import Fact, Kind, tell_together
from apps.lib.sql.prepared import run_prepared
from apps.lib.sql.raw import run
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
    Tally,
)

_KEYS = ("notification_id", "channel", "status", "reason", "shard")
SHARDS = 8
LOCKS = 7411  # the first half of our advisory locks' keys; the second is the shard
WAITING = (DeliveryStatus.PENDING, DeliveryStatus.HELD, DeliveryStatus.QUEUED)


class Place(NamedTuple):
    """The standing of a delivery, as far as the delivery report is concerned."""

    notification: int
    channel: str
    status: str
    reason: str


def shift(deltas: Mapping[Place, int], *, unseen: bool = False) -> None:
    """Add to the tallies, in the transaction of the rows that they count. `unseen`: it has made the
    notifications, too, so that nobody else can write their tallies before its end.
    """
    changed = [(place, delta) for place, delta in deltas.items() if delta]
    if not changed:
        return
    shard = 0
    if not unseen:
        shard = _own_shard()
    rows = [(*place, shard, delta) for place, delta in changed]
    add(Tally, _KEYS, ("count",), rows)


def counting(born: str) -> str:
    """The part of a statement of PostgreSQL that counts the rows it makes, which `born` names, with
    the columns status and reason; its marks are the notification and the channel.

    For notifications that nobody else can see yet, see `shift`.
    """
    table = Tally._meta.db_table
    keys = ", ".join(_KEYS)
    return (
        f"INSERT INTO {table} ({keys}, count) "  # noqa: S608  # names of ours
        f"SELECT %s, %s, status, reason, 0, count(*) FROM {born} GROUP BY status, reason "
        f"ON CONFLICT ({keys}) DO UPDATE SET count = {table}.count + excluded.count"
    )


def add(
    model: type[Model],
    keys: Sequence[str],
    sums: Sequence[str],
    rows: Sequence[Sequence[int | str]],
) -> None:
    """Add to rows that hold sums, made where they are missing.

    Each of `rows` has the values of `keys`, then `sums`.
    """
    table = model._meta.db_table
    columns = ", ".join([*keys, *sums])
    mark = ", ".join(["%s"] * (len(keys) + len(sums)))
    marks = ", ".join([f"({mark})"] * len(rows))
    added = ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in sums)
    statement = (
        f"INSERT INTO {table} ({columns}) VALUES {marks} "  # noqa: S608  # names of ours and marks
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {added}"
    )
    values = [value for row in rows for value in row]
    if len(rows) == 1:
        run_prepared(statement, values)
    else:
        run(statement, values)


def _own_shard() -> int:
    """Take a shard that no other open transaction writes, until this one ends: writers neither wait
    nor deadlock.

    To sort the rows of a statement is not enough: a claim moves tallies twice, for rows it skips
    and for rows it takes, and two such writers of one shard would wait for each other in a ring.
    Lowest first: few writers make few rows.
    """
    if connection.vendor == "sqlite":  # one writer at a time
        return 0
    free = (
        "SELECT shard FROM generate_series(0, %s) AS shard "
        "WHERE pg_try_advisory_xact_lock(%s, shard) LIMIT 1"
    )
    if found := run_prepared(free, [SHARDS - 1, LOCKS]):
        return int(found[0][0])
    # nobody waits while it holds a shard, and tallies are the last thing a transaction locks
    return _wait_for_shard(0)


def _wait_for_shard(shard: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCKS, shard])
    return shard


def moved(before: Iterable[Place], after: Iterable[Place]) -> Counter[Place]:
    """The deltas of rows that stood at `before` and now stand at `after`."""
    deltas: Counter[Place] = Counter(after)
    deltas.subtract(Counter(before))
    return deltas


def rebuild(notification_id: int) -> Counter[Place]:
    """Count the rows and set the tallies right; what was added where.

    For repair by hand: nothing should need this.
    """
    with transaction.atomic():
        if connection.vendor != "sqlite":
            # With all shards ours, whoever moved rows has committed,
            # or has not moved its tallies yet and adds later.
            for shard in range(SHARDS):
                _wait_for_shard(shard)
        rows = Delivery.objects.filter(notification=notification_id).order_by()
        tallies = Tally.objects.filter(notification=notification_id).order_by()
        columns = ("channel", "status", "reason")
        wrong: Counter[Place] = Counter()
        for *stands, count in rows.values_list(*columns).annotate(n=Count("pk")):
            wrong[Place(notification_id, *stands)] += count
        for *stands, count in tallies.values_list(*columns).annotate(n=Sum("count")):
            wrong[Place(notification_id, *stands)] -= count
        shift(wrong)
    return Counter({where: delta for where, delta in wrong.items() if delta})


def waiting(notification_id: int) -> int:
    """How many deliveries are still to come or in flight."""
    waiting = Tally.objects.filter(notification=notification_id, status__in=WAITING)
    return waiting.aggregate(n=Sum("count"))["n"] or 0


def standing(*statuses: str) -> Coalesce:
    """An expression for notifications: how many of their deliveries have one of these statuses.

    From the tallies, because the tick asks every second: asked whether such a row exists,
    PostgreSQL reads a million.
    """
    tallies = Tally.objects.filter(notification=OuterRef("pk"), status__in=statuses).order_by()
    sums = tallies.values("notification").annotate(n=Sum("count"))
    return Coalesce(Subquery(sums.values("n")), 0)


def finish_if_done(notification_id: int, *, now: dt.datetime) -> bool:
    """Close a notification that has nothing left to send: once, whoever notices first."""
    return bool(finish_all_done([notification_id], now=now))


def finish_all_done(notifications: Collection[int], *, now: dt.datetime) -> set[int]:
    """Close the notifications that have nothing left to send; the ids of what was closed."""
    through = set(notifications) - going_on(notifications)
    if not through:
        return set()
    live = Notification.objects.filter(pk__in=through, state=NotificationState.SENDING)
    related = live.select_related("notification_type").order_by("pk")
    with transaction.atomic():
        locked = related.select_for_update(of=("self",), no_key=True)
        held = {each.pk: each for each in locked}
        # again, now that nobody else holds them:
        # a person may have sent failed ones back into the queue meanwhile
        done = held.keys() - going_on(held)
        Notification.objects.filter(pk__in=done).update(
            state=NotificationState.DONE, finished_at=now, wakes_at=None
        )
        tell_together(_finished(held[pk], now) for pk in sorted(done))
    return done


def _finished(notification: Notification, now: dt.datetime) -> Fact:
    return Fact(
        kind=Kind.NOTIFICATION_FINISHED,
        by=SYSTEM,
        at=now,
        about=notification.fact_subject,
        data={"source": notification.source},
    )


def going_on(notifications: Collection[int]) -> set[int]:
    """The notifications with deliveries that are still to come or in flight."""
    if not notifications:
        return set()
    waiting = Tally.objects.filter(notification__in=list(notifications), status__in=WAITING)
    sums = waiting.order_by().values("notification").annotate(n=Sum("count"))
    return set(sums.filter(n__gt=0).values_list("notification", flat=True))
