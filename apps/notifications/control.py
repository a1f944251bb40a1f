"""What people may do to a notification on its way: pause, resume, cancel, retry, settle a doubt."""

import datetime as dt
from collections import Counter

from django.db import transaction
from django.db.models import Count, QuerySet

from apps.lib.actor import Actor
from apps.lib.events import Fact, Kind, publish
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications import books
from apps.notifications.models import Delivery, DeliveryEvent, DeliveryStatus, Notification, NotificationState
from apps.notifications.send import announce_senders

CANCEL_TASK = "apps.notifications.control.cancel_rest"
CHUNK = 5000  # rows per transaction: larger ones keep other writers of SQLite waiting
LIVE = (NotificationState.PLANNING, NotificationState.SENDING, NotificationState.PAUSED)


class WrongState(ValueError):
    """The notification is not in a state in which this can be done; the text says which."""


def pause(*, notification: Notification, by: Actor, now: dt.datetime) -> None:
    """No row is claimed from now on; what is already claimed stops within two seconds. Raises WrongState."""
    _switch(notification, (NotificationState.PLANNING, NotificationState.SENDING), NotificationState.PAUSED, "paused")


def resume(*, notification: Notification, by: Actor, now: dt.datetime) -> None:
    """Go on where it stopped; nobody gets a second copy. Raises WrongState."""
    with transaction.atomic():
        row = Notification.objects.select_for_update().get(pk=notification.pk)
        state = NotificationState.SENDING if row.planned_at else NotificationState.PLANNING
        _switch(notification, (NotificationState.PAUSED,), state, "resumed")
        if state == NotificationState.SENDING:
            announce_senders(Lane(row.lane))


def cancel(*, notification: Notification, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Stop for good. Returns what that means: {"cancelled", "handed_off", "in_flight", "total"}.

    Rows in flight are at most one slice per sender; those not yet handed over join the cancelled ones within seconds.
    Raises WrongState.
    """
    with transaction.atomic():
        _switch(notification, LIVE, NotificationState.CANCELLED, "cancelled", finished_at=now)
        publish(
            Fact(Kind.NOTIFICATION_CANCELLED, by, now, "notification", str(notification.uid), str(notification), {})
        )
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


def _cancel_chunk(notification_id: int, now: dt.datetime) -> bool:
    rows = Delivery.objects.filter(notification=notification_id, status=DeliveryStatus.PENDING)
    return _move(notification_id, rows, DeliveryStatus.CANCELLED, finished_at=now) == CHUNK


def _move(notification_id: int, rows: QuerySet[Delivery], status: DeliveryStatus, **changes: object) -> int:
    """Set the status of up to CHUNK rows, keeping their reasons, and the tallies with them; how many it were."""
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
    return len(ids)


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
        if moved:
            detail = {"action": action, "by": by.label}
            DeliveryEvent.objects.create(delivery=delivery, at=now, kind="settled", detail=detail)
            publish(
                Fact(
                    Kind.DELIVERY_RETRIED, by, now, "delivery", str(delivery.uid), str(delivery.follower or ""), detail
                )
            )
    return moved


def _again(notification: Notification, rows: QuerySet[Delivery], *, by: Actor, now: dt.datetime) -> int:
    with transaction.atomic():
        current = Notification.objects.select_for_update().get(pk=notification.pk)
        if current.state == NotificationState.CANCELLED:
            raise WrongState("This notification was cancelled; nothing of it is sent any more.")
        moved = total = 0
        ids = list(rows.values_list("pk", flat=True)[: CHUNK * 20])
        for start in range(0, len(ids), CHUNK):
            part = Delivery.objects.filter(pk__in=ids[start : start + CHUNK])
            # judged again at the claim, so the old reason need not be kept
            moved = _move(
                notification.pk, part, DeliveryStatus.PENDING,
                reason="retried", due_at=now, attempts=0, finished_at=None, error="",
            )  # fmt: skip
            total += moved
        if total:
            DeliveryEvent.objects.bulk_create(
                [DeliveryEvent(delivery_id=pk, at=now, kind="retried", detail={"by": by.label}) for pk in ids],
                batch_size=1000,
            )
            Notification.objects.filter(pk=notification.pk, state=NotificationState.DONE).update(
                state=NotificationState.SENDING, finished_at=None
            )
            publish(
                Fact(
                    Kind.DELIVERY_RETRIED, by, now, "notification", str(notification.uid), str(notification),
                    {"deliveries": total},
                )
            )  # fmt: skip
            announce_senders(Lane(notification.lane))
    return total


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
