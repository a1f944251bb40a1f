"""Which rows a sender holds: taken with a lease, judged again as they are taken, given back when they don't go."""

import datetime as dt
import random
import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce, Now
from django.db.models.lookups import Exact
from django.utils import timezone

from apps.channels.contract import Outcome
from apps.content.render import compiled
from apps.followers.models import Address, Channel, NotificationType
from apps.followers.verdict_sql import ALLOWING, reason_case
from apps.lib import among  # noqa: F401  (the lookup `pk__among`)
from apps.lib.clock import database_now
from apps.lib.plain_rows import fetch, parsed, run, uuid
from apps.lib.queue.lanes import Lane
from apps.notifications import accounts_out, books, caps, facts, fallback, limits, recipient
from apps.notifications.decide import Act, Decision
from apps.notifications.models import (
    Cap,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Notification,
    NotificationState,
    ProviderAccount,
)
from apps.notifications.moves import doubted_among
from apps.notifications.recipient import Person

LEASE = dt.timedelta(seconds=60)
WAITS = "waits"  # the event of a row that is put off, {"reason", "until"}
LOOKING = 0.5  # seconds after which a claim that finds only what may not go now leaves it to the next
FEW = 20  # rows of a notification that are looked at for a service
TIRED_AFTER = 3  # tries through one account; then another one may have better luck
_ALLOWING = frozenset(reason.value for reason in ALLOWING)
_COLUMNS = (
    "pk", "uid", "notification_id", "channel", "reason", "attempts", "data", "account_id", "address__value",
    "address__details", "follower_id",
    *(f"follower__{column}" for column in recipient.COLUMNS[1:]),
)  # fmt: skip


@dataclass(slots=True)
class Row:
    """A delivery that this process holds, with all that its message is made of: no model, for a million are made."""

    pk: int
    uid: UUID
    notification: Notification
    channel: str
    reason: str
    attempts: int
    data: Any
    account_id: int | None
    address: str
    details: Any  # of the address: what its channel needs to reach it
    person: Person | None  # None: the follower was deleted

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower()

    @property
    def label(self) -> str:
        """What the audit log calls it; as Follower.__str__."""
        return (self.person.name or str(self.person.uid)) if self.person else ""

    def place(self) -> books.Place:
        return books.Place(self.notification.pk, self.channel, DeliveryStatus.QUEUED.value, self.reason)


@dataclass(slots=True)
class Batch:
    """Rows that `owner` holds, in the order in which they are sent, and the way they go."""

    account: ProviderAccount
    rows: list[Row]
    last: bool = False  # nothing else was due, as far as the claim has looked


class _Taken(NamedTuple):
    """`found` were there, at most as many as were asked for; of them `rows` may go. `spent`: the account has nothing to
    give to any notification now."""

    found: int = 0
    rows: Sequence[Row] = ()
    spent: bool = False


Ended = tuple[Row, Outcome]  # how a row's hand-over ended


# ------------------------------------------------------------------ take
def due(channel: str, now: dt.datetime) -> QuerySet[Delivery]:
    # each condition is in the index `delivery_due`: a million that can't go out now cost nothing
    return Delivery.objects.filter(status=DeliveryStatus.PENDING, channel=channel, due_at__lte=now)


Group = tuple[list[int], str]  # notifications that are claimed from at once, and on which channel


def places(
    lane: Lane, reach: Mapping[str, Collection[str]], *, now: dt.datetime, most: int = 500
) -> list[tuple[int, int, bool, str]]:
    """Where something is due: (notification, its type, has limits of its own, channel); the oldest `most` of each
    channel. `reach`: by channel, the services whose addresses can be reached ("": all).

    By hand and in one statement: the ORM took 1.5 ms to write one for each channel, for every claim. Asked for the
    earliest row and not whether there is any: for EXISTS PostgreSQL reads all that wait (a million in one campaign:
    0.7 s for each claim); for this, in any state of its statistics, one entry of `delivery_due`.

    Where only some services can be reached, their phones are looked for among the earliest FEW rows: 500 messages for
    those of a service at rest kept all from the others. Whoever has more waiting is claimed from in any case.
    """
    deliveries, moment = Delivery._meta.db_table, connection.ops.adapt_datetimefield_value(now)
    waiting = f"FROM {deliveries} d WHERE d.notification_id = n.id AND d.channel = %s AND d.status = 'pending'"
    one = (
        "SELECT * FROM (SELECT n.id, n.notification_type_id, "  # noqa: S608  # names of ours and marks, no value
        "n.rate IS NOT NULL OR coalesce(t.throttle_count, 0) > 0 AS apart, %s AS channel "
        f"FROM {Notification._meta.db_table} n "
        f"JOIN {NotificationType._meta.db_table} t ON t.id = n.notification_type_id "
        "WHERE n.lane = %s AND n.state = 'sending' AND n.wakes_at IS NULL "
        f"AND (SELECT d.due_at {waiting} ORDER BY d.due_at LIMIT 1) <= %s {{theirs}}"
        "ORDER BY n.id LIMIT %s) AS due"
    )
    asked, params = [], []
    for channel, services in reach.items():
        theirs, values = "", []
        if "" not in services:
            theirs = (
                f"AND (SELECT count(*) = {FEW} OR max(CASE WHEN a.via IS NULL "  # noqa: S608  # as above
                f"OR a.via IN ({', '.join(['%s'] * len(services))}) THEN 1 ELSE 0 END) = 1 "
                f"FROM (SELECT d.address_id {waiting} AND d.due_at <= %s ORDER BY d.due_at LIMIT {FEW}) AS early "
                f"LEFT JOIN {Address._meta.db_table} a ON a.id = early.address_id) "
            )
            values = [*services, channel, moment]
        asked.append(one.format(theirs=theirs))
        params += [channel, lane.value, channel, moment, *values, most]
    if not asked:
        return []
    found = run(" UNION ALL ".join(asked), params)
    return [(pk, kind, bool(apart), channel) for pk, kind, apart, channel in found]


def claim(lane: Lane, *, owner: str, size: int, room: Mapping[int, int] | None = None) -> Batch | None:
    """Take the next due rows; None when nothing is due that has a way out and may go now.

    Those of one notification, or of many small ones of a type. At most `size`; through the accounts (by primary key)
    that are named in `room` at most so many, 0 for none.
    """
    now, until, room = database_now(), time.monotonic() + LOOKING, room or {}
    ways = _ways(lane, full={account for account, left in room.items() if not left}, now=now)
    limited = caps.enabled() if ways else []
    reach = {channel: {accounts_out.via(account) for account, _ in found} for channel, found in ways.items()}
    groups = _together(lane, reach, limited=limited, now=now)
    spent: set[int] = set()  # asked once: 500 notifications behind a rate that is used up were a second of the database
    for done, (pks, channel) in enumerate(groups, start=1):
        for way, which in ways[channel]:
            if way.pk in spent:
                continue
            wanted = room.get(way.pk, size)
            taken = _claim_from(pks, way, which, owner=owner, size=wanted, limited=limited, now=now)
            looked = taken.found > 0
            while taken.found and not taken.rows and time.monotonic() < until:  # a whole country may be asleep
                taken = _claim_from(pks, way, which, owner=owner, size=wanted, limited=limited, now=now)
            if taken.spent:
                spent.add(way.pk)
            rows = list(taken.rows)
            # as they were taken: whoever stopped it saw none to wait for, and has returned
            if rows and (gone := stopped({row.notification.pk for row in rows})):
                back = [row for row in rows if row.notification.pk in gone]
                release(owner, back)
                limits.give_back(notification=back[0].notification, account=way, count=len(back))
                rows = [row for row in rows if row.notification.pk not in gone]
            if rows:
                return Batch(way, rows, last=taken.found < wanted and done == len(groups))
            if looked:  # everything claimed was skipped or put off: it may have been the last
                books.finish_all_done(pks, now=now)
    return None


def _together(
    lane: Lane, reach: Mapping[str, Collection[str]], *, limited: Sequence[Cap], now: dt.datetime
) -> list[Group]:
    """Which notifications are claimed from at once: a program's single messages come by the hundred, each of them a
    notification, and a claim for each (some 20 statements) would cost more than the messages.

    Not those with a rate of their own, nor where caps or a throttle count each notification as one.
    """
    capped = {channel for cap in limited for channel in cap.channels}
    found: dict[tuple[str, int, int], list[int]] = {}
    for pk, kind, apart, channel in places(lane, reach, now=now):
        alone = apart or lane is Lane.BULK or channel in capped
        found.setdefault((channel, kind, pk if alone else 0), []).append(pk)
    # types, and campaigns, share the lane instead of queueing behind the largest; of a type the oldest go first
    turns: dict[tuple[object, ...], float] = defaultdict(random.random)
    shared = sorted(found.items(), key=lambda each: (turns[each[0] if lane is Lane.BULK else each[0][:2]], each[1]))
    return [(pks, channel) for (channel, _, _), pks in shared]


def _ways(lane: Lane, *, full: Collection[int], now: dt.datetime) -> dict[str, list[tuple[ProviderAccount, Q]]]:
    """By channel: the account to go through now, and a second one for what the first has put off three times and
    more; without those that are `full`.

    For each service where a channel has several (FCM, APNs), as each address is known to one of them only.
    A second one never for what is in doubt: such a message only waits again where its type says "send again" or a
    person did, and it carries the same Message-ID whatever way it takes.
    """
    ways: dict[str, list[tuple[ProviderAccount, Q]]] = {}
    for (channel, via), accounts in accounts_out.services(now=now, lane=lane.value).items():
        theirs = _known_to(via) if via else Q()
        first, other = accounts[0], next(iter(accounts[1:]), None)
        if other is None:
            found = [(first, theirs)]
        else:
            tired = Q(attempts__gte=TIRED_AFTER, account=first)
            found = [(first, theirs & (~tired | Q(account=None))), (other, theirs & tired)]
        if free := [way for way in found if way[0].pk not in full]:
            ways.setdefault(channel, []).extend(free)
    return ways


def _known_to(via: str) -> Q:
    """Rows whose address the service knows; and those that have none any more: somebody has to see it and skip them.

    As a value of each row: a join can't be locked where it may be empty, and for IN all addresses would be read.
    """
    theirs = Subquery(Address.objects.filter(pk=OuterRef("address_id")).order_by().values("via"))
    return Q(Exact(Coalesce(theirs, Value(via)), via))


def _claim_from(
    pks: Sequence[int],
    account: ProviderAccount,
    which: Q,
    *,
    owner: str,
    size: int,
    limited: Sequence[Cap],
    now: dt.datetime,
) -> _Taken:
    """From one notification, or several that are not limited (`_together`)."""
    with transaction.atomic():
        wanted = Notification.objects.select_related("notification_type", "version__template").order_by("pk")
        live = list(wanted.filter(pk__in=pks, state=NotificationState.SENDING))
        if not live:
            return _Taken()
        notification = live[0]  # what is said of it below is true of all of them
        of = {each.pk: each for each in live}
        granted = limits.grant(notification=notification, account=account, wanted=size, now=now).count
        mine = Q(notification__in=of) if len(of) > 1 else Q(notification=notification)  # which has an index in order
        found = due(account.channel, now).filter(which, mine).order_by("due_at", "pk")
        skip = connection.features.has_select_for_update_skip_locked  # SQLite has one writer at a time anyway
        # an event's foreign key does not wait for it
        free = found.select_for_update(skip_locked=skip, no_key=True)
        ids = set(free.values_list("pk", flat=True)[:granted]) if granted else set()
        judged = _judged(of, account.channel, ids) if ids else []
        people = [row.person for row, verdict in judged if row.person and verdict in _ALLOWING]
        ledger = caps.open_ledger(notification, account.channel, people, caps=limited, now=now, lock=True)
        rows = _decided(account.channel, judged, ledger=ledger, now=now)
        if account.channel == Channel.EMAIL and rows:
            rows = _in_turn(notification, account, rows, now=now)
        ledger.store((row.pk, row.person) for row in rows if row.person)
        limits.give_back(notification=notification, account=account, count=granted - len(rows))
        for row in rows:
            row.attempts += 1
        after = [row.place() for row in rows]
        before = [place._replace(status=DeliveryStatus.PENDING.value) for place in after]
        Delivery.objects.filter(pk__among={row.pk for row in rows}).update(
            status=DeliveryStatus.QUEUED, lease_owner=owner, lease_until=lease_end(), attempts=F("attempts") + 1
        )
        books.shift(books.moved(before, after))
    if not ids:
        return _Taken(spent=not granted and notification.rate is None)
    for version in {row.notification.version for row in rows}:
        words = compiled(version)  # parsed here: the threads that hand over have no database
        if asked := words.follower_fields - ({"email"} if account.channel == Channel.EMAIL else set()):
            people = [row.person for row in rows if row.person and row.notification.version == version]
            recipient.complete(people, fields=asked)
    return _Taken(len(ids), rows)


def _in_turn(notification: Notification, account: ProviderAccount, rows: list[Row], *, now: dt.datetime) -> list[Row]:
    """Those whose domains may be written to now; the others wait for their turn, uncharged."""
    pairs = [(row.pk, row.domain) for row in rows]
    turn = limits.sort_out(notification=notification, account=account, rows=pairs, now=now)
    later = [Delivery(pk=pk, due_at=due_at) for pk, due_at in turn.later.items()]
    Delivery.objects.bulk_update(later, ["due_at"], batch_size=200)
    return [row for row in rows if row.pk in turn.go]


def lease_end() -> Combinable:
    """By the clock of the database: those of two machines may differ by more than a lease."""
    return ExpressionWrapper(Now() + Value(LEASE), output_field=DateTimeField())


def _judged(of: Mapping[int, Notification], channel: str, ids: set[int]) -> list[tuple[Row, str]]:
    """The rows in order, each with what the rules of consent say now. `of`: their notifications, all of one type."""
    kind = next(iter(of.values())).notification_type
    verdict = reason_case(kind, channel, follower="follower", address="address")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # a thousand of a million people are looked up one by one (6 ms); left to itself it reads all of them
            # anew for each claim of so many (36 ms of 120,000 people), because it takes the disk for a spinning one
            cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    asked = Delivery.objects.filter(pk__among=ids).order_by("due_at", "pk").annotate(verdict=verdict)
    return [(_row(found, of[found[2]]), found[-1]) for found in fetch(asked.values_list(*_COLUMNS, "verdict"))]


def _row(found: Sequence[Any], notification: Notification) -> Row:
    pk, uid, _, channel, reason, attempts, data, account, address, details, follower, *known = found[: len(_COLUMNS)]
    person = None
    if follower:
        who, name, language, zone, external_id, metadata, measured = known
        person = Person(follower, uuid(who), name, language, zone, external_id, parsed(metadata), bool(measured))
        if address:
            person.addresses[channel] = address
    own = parsed(data)
    return Row(
        pk, uuid(uid), notification, channel, reason, attempts, own, account, address or "", parsed(details), person
    )


def _decided(
    channel: str,
    judged: Sequence[tuple[Row, str]],
    *,
    ledger: caps.Ledger | None,
    now: dt.datetime,
    held: bool = False,
) -> list[Row]:
    """Those that go now; the others are skipped, wait or are held for a digest. In the transaction that holds them.

    `held`: they are claimed and charged for already, and wait in this process.
    """
    habits = facts.habits_of_all({row.person.pk: row.person for row, _ in judged if row.person})
    groups: dict[int, list[tuple[Row, str]]] = {}
    for row, verdict in judged:
        groups.setdefault(row.notification.pk, []).append((row, verdict))
    fates: list[tuple[Row, Decision]] = []
    for group in groups.values():
        asked = [facts.Asked(row.person, verdict, row.attempts > held) for row, verdict in group]
        notification = group[0][0].notification
        decided = facts.decisions(notification, channel, asked, habits=habits, ledger=ledger, now=now)
        fates += zip((row for row, _ in group), decided, strict=True)
    _skip([(row, fate.reason) for row, fate in fates if fate.act is Act.SKIP], now=now, held=held)
    _put_off([(row, fate) for row, fate in fates if fate.act in (Act.WAIT, Act.HOLD)], now=now, held=held)
    return [row for row, fate in fates if fate.act is Act.SEND]


def _skip(denied: Sequence[tuple[Row, str]], *, now: dt.datetime, held: bool) -> None:
    """Those that may not go any more are skipped with the reason.

    One that was in doubt before has perhaps arrived: it stays in doubt, because "skipped" would be a claim.
    """
    if not denied:
        return
    doubted = doubted_among(row.pk for row, _ in denied)
    ends = {
        row.pk: (DeliveryStatus.IN_DOUBT, "in_doubt") if row.pk in doubted else (DeliveryStatus.SKIPPED, str(reason))
        for row, reason in denied
    }
    for status, reason in set(ends.values()):
        Delivery.objects.filter(pk__among={pk for pk, end in ends.items() if end == (status, reason)}).update(
            status=status, reason=reason, finished_at=now, lease_owner="", lease_until=None
        )
    if any(row.notification.fallback for row, _ in denied):
        fallback.advance(deliveries=ends.keys() - doubted, now=now)
    before, after = [], []
    for row, _ in denied:
        place, (status, reason) = row.place(), ends[row.pk]
        before.append(place if held else place._replace(status=DeliveryStatus.PENDING.value))
        after.append(place._replace(status=status.value, reason=reason))
    books.shift(books.moved(before, after))


def _put_off(later: Sequence[tuple[Row, Decision]], *, now: dt.datetime, held: bool) -> None:
    """Waiting until their time, or held for their digest, uncharged; each new reason and time is an event."""
    if not later:
        return
    ids = {row.pk for row, _ in later}
    said = DeliveryEvent.objects.filter(delivery__in=ids, kind=WAITS).order_by("pk")
    last = dict(said.values_list("delivery_id", "detail"))
    ends: dict[DeliveryStatus, set[int]] = {}
    events, before, after = [], [], []
    for row, fate in later:
        status = DeliveryStatus.HELD if fate.act is Act.HOLD else DeliveryStatus.PENDING
        ends.setdefault(status, set()).add(row.pk)
        detail = {"reason": str(fate.reason), "until": fate.at.isoformat() if fate.at else ""}
        if fate.reason != facts.NOT_NOW and last.get(row.pk) != detail:
            events.append(DeliveryEvent(delivery_id=row.pk, at=now, kind=WAITS, detail=detail))
        place = row.place()
        before.append(place if held else place._replace(status=DeliveryStatus.PENDING.value))
        after.append(place._replace(status=status.value))
    due_at = [Delivery(pk=row.pk, due_at=fate.at or now) for row, fate in later]
    Delivery.objects.bulk_update(due_at, ["due_at"], batch_size=200)
    for status, those in ends.items():
        Delivery.objects.filter(pk__among=those).update(
            status=status, attempts=F("attempts") - int(held), lease_owner="", lease_until=None
        )
    DeliveryEvent.objects.bulk_create(events, batch_size=1000)
    books.shift(books.moved(before, after))


# ------------------------------------------------------------------ hold
def held_by(owner: str, ids: Iterable[int]) -> set[int]:
    """Of these rows, the ones that `owner` has claimed and nobody took over; locked until the transaction ends."""
    rows = Delivery.objects.filter(pk__among=set(ids), status=DeliveryStatus.QUEUED, lease_owner=owner)
    return set(rows.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def held_rows(owner: str) -> list[Row]:
    """All that `owner` holds, for whoever takes over from it."""
    rows = Delivery.objects.filter(status=DeliveryStatus.QUEUED, lease_owner=owner).order_by("pk")
    found = fetch(rows.values_list(*_COLUMNS))
    kinds = Notification.objects.select_related("notification_type").in_bulk({each[2] for each in found})
    return [_row(each, kinds[each[2]]) for each in found]


def still_wanted(owner: str, rows: Sequence[Row], *, now: dt.datetime) -> list[Row]:
    """Of rows that wait in this process, those that may still go, their lease renewed; the others are skipped or put
    off. Their places under a cap they have."""
    wanted: list[Row] = []
    groups: dict[tuple[int, str], list[Row]] = {}
    with transaction.atomic():
        held = held_by(owner, (row.pk for row in rows))
        for row in rows:
            if row.pk in held:
                groups.setdefault((row.notification.notification_type_id, row.channel), []).append(row)
        for (_, channel), group in groups.items():
            # each claim has read its notification anew: the number says which one it is
            of = {row.notification.pk: row.notification for row in group}
            for pk, expires_at in Notification.objects.filter(pk__in=of).values_list("pk", "expires_at"):
                of[pk].expires_at = expires_at
            judged = _judged(of, channel, {row.pk for row in group})
            wanted += _decided(channel, judged, ledger=None, now=now, held=True)
        Delivery.objects.filter(pk__among={row.pk for row in wanted}).update(lease_until=lease_end())
    allowed = {row.pk for row in wanted}
    return [row for row in rows if row.pk in allowed]


def stopped(notifications: Collection[int]) -> set[int]:
    """Those of them that a person has paused or cancelled."""
    with connection.cursor() as cursor:  # by hand: a sender asks ten times a second
        cursor.execute(
            f"SELECT id FROM {Notification._meta.db_table} "  # noqa: S608  # a name of ours and marks, no value
            f"WHERE state <> %s AND id IN ({', '.join(['%s'] * len(notifications))})",
            [NotificationState.SENDING.value, *notifications],
        )
        return {pk for (pk,) in cursor.fetchall()}


# ------------------------------------------------------------------ give back
def release(owner: str, rows: Iterable[Row]) -> None:
    """Rows that were claimed and not handed over: waiting again, uncharged, or cancelled with their notification."""
    by_pk = {row.pk: row for row in rows}
    if not by_pk:
        return
    with transaction.atomic():
        mine = [by_pk[pk] for pk in sorted(held_by(owner, by_pk))]
        of = {row.notification.pk for row in mine}
        cancelled = Notification.objects.filter(pk__in=of, state=NotificationState.CANCELLED)
        gone = set(cancelled.values_list("pk", flat=True))
        doubted = doubted_among(row.pk for row in mine if row.notification.pk in gone)
        ends: dict[tuple[DeliveryStatus, str | None], list[Row]] = {}
        for row in mine:
            if row.notification.pk not in gone:
                end: tuple[DeliveryStatus, str | None] = (DeliveryStatus.PENDING, None)
            elif row.pk in doubted:  # "cancelled" would be a claim
                end = (DeliveryStatus.IN_DOUBT, "in_doubt")
            else:
                end = (DeliveryStatus.CANCELLED, None)
            ends.setdefault(end, []).append(row)
        before, after = [], []
        for (status, reason), group in ends.items():
            finished = None if status == DeliveryStatus.PENDING else timezone.now()
            change: dict[str, Any] = {"status": status, "finished_at": finished} | (
                {"reason": reason} if reason else {}
            )
            before += [row.place() for row in group]
            after += [row.place()._replace(status=status.value, reason=reason or row.reason) for row in group]
            Delivery.objects.filter(pk__among={row.pk for row in group}).update(
                attempts=F("attempts") - 1, lease_owner="", lease_until=None, **change
            )
        books.shift(books.moved(before, after))
