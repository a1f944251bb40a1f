"""Send again what was not delivered: one message, those of a notification, or all of a type;
settle a doubt.
"""

import datetime as dt
import time

from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils.translation import gettext

from apps.followers.models import NotificationType
from apps.lib import steady_clock
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Kind, Subject, tell
from apps.lib.queue.announce import announce, waiting
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import WrongState
from apps.notifications.books import transitions
from apps.notifications.books.wake import announce_senders
from apps.notifications.models import (
    OF_STAFF,
    SHELVES,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Notification,
    NotificationState,
    Replay,
    Source,
    Tally,
)

REPLAY_TASK = "apps.notifications.replay.replay_rest"
WORK_SECONDS = 8.0


def retry_failed(
    *, notification: Notification, by: Actor, now: dt.datetime, reason: str = ""
) -> int:
    """Send a notification's failed deliveries, and only those, back into the queue; how many it
    will be.

    The first chunk moves at once, the rest in a task. Raises WrongState while the notification is
    cancelled, or where its words are no longer kept.
    """
    failed = DeliveryStatus.FAILED
    return replay(
        notification=notification, kind=None, status=failed, reason=reason, by=by, now=now
    )


def retry_delivery(*, delivery: Delivery, by: Actor, now: dt.datetime) -> int:
    """Send one failed delivery back into the queue; 0 if it is not failed any more.

    Raises WrongState.
    """
    failed = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.FAILED)
    return _again(delivery.notification, failed, by=by, now=now)


def replay(
    *,
    notification: Notification | None,
    kind: NotificationType | None,
    status: str,
    reason: str,
    by: Actor,
    now: dt.datetime,
) -> int:
    """Order failed or doubtful ones to be sent again: those of a notification,
    or all of a kind that no campaign sent.

    Returns how many it will be. While the same order is being worked off, a second one changes
    nothing. Raises WrongState while the notification is cancelled, or where its words are no longer
    kept.
    """
    if notification:
        kind = notification.notification_type
    assert kind is not None  # noqa: S101  (one of the two is given)
    order = Replay(
        notification=notification,
        notification_type=kind,
        status=status,
        reason=reason,
        started_at=now,
    )
    with transaction.atomic():
        if notification:
            _refuse_over(notification)
        count = left_of(order)
        if not count or _under_way(order):
            return count
        order.by = by.label[:200]
        order.save()
        if notification:
            about = Subject("notification", str(notification.uid), kind.name)
        else:
            about = kind.fact_subject
        data = {"deliveries": count, "status": status, "reason": reason}
        tell(Kind.DELIVERY_RETRIED, by=by, now=now, about=about, data=data)
        if _replay_chunk(order.pk, now=now):
            announce(REPLAY_TASK, lane=Lane.BULK, replay_id=order.pk)
    return count


def _under_way(order: Replay) -> bool:
    """Whether an order that means the same is being worked off."""
    same = Replay.objects.filter(
        notification=order.notification,
        notification_type=order.notification_type,
        status=order.status,
        reason=order.reason,
    )
    return same.filter(finished_at=None).exists()


def left_of(order: Replay) -> int:
    """How many deliveries the order still means; the ones that failed again since are counted, and
    not sent a third time.
    """
    return undelivered_of(order).aggregate(n=Sum("count"))["n"] or 0


def undelivered_of(order: Replay) -> QuerySet[Tally]:
    """The tallies of what the order means."""
    kind = order.notification_type
    places = Tally.objects.filter(status=order.status, notification__notification_type=kind)
    has_words = Q(notification__words_gone_at=None) | Q(notification__source__in=OF_STAFF)
    places = places.filter(has_words)
    if order.reason:
        places = places.filter(reason=order.reason)
    if order.notification_id:
        return places.filter(notification=order.notification_id)
    of_programs = places.exclude(notification__source=Source.CAMPAIGN)
    return of_programs.exclude(notification__state=NotificationState.CANCELLED)


def replay_rest(*, replay_id: int, **_: object) -> None:
    """Task: work an order off for a few seconds, then announce the rest."""
    until = time.monotonic() + WORK_SECONDS
    while _replay_chunk(replay_id, now=steady_clock.now()):
        if time.monotonic() > until:
            announce(REPLAY_TASK, lane=Lane.BULK, replay_id=replay_id)
            return


def resume_replays(*, now: dt.datetime) -> None:
    """Schedule: announce again the orders whose task was lost."""
    waiting_since = now - dt.timedelta(seconds=30)
    left = Replay.objects.filter(finished_at=None, started_at__lt=waiting_since)
    for pk in left.values_list("pk", flat=True)[:20]:
        # two tasks at work on one order wait for each other; nobody is sent twice
        if waiting(Lane.BULK) == 0:
            announce(REPLAY_TASK, lane=Lane.BULK, replay_id=pk)


def _replay_chunk(pk: int, *, now: dt.datetime) -> bool:
    """Send the next rows of the order, with its progress in the same transaction; True when there
    may be more.
    """
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
                notification=next_one,
                shelf=SHELVES[DeliveryStatus(order.status)],
                finished_at__lte=order.started_at,
            )
            if order.reason:
                rows = rows.filter(reason=order.reason)
            moved = _requeue(next_one, rows, label=order.by, now=now)
            order.moved += len(moved)
            if len(moved) < transitions.CHUNK:
                order.position = next_one
                if order.notification_id:
                    order.finished_at = now
        order.save(update_fields=["moved", "position", "finished_at"])
    return order.finished_at is None


def resolve_doubt(*, delivery: Delivery, action: str, by: Actor, now: dt.datetime) -> int:
    """Settle a delivery in doubt as a person decides: "resend" it, or take it as "sent".
    0 if somebody was faster. Raises WrongState.
    """
    doubtful = Delivery.objects.filter(pk=delivery.pk, status=DeliveryStatus.IN_DOUBT)
    if action == "resend":
        return _again(delivery.notification, doubtful, by=by, now=now)
    if action != "sent":
        raise ValueError(f"{action!r} is neither 'resend' nor 'sent'.")
    with transaction.atomic():
        moved = transitions.move(doubtful, DeliveryStatus.SENT, finished_at=now)
        _note(EventKind.SETTLED, moved, by=by.label, now=now)
        if moved:
            tell(Kind.DELIVERY_SETTLED, by=by, now=now, about=delivery, data={"as": action})
    return len(moved)


def _again(
    notification: Notification, rows: QuerySet[Delivery], *, by: Actor, now: dt.datetime
) -> int:
    with transaction.atomic():
        _refuse_over(notification)
        moved = _requeue(notification.pk, rows, label=by.label, now=now)
        if moved:
            data = {"deliveries": len(moved)}
            tell(Kind.DELIVERY_RETRIED, by=by, now=now, about=notification, data=data)
    return len(moved)


def _refuse_over(notification: Notification) -> None:
    current = Notification.objects.select_for_update(no_key=True).get(pk=notification.pk)
    if current.state == NotificationState.CANCELLED:
        raise WrongState(
            gettext("This notification was cancelled; nothing of it is sent any more.")
        )
    if current.lost_its_words:
        raise WrongState(
            gettext("The words of this notification are no longer kept. Order a new one.")
        )


def _requeue(
    notification_id: int, rows: QuerySet[Delivery], *, label: str, now: dt.datetime
) -> list[int]:
    """Move up to CHUNK rows back to waiting, and their notification back to sending; nothing where
    the notification is cancelled or has lost its words. The ids of those rows.
    """
    locked = Notification.objects.select_for_update(of=("self",), no_key=True)
    notification = locked.get(pk=notification_id)
    if notification.state == NotificationState.CANCELLED or notification.lost_its_words:
        return []
    fresh = {"reason": "retried", "due_at": now, "attempts": 0, "finished_at": None, "error": ""}
    moved = transitions.move(rows, DeliveryStatus.PENDING, **fresh)
    _note(EventKind.RETRIED, moved, by=label, now=now)
    if moved:
        done = Notification.objects.filter(pk=notification_id, state=NotificationState.DONE)
        if done.update(state=NotificationState.SENDING, finished_at=None, words_gone_at=None):
            tell(Kind.NOTIFICATION_REOPENED, by=SYSTEM, now=now, about=notification)
        announce_senders(Lane(notification.lane))
    return moved


def _note(kind: EventKind, ids: list[int], *, by: str, now: dt.datetime) -> None:
    events = (DeliveryEvent(delivery_id=pk, at=now, kind=kind, detail={"by": by}) for pk in ids)
    DeliveryEvent.objects.bulk_create(events, batch_size=1000)
