"""What people may do to a notification on its way: pause, resume, cancel, retry, settle a doubt."""

import datetime as dt
import time
from collections import Counter

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet, Sum

from apps.lib.actor import Actor
from apps.lib.events import Fact, Kind, publish
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications import books
from apps.notifications.claim import EXPIRED
from apps.notifications.models import Delivery, DeliveryEvent, DeliveryStatus, Notification, NotificationState
from apps.notifications.send import announce_senders

CANCEL_TASK = "apps.notifications.control.cancel_rest"
CHUNK = 5000  # rows per transaction: larger ones keep other writers of SQLite waiting
LEFT_FOR = dt.timedelta(days=7)  # a cancelled notification is looked at for that long
LIVE = (NotificationState.PLANNING, NotificationState.SENDING, NotificationState.PAUSED)


class WrongState(ValueError):
    """The notification is not in a state in which this can be done; the text says which."""


def pause(*, notification: Notification, by: Actor, now: dt.datetime) -> None:
    """No row is claimed from now on; what is already claimed stops within two seconds. Raises WrongState."""
    with transaction.atomic():
        _switch(
            notification, (NotificationState.PLANNING, NotificationState.SENDING), NotificationState.PAUSED, "paused"
        )
        _tell(Kind.NOTIFICATION_PAUSED, notification, by, now)


def resume(*, notification: Notification, by: Actor, now: dt.datetime) -> None:
    """Go on where it stopped; nobody gets a second copy. Raises WrongState."""
    with transaction.atomic():
        row = Notification.objects.select_for_update(no_key=True).get(pk=notification.pk)
        state = NotificationState.SENDING if row.planned_at else NotificationState.PLANNING
        _switch(notification, (NotificationState.PAUSED,), state, "resumed")
        _tell(Kind.NOTIFICATION_RESUMED, notification, by, now)
        if state == NotificationState.SENDING:
            announce_senders(Lane(row.lane))


def cancel(*, notification: Notification, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Stop for good. Returns what that means: {"cancelled", "handed_off", "in_flight", "total"}.

    Rows in flight are at most one slice per sender; those not yet handed over join the cancelled ones within seconds.
    Raises WrongState.
    """
    with transaction.atomic():
        _switch(notification, LIVE, NotificationState.CANCELLED, "cancelled", finished_at=now)
        _tell(Kind.NOTIFICATION_CANCELLED, notification, by, now)
        more = _cancel_chunk(notification.pk, now)
        if more:
            announce(CANCEL_TASK, lane=Lane.BULK, notification_id=notification.pk)
    counts: Counter[str] = Counter()
    for tally in notification.tallies.all():
        counts[tally.status] += tally.count
    return {
        "cancelled": counts[DeliveryStatus.CANCELLED] + counts[DeliveryStatus.PENDING],
        "handed_off": counts[DeliveryStatus.SENT] + counts[DeliveryStatus.DELIVERED] + counts[DeliveryStatus.IN_DOUBT],
        "in_flight": counts[DeliveryStatus.QUEUED],
        "total": sum(counts.values()),
    }


def cancel_rest(*, notification_id: int, **_: object) -> None:
    """Task: mark the waiting rows of a large cancelled notification, a chunk per transaction."""
    now = Notification.objects.get(pk=notification_id).finished_at
    while now and _cancel_chunk(notification_id, now):
        pass


def close_leftovers(*, now: dt.datetime) -> None:
    """Schedule: close waiting rows that no sender will claim, a chunk of each notification at a time.

    Those that expired while their channel had no way out, and those that came back to waiting just as their
    notification was cancelled, or whose `cancel_rest` was lost.
    """
    left = Exists(Delivery.objects.filter(notification=OuterRef("pk"), status=DeliveryStatus.PENDING))
    recent = Notification.objects.filter(state=NotificationState.CANCELLED, finished_at__gte=now - LEFT_FOR)
    for notification in recent.filter(left)[:20]:
        _cancel_chunk(notification.pk, notification.finished_at or now)
    overdue = Notification.objects.filter(state=NotificationState.SENDING, expires_at__lte=now)
    for pk in overdue.filter(left).values_list("pk", flat=True)[:20]:
        rows = Delivery.objects.filter(notification=pk, status=DeliveryStatus.PENDING)
        _move(pk, rows, DeliveryStatus.SKIPPED, reason=EXPIRED, finished_at=now)
        books.finish_if_done(pk, now=now)


def _cancel_chunk(notification_id: int, now: dt.datetime) -> bool:
    """True when there may be more."""
    rows = Delivery.objects.filter(notification=notification_id, status=DeliveryStatus.PENDING)
    return len(_move(notification_id, rows, DeliveryStatus.CANCELLED, finished_at=now)) == CHUNK


def _move(notification_id: int, rows: QuerySet[Delivery], status: DeliveryStatus, **changes: object) -> list[int]:
    """Set the status of up to CHUNK rows, and move the tallies with them; the ids of those rows."""
    with transaction.atomic():
        ids = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True)[:CHUNK])
        mine = Delivery.objects.filter(pk__in=ids).order_by()
        reason = changes.get("reason")
        deltas: Counter[books.Place] = Counter()
        for channel, old, why, count in mine.values_list("channel", "status", "reason").annotate(n=Count("pk")):
            deltas[books.Place(notification_id, channel, old, why)] -= count
            deltas[books.Place(notification_id, channel, status.value, str(reason or why))] += count
        mine.update(status=status, **changes)
        books.shift(deltas)
    return ids


def retry_failed(*, notification: Notification, by: Actor, now: dt.datetime) -> int:
    """Send the failed ones, and only those, back into the queue; how many. Raises WrongState while it is cancelled."""
    failed = Delivery.objects.filter(notification=notification, status=DeliveryStatus.FAILED)
    return _again(notification, failed, by=by, now=now)


def retry_delivery(*, delivery: Delivery, by: Actor, now: dt.datetime) -> int:
    """One failed delivery back into the queue; 0 if it is not failed any more."""
    failed = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.FAILED)
    return _again(delivery.notification, failed, by=by, now=now)


def resolve_doubt(*, delivery: Delivery, action: str, by: Actor, now: dt.datetime) -> int:
    """A person decides about a delivery in doubt: "resend" it, or take it as "sent". 0 if somebody was faster."""
    doubtful = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.IN_DOUBT)
    if action == "resend":
        return _again(delivery.notification, doubtful, by=by, now=now)
    if action != "sent":
        raise ValueError(f"{action!r} is neither 'resend' nor 'sent'.")
    with transaction.atomic():
        moved = _move(delivery.notification_id, doubtful, DeliveryStatus.SENT, finished_at=now)
        _note("settled", moved, by=by, now=now)
        if moved:
            label = str(delivery.follower or "")
            publish(Fact(Kind.DELIVERY_SETTLED, by, now, "delivery", str(delivery.uid), label, {"as": action}))
    return len(moved)


def _again(notification: Notification, rows: QuerySet[Delivery], *, by: Actor, now: dt.datetime) -> int:
    with transaction.atomic():
        current = Notification.objects.select_for_update(no_key=True).get(pk=notification.pk)
        if current.state == NotificationState.CANCELLED:
            raise WrongState("This notification was cancelled; nothing of it is sent any more.")
        fresh = {"reason": "retried", "due_at": now, "attempts": 0, "finished_at": None, "error": ""}
        total = 0
        while moved := _move(notification.pk, rows, DeliveryStatus.PENDING, **fresh):
            _note("retried", moved, by=by, now=now)
            total += len(moved)
        if total:
            Notification.objects.filter(pk=notification.pk, state=NotificationState.DONE).update(
                state=NotificationState.SENDING, finished_at=None
            )
            _tell(Kind.DELIVERY_RETRIED, notification, by, now, deliveries=total)
            announce_senders(Lane(notification.lane))
    return total


def _note(kind: str, ids: list[int], *, by: Actor, now: dt.datetime) -> None:
    DeliveryEvent.objects.bulk_create(
        (DeliveryEvent(delivery_id=pk, at=now, kind=kind, detail={"by": by.label}) for pk in ids), batch_size=1000
    )


def _switch(
    notification: Notification,
    allowed: tuple[NotificationState, ...],
    state: NotificationState,
    done: str,
    **changes: object,
) -> None:
    live = Notification.objects.filter(pk=notification.pk, state__in=allowed)
    if not live.update(state=state, **changes):
        current = Notification.objects.get(pk=notification.pk)
        raise WrongState(f"It is {current.get_state_display().lower()} and can't be {done}.")
    notification.refresh_from_db()


def _tell(kind: Kind, notification: Notification, by: Actor, now: dt.datetime, **data: object) -> None:
    label = notification.notification_type.name
    publish(Fact(kind, by, now, "notification", str(notification.uid), label, data))


def wait_until_still(notification: Notification, *, seconds: float = 3.0) -> bool:
    """After a pause or a cancel was committed: until no sender holds a row of it any more, so that the answer to the
    person who asked is true. Senders look for it ten times a second; False if one still waits for a server's answer.
    """
    until = time.monotonic() + seconds
    queued = notification.tallies.filter(status=DeliveryStatus.QUEUED)
    while queued.aggregate(n=Sum("count"))["n"]:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True
