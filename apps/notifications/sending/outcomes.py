"""What an answer means for a delivery: decided by a pure function,
recorded for many rows in one transaction.
"""

import datetime as dt
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from django.db import connection, transaction

from apps.channels.contract import Outcome, Result
from apps.followers.models import Category, Channel, DoubtPolicy
from apps.lib import steady_clock
from apps.lib.actor import SYSTEM
from apps.lib.facts import Kind, tell
from apps.lib.queue.lanes import Lane
from apps.lib.sql.in_array import as_array
from apps.notifications.accounts import slow_domains
from apps.notifications.books import tallies
from apps.notifications.books.transitions import doubted_among
from apps.notifications.decide import fallback
from apps.notifications.limits import soft_bounces
from apps.notifications.messages.row import Ended, Row
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Notification,
    NotificationState,
)
from apps.notifications.sending import remedies
from apps.notifications.sending.held import held_by

# Full jitter between 5 s and 15 min.
SHORTEST_RETRY = 5.0
LONGEST_RETRY = 900.0
# A greylist takes nothing before, and then the first thing it sees (slow_domains.puts_off).
GREYLIST_RETRY = 60.0
# One that met its account's fault comes back later and later: perhaps only this one meets it, and
# then it must not keep the account from all others.
ACCOUNT_RETRY = 60.0
LONGEST_ACCOUNT_RETRY = 3600.0
ACCOUNT_TRIES = 12  # and the days of advertising: a day's quota is new by then
# A domain that blocks us is asked four times a day at most, or it blocks us for longer.
BLOCKED_RETRY = 900.0
LONGEST_BLOCKED_RETRY = 12 * 3600.0
TIRED_AFTER = 3  # tries through one account; then another one may have better luck
# For how long, unless the message expires before: a receipt or an alert of yesterday still says
# something, one of last week does harm; a newsletter outlives a receiver's weekend (mail services
# try between 8 and 84 h). A code that is worthless after ten minutes says so itself, by
# `expires_at`.
GIVE_UP_AFTER = dt.timedelta(hours=24)
GIVE_UP_MARKETING_AFTER = dt.timedelta(hours=72)


# what is tried again for so long
GAVE_UP = "gave_up"  # the reason of what was tried until its time was over
_COME_BACK = (Result.TRANSIENT, Result.ACCOUNT, Result.BLOCKED)


@dataclass(frozen=True, slots=True)
class Next:
    """The place that the delivery goes to.

    `event` is the kind of DeliveryEvent to keep, '' for the plain hand-over; `tries` how many this
    one counts as.
    """

    status: DeliveryStatus
    reason: str
    due_at: dt.datetime
    event: EventKind | Literal[""] = ""
    tries: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """What a decision needs of the delivery and its notification.

    `reason`: why the delivery was allowed. `since`: when it was first put off, or now.
    """

    reason: str
    attempts: int
    since: dt.datetime
    expires_at: dt.datetime | None
    category: str
    doubt_policy: str
    doubted_before: bool
    urgent: bool = False


def retry_delay(attempts: int, *, shortest: float = SHORTEST_RETRY) -> float:
    """Seconds to wait after that many attempts: exponential with full jitter,
    so that retries don't come in waves.
    """
    ceiling = min(LONGEST_RETRY, SHORTEST_RETRY * 2**attempts)
    longest = max(ceiling, shortest * 1.5)
    return random.uniform(shortest, longest)  # noqa: S311  (not a secret)


def shortest_retry(outcome: Outcome) -> float:
    """The seconds that a message waits at least for its next try."""
    if slow_domains.puts_off(outcome):
        return GREYLIST_RETRY
    return SHORTEST_RETRY


def decide(outcome: Outcome, attempt: Attempt, *, now: dt.datetime) -> Next:
    """The delivery's next place, by what the other side answered."""
    reason = attempt.reason
    match outcome.result:
        case Result.ACCEPTED:
            return Next(DeliveryStatus.SENT, reason, now)
        case Result.PERMANENT_RECIPIENT:
            return Next(DeliveryStatus.FAILED, "refused_recipient", now, EventKind.FAILED)
        case Result.PERMANENT_CONTENT:
            return Next(DeliveryStatus.FAILED, "refused_content", now, EventKind.FAILED)
        case Result.IN_DOUBT:
            # once: nobody gets a third copy
            if attempt.doubt_policy == DoubtPolicy.RESEND and not attempt.doubted_before:
                return Next(DeliveryStatus.PENDING, reason, now, EventKind.IN_DOUBT)
            return Next(DeliveryStatus.IN_DOUBT, "in_doubt", now, EventKind.IN_DOUBT)
        case Result.ACCOUNT | Result.THROTTLED:
            if outcome.charged:
                return _after_account_fault(outcome, attempt, now)
            due = now + dt.timedelta(seconds=outcome.retry_after or 0.0)
            return Next(DeliveryStatus.PENDING, reason, due, tries=0)
        case Result.BLOCKED:
            return _after_block(attempt, now)
        case Result.TRANSIENT:  # pragma: no branch  (mypy sees that no result is left)
            wait = outcome.retry_after
            wait = wait or retry_delay(attempt.attempts, shortest=shortest_retry(outcome))
            due = now + dt.timedelta(seconds=wait)
            if due > _last_try(attempt):
                return Next(DeliveryStatus.FAILED, GAVE_UP, now, EventKind.FAILED)
            tries = int(outcome.charged)
            return Next(DeliveryStatus.PENDING, reason, due, EventKind.DEFERRED, tries)


def _last_try(attempt: Attempt) -> dt.datetime:
    window = GIVE_UP_AFTER
    if attempt.category == Category.MARKETING:
        window = GIVE_UP_MARKETING_AFTER
    last = attempt.since + window
    if attempt.expires_at:
        return min(last, attempt.expires_at)
    return last


def _after_account_fault(outcome: Outcome, attempt: Attempt, now: dt.datetime) -> Next:
    """Where a message goes that was refused for what its account is or has used up.

    The first time it is due at once, for the next account. One that is refused again and again is
    given up only when days have passed as well: a long campaign may meet its quota each day.
    """
    wait = outcome.retry_after or 0.0
    if attempt.attempts > 1:
        later = ACCOUNT_RETRY * 2 ** min(attempt.attempts - 2, 10)
        wait = max(wait, min(LONGEST_ACCOUNT_RETRY, later))
    over = now - attempt.since >= GIVE_UP_MARKETING_AFTER
    if over and attempt.attempts >= ACCOUNT_TRIES:
        return Next(DeliveryStatus.FAILED, GAVE_UP, now, EventKind.FAILED)
    due = now + dt.timedelta(seconds=wait)
    return Next(DeliveryStatus.PENDING, attempt.reason, due, EventKind.DEFERRED)


def _after_block(attempt: Attempt, now: dt.datetime) -> Next:
    """Where a message goes whose domain takes nothing from this account: it is tired of it at
    once, so that another account takes the next try.

    What is urgent does so now, the first time; the rest waits, longer each time.
    """
    before = attempt.attempts // TIRED_AFTER
    wait = min(LONGEST_BLOCKED_RETRY, BLOCKED_RETRY * 4 ** min(before, 10))
    if attempt.urgent and not before:
        wait = 0.0
    due = now + dt.timedelta(seconds=wait)
    if due > _last_try(attempt):
        return Next(DeliveryStatus.FAILED, "blocked", now, EventKind.FAILED)
    status = DeliveryStatus.PENDING
    return Next(status, attempt.reason, due, EventKind.DEFERRED, TIRED_AFTER)


def record(owner: str, results: Sequence[Ended], *, now: dt.datetime | None = None) -> None:
    """Write down how hand-overs ended, for rows that `owner` still holds.

    A slow owner whose rows were taken over writes nothing: status and owner are the fence.
    """
    if not results:
        return
    now = now or steady_clock.now()
    accepted = [each for each in results if each[1].result is Result.ACCEPTED]
    others = [each for each in results if each[1].result is not Result.ACCEPTED]
    calls = ((row.channel, row.address, outcome) for row, outcome in results)
    with transaction.atomic():
        deltas = _sent(owner, accepted, now)
        deltas.update(_decided(owner, others, now))  # not `+`, which drops what goes below zero
        remedies.answered(calls, now=now)
        tallies.shift(deltas)


def _sent(owner: str, accepted: Sequence[Ended], now: dt.datetime) -> Counter[tallies.Place]:
    """Book the plain hand-over, for many rows in one statement; what it does to the tallies."""
    deltas: Counter[tallies.Place] = Counter()
    if not accepted:
        return deltas
    values = [(row.pk, row.account_id, outcome.provider_id) for row, outcome in accepted]
    table = Delivery._meta.db_table
    said = connection.ops.adapt_datetimefield_value(now)
    update = (
        f"UPDATE {table} SET status='sent', error='', "  # noqa: S608  # names of ours and marks
        "account_id=done.account, provider_id=done.name, finished_at=%s, "
        "lease_owner='', lease_until=NULL FROM {values} AS done "
        f"WHERE {table}.id=done.id {{among}}"
        f"AND {table}.status='queued' AND {table}.lease_owner=%s "
        f"RETURNING {table}.notification_id, {table}.channel, {table}.reason"
    )
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # counted by the database, which is quicker
            pks, accounts, names = zip(*values, strict=True)
            done = update.format(values=_ARRAYS, among=f"AND {table}.id = ANY(%s::bigint[]) ")
            # The statistics of a table that grows know of no row in hand. Left to itself PostgreSQL
            # reads the whole table, and for each row in hand the whole list.
            cursor.execute("SET LOCAL enable_nestloop = off; SET LOCAL enable_seqscan = off")
            ids = as_array(pks)
            cursor.execute(
                f"WITH done AS ({done}) "  # noqa: S608  # the statement above
                "SELECT *, count(*) FROM done GROUP BY 1, 2, 3",
                [said, ids, as_array(accounts), list(names), ids, owner],
            )
            counts = {tuple(stood): count for *stood, count in cursor.fetchall()}
            cursor.execute(
                "SET LOCAL enable_nestloop TO DEFAULT; SET LOCAL enable_seqscan TO DEFAULT"
            )
        else:
            cursor.execute(update.format(values=_JSON, among=""), [said, json.dumps(values), owner])
            counts = Counter(cursor.fetchall())
    for (notification, channel, reason), count in counts.items():
        place = tallies.Place(notification, channel, DeliveryStatus.QUEUED.value, reason)
        deltas[place] -= count
        deltas[place._replace(status=DeliveryStatus.SENT.value)] += count
    return deltas


# (delivery, account, the provider's name for it) as a table, for each database
_ARRAYS = (
    "(SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS each(id, account, name))"
)
_JSON = (
    "(SELECT json_extract(value, '$[0]') AS id, json_extract(value, '$[1]') AS account, "
    "json_extract(value, '$[2]') AS name FROM json_each(%s))"
)


def _decided(owner: str, results: Sequence[Ended], now: dt.datetime) -> Counter[tallies.Place]:
    """Book everything but the plain hand-over: rows, events and facts; what it does to the
    tallies.
    """
    if not results:
        return Counter()
    held = held_by(owner, [row.pk for row, _ in results])
    results = [(row, outcome) for row, outcome in results if row.pk in held]
    since = _put_off_since([row.pk for row, outcome in results if outcome.result in _COME_BACK])
    doubted = doubted_among(row.pk for row, outcome in results if outcome.result is Result.IN_DOUBT)
    of = {row.notification.pk for row, _ in results}
    gone = Notification.objects.filter(pk__in=of, state=NotificationState.CANCELLED)
    cancelled = set(gone.values_list("pk", flat=True))
    before = []
    after = []
    rows = []
    events = []
    failed = []
    tired = []
    for row, outcome in results:
        notification = row.notification
        attempt = Attempt(
            reason=row.reason,
            attempts=row.attempts,
            since=since.get(row.pk, now),
            expires_at=notification.expires_at,
            category=notification.notification_type.category,
            doubt_policy=notification.notification_type.doubt_policy,
            doubted_before=row.pk in doubted,
            urgent=notification.lane != Lane.BULK,
        )
        step = decide(outcome, attempt, now=now)
        if step.status == DeliveryStatus.PENDING and notification.pk in cancelled:
            if outcome.result == Result.IN_DOUBT:  # perhaps it left: "cancelled" would be a claim
                step = replace(step, status=DeliveryStatus.IN_DOUBT, reason="in_doubt")
            else:
                step = replace(step, status=DeliveryStatus.CANCELLED)
        place = row.place()
        before.append(place)
        after.append(place._replace(status=step.status.value, reason=step.reason))
        rows.append(_stored(row, step, outcome, now))
        if step.event:
            detail = {"said": outcome.detail, "attempt": row.attempts, "account": row.account_id}
            events.append(DeliveryEvent(delivery_id=row.pk, at=now, kind=step.event, detail=detail))
        if step.status in (DeliveryStatus.FAILED, DeliveryStatus.IN_DOUBT):
            _tell_of_end(row, step, outcome, now)
        if step.reason == GAVE_UP and row.channel == Channel.EMAIL:
            tired.append((row.address, outcome.detail))
        if step.status == DeliveryStatus.FAILED and notification.fallback:
            failed.append(row.pk)
    _update(rows)
    DeliveryEvent.objects.bulk_create(events)
    fallback.advance(deliveries=failed, now=now)
    refusals = ((row.channel, row.address, outcome) for row, outcome in results)
    remedies.apply(refusals, now=now)
    for address, said in sorted(tired):
        soft_bounces.count(address=address, said=said, now=now)
    return tallies.moved(before, after)


def _put_off_since(ids: Sequence[int]) -> dict[int, dt.datetime]:
    """When each delivery was first deferred since it was planned or a person sent it again; absent
    where it never was.

    Not since it was due: time spent paused, or without a way out, is no time in which it was tried.
    """
    since: dict[int, dt.datetime] = {}
    if not ids:
        return since
    events = DeliveryEvent.objects.filter(
        delivery__in=ids, kind__in=(EventKind.DEFERRED, EventKind.RETRIED)
    ).order_by("pk")
    for pk, kind, at in events.values_list("delivery_id", "kind", "at"):
        if kind == EventKind.RETRIED:
            since.pop(pk, None)
        else:
            since.setdefault(pk, at)
    return since


def _stored(row: Row, step: Next, outcome: Outcome, now: dt.datetime) -> tuple[Any, ...]:
    """The values of `_update`, in its order."""
    adapt = connection.ops.adapt_datetimefield_value
    uncharged = 1 - step.tries
    finished_at = None
    if step.status != DeliveryStatus.PENDING:
        finished_at = adapt(now)
    return (
        step.status.value,
        step.reason,
        outcome.detail,
        adapt(step.due_at),
        uncharged,
        row.account_id,
        outcome.provider_id,
        finished_at,
        row.pk,
    )


def _update(rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    update = (
        f"UPDATE {Delivery._meta.db_table} "  # noqa: S608  # a name of ours, no value
        "SET status=%s, reason=%s, error=%s, due_at=%s, attempts=attempts-%s, "
        "account_id=%s, provider_id=%s, finished_at=%s, lease_owner='', lease_until=NULL, "
        "in_slice=false "
        "WHERE id=%s"
    )
    with connection.cursor() as cursor:
        # executemany: psycopg pipelines it, SQLite prepares it once; bulk_update's CASE is slower
        cursor.executemany(update, rows)


def _tell_of_end(row: Row, step: Next, outcome: Outcome, now: dt.datetime) -> None:
    kind = Kind.DELIVERY_IN_DOUBT
    if step.status == DeliveryStatus.FAILED:
        kind = Kind.DELIVERY_FAILED
    data = {"channel": row.channel, "reason": step.reason, "said": outcome.detail}
    tell(kind, by=SYSTEM, now=now, about=row, data=data)
