"""What people may do to a notification on its way: pause, resume, cancel, retract.

Each act refreshes the caller's object, so that the page that asked shows the state it has brought
about.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection

from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum
from django.utils.translation import gettext, gettext_noop

from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Kind, tell
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import Refused, WrongState
from apps.notifications.books import slices, still, tallies, transitions
from apps.notifications.books.wake import announce_senders
from apps.notifications.decide.decision import Why
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
    Shelf,
    Slice,
    Tally,
)

CANCEL_TASK = "apps.notifications.control.cancel_rest"
LEFT_FOR = dt.timedelta(days=7)  # a cancelled notification is looked at for that long
NEWEST = 500
SLICES = 20  # looked at together
CERTAINLY = dt.timedelta(minutes=1)  # no two machines differ by that
UNTAKEN = (DeliveryStatus.PENDING, DeliveryStatus.HELD)  # no sender holds them
LIVE = (NotificationState.PLANNING, NotificationState.SENDING, NotificationState.PAUSED)


_NO_PAUSE = gettext_noop("It is {state} and can't be paused.")
_NO_RESUMING = gettext_noop("It is {state} and can't be resumed.")
_NO_CANCELLING = gettext_noop("It is {state} and can't be cancelled.")


class ExpiresFirst(Refused):
    """A moment after which the notification would be worthless already."""

    field = "send_at"


def pause(*, notification: Notification, by: Actor, now: dt.datetime) -> None:
    """Let nothing leave any more once this has returned, but what is in hand at a slow server.

    A second time changes nothing. Raises WrongState.
    """
    going = (NotificationState.PLANNING, NotificationState.SENDING)
    with transaction.atomic():
        if _switch(notification, going, NotificationState.PAUSED, _NO_PAUSE):
            tell(Kind.NOTIFICATION_PAUSED, by=by, now=now, about=notification)
    wait_until_still(notification)


def hold(*, notification: Notification, why: str, now: dt.datetime) -> bool:
    """Pause the notification by Carillon's own decision, with the sentence that people read; False
    where it is not on its way, or a person wants it to go on.

    In a sender's thread, which itself has rows of it in hand: they go back within a moment.
    """
    going = Notification.objects.filter(pk=notification.pk, brake_off=False)
    with transaction.atomic():
        moved = going.filter(state__in=(NotificationState.PLANNING, NotificationState.SENDING))
        if not moved.update(state=NotificationState.PAUSED, wakes_at=None, paused_why=why[:300]):
            return False
        notification.refresh_from_db()
        said = {"why": why}
        tell(Kind.NOTIFICATION_PAUSED, by=SYSTEM, now=now, about=notification, data=said)
    return True


def resume(*, notification: Notification, by: Actor, now: dt.datetime) -> None:
    """Go on where the notification stopped; nobody gets a second copy. Where Carillon itself had
    paused it, it does not do so again: a person has decided.

    One that goes on already stays as it is. Raises WrongState.
    """
    with transaction.atomic():
        row = Notification.objects.select_for_update(no_key=True).get(pk=notification.pk)
        state = NotificationState.PLANNING
        if row.planned_at:
            state = NotificationState.SENDING
        resumed = _switch(
            notification,
            (NotificationState.PAUSED,),
            state,
            _NO_RESUMING,
            paused_why="",
            brake_off=row.brake_off or bool(row.paused_why),
        )
        if not resumed:
            return
        tell(Kind.NOTIFICATION_RESUMED, by=by, now=now, about=notification)
        if state == NotificationState.SENDING:
            announce_senders(Lane(row.lane))


def reschedule(
    *, notification: Notification, send_at: dt.datetime, by: Actor, now: dt.datetime
) -> Notification:
    """Send at another time what has not begun; its messages keep their distance from it.

    An expiry that came of the type's lifetime moves along. Raises WrongState, ExpiresFirst.
    """
    with transaction.atomic():
        row = Notification.objects.select_for_update(of=("self",), no_key=True)
        fresh = row.select_related("notification_type").get(pk=notification.pk)
        if fresh.state not in LIVE or fresh.send_at <= now:
            refusal = gettext(
                "It is {state} and can't be sent at another time. Only what has not begun can."
            )
            raise WrongState(refusal.format(state=fresh.get_state_display().lower()))
        moved = max(send_at, now) - fresh.send_at
        before = fresh.send_at
        fresh.send_at += moved
        lifetime = fresh.notification_type.lifetime
        if lifetime and fresh.expires_at == before + dt.timedelta(seconds=lifetime):
            fresh.expires_at += moved
        if fresh.expires_at and fresh.expires_at <= fresh.send_at:
            raise ExpiresFirst(
                gettext("It would expire before it is sent. Choose an earlier time.")
            )
        if not moved:
            return fresh
        fresh.wakes_at = None
        fresh.save(update_fields=["send_at", "expires_at", "wakes_at"])
        waiting = Delivery.objects.filter(notification=fresh, status=DeliveryStatus.PENDING)
        waiting.update(due_at=F("due_at") + moved)
        said = {"before": before.isoformat(), "after": fresh.send_at.isoformat()}
        tell(Kind.NOTIFICATION_RESCHEDULED, by=by, now=now, about=fresh, data=said)
        if fresh.send_at <= now and fresh.state == NotificationState.SENDING:
            announce_senders(Lane(fresh.lane))
    return fresh


def cancel(*, notification: Notification, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Cancel. Returns its `counts`; a second time changes nothing and counts anew.

    Rows in flight are at most one slice per sender; the ones not yet handed over join the cancelled
    ones within seconds. Raises WrongState.
    """
    _cancel(notification, LIVE, by, now)
    return counts(notification)


def retract(*, notification: Notification, by: Actor, now: dt.datetime) -> dict[str, int]:
    """Cancel what has not left, and take back what can be: the inbox hears the fact and removes its
    messages, web copies show it no more.

    May be called whatever the state is, and again. What has left on other channels can't be called
    back. Returns what cancel() does; the inbox knows how many it removed (inbox.removal).
    """
    _cancel(notification, (*LIVE, NotificationState.DONE), by, now)
    # after the senders have let go: a message that was being stored is there by now
    with transaction.atomic():
        first = Notification.objects.filter(pk=notification.pk, retracted_at__isnull=True)
        first.update(retracted_at=now)
        tell(Kind.NOTIFICATION_RETRACTED, by=by, now=now, about=notification)
    notification.refresh_from_db(fields=["retracted_at"])
    return counts(notification)


def _cancel(
    notification: Notification, allowed: tuple[NotificationState, ...], by: Actor, now: dt.datetime
) -> None:
    with transaction.atomic():
        cancelled = NotificationState.CANCELLED
        if not _switch(notification, allowed, cancelled, _NO_CANCELLING, finished_at=now):
            return
        tell(Kind.NOTIFICATION_CANCELLED, by=by, now=now, about=notification)
        if _cancel_chunk(notification.pk, now):
            announce(CANCEL_TASK, lane=Lane.BULK, notification_id=notification.pk)
    wait_until_still(notification)


def counts(notification: Notification | None) -> dict[str, int]:
    """Count where a notification's messages stand, from the tallies; all 0 for none.

    Returns {"total", "cancelled", "handed_off", "in_flight", "waiting", "skipped", "failed"}; the
    others add up to the total. `in_flight` ones are being handed over at this moment (at most a
    slice per sender) and can still go either way.
    """
    standing: Counter[str] = Counter()
    for tally in Tally.objects.filter(notification=notification):
        standing[tally.status] += tally.count

    def of(*statuses: DeliveryStatus) -> int:
        return sum(standing[status] for status in statuses)

    waiting = of(*UNTAKEN)
    cancelled = of(DeliveryStatus.CANCELLED)
    if notification and notification.state == NotificationState.CANCELLED:
        # a task marks the rest, which is as cancelled as the others
        cancelled += waiting
        waiting = 0
    return {
        "total": sum(standing.values()),
        "cancelled": cancelled,
        "handed_off": of(DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.IN_DOUBT),
        "in_flight": of(DeliveryStatus.QUEUED),
        "waiting": waiting,
        "skipped": of(DeliveryStatus.SKIPPED),
        "failed": of(DeliveryStatus.FAILED),
    }


def cancel_rest(*, notification_id: int, **_: object) -> None:
    """Task: mark the waiting rows of a large cancelled notification, a chunk per transaction."""
    now = Notification.objects.get(pk=notification_id).finished_at
    while now and _cancel_chunk(notification_id, now):
        pass


def leftovers(now: dt.datetime) -> QuerySet[Notification]:
    """Find the notifications that may have waiting rows which no sender will claim."""
    lately = Q(state=NotificationState.CANCELLED, finished_at__gte=now - LEFT_FOR)
    overdue = Q(state=NotificationState.SENDING, expires_at__lte=now)
    return Notification.objects.filter(lately | overdue)


@only_with(leftovers)
def close_leftovers(*, now: dt.datetime) -> None:
    """Schedule: close waiting rows that no sender will claim, a chunk of each notification at a
    time.

    They expired while their channel had no way out, or came back to waiting just as their
    notification was cancelled, or their `cancel_rest` was lost.
    """
    left = Notification.objects.alias(left=tallies.standing(*UNTAKEN)).filter(left__gt=0)
    lately = now - LEFT_FOR
    cancelled = left.filter(state=NotificationState.CANCELLED, finished_at__gte=lately)
    for notification in cancelled[:20]:
        _cancel_chunk(notification.pk, notification.finished_at or now)
    overdue = left.filter(state=NotificationState.SENDING, expires_at__lte=now)
    expired = list(overdue.values_list("pk", flat=True)[:20])
    for pk in expired:
        for shelf, why in (
            (Shelf.WAITING, Why.EXPIRED),
            (Shelf.HELD, Why.EXPIRED_WHILE_WAITING),
        ):
            skipped = DeliveryStatus.SKIPPED
            _close_next(pk, (shelf,), skipped, reason=why.value, finished_at=now)
    tallies.finish_all_done(expired, now=now)


def fetch_from_tomorrow(*, now: dt.datetime) -> None:
    """Schedule: let what was to go at once go now, where a clock that was ahead had written the
    moment. Among the newest notifications only: such a clock was so a moment ago.
    """
    newest = list(Notification.objects.order_by("-pk").values_list("pk", flat=True)[:NEWEST])
    wrong = Notification.objects.filter(pk__in=newest, created_at__gt=now + CERTAINLY)
    for notification in wrong.filter(send_at=F("created_at")):
        due = Delivery.objects.filter(notification=notification, status=DeliveryStatus.PENDING)
        with transaction.atomic():
            due.filter(due_at=notification.send_at).update(due_at=now)
            row = Notification.objects.filter(pk=notification.pk)
            row.update(created_at=now, send_at=now, wakes_at=None)


def _cancel_chunk(notification_id: int, now: dt.datetime) -> bool:
    """Cancel the next waiting rows; True when there may be more."""
    shelves = (Shelf.WAITING, Shelf.HELD)
    return _close_next(notification_id, shelves, DeliveryStatus.CANCELLED, finished_at=now)


def _close_next(
    notification_id: int, shelves: Collection[Shelf], status: DeliveryStatus, **changes: object
) -> bool:
    """Give the status to the next rows of the notification that lie there, and of its next slices;
    True when there may be more.
    """
    free = Slice.objects.filter(notification=notification_id, owner="")
    with transaction.atomic():
        rows = Delivery.objects.filter(notification=notification_id, shelf__in=shelves)
        ids, deltas = transitions.moved(rows, status, **changes)
        if Shelf.WAITING in shelves:
            # first the slice and then its rows, as whoever claims or closes it
            for each in free.order_by("first").select_for_update(no_key=True)[:SLICES]:
                if len(ids) >= transitions.CHUNK:
                    break
                waiting = slices.rows_of(each).filter(status=DeliveryStatus.PENDING)
                more, shifts = transitions.moved(waiting, status, **changes)
                ids += more
                deltas.update(shifts)  # not `+`, which drops what goes below zero
                free.filter(pk=each.pk).delete()  # nobody has had it, so nothing else is in it
        tallies.shift(deltas)
        return len(ids) >= transitions.CHUNK or (Shelf.WAITING in shelves and free.exists())


def _switch(
    notification: Notification,
    allowed: tuple[NotificationState, ...],
    state: NotificationState,
    refusal: str,
    **changes: object,
) -> bool:
    """Change the state, and refresh the caller's object; False: it was in that state already.

    Raises WrongState with the `refusal`.
    """
    live = Notification.objects.filter(pk=notification.pk, state__in=allowed)
    changed = bool(live.update(state=state, wakes_at=None, **changes))
    notification.refresh_from_db()
    if not changed and notification.state != state:
        standing = notification.get_state_display().lower()
        raise WrongState(gettext(refusal).format(state=standing))
    return changed


def wait_until_still(notification: Notification) -> None:
    """Wait, after a pause or a cancel was committed, until no sender holds a row of the
    notification any more.
    """
    queued = notification.tallies.filter(status=DeliveryStatus.QUEUED)
    still.wait_until_still(lambda: queued.aggregate(n=Sum("count"))["n"])
