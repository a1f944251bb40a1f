"""Which rows of a claim go now: the others are skipped, wait, or are held for a digest."""

import datetime as dt
from collections.abc import Mapping, Sequence

from django.db import connection
from django.db.models import F

from apps.followers.consent.verdict_sql import ALLOWING, reason_case
from apps.lib.sql.raw import fetch
from apps.notifications.books import tallies
from apps.notifications.books.transitions import doubted_among
from apps.notifications.decide import caps, fallback, gather
from apps.notifications.decide.decision import Act, Decision
from apps.notifications.messages.row import COLUMNS, Row, row_of
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Notification,
)

ALLOWED = frozenset(reason.value for reason in ALLOWING)


def judge_rows(
    of: Mapping[int, Notification], channel: str, ids: set[int]
) -> list[tuple[Row, str]]:
    """The rows in order, each with what the rules of consent say now.

    `of`: their notifications, all of one type.
    """
    kind = next(iter(of.values())).notification_type
    verdict = reason_case(kind, channel, follower="follower", address="address")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # a thousand of a million people are looked up one by one (6 ms); left to itself it
            # reads all of them anew for each claim of so many (36 ms of 120,000 people), because it
            # takes the disk for a spinning one
            cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    asked = (
        Delivery.objects.filter(pk__among=ids).order_by("due_at", "pk").annotate(verdict=verdict)
    )
    return [
        (row_of(found, of[found[2]]), found[-1])
        for found in fetch(asked.values_list(*COLUMNS, "verdict"))
    ]


def decide_rows(
    channel: str,
    judged: Sequence[tuple[Row, str]],
    *,
    ledger: caps.Ledger | None,
    now: dt.datetime,
    held: bool = False,
) -> list[Row]:
    """Those that go now; the others are skipped, wait or are held for a digest.

    In the transaction that holds them.

    `held`: they are claimed and charged for already, and wait in this process.
    """
    habits = gather.habits_of_all({row.person.pk: row.person for row, _ in judged if row.person})
    groups: dict[int, list[tuple[Row, str]]] = {}
    for row, verdict in judged:
        groups.setdefault(row.notification.pk, []).append((row, verdict))
    fates: list[tuple[Row, Decision]] = []
    for group in groups.values():
        asked = [gather.Asked(row.person, verdict, row.attempts > held) for row, verdict in group]
        notification = group[0][0].notification
        decided = gather.decisions(
            notification, channel, asked, habits=habits, ledger=ledger, now=now
        )
        fates += zip((row for row, _ in group), decided, strict=True)
    _skip([(row, fate.reason) for row, fate in fates if fate.act is Act.SKIP], now=now, held=held)
    _put_off(
        [(row, fate) for row, fate in fates if fate.act in (Act.WAIT, Act.HOLD)], now=now, held=held
    )
    return [row for row, fate in fates if fate.act is Act.SEND]


def _skip(denied: Sequence[tuple[Row, str]], *, now: dt.datetime, held: bool) -> None:
    """Those that may not go any more are skipped with the reason.

    One that was in doubt before has perhaps arrived: it stays in doubt,
    because "skipped" would be a claim.
    """
    if not denied:
        return
    doubted = doubted_among(row.pk for row, _ in denied)
    ends = {
        row.pk: (DeliveryStatus.IN_DOUBT, "in_doubt")
        if row.pk in doubted
        else (DeliveryStatus.SKIPPED, str(reason))
        for row, reason in denied
    }
    for status, reason in set(ends.values()):
        Delivery.objects.filter(
            pk__among={pk for pk, end in ends.items() if end == (status, reason)}
        ).update(status=status, reason=reason, finished_at=now, lease_owner="", lease_until=None)
    if any(row.notification.fallback for row, _ in denied):
        fallback.advance(deliveries=ends.keys() - doubted, now=now)
    before = []
    after = []
    for row, _ in denied:
        place = row.place()
        status, reason = ends[row.pk]
        before.append(place if held else place._replace(status=DeliveryStatus.PENDING.value))
        after.append(place._replace(status=status.value, reason=reason))
    tallies.shift(tallies.moved(before, after))


def _put_off(later: Sequence[tuple[Row, Decision]], *, now: dt.datetime, held: bool) -> None:
    """Waiting until their time, or held for their digest, uncharged;
    each new reason and time is an event.
    """
    if not later:
        return
    ids = {row.pk for row, _ in later}
    said = DeliveryEvent.objects.filter(delivery__in=ids, kind=EventKind.WAITS).order_by("pk")
    last = dict(said.values_list("delivery_id", "detail"))
    ends: dict[DeliveryStatus, set[int]] = {}
    events = []
    before = []
    after = []
    for row, fate in later:
        status = DeliveryStatus.PENDING
        if fate.act is Act.HOLD:
            status = DeliveryStatus.HELD
        ends.setdefault(status, set()).add(row.pk)
        detail = {"reason": str(fate.reason), "until": fate.at.isoformat() if fate.at else ""}
        if fate.reason != gather.NOT_NOW and last.get(row.pk) != detail:
            events.append(
                DeliveryEvent(delivery_id=row.pk, at=now, kind=EventKind.WAITS, detail=detail)
            )
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
    tallies.shift(tallies.moved(before, after))
