"""The sums beside the rows: a delivery that changes its status moves its tally in the same transaction."""

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Sum

from apps.lib.actor import SYSTEM
from apps.lib.events import Fact, Kind, publish
from apps.notifications.models import Delivery, DeliveryStatus, Notification, NotificationState, Tally

SHARDS = 8
WAITING = (DeliveryStatus.PENDING, DeliveryStatus.QUEUED)


class Place(NamedTuple):
    """Where a delivery stands, as far as the balance sheet is concerned."""

    notification: int
    channel: str
    status: str
    reason: str


def place(delivery: Delivery) -> Place:
    return Place(delivery.notification_id, delivery.channel, delivery.status, delivery.reason)


def shift(deltas: Mapping[Place, int]) -> None:
    """Add to the tallies. In the transaction of the rows it counts."""
    # sorted: two writers touching the same tallies lock them in the same order
    rows = [(*where, os.getpid() % SHARDS, delta) for where, delta in sorted(deltas.items()) if delta]
    if not rows:
        return
    table = Tally._meta.db_table
    marks = ", ".join(["(%s, %s, %s, %s, %s, %s)"] * len(rows))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} "  # noqa: S608  # a name of ours and marks, no value
            f"(notification_id, channel, status, reason, shard, count) VALUES {marks} "
            "ON CONFLICT (notification_id, channel, status, reason, shard) "
            f"DO UPDATE SET count = {table}.count + excluded.count",
            [value for row in rows for value in row],
        )


def moved(before: Iterable[Place], after: Iterable[Place]) -> Counter[Place]:
    """The deltas of rows that stood at `before` and now stand at `after`."""
    deltas: Counter[Place] = Counter(after)
    deltas.subtract(Counter(before))
    return deltas


def waiting(notification_id: int) -> int:
    """How many deliveries are still to come or in flight."""
    total = Tally.objects.filter(notification=notification_id, status__in=WAITING).aggregate(n=Sum("count"))["n"]
    return total or 0


def finish_if_done(notification_id: int, *, now: dt.datetime) -> bool:
    """Close a notification that has nothing left to send: once, whoever notices first."""
    if waiting(notification_id) > 0:
        return False
    with transaction.atomic():
        live = Notification.objects.select_for_update(of=("self",), no_key=True).select_related("notification_type")
        notification = live.filter(pk=notification_id, state=NotificationState.SENDING).first()
        # again, now that nobody else holds it: a person may have sent failed ones back into the queue meanwhile
        if notification is None or waiting(notification_id) > 0:
            return False
        notification.state, notification.finished_at = NotificationState.DONE, now
        notification.save(update_fields=["state", "finished_at"])
        publish(
            Fact(
                Kind.NOTIFICATION_FINISHED,
                SYSTEM,
                now,
                "notification",
                str(notification.uid),
                notification.notification_type.name,
                {"source": notification.source},
            )
        )
    return True
