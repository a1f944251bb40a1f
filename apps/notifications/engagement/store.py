"""Open and click tracking: taken by the web process at once, stored in batches,
counted where they are stored.

They say one thing about sending: a person who clicked in a message needs no fallback on another
channel, unless it is one of those that want the person's own word (decide/fallback.py). So a killed
web process may lose its last 0.3 seconds of them; a word about consent never goes this way.
"""

import datetime as dt
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from itertools import chain
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Case, Count, Min, QuerySet, Value, When

from apps.lib.buffer import Buffer
from apps.lib.processes.ticking import only_with
from apps.notifications.books import tallies
from apps.notifications.decide import fallback, machines
from apps.notifications.models import (
    Delivery,
    Engagement,
    EngagementKind,
    EngagementTally,
    Notification,
    Source,
    TallyKind,
)

USER_AGENT = 200  # characters kept
LONGEST_AGENT = 1000  # characters judged: robots say at the end what they are
CHUNK = 1000  # clicks that chains are told of in one transaction
# Events of one delivery and link that are stored: far more than a person makes. A program that
# repeats a link for ever fills neither the disk nor the figures.
MOST_OF_ONE = 1000


class Event(NamedTuple):
    """One open or click; `link` is the link's number in the message, 0 for the pixel.

    `sign`: what the request gave away of a machine (machines.py), or "".
    """

    delivery: UUID
    link: int
    at: dt.datetime
    user_agent: str
    sign: str = ""


class EngagementPlace(NamedTuple):
    """One number of EngagementTally; link 0 is the message as a whole."""

    notification: int
    kind: str
    link: int


class Looked(NamedTuple):
    """What the events of one delivery are counted by; link 0 is an open."""

    link: int
    machine: bool


class Seen(NamedTuple):
    """How often something happened, and when first."""

    times: int
    first: dt.datetime


Sums = dict[int, dict[Looked, Seen]]  # by delivery


def store(events: Sequence[Event]) -> None:
    """Store events in one transaction: the raw rows, the first times on the deliveries, and the
    tallies.

    Left out without a word: deliveries that are gone, followers who are, and followers who don't
    let themselves be measured by now. The rows stay locked meanwhile, so of two batches with the
    same click one is the first, and only one.
    """
    uids = {event.delivery for event in events}
    with transaction.atomic():
        wanted = Delivery.objects.filter(uid__in=uids, follower__measured=True)
        # the order of all who lock many
        locked = wanted.select_for_update(of=("self",), no_key=True).order_by("pk")
        columns = ("uid", "notification_id", "finished_at", "opened_at", "clicked_at")
        rows = {row.uid: row for row in locked.only(*columns)}
        mine = {row.pk: row for row in rows.values()}
        before = _sums(mine)
        fresh = _to_store(events, rows, before)
        known = _clicks_about(fresh, mine)
        _judge(fresh, known, mine)
        _insert(fresh)
        _find_bursts(fresh, known)
        after = _sums(mine)
        _mark(mine, after)
        _add(mine, before, after)


def _to_store(
    events: Sequence[Event], rows: dict[UUID, Delivery], before: Sums
) -> list[Engagement]:
    """The events as rows, oldest first, less what is too much of one link."""
    so_far: Counter[tuple[int, int]] = Counter()
    for pk, places in before.items():
        for place, seen in places.items():
            so_far[pk, place.link] += seen.times
    fresh = []
    for event in sorted(events, key=lambda event: event.at):
        row = rows.get(event.delivery)
        if row is None or so_far[row.pk, event.link] >= MOST_OF_ONE:
            continue
        so_far[row.pk, event.link] += 1
        fresh.append(_raw(row, event))
    return fresh


def _raw(row: Delivery, event: Event) -> Engagement:
    kind = EngagementKind.OPEN
    if event.link:
        kind = EngagementKind.CLICK
    return Engagement(
        delivery=row,
        kind=kind,
        link=event.link or None,
        at=event.at,
        user_agent=_plain(event.user_agent),
        machine=event.sign or machines.named(event.user_agent, event.link),
    )


def _clicks_about(
    fresh: Sequence[Engagement], mine: dict[int, Delivery]
) -> dict[int, list[Engagement]]:
    """The clicks stored before that may be of one burst with the new ones, by delivery."""
    clicks = [row for row in fresh if row.link]
    known: dict[int, list[Engagement]] = defaultdict(list)
    if not clicks:
        return known
    since = clicks[0].at - machines.BURST
    until = clicks[-1].at + machines.BURST
    stored = Engagement.objects.filter(delivery__in=list(mine), kind=EngagementKind.CLICK)
    for row in stored.filter(at__gte=since, at__lte=until):
        known[row.delivery_id].append(row)
    return known


def _judge(
    fresh: Sequence[Engagement],
    known: dict[int, list[Engagement]],
    mine: dict[int, Delivery],
) -> None:
    """Say of each new row whether it was a machine's, and whether a chain waits to hear of it."""
    clicks: dict[int, list[machines.Look]] = defaultdict(list)
    for row in (*chain.from_iterable(known.values()), *fresh):
        if row.link:
            clicks[row.delivery_id].append(_look(row))
    chained = _chained({mine[row.delivery_id].notification_id for row in fresh if row.link})
    for row in fresh:
        delivery = mine[row.delivery_id]
        row.machine = machines.judge(
            _look(row), handed_over=delivery.finished_at, clicks=clicks[delivery.pk]
        )
        ends = bool(row.link) and not row.machine
        row.waits = ends and delivery.notification_id in chained


def _insert(fresh: Sequence[Engagement]) -> None:
    """Write the rows, by hand: bulk_create was a third of what storing a click costs."""
    if not fresh:
        return
    adapt = connection.ops.adapt_datetimefield_value
    table = Engagement._meta.db_table
    insert = (
        f"INSERT INTO {table} "  # noqa: S608  # our name
        "(delivery_id, kind, link, at, user_agent, machine, waits) "
        "VALUES (%s, %s, %s, %s, %s, %s, %s)"
    )
    values = []
    for row in fresh:
        seen = (row.delivery_id, str(row.kind), row.link, adapt(row.at))
        values.append((*seen, row.user_agent, str(row.machine), row.waits))
    with connection.cursor() as cursor:
        cursor.executemany(insert, values)


def _look(row: Engagement) -> machines.Look:
    return machines.Look(row.link or 0, row.at, row.user_agent, row.machine)


def _chained(notifications: Collection[int]) -> set[int]:
    """The notifications of which a click may end a chain: with one, or digests of what has one."""
    found = Notification.objects.filter(pk__in=notifications)
    chained = found.exclude(fallback=[]) | found.filter(source=Source.DIGEST)
    return set(chained.values_list("pk", flat=True))


def _find_bursts(fresh: Sequence[Engagement], known: dict[int, list[Engagement]]) -> None:
    """Undo what was said of the clicks before that the new ones show to be a program's."""
    clicks: dict[int, list[machines.Look]] = defaultdict(list)
    for row in fresh:
        if row.link:
            clicks[row.delivery_id].append(_look(row))
    ids = []
    for pk, rows in known.items():
        for row in rows:
            if not row.machine and machines.in_burst(_look(row), clicks[pk]):
                ids.append(row.pk)
    if ids:
        burst = machines.Machine.BURST.value
        Engagement.objects.filter(pk__in=ids).update(machine=burst, waits=False)


def settled(now: dt.datetime) -> QuerySet[Engagement]:
    """Find the clicks that wait to be told and are no burst."""
    return Engagement.objects.filter(waits=True, at__lte=now - machines.BURST)


@only_with(settled)
def tell_chains(*, now: dt.datetime) -> None:
    """Schedule: spare those who clicked what waits for them on other channels, once it is clear
    that it was no burst.
    """
    rows = dict(settled(now).order_by("at").values_list("pk", "delivery")[:CHUNK])
    if not rows:
        return
    with transaction.atomic():
        spared = fallback.reached(deliveries=set(rows.values()), now=now)
        Engagement.objects.filter(pk__in=list(rows)).update(waits=False)
        tallies.shift(spared)


def _sums(deliveries: Collection[int]) -> Sums:
    """What is stored of each delivery."""
    stored = Engagement.objects.filter(delivery__in=list(deliveries)).order_by()
    is_machine = Case(When(machine="", then=Value(False)), default=Value(True))
    grouped = stored.annotate(is_machine=is_machine)
    columns = ("delivery_id", "link", "is_machine")
    found: Sums = defaultdict(dict)
    counted = grouped.values_list(*columns).annotate(times=Count("pk"), first=Min("at"))
    for pk, link, machine, times, first in counted:
        found[pk][Looked(link or 0, bool(machine))] = Seen(times, first)
    return found


def _firsts(places: dict[Looked, Seen]) -> tuple[dt.datetime | None, dt.datetime | None]:
    """When a person opened and clicked first.

    Who clicks has the mail open, though the program loads no images: or more people would click
    than open.
    """
    people = {place.link: seen.first for place, seen in places.items() if not place.machine}
    clicks = [first for link, first in people.items() if link]
    return min(people.values(), default=None), min(clicks, default=None)


def _plain(user_agent: str) -> str:
    """What the database can keep: PostgreSQL refuses NUL, and headers may hold anything."""
    if user_agent.isprintable():
        return user_agent[:USER_AGENT]
    return "".join(char for char in user_agent[:USER_AGENT] if char.isprintable())


def _mark(mine: dict[int, Delivery], after: Sums) -> None:
    """Write the first times where they are others by now."""
    adapt = connection.ops.adapt_datetimefield_value
    table = Delivery._meta.db_table
    update = f"UPDATE {table} SET opened_at=%s, clicked_at=%s WHERE id=%s"  # noqa: S608  # our name
    values = []
    for pk, row in sorted(mine.items()):
        opened, clicked = _firsts(after.get(pk, {}))
        if (opened, clicked) != (row.opened_at, row.clicked_at):
            values.append((adapt(opened), adapt(clicked), pk))
    if not values:
        return
    with connection.cursor() as cursor:
        # executemany: bulk_update's CASE is slower (outcomes.py)
        cursor.executemany(update, values)


def _add(mine: dict[int, Delivery], before: Sums, after: Sums) -> None:
    """Add to the sums what is new."""
    people: Counter[EngagementPlace] = Counter()
    times: Counter[EngagementPlace] = Counter()
    for pk, row in mine.items():
        for sums, sign in ((after, 1), (before, -1)):
            places = sums.get(pk, {})
            for place, number in _times(row.notification_id, places):
                times[place] += sign * number
            for place in _people(row.notification_id, places):
                people[place] += sign
    shard = os.getpid() % tallies.SHARDS
    # sorted: two writers touching the same tallies lock them in the same order
    changed = sorted(place for place in {*people, *times} if people[place] or times[place])
    rows = [(*place, shard, people[place], times[place]) for place in changed]
    if rows:
        keys = ("notification_id", "kind", "link", "shard")
        tallies.add(EngagementTally, keys, ("people", "times"), rows)


def _times(notification: int, places: dict[Looked, Seen]) -> Iterator[tuple[EngagementPlace, int]]:
    """How often each thing was done: on the message as a whole, and by people on each link."""
    for place, seen in places.items():
        kind = _KINDS[bool(place.link), place.machine]
        yield EngagementPlace(notification, kind.value, 0), seen.times
        if place.link and not place.machine:
            yield EngagementPlace(notification, kind.value, place.link), seen.times


def _people(notification: int, places: dict[Looked, Seen]) -> Iterator[EngagementPlace]:
    """What the person of these did at least once."""
    opened, clicked = _firsts(places)
    if opened:
        yield EngagementPlace(notification, TallyKind.OPEN.value, 0)
    if clicked:
        yield EngagementPlace(notification, TallyKind.CLICK.value, 0)
    for place in places:
        if place.link and not place.machine:
            yield EngagementPlace(notification, TallyKind.CLICK.value, place.link)


_KINDS = {
    (False, False): TallyKind.OPEN,
    (False, True): TallyKind.MACHINE_OPEN,
    (True, False): TallyKind.CLICK,
    (True, True): TallyKind.MACHINE_CLICK,
}

events: Buffer[Event] = Buffer(store)
