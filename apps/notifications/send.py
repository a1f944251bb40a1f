"""Send what is due: claim a slice, look again whether each may go, hand over outside any transaction, record.

Read it from `send_lane` down. Who claims owns the rows until its lease runs out; the journal knows what it did.
"""

import datetime as dt
import logging
import random
import time
from dataclasses import dataclass
from typing import Any, Self

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.utils import timezone

from apps.channels.contract import BadSettings, Outcome, Result, Session
from apps.channels.registry import UnknownProvider, provider
from apps.content.problems import RenderError
from apps.followers.verdict_sql import ALLOWING, reason_case
from apps.lib.crypto import Undecryptable
from apps.lib.queue.announce import announce, waiting
from apps.lib.queue.lanes import Lane
from apps.notifications import accounts_out, books, outcomes, recipient
from apps.notifications.journal import Journal
from apps.notifications.message import Unaddressed, message_of
from apps.notifications.models import Delivery, DeliveryStatus, Notification, NotificationState, ProviderAccount

log = logging.getLogger("carillon.send")

SEND_TASK = "apps.notifications.send.send_lane"
CLAIM = 100  # rows per claim; a claim of 100 costs 49 µs a row
WORK_SECONDS = 8.0  # a task works that long, then announces the next
LEASE = dt.timedelta(seconds=60)
FRESH_SECONDS = 2.0  # consent, pause and cancel are looked at again after this long
FLUSH_ROWS, FLUSH_SECONDS = 50, 0.5
EXPIRED = "expired"


def announce_senders(lane: Lane) -> None:
    """Wake the lane's senders: one call each for up to two of them; they keep themselves going."""
    for _ in range(2 if lane is Lane.BULK else 1):
        announce(SEND_TASK, lane=lane, name=lane.value)


def announce_due(*, now: dt.datetime) -> None:
    """Schedule: wake lanes that have due work and no call waiting, and close notifications that are through."""
    channels = accounts_out.open_channels(now=now)
    for lane in Lane:
        live = Notification.objects.filter(lane=lane.value, state=NotificationState.SENDING)
        if any(live.filter(_has_due(channel, now)).exists() for channel in channels) and waiting(lane) == 0:
            announce_senders(lane)
        open_work = Delivery.objects.filter(notification=OuterRef("pk"), status__in=books.WAITING)
        for pk in live.exclude(Exists(open_work)).values_list("pk", flat=True)[:100]:
            books.finish_if_done(pk, now=now)


def send_lane(*, name: str, **_: object) -> None:
    """Task: send what is due in the lane for a few seconds; finding nothing is normal."""
    lane = Lane(name)
    until = time.monotonic() + WORK_SECONDS
    with Journal() as journal, Ways() as ways:
        while time.monotonic() < until:
            batch = claim(lane, owner=journal.owner)
            if batch is None:
                return
            _Sender(batch, journal, ways, until).run()
    if waiting(lane) == 0:  # a call that waits already goes on; more calls than work would keep other tasks waiting
        announce(SEND_TASK, lane=lane, name=name)


# ------------------------------------------------------------------ claim
@dataclass(slots=True)
class Batch:
    """Rows of one notification and channel that `owner` holds, in the order in which they are sent."""

    owner: str
    notification: Notification
    rows: list[Delivery]


def _due(channel: str, now: dt.datetime) -> QuerySet[Delivery]:
    # each condition is in the index `delivery_due`: a million that can't go out now cost nothing
    return Delivery.objects.filter(status=DeliveryStatus.PENDING, channel=channel, due_at__lte=now)


def _has_due(channel: str, now: dt.datetime) -> Exists:
    return Exists(_due(channel, now).filter(notification=OuterRef("pk")))


def claim(lane: Lane, *, owner: str, size: int = CLAIM) -> Batch | None:
    """Take the next due rows of one notification; None when nothing is due that has a way out."""
    now = timezone.now()
    live = Notification.objects.filter(lane=lane.value, state=NotificationState.SENDING).order_by("pk")
    places = sorted(
        (pk, channel)
        for channel in accounts_out.open_channels(now=now)
        for pk in live.filter(_has_due(channel, now)).values_list("pk", flat=True)[:50]
    )
    if lane is Lane.BULK:
        random.shuffle(places)  # campaigns share the lane instead of queueing behind the largest
    for pk, channel in places:
        batch = _claim_from(pk, channel, owner=owner, size=size, now=now)
        if batch and batch.rows:
            return batch
        if batch:  # everything claimed was skipped: it may have been the last
            books.finish_if_done(pk, now=now)
    return None


def _claim_from(pk: int, channel: str, *, owner: str, size: int, now: dt.datetime) -> Batch | None:
    with transaction.atomic():
        due = _due(channel, now).filter(notification=pk).order_by("due_at", "pk")
        skip = connection.features.has_select_for_update_skip_locked  # SQLite has one writer at a time anyway
        ids = list(due.select_for_update(skip_locked=skip).values_list("pk", flat=True)[:size])
        if not ids:
            return None
        notification = Notification.objects.select_related("notification_type", "version__template").get(pk=pk)
        if notification.state != NotificationState.SENDING:
            return None
        rows = list(Delivery.objects.filter(pk__in=ids).select_related("follower", "address").order_by("due_at", "pk"))
        allowed = skip_denied(notification, rows, now=now)
        Delivery.objects.filter(pk__in=[row.pk for row in allowed]).update(
            status=DeliveryStatus.QUEUED, lease_owner=owner, lease_until=now + LEASE, attempts=F("attempts") + 1
        )
        before = [books.place(row) for row in allowed]
        for row in allowed:
            row.status, row.attempts, row.notification = DeliveryStatus.QUEUED, row.attempts + 1, notification
        books.shift(books.moved(before, [books.place(row) for row in allowed]))
    recipient.prepare(row.follower for row in allowed if row.follower)
    return Batch(owner, notification, allowed)


def skip_denied(notification: Notification, rows: list[Delivery], *, now: dt.datetime) -> list[Delivery]:
    """Judge again, now; those that may not go any more are skipped with the reason. Returns the rest, in order.

    The rows are of one channel. In the transaction of the caller, which holds the rows.
    """
    if not rows:
        return []
    case = reason_case(notification.notification_type, rows[0].channel, follower="follower", address="address")
    judged = Delivery.objects.filter(pk__in=[row.pk for row in rows])
    verdicts: dict[int, str] = dict(judged.annotate(verdict=case).values_list("pk", "verdict"))
    allowing = {reason.value for reason in ALLOWING}
    if notification.expires_at and notification.expires_at <= now:
        verdicts = dict.fromkeys(verdicts, EXPIRED)
    denied = [row for row in rows if verdicts[row.pk] not in allowing]
    before = [books.place(row) for row in denied]
    for row in denied:
        row.status, row.reason, row.finished_at = DeliveryStatus.SKIPPED, verdicts[row.pk], now
        row.lease_owner, row.lease_until = "", None
        row.save(update_fields=["status", "reason", "finished_at", "lease_owner", "lease_until"])
    books.shift(books.moved(before, [books.place(row) for row in denied]))
    return [row for row in rows if verdicts[row.pk] in allowing]


# ------------------------------------------------------------------ hand over
@dataclass(frozen=True, slots=True)
class Way:
    """An account with its settings opened, and the session its messages go through."""

    account: ProviderAccount
    settings: dict[str, Any]
    session: Session[Any]
    local: bool


class Ways:
    """The sessions a task has open, one per channel, closed when it ends."""

    def __init__(self) -> None:
        self._open: dict[str, Way] = {}

    def out(self, channel: str) -> Way | None:
        """None when no account of the channel can be used now."""
        while channel not in self._open:
            account = accounts_out.account_for(channel, now=timezone.now())
            if account is None:
                return None
            try:
                kind, settings = provider(account.provider), accounts_out.settings_of(account)
                self._open[channel] = Way(account, settings, kind.open(settings), kind.local)
            except (BadSettings, UnknownProvider, Undecryptable) as error:
                accounts_out.pause(account, detail=str(error), now=timezone.now())
        return self._open[channel]

    def leave(self, channel: str) -> None:
        self._open.pop(channel).session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for channel in list(self._open):
            self.leave(channel)


class _Sender:
    """Works off one batch. Whatever is left when it stops goes back to waiting, uncharged."""

    def __init__(self, batch: Batch, journal: Journal, ways: Ways, until: float) -> None:
        """`until`: monotonic seconds; a slow server must not keep a task at work until the queue kills it."""
        self._batch, self._journal, self._ways, self._until = batch, journal, ways, until
        self._left = list(batch.rows)
        self._results: list[tuple[Delivery, Outcome]] = []
        self._looked = self._flushed = time.monotonic()

    def run(self) -> None:
        try:
            while self._left and time.monotonic() < self._until:
                if time.monotonic() - self._looked > FRESH_SECONDS and not self._look_again():
                    break
                if not self._left or not self._one(self._left.pop(0)):
                    break
                if len(self._results) >= FLUSH_ROWS or time.monotonic() - self._flushed > FLUSH_SECONDS:
                    self._flush()
        finally:
            # also on the way out of an error: the journal then keeps what is known of the row in hand
            self._flush()
            release(self._batch.owner, self._left)
        self._journal.forget()
        books.finish_if_done(self._batch.notification.pk, now=timezone.now())

    def _one(self, row: Delivery) -> bool:
        """Hand over one message; False when its channel has no way out any more."""
        way = self._ways.out(row.channel)
        if way is None:
            self._left.insert(0, row)
            return False
        row.account = way.account
        self._journal.preparing(row.pk)
        outcome, trust = self._hand_over(row, way)
        self._results.append((row, outcome))  # first: the books shall know it even where the journal's disk is full
        self._journal.ended(row.pk, outcome)
        if not trust or outcome.result in (Result.ACCOUNT, Result.THROTTLED):
            self._flush()
            now, wait = timezone.now(), outcome.retry_after
            until = accounts_out.pause(way.account, detail=outcome.detail, now=now, seconds=wait)
            log.warning("%s is left alone until %s: %s", way.account, until, outcome.detail)
            self._ways.leave(row.channel)
        return True

    def _hand_over(self, row: Delivery, way: Way) -> tuple[Outcome, bool]:
        """How it ended, and whether the provider can be trusted with the next message: a bug costs one, not the slice.

        The database's own errors pass: they say nothing about the message.
        """
        try:
            message = message_of(row, account=way.settings, now=timezone.now())
        except (RenderError, Unaddressed) as error:
            return Outcome(Result.PERMANENT_CONTENT, str(error)), True
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:
            log.exception("The message of delivery %s could not be made.", row.uid)
            return Outcome(Result.PERMANENT_CONTENT, f"{type(error).__name__}: {error}"), True
        if way.local:  # a local hand-over is repeatable: doubt can't arise
            return way.session.send(message), True
        self._journal.handing_over(row.pk)
        try:
            return way.session.send(message), True
        except (DatabaseError, MemoryError):
            raise
        except Exception as error:
            log.exception("The provider %s broke on delivery %s.", way.account.provider, row.uid)
            return Outcome(Result.IN_DOUBT, f"{type(error).__name__}: {error}"), False

    def _look_again(self) -> bool:
        """Before going on after two seconds: is the notification still on, and may these people still be written to?"""
        self._flush()
        batch, now = self._batch, timezone.now()
        self._looked = time.monotonic()
        with transaction.atomic():
            held = outcomes.held_by(batch.owner, [row.pk for row in self._left])
            self._left = [row for row in self._left if row.pk in held]
            batch.notification.refresh_from_db(fields=["state", "expires_at"])
            if batch.notification.state != NotificationState.SENDING:
                return False
            self._left = skip_denied(batch.notification, self._left, now=now)
            Delivery.objects.filter(pk__in=[row.pk for row in self._left]).update(lease_until=now + LEASE)
        return True

    def _flush(self) -> None:
        self._flushed = time.monotonic()
        results, self._results = self._results, []
        outcomes.record(self._batch.owner, results)
        for account in {row.account for row, outcome in results if outcome.result is Result.ACCEPTED and row.account}:
            accounts_out.note_success(account, now=timezone.now())


def release(owner: str, rows: list[Delivery]) -> None:
    """Give back rows that were claimed and not handed over: waiting again, or cancelled with their notification."""
    with transaction.atomic():
        held = outcomes.held_by(owner, [row.pk for row in rows])
        mine = [row for row in rows if row.pk in held]
        before = [books.place(row) for row in mine]
        by_notification: dict[int, list[Delivery]] = {}
        for row in mine:
            by_notification.setdefault(row.notification_id, []).append(row)
        for pk, group in by_notification.items():
            cancelled = Notification.objects.filter(pk=pk, state=NotificationState.CANCELLED).exists()
            status = DeliveryStatus.CANCELLED if cancelled else DeliveryStatus.PENDING
            Delivery.objects.filter(pk__in=[row.pk for row in group]).update(
                status=status,
                attempts=F("attempts") - 1,
                lease_owner="",
                lease_until=None,
                finished_at=timezone.now() if cancelled else None,
            )
            for row in group:
                row.status = status
        books.shift(books.moved(before, [books.place(row) for row in mine]))
