"""Freeze the recipients: one INSERT … SELECT per slice and channel, consent judged in the same
statement, one row per message.
"""

import datetime as dt
import json
from collections import Counter
from collections.abc import Collection, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import (
    BigIntegerField,
    DateTimeField,
    Exists,
    F,
    JSONField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
)
from django.db.models.functions import Cast

from apps.followers.consent.verdict import Reason, TypeFacts
from apps.followers.consent.verdict_sql import ALLOWING, NEEDS_ADDRESS, type_facts, with_verdict
from apps.followers.models import Category, Follower, NotificationType
from apps.followers.models.deletion import keep, keep_all
from apps.lib import steady_clock
from apps.lib.ids import Uuid7
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.sql.in_array import as_array
from apps.lib.sql.prepared import run_gathered, run_prepared
from apps.lib.sql.raw import run
from apps.lib.sql.undocumented import statement_of
from apps.notifications.books import slices, tallies
from apps.notifications.books.wake import announce_senders
from apps.notifications.decide import fallback
from apps.notifications.limits import grant
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
    Recipient,
    Slice,
)

SLICE = 2000
# From so many rows on the database is told to count anew: until its next own look, up to a minute
# later, it would take the table for what it was before and read all that wait for each claim.
MANY = 10_000
PLAN_TASK = "apps.notifications.plan.plan"


class _How(Enum):
    PLAIN = auto()
    COUNTED = auto()  # in the tallies by the same statement
    SLICED = auto()  # to be claimed together


def freeze_slice(
    *,
    notification: Notification,
    followers: QuerySet[Follower],
    own_data: bool = False,
    now: dt.datetime,
    size: int = SLICE,
) -> bool:
    """Turn the next `size` followers (by id) into deliveries; True when there may be more.

    `own_data`: their rows among the notification's recipients may carry some.

    The checkpoint `planned_through` moves in the same transaction, so a killed planner loses and
    doubles nobody; two planners wait for each other on the notification's row. Nobody is deleted
    meanwhile. False, too, when it was cancelled meanwhile.
    """
    with transaction.atomic():
        # the type stays unlocked: people save their preferences meanwhile
        locked = Notification.objects.select_for_update(of=("self",), no_key=True)
        notification = locked.select_related("notification_type").get(pk=notification.pk)
        if notification.planned_at or notification.state not in (
            NotificationState.PLANNING,
            NotificationState.PAUSED,
        ):
            return False
        keep_all()
        rest = followers.filter(pk__gt=notification.planned_through).order_by("pk")
        chosen = list(rest.values_list("pk", flat=True)[:size])
        if not chosen:
            return False
        among = range(notification.planned_through + 1, chosen[-1] + 1)
        _freeze(notification, chosen, among, own_data, now)
        Notification.objects.filter(pk=notification.pk).update(planned_through=chosen[-1])
    return len(chosen) == size


def plan_named(
    *, notification: Notification, people: Collection[int], own_data: bool, now: dt.datetime
) -> None:
    """Freeze up to SLICE followers in the transaction that has just made the notification, as
    planned through the last of them. `own_data`: they are among its recipients, which are read for
    what each of them brings.

    Nobody else can see the notification yet, so it is not locked or asked again: half the
    statements of `plan_recipients`.
    """
    chosen = sorted(people)
    keep(chosen)
    among = range(chosen[0], chosen[-1] + 1)
    if notification.send_at <= now:
        # before it is known whether anybody gets it: so it goes to the database with the rest, and
        # a sender that finds nothing is soon gone
        announce_senders(Lane(notification.lane))
    deltas = _freeze(notification, chosen, among, own_data, now, unseen=True)
    grant.spread_out(notification=notification)
    if not any(place.status in tallies.WAITING for place in deltas):
        tallies.finish_if_done(notification.pk, now=now)
        notification.refresh_from_db(fields=["state", "finished_at"])


def _freeze(
    notification: Notification,
    chosen: list[int],
    among: range,
    own_data: bool,
    now: dt.datetime,
    *,
    unseen: bool = False,
) -> Counter[tallies.Place]:
    """Insert the deliveries of these followers on all channels; where they stand. `among`: ids
    between which all of them lie. `unseen`: nobody else can see the notification yet.
    """
    deltas: Counter[tallies.Place] = Counter()
    counted: Counter[tallies.Place] = Counter()  # by the statement itself
    for channel in fallback.in_order(notification):
        if not unseen and slices.made_for(notification, channel, len(chosen)):
            how = _How.SLICED
            deltas += _insert(notification, set(chosen), among, channel, own_data, now, how)
        elif unseen and len(among) == 1 and _by_itself(notification, channel):
            how = _How.COUNTED
            counted += _insert(notification, set(chosen), among, channel, own_data, now, how)
        else:
            run_gathered()
            deltas += _insert(notification, set(chosen), among, channel, own_data, now)
    if notification.addressed_only:
        deltas += _insert_unreached(notification, set(chosen), among, deltas + counted, now)
    tallies.shift(deltas, unseen=unseen)
    return deltas + counted


def _by_itself(notification: Notification, channel: str) -> bool:
    """Whether one statement can insert a channel's deliveries and count them."""
    return connection.vendor == "postgresql" and channel not in notification.fallback[1:]


def _insert_unreached(
    notification: Notification,
    chosen: set[int],
    among: range,
    inserted: Counter[tallies.Place],
    now: dt.datetime,
) -> Counter[tallies.Place]:
    """Insert a skipped delivery, on the first channel, for each who has an address on none."""
    if not NEEDS_ADDRESS.issuperset(notification.channels) or (inserted and len(chosen) == 1):
        return Counter()
    reached = Delivery.objects.filter(notification=notification, follower__in=chosen)
    rest = chosen.difference(reached.values_list("follower_id", flat=True))
    if not rest:
        return Counter()
    asked = Notification(
        pk=notification.pk,
        notification_type=notification.notification_type,
        send_at=notification.send_at,
    )
    return _insert(asked, rest, among, notification.channels[0], False, now)


def _insert(
    notification: Notification,
    chosen: set[int],
    among: range,
    channel: str,
    own_data: bool,
    now: dt.datetime,
    how: _How = _How.PLAIN,
) -> Counter[tallies.Place]:
    """Insert one channel's deliveries and count where they stand."""
    in_slice = how is _How.SLICED
    if channel in notification.fallback[1:]:
        sql, params = _statement(notification, chosen, among, channel, own_data, now)
    else:
        facts = type_facts(notification.notification_type, channel)
        addressed_only = notification.addressed_only
        sql, marks = _kept(facts, channel, own_data, addressed_only, in_slice, connection.vendor)
        if how is _How.COUNTED:
            sql = _tallied(sql)
            marks = (*marks, _NOTIFICATION, channel)
        if notification.pk is None:
            sql, marks = _of_newest(sql, marks)
        real = {
            _NOTIFICATION: notification.pk,
            _TYPE: notification.notification_type_id,
            _FROM: among.start,
            _TO: among.stop,
            _many({_PERSON}): _many(chosen),
            _moment(_SEND_AT): _moment(notification.send_at),
            _moment(_NOW): _moment(now),
        }
        params = tuple(real.get(param, param) for param in marks)
    if len(among) == 1:
        # not for more: a prepared plan could read everybody between two ids that are far apart
        rows = run_prepared(sql, params)
    else:
        try:
            with transaction.atomic():
                rows = run(sql.replace(_UNLESS_KNOWN, ""), params)
        except IntegrityError:  # some have theirs already
            rows = run(sql, params)
    if in_slice:
        _write_slice(notification, channel, rows)
    deltas: Counter[tallies.Place] = Counter()
    for (status, reason), count in Counter(tuple(row[:2]) for row in rows).items():
        deltas[tallies.Place(notification.pk, channel, status, reason)] = count
    return deltas


def _write_slice(notification: Notification, channel: str, rows: Sequence[Sequence[Any]]) -> None:
    """Let those of the rows that wait be claimed together."""
    ids = [pk for status, _, pk in rows if status == DeliveryStatus.PENDING.value]
    if ids:
        Slice.objects.create(
            notification=notification, channel=channel, first=min(ids), last=max(ids)
        )


# To look for each row in every unique index before it is written takes PostgreSQL a tenth of the
# time, and almost never is one there.
_UNLESS_KNOWN = " ON CONFLICT DO NOTHING"
_INSERT = f" INSERT INTO {Delivery._meta.db_table}"

# Stand-ins for what differs between two notifications whose types judge alike.
# No other parameter has such a value.
_NOTIFICATION = -15
_TYPE = -14
_FROM = -13
_TO = -12
_PERSON = -11
_SEND_AT = dt.datetime(1901, 1, 1, tzinfo=dt.UTC)
_NOW = dt.datetime(1902, 1, 1, tzinfo=dt.UTC)


@lru_cache(maxsize=256)
def _kept(
    facts: TypeFacts,
    channel: str,
    own_data: bool,
    addressed_only: bool,
    in_slice: bool,
    vendor: str,
) -> tuple[str, tuple[Any, ...]]:
    """The statement with stand-ins, kept: to put it together anew took a third of the time of a
    call to notify one person.
    """
    kind = NotificationType(pk=_TYPE, active=facts.active, commercial=facts.commercial)
    kind.confirms = facts.confirms
    kind.category = Category.INFORMATIONAL
    if facts.critical:
        kind.category = Category.CRITICAL
    if facts.offered:
        kind.channels = [channel]
    if facts.locked_on:
        kind.locked_channels = [channel]
    if facts.default_on:
        kind.default_channels = [channel]
    any_such = Notification(
        pk=_NOTIFICATION,
        notification_type=kind,
        send_at=_SEND_AT,
        addressed_only=addressed_only,
    )
    among = range(_FROM, _TO)
    return _statement(any_such, {_PERSON}, among, channel, own_data, _NOW, in_slice)


@lru_cache(maxsize=256)
def _tallied(sql: str) -> str:
    """The statement, counting in the tallies what it inserts."""
    judged, insert = sql.split(_INSERT)
    counting = tallies.counting("born")
    return (
        f"{judged}, born AS ({_INSERT.strip()}{insert}), counted AS ({counting}) "  # noqa: S608
        "SELECT status, reason FROM born"
    )


@lru_cache(maxsize=256)
def _of_newest(sql: str, marks: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The statement for the notification that this connection has inserted last: its id is not
    known yet, where the two statements go to PostgreSQL together.
    """
    table = Notification._meta.db_table
    [(sequence,)] = run("SELECT pg_get_serial_sequence(%s, 'id')", [table])
    newest = f"currval('{sequence}')"
    first, *rest = sql.split("%s")
    parts = [first]
    for mark, part in zip(marks, rest, strict=True):
        if mark == _NOTIFICATION:
            parts += [newest, part]
        else:
            parts += ["%s", part]
    return "".join(parts), tuple(mark for mark in marks if mark != _NOTIFICATION)


def _many(ids: set[int]) -> Any:
    """The ids in the way in which the lookup `among` gives them to the database."""
    if connection.vendor == "postgresql":
        return as_array(ids)
    return json.dumps(list(ids))


def _moment(value: dt.datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(value)


def _statement(
    notification: Notification,
    chosen: set[int],
    among: range,
    channel: str,
    own_data: bool,
    now: dt.datetime,
    in_slice: bool = False,
) -> tuple[str, tuple[Any, ...]]:
    """The INSERT of one channel's deliveries, which gives back (status, reason) of each, and the id
    where they are in a slice; and its parameters.
    """
    # by id: a segment's rules may read whole tables, and are not asked again for each channel
    people = Follower.objects.filter(pk__gte=among.start, pk__lt=among.stop, pk__among=chosen)
    batch = people.order_by("pk")  # rows that are due at once leave in this order
    address: F | Cast = Cast(Value(None), BigIntegerField())
    if channel in NEEDS_ADDRESS:
        address = F("primary_address__id")
    data: Subquery | Cast = Cast(Value(None), JSONField())
    if own_data:
        named = Recipient.objects.filter(notification=notification, follower=OuterRef("pk"))
        data = Subquery(named.values("data")[:1])
    columns = {
        "uid": Uuid7(),
        "notification_id": Value(notification.pk),
        "follower_id": F("pk"),
        "address_id": address,
        "channel": Value(channel),
        "reason": F("verdict"),
        "data": data,
        "due_at": fallback.first_due(notification, channel),
        "created_at": Value(now, DateTimeField()),
        "error": Value(""),
        "attempts": Value(0),
        "lease_owner": Value(""),
        "provider_id": Value(""),
    }
    judged = with_verdict(batch, notification.notification_type, channel, among=among)
    rows = judged.annotate(**{f"new_{name}": expression for name, expression in columns.items()})
    sql, params = statement_of(rows.values_list(*[f"new_{name}" for name in columns]))
    names = ", ".join(columns)
    reasons = ", ".join(f"'{reason.value}'" for reason in ALLOWING)
    allowed = f"reason IN ({reasons})"
    given = "status, reason"
    if in_slice:
        given += ", id"
    wanted = "true"
    if notification.addressed_only:
        wanted = f"reason <> '{Reason.NO_ADDRESS.value}'"
    # MATERIALIZED: judged once per row, else once for each column that asks
    sql = (
        f"WITH judged ({names}) AS MATERIALIZED ({sql})"  # noqa: S608  # names and reasons of ours
        f"{_INSERT} ({names}, in_slice, status, finished_at) "
        f"SELECT {names}, {allowed} AND {str(in_slice).lower()}, "
        f"CASE WHEN {allowed} THEN 'pending' ELSE 'skipped' END, "
        f"CASE WHEN {allowed} THEN NULL ELSE created_at END "
        # SQLite needs a WHERE here
        f"FROM judged WHERE {wanted}{_UNLESS_KNOWN} RETURNING {given}"
    )
    return sql, params


def finish_planning(*, notification: Notification, now: dt.datetime) -> None:
    """Let the senders at a notification of which everyone is frozen."""
    with transaction.atomic():
        planned = Notification.objects.filter(pk=notification.pk, planned_at__isnull=True)
        if not planned.exclude(state=NotificationState.CANCELLED).update(planned_at=now):
            return
        grant.spread_out(notification=notification)
        planning = Notification.objects.filter(pk=notification.pk, state=NotificationState.PLANNING)
        planning.update(state=NotificationState.SENDING)
        done = tallies.finish_if_done(notification.pk, now=now)
        if not done and notification.send_at <= now:
            announce_senders(Lane(notification.lane))
    if connection.vendor == "postgresql" and tallies.waiting(notification.pk) > MANY:
        with connection.cursor() as cursor:
            # whoever is at it already does as well
            cursor.execute(f"ANALYZE (SKIP_LOCKED) {Delivery._meta.db_table}")


def plan_recipients(*, notification: Notification, now: dt.datetime) -> None:
    """Freeze the people the caller named."""
    named = Recipient.objects.filter(notification=notification, follower=OuterRef("pk"))
    followers = Follower.objects.filter(Exists(named))
    while freeze_slice(notification=notification, followers=followers, own_data=True, now=now):
        pass
    finish_planning(notification=notification, now=now)


def plan(*, notification_id: int, **_: object) -> None:
    """Task: plan a notification that was too large to plan while its caller waited."""
    notification = Notification.objects.get(pk=notification_id)
    plan_recipients(notification=notification, now=steady_clock.now())


def stalled(now: dt.datetime) -> QuerySet[Notification]:
    """Find what a killed planner left, apart from campaigns, which plan theirs themselves
    (campaigns.launch).
    """
    return Notification.objects.filter(
        Exists(Recipient.objects.filter(notification=OuterRef("pk"))),
        state=NotificationState.PLANNING,
        created_at__lt=now - dt.timedelta(seconds=30),
    )


@only_with(stalled)
def resume_stalled(*, now: dt.datetime) -> None:
    """Schedule: announce again what a killed planner left."""
    for notification in stalled(now)[:20]:
        announce(PLAN_TASK, lane=Lane(notification.lane), notification_id=notification.pk)
