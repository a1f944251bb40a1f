"""Opens and clicks: taken by the web process at once, stored in batches,
counted where they are stored.

They say one thing about sending: who opened a message needs no fallback on another channel. So a
killed web process may lose its last 0.3 seconds of them; a word about consent never goes this way.
"""

import datetime as dt
import os
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count
from django.utils import timezone

from apps.lib.buffer import Buffer
from apps.notifications.books import tallies
from apps.notifications.decide import fallback
from apps.notifications.models import Delivery, Engagement, EngagementKind, EngagementTally

USER_AGENT = 200  # characters kept
# Events of one delivery and link that are stored: far more than a person makes. A program that
# repeats a link for ever fills neither the disk nor the figures.
MOST_OF_ONE = 1000


class Event(NamedTuple):
    """One open or click; `link` is the link's number in the message, 0 for the pixel."""

    delivery: UUID
    link: int
    at: dt.datetime
    user_agent: str


class EngagementPlace(NamedTuple):
    """One number of EngagementTally; link 0 is the message as a whole."""

    notification: int
    kind: str
    link: int


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
        found = locked.only("uid", "notification_id", "opened_at", "clicked_at")
        rows = {row.uid: row for row in found}
        so_far = _so_far([row.pk for row in rows.values()])
        firsts: dict[int, Delivery] = {}
        raw: list[Engagement] = []
        people: Counter[EngagementPlace] = Counter()
        times: Counter[EngagementPlace] = Counter()
        for event in sorted(events, key=lambda event: event.at):
            row = rows.get(event.delivery)
            if row is None or so_far[row.pk, event.link] >= MOST_OF_ONE:
                continue
            so_far[row.pk, event.link] += 1
            kind = EngagementKind.OPEN
            if event.link:
                kind = EngagementKind.CLICK
            raw.append(_raw(row, event, kind))
            whole = EngagementPlace(row.notification_id, kind.value, 0)
            times[whole] += 1
            if event.link:
                of_link = whole._replace(link=event.link)
                times[of_link] += 1
                people[of_link] += so_far[row.pk, event.link] == 1
                if row.clicked_at is None:
                    row.clicked_at = event.at
                    firsts[row.pk] = row
                    people[whole] += 1
            # who clicks has the mail open, though the program loads no images:
            # or more people would click than open
            if row.opened_at is None:
                row.opened_at = event.at
                firsts[row.pk] = row
                people[whole._replace(kind=EngagementKind.OPEN.value)] += 1
        Engagement.objects.bulk_create(raw)
        _mark(firsts)
        spared = fallback.reached(deliveries=firsts, now=timezone.now())
        _add(people, times)
        tallies.shift(spared)


def _raw(row: Delivery, event: Event, kind: EngagementKind) -> Engagement:
    return Engagement(
        delivery=row,
        kind=kind,
        link=event.link or None,
        at=event.at,
        user_agent=_plain(event.user_agent),
    )


def _so_far(deliveries: Sequence[int]) -> Counter[tuple[int, int]]:
    """How many events of each (delivery, link) are stored."""
    stored = Engagement.objects.filter(delivery__in=deliveries).order_by()
    counts = stored.values_list("delivery_id", "link").annotate(count=Count("pk"))
    return Counter({(pk, link or 0): count for pk, link, count in counts})


def _plain(user_agent: str) -> str:
    """What the database can keep: PostgreSQL refuses NUL, and headers may hold anything."""
    return "".join(char for char in user_agent[:USER_AGENT] if char.isprintable())


def _mark(firsts: dict[int, Delivery]) -> None:
    if not firsts:
        return
    adapt = connection.ops.adapt_datetimefield_value
    table = Delivery._meta.db_table
    update = f"UPDATE {table} SET opened_at=%s, clicked_at=%s WHERE id=%s"  # noqa: S608  # our name
    values = []
    for pk, row in sorted(firsts.items()):
        values.append((adapt(row.opened_at), adapt(row.clicked_at), pk))
    with connection.cursor() as cursor:
        # executemany: bulk_update's CASE is slower (outcomes.py)
        cursor.executemany(update, values)


def _add(people: Counter[EngagementPlace], times: Counter[EngagementPlace]) -> None:
    """Add to the sums."""
    shard = os.getpid() % tallies.SHARDS
    # sorted: two writers touching the same tallies lock them in the same order
    places = sorted({*people, *times})
    rows = [(*place, shard, people[place], times[place]) for place in places]
    if rows:
        keys = ("notification_id", "kind", "link", "shard")
        tallies.add(EngagementTally, keys, ("people", "times"), rows)


events: Buffer[Event] = Buffer(store)
