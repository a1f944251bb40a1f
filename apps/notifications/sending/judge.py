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
from apps.notifications.messages.row import COLUMNS, NOTIFICATION, Row, row_of
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
    """Read the rows in order, each with what the rules of consent say now.

    `of`: their notifications, all of one type.
    """
    kind = next(iter(of.values())).notification_type
    verdict = reason_case(kind, channel, follower="follower", address="address")
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            # a thousand of a million people are looked up one by one; left to itself PostgreSQL
            # reads all of them anew for each claim, because it takes the disk for a spinning one
            cursor.execute("SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off")
    mine = Delivery.objects.filter(pk__among=ids).order_by("due_at", "pk")
    asked = mine.annotate(verdict=verdict).values_list(*COLUMNS, "verdict")
    return [(row_of(found, of[found[NOTIFICATION]]), found[-1]) for found in fetch(asked)]


def decide_rows(
    channel: str,
    judged: Sequence[tuple[Row, str]],
    *,
    ledger: caps.Ledger | None,
    now: dt.datetime,
    held: bool = False,
) -> list[Row]:
    """Keep the rows that go now; the others are skipped, wait or are held for a digest.

    In the transaction that holds them. `held`: they are claimed and charged for already, and wait
    in this process.
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
    denied = [(row, fate.reason) for row, fate in fates if fate.act is Act.SKIP]
    _skip(denied, now=now, held=held)
    later = [(row, fate) for row, fate in fates if fate.act in (Act.WAIT, Act.HOLD)]
    _put_off(later, now=now, held=held)
    return [row for row, fate in fates if fate.act is Act.SEND]


def _skip(denied: Sequence[tuple[Row, str]], *, now: dt.datetime, held: bool) -> None:
    """Skip rows that may not go any more, with the reason.

    A row that was in doubt before has perhaps arrived. It stays in doubt, because "skipped" would
    be a claim.
    """
    if not denied:
        return
    doubted = doubted_among(row.pk for row, _ in denied)
    ends: dict[tuple[DeliveryStatus, str], set[int]] = {}
    before = []
    after = []
    for row, reason in denied:
        end = (DeliveryStatus.SKIPPED, str(reason))
        if row.pk in doubted:
            end = (DeliveryStatus.IN_DOUBT, "in_doubt")
        ends.setdefault(end, set()).add(row.pk)
        place = _place_before(row, held=held)
        before.append(place)
        after.append(place._replace(status=end[0].value, reason=end[1]))
    for (status, reason), pks in ends.items():
        Delivery.objects.filter(pk__among=pks).update(
            status=status, reason=reason, finished_at=now, lease_owner="", lease_until=None
        )
    if any(row.notification.fallback for row, _ in denied):
        lost = {row.pk for row, _ in denied} - doubted
        fallback.advance(deliveries=lost, now=now)
    tallies.shift(tallies.moved(before, after))


def _place_before(row: Row, *, held: bool) -> tallies.Place:
    """The place in which the row stood: in a sender's hands if `held`, else waiting."""
    if held:
        return row.place()
    return row.place()._replace(status=DeliveryStatus.PENDING.value)


def _put_off(later: Sequence[tuple[Row, Decision]], *, now: dt.datetime, held: bool) -> None:
    """Let rows wait until their time, or hold them for their digest, uncharged; each new reason
    and time is an event.
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
        until = ""
        if fate.at:
            until = fate.at.isoformat()
        detail = {"reason": str(fate.reason), "until": until}
        if fate.reason != gather.NOT_NOW and last.get(row.pk) != detail:
            events.append(
                DeliveryEvent(delivery_id=row.pk, at=now, kind=EventKind.WAITS, detail=detail)
            )
        place = _place_before(row, held=held)
        before.append(place)
        after.append(place._replace(status=status.value))
    due_at = [Delivery(pk=row.pk, due_at=fate.at or now) for row, fate in later]
    Delivery.objects.bulk_update(due_at, ["due_at"], batch_size=200)
    for status, those in ends.items():
        Delivery.objects.filter(pk__among=those).update(
            status=status,
            attempts=F("attempts") - int(held),
            lease_owner="",
            lease_until=None,
            in_slice=False,
        )
    DeliveryEvent.objects.bulk_create(events, batch_size=1000)
    tallies.shift(tallies.moved(before, after))
