"""What people may do to a notification on its way: pause, resume, cancel, retract, retry, settle a doubt."""

import datetime as dt
import time
from collections import Counter

from django.db import connection, transaction
from django.db.models import QuerySet, Sum
from django.utils import timezone

from apps.followers.models import NotificationType
from apps.lib.actor import SYSTEM, Actor
from apps.lib.events import Fact, Kind, publish
from apps.lib.queue.announce import announce, waiting
from apps.lib.queue.lanes import Lane
from apps.notifications import books, moves
from apps.notifications.decide import Why
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Notification,
    NotificationState,
    Replay,
    Tally,
)
from apps.notifications.send import announce_senders

CANCEL_TASK = "apps.notifications.control.cancel_rest"
REPLAY_TASK = "apps.notifications.control.replay_rest"
CAMPAIGN = "campaign"  # Notification.source of what a campaign sent: ordered again notification by notification
WORK_SECONDS = 8.0
STILL_SECONDS = 3.0  # whoever pauses or cancels waits that long for what is in hand
LEFT_FOR = dt.timedelta(days=7)  # a cancelled notification is looked at for that long
UNTAKEN = (DeliveryStatus.PENDING, DeliveryStatus.HELD)  # no sender holds them
LIVE = (NotificationState.PLANNING, NotificationState.SENDING, NotificationState.PAUSED)


class WrongState(ValueError):
    """The notification is not in a state in which this can be done; the text says which."""


def pause(*, notification: Notification, by: Actor, now: dt.datetime) -> None:
    """Nothing leaves any more once this has returned, but what is in hand at a slow server. Raises WrongState."""
    with transaction.atomic():
        _switch(
            notification, (NotificationState.PLANNING, NotificationState.SENDING), NotificationState.PAUSED, "paused"
        )
        _tell(Kind.NOTIFICATION_PAUSED, notification, by, now)
    wait_until_still(notification)


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
    _cancel(notification, LIVE, by, now)
    return _come_to(notification)


def retract(*, notification: Notification, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Cancel what has not left, and take back what can be: the inbox hears the fact and removes its messages.

    Whatever its state, and again: what has left on other channels can't be called back. Returns what cancel() does;
    the inbox knows how many it removed (inbox.removal).
    """
    if notification.state != NotificationState.CANCELLED:
        _cancel(notification, (*LIVE, NotificationState.DONE), by, now)
    with transaction.atomic():  # after the senders have let go: a message that was being stored is there by now
        _tell(Kind.NOTIFICATION_RETRACTED, notification, by, now)
    return _come_to(notification)


def _cancel(notification: Notification, allowed: tuple[NotificationState, ...], by: Actor, now: dt.datetime) -> None:
    with transaction.atomic():
        _switch(notification, allowed, NotificationState.CANCELLED, "cancelled", finished_at=now)
        _tell(Kind.NOTIFICATION_CANCELLED, notification, by, now)
        if _cancel_chunk(notification.pk, now):
            announce(CANCEL_TASK, lane=Lane.BULK, notification_id=notification.pk)
    wait_until_still(notification)


def _come_to(notification: Notification) -> dict[str, int]:
    """What a cancelled notification has come to; those that the task will mark count as cancelled."""
    counts: Counter[str] = Counter()
    for tally in notification.tallies.all():
        counts[tally.status] += tally.count
    return {
        "cancelled": counts[DeliveryStatus.CANCELLED] + sum(counts[status] for status in UNTAKEN),
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
    left = Notification.objects.alias(left=books.standing(*UNTAKEN)).filter(left__gt=0)
    for notification in left.filter(state=NotificationState.CANCELLED, finished_at__gte=now - LEFT_FOR)[:20]:
        _cancel_chunk(notification.pk, notification.finished_at or now)
    overdue = left.filter(state=NotificationState.SENDING, expires_at__lte=now)
    expired = list(overdue.values_list("pk", flat=True)[:20])
    for pk in expired:
        for status, reason in ((DeliveryStatus.PENDING, Why.EXPIRED), (DeliveryStatus.HELD, Why.EXPIRED_WHILE_WAITING)):
            rows = Delivery.objects.filter(notification=pk, status=status)
            moves.move(rows, DeliveryStatus.SKIPPED, reason=reason.value, finished_at=now)
    books.finish_all_done(expired, now=now)


def _cancel_chunk(notification_id: int, now: dt.datetime) -> bool:
    """True when there may be more."""
    rows = Delivery.objects.filter(notification=notification_id, status__in=UNTAKEN)
    return len(moves.move(rows, DeliveryStatus.CANCELLED, finished_at=now)) == moves.CHUNK


def retry_failed(*, notification: Notification, by: Actor, now: dt.datetime, reason: str = "") -> int:
    """Send the failed ones, and only those, back into the queue; how many it will be.

    The first chunk moves at once, the rest in a task. Raises WrongState while it is cancelled.
    """
    failed = DeliveryStatus.FAILED
    return replay(notification=notification, kind=None, status=failed, reason=reason, by=by, now=now)


def retry_delivery(*, delivery: Delivery, by: Actor, now: dt.datetime) -> int:
    """One failed delivery back into the queue; 0 if it is not failed any more."""
    failed = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.FAILED)
    return _again(delivery.notification, failed, by=by, now=now)


# ------------------------------------------------------------------ many at once
def replay(
    *,
    notification: Notification | None,
    kind: NotificationType | None,
    status: str,
    reason: str,
    by: Actor,
    now: dt.datetime,
) -> int:
    """Order failed or doubtful ones to be sent again: those of a notification, or all of a kind that no campaign sent.

    Returns how many it will be. While the same order is being worked off, a second one changes nothing. Raises
    WrongState while the notification is cancelled.
    """
    kind = notification.notification_type if notification else kind
    assert kind is not None  # noqa: S101  (one of the two is given)
    order = Replay(notification=notification, notification_type=kind, status=status, reason=reason, started_at=now)
    with transaction.atomic():
        if notification:
            _refuse_cancelled(notification)
        count = left_of(order)
        same = Replay.objects.filter(notification=notification, notification_type=kind, finished_at=None)
        if not count or same.filter(status=status, reason=reason).exists():
            return count
        order.by = by.label[:200]
        order.save()
        subject, key = ("notification", notification.uid) if notification else ("notification_type", kind.key)
        data = {"deliveries": count, "status": status, "reason": reason}
        publish(Fact(Kind.DELIVERY_RETRIED, by, now, subject, str(key), kind.name, data))
        if _replay_chunk(order.pk, now=now):
            announce(REPLAY_TASK, lane=Lane.BULK, replay_id=order.pk)
    return count


def left_of(order: Replay) -> int:
    """How many it still means; those among them that failed again since are not sent a third time."""
    return undelivered_of(order).aggregate(n=Sum("count"))["n"] or 0


def undelivered_of(order: Replay) -> QuerySet[Tally]:
    """The tallies of what the order means."""
    places = Tally.objects.filter(status=order.status, notification__notification_type=order.notification_type)
    if order.reason:
        places = places.filter(reason=order.reason)
    if order.notification_id:
        return places.filter(notification=order.notification_id)
    return places.exclude(notification__source=CAMPAIGN).exclude(notification__state=NotificationState.CANCELLED)


def replay_rest(*, replay_id: int, **_: object) -> None:
    """Task: work an order off for a few seconds, then announce the rest."""
    until = time.monotonic() + WORK_SECONDS
    while _replay_chunk(replay_id, now=timezone.now()):
        if time.monotonic() > until:
            announce(REPLAY_TASK, lane=Lane.BULK, replay_id=replay_id)
            return


def resume_replays(*, now: dt.datetime) -> None:
    """Schedule: orders whose task was lost."""
    waiting_since = now - dt.timedelta(seconds=30)
    for pk in Replay.objects.filter(finished_at=None, started_at__lt=waiting_since).values_list("pk", flat=True)[:20]:
        if waiting(Lane.BULK) == 0:  # two at work on one order wait for each other; nobody is sent twice
            announce(REPLAY_TASK, lane=Lane.BULK, replay_id=pk)


def _replay_chunk(pk: int, *, now: dt.datetime) -> bool:
    """The next rows of the order, with its progress in the same transaction; True when there may be more."""
    with transaction.atomic():
        order = Replay.objects.select_for_update().filter(pk=pk, finished_at=None).first()
        if order is None:
            return False
        places = undelivered_of(order).filter(notification__gt=order.position, count__gt=0)
        next_one = places.order_by("notification").values_list("notification", flat=True).first()
        if next_one is None:
            order.finished_at = now
        else:
            # what failed after the order is not meant: it may have been sent again by it
            rows = Delivery.objects.filter(
                notification=next_one, status=order.status, finished_at__lte=order.started_at
            )
            rows = rows.filter(reason=order.reason) if order.reason else rows
            moved = _requeue(next_one, rows, label=order.by, now=now)
            order.moved += len(moved)
            if len(moved) < moves.CHUNK:
                order.position, order.finished_at = next_one, now if order.notification_id else None
        order.save(update_fields=["moved", "position", "finished_at"])
    return order.finished_at is None


def resolve_doubt(*, delivery: Delivery, action: str, by: Actor, now: dt.datetime) -> int:
    """A person decides about a delivery in doubt: "resend" it, or take it as "sent". 0 if somebody was faster."""
    doubtful = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.IN_DOUBT)
    if action == "resend":
        return _again(delivery.notification, doubtful, by=by, now=now)
    if action != "sent":
        raise ValueError(f"{action!r} is neither 'resend' nor 'sent'.")
    with transaction.atomic():
        moved = moves.move(doubtful, DeliveryStatus.SENT, finished_at=now)
        _note("settled", moved, by=by.label, now=now)
        if moved:
            label = str(delivery.follower or "")
            publish(Fact(Kind.DELIVERY_SETTLED, by, now, "delivery", str(delivery.uid), label, {"as": action}))
    return len(moved)


def _again(notification: Notification, rows: QuerySet[Delivery], *, by: Actor, now: dt.datetime) -> int:
    with transaction.atomic():
        _refuse_cancelled(notification)
        moved = _requeue(notification.pk, rows, label=by.label, now=now)
        if moved:
            _tell(Kind.DELIVERY_RETRIED, notification, by, now, deliveries=len(moved))
    return len(moved)


def _refuse_cancelled(notification: Notification) -> None:
    current = Notification.objects.select_for_update(no_key=True).get(pk=notification.pk)
    if current.state == NotificationState.CANCELLED:
        raise WrongState("This notification was cancelled; nothing of it is sent any more.")


def _requeue(notification_id: int, rows: QuerySet[Delivery], *, label: str, now: dt.datetime) -> list[int]:
    """Up to CHUNK rows back to waiting, and their notification back to sending; none of a cancelled one."""
    notification = Notification.objects.select_for_update(of=("self",), no_key=True).get(pk=notification_id)
    if notification.state == NotificationState.CANCELLED:
        return []
    fresh = {"reason": "retried", "due_at": now, "attempts": 0, "finished_at": None, "error": ""}
    moved = moves.move(rows, DeliveryStatus.PENDING, **fresh)
    _note("retried", moved, by=label, now=now)
    if moved:
        done = Notification.objects.filter(pk=notification_id, state=NotificationState.DONE)
        if done.update(state=NotificationState.SENDING, finished_at=None):
            _tell(Kind.NOTIFICATION_REOPENED, notification, SYSTEM, now)
        announce_senders(Lane(notification.lane))
    return moved


def _note(kind: str, ids: list[int], *, by: str, now: dt.datetime) -> None:
    DeliveryEvent.objects.bulk_create(
        (DeliveryEvent(delivery_id=pk, at=now, kind=kind, detail={"by": by}) for pk in ids), batch_size=1000
    )


def _switch(
    notification: Notification,
    allowed: tuple[NotificationState, ...],
    state: NotificationState,
    done: str,
    **changes: object,
) -> None:
    live = Notification.objects.filter(pk=notification.pk, state__in=allowed)
    if not live.update(state=state, wakes_at=None, **changes):
        current = Notification.objects.get(pk=notification.pk)
        raise WrongState(f"It is {current.get_state_display().lower()} and can't be {done}.")
    notification.refresh_from_db()


def _tell(kind: Kind, notification: Notification, by: Actor, now: dt.datetime, **data: object) -> None:
    label = notification.notification_type.name
    publish(Fact(kind, by, now, "notification", str(notification.uid), label, data))


def wait_until_still(notification: Notification) -> None:
    """After a pause or a cancel was committed: until no sender holds a row of it any more, so that the answer to who
    asked is true. Senders look ten times a second; one that waits for a server's answer is not waited for longer.
    """
    if connection.in_atomic_block:
        return  # not committed yet: the senders can't see it
    until = time.monotonic() + STILL_SECONDS
    queued = notification.tallies.filter(status=DeliveryStatus.QUEUED)
    while queued.aggregate(n=Sum("count"))["n"] and time.monotonic() < until:
        time.sleep(0.05)
