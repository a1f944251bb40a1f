"""Opens and clicks: taken by the web process at once, stored in batches,
counted where they are stored.

About sending they say one thing: who opened it needs no fallback on another channel. So a killed
web process may lose its last 0.3 seconds of them; a word about consent never goes this way.
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
    """`link` is its number in the message, 0 for the pixel."""

    delivery: UUID
    link: int
    at: dt.datetime
    user_agent: str


class Place(NamedTuple):
    """Which number of EngagementTally; link 0 is the message as a whole."""

    notification: int
    kind: str
    link: int


def store(events: Sequence[Event]) -> None:
    """One transaction: the raw rows, the first times on the deliveries, and the tallies.

    Left out without a word: deliveries that are gone, followers who are, and those who don't let
    themselves be measured by now. The rows stay locked meanwhile, so of two batches with the same
    click one is the first, and only one.
    """
    with transaction.atomic():
        wanted = Delivery.objects.filter(
            uid__in={event.delivery for event in events}, follower__measured=True
        )
        locked = wanted.select_for_update(of=("self",), no_key=True).order_by(
            "pk"
        )  # the order of all who lock many
        rows = {
            row.uid: row for row in locked.only("uid", "notification_id", "opened_at", "clicked_at")
        }
        so_far = _so_far([row.pk for row in rows.values()])
        firsts: dict[int, Delivery] = {}
        raw: list[Engagement] = []
        people: Counter[Place] = Counter()
        times: Counter[Place] = Counter()
        for event in sorted(events, key=lambda event: event.at):
            row = rows.get(event.delivery)
            if row is None or so_far[row.pk, event.link] >= MOST_OF_ONE:
                continue
            so_far[row.pk, event.link] += 1
            kind = EngagementKind.OPEN
            if event.link:
                kind = EngagementKind.CLICK
            raw.append(
                Engagement(
                    delivery=row,
                    kind=kind,
                    link=event.link or None,
                    at=event.at,
                    user_agent=_plain(event.user_agent),
                )
            )
            times[Place(row.notification_id, kind.value, 0)] += 1
            if event.link:
                of_link = Place(row.notification_id, kind.value, event.link)
                times[of_link] += 1
                people[of_link] += so_far[row.pk, event.link] == 1
                if row.clicked_at is None:
                    row.clicked_at = event.at
                    firsts[row.pk] = row
                    people[Place(row.notification_id, kind.value, 0)] += 1
            # who clicks has the mail open, though the program loads no images:
            # or more people would click than open
            if row.opened_at is None:
                row.opened_at = event.at
                firsts[row.pk] = row
                people[Place(row.notification_id, EngagementKind.OPEN.value, 0)] += 1
        Engagement.objects.bulk_create(raw)
        _mark(firsts)
        spared = fallback.reached(deliveries=firsts, now=timezone.now())
        _add(people, times)
        tallies.shift(spared)


def _so_far(deliveries: Sequence[int]) -> Counter[tuple[int, int]]:
    counted = (
        Engagement.objects.filter(delivery__in=deliveries)
        .order_by()
        .values_list("delivery_id", "link")
    )
    return Counter(
        {(pk, link or 0): count for pk, link, count in counted.annotate(count=Count("pk"))}
    )


def _plain(user_agent: str) -> str:
    """What the database can keep: PostgreSQL refuses NUL, and headers may hold anything."""
    return "".join(char for char in user_agent[:USER_AGENT] if char.isprintable())


def _mark(firsts: dict[int, Delivery]) -> None:
    if not firsts:
        return
    adapt = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        # executemany: bulk_update's CASE is 3 times slower (measured in outcomes.py)
        cursor.executemany(
            f"UPDATE {Delivery._meta.db_table} SET opened_at=%s, clicked_at=%s WHERE id=%s",  # noqa: S608  # our name
            [
                (adapt(row.opened_at), adapt(row.clicked_at), pk)
                for pk, row in sorted(firsts.items())
            ],
        )


def _add(people: Counter[Place], times: Counter[Place]) -> None:
    # sorted: two writers touching the same tallies lock them in the same order
    rows = [
        (*where, os.getpid() % tallies.SHARDS, people[where], times[where])
        for where in sorted({*people, *times})
    ]
    if rows:
        tallies.add(
            EngagementTally, ("notification_id", "kind", "link", "shard"), ("people", "times"), rows
        )


events: Buffer[Event] = Buffer(store)
