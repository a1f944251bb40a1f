"""Judge everybody of an audience in one statement.

Followers who are alike (same language, same verdict on each channel) come as one row with their
number. Their ids are cut into SLICES for it, so that the lowest id of each slice is known: these
are the people who are shown for a reason. Only a reason whose people sit together in a few slices
asks again, and only about those slices.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connection
from django.db.models import Max, Min, Q, QuerySet

from apps.campaigns.review.numbers import Numbers, Question, ReasonNumber
from apps.followers.consent.verdict_joined import Found, Joined, joined
from apps.followers.consent.verdict_sql import with_verdict
from apps.followers.models import Follower
from apps.lib.sql.raw import run
from apps.lib.sql.undocumented import statement_of

SAMPLE = 10
SLICES = 250


@dataclass(slots=True)
class _Seen:
    """What the groups tell of one reason on one channel.

    `sure`: an id from each group all of whose people are decided by it; `slices` where there are
    any.
    """

    count: int = 0
    sure: list[int] = field(default_factory=list)
    slices: set[int] = field(default_factory=set)


def count(question: Question, *, now: dt.datetime) -> Numbers:
    """Count who of the audience gets it, by channel and reason, and find the first of each."""
    followers = question.audience.followers(now=now).order_by()
    ends = Follower.objects.aggregate(first=Min("pk"), last=Max("pk"))
    first = ends["first"] or 0
    size = max(1, ((ends["last"] or 0) - first) // SLICES + 1)
    parts = [
        joined(question.kind, channel, number=number)
        for number, channel in enumerate(question.channels)
    ]
    total = 0
    readers: Counter[str] = Counter()
    seen: list[dict[str, _Seen]] = [defaultdict(_Seen) for _ in parts]
    for row in _groups(followers, parts, first=first, size=size):
        place, language, people, lowest, *rest = row
        total += people
        values = _by_part(parts, rest)
        for part, (keys, sums), reasons in zip(parts, values, seen, strict=True):
            for found in part.read(keys, sums, people):
                _note(reasons[found.reason.value], found, place, lowest)
        if any(part.gets(keys) for part, (keys, _) in zip(parts, values, strict=True)):
            readers[language] += people
    channels = {}
    for channel, reasons in zip(question.channels, seen, strict=True):
        judged = with_verdict(followers, question.kind, channel)
        channels[channel] = tuple(
            ReasonNumber(reason, told.count, _samples(judged, reason, told, first, size))
            for reason, told in reasons.items()
        )
    return Numbers(total, readers.total(), dict(readers), channels)


def _groups(
    followers: QuerySet[Follower], parts: Sequence[Joined], *, first: int, size: int
) -> list[tuple[Any, ...]]:
    """Fetch (slice, language, people, lowest id, keys and sums of each part) of all groups."""
    try:
        people, params = statement_of(followers.values_list("id", "language", "subscribed"))
    except EmptyResultSet:
        return []
    return run(_statement(people, parts, first=first, size=size), params)


def _statement(people: str, parts: Sequence[Joined], *, first: int, size: int) -> str:
    """Write the statement over `people`, which is one itself; all else in it is ours."""
    keys = [key for part in parts for key in part.keys]
    sums = [each for part in parts for each in part.sums]
    columns = [f"(p.id - {first}) / {size} AS place", "p.language", "p.id"]
    columns += [f"{each} AS k{number}" for number, each in enumerate(keys)]
    columns += [f"{each} AS n{number}" for number, each in enumerate(sums)]
    joins = [join for part in parts for join in part.joins]
    if connection.vendor == "postgresql":
        # else it reckons with as many groups as there are ids, and lets one process do all
        joins.append("OFFSET 0")
    judged = (
        f"SELECT {', '.join(columns)} "  # noqa: S608  # ours, but `people`
        f"FROM ({people}) p {' '.join(joins)}"
    )
    keyed = [f"k{number}" for number in range(len(keys))]
    added = [f"sum(n{number})" for number in range(len(sums))]
    told = ", ".join(["place", "language", "count(*)", "min(id)", *keyed, *added])
    grouped = ", ".join(["place", "language", *keyed])
    return f"SELECT {told} FROM ({judged}) judged GROUP BY {grouped}"  # noqa: S608  # ours


def _by_part(
    parts: Sequence[Joined], rest: Sequence[Any]
) -> list[tuple[Sequence[int], Sequence[int]]]:
    """Deal out the keys and sums of a row to the parts that asked for them."""
    values: list[tuple[Sequence[int], Sequence[int]]] = []
    key = 0
    total = sum(len(part.keys) for part in parts)
    for part in parts:
        keys = rest[key : key + len(part.keys)]
        sums = [int(each or 0) for each in rest[total : total + len(part.sums)]]
        values.append((keys, sums))
        key += len(part.keys)
        total += len(part.sums)
    return values


def _note(seen: _Seen, found: Found, place: int, lowest: int) -> None:
    seen.count += found.messages
    seen.slices.add(place)
    if found.all_of_them:
        seen.sure.append(lowest)


def _samples(
    judged: QuerySet[Any], reason: str, seen: _Seen, first: int, size: int
) -> tuple[int, ...]:
    """Give the first few people of a reason; in a large crowd one from each of the first slices."""
    if len(seen.sure) >= min(SAMPLE, seen.count):
        return tuple(sorted(seen.sure)[:SAMPLE])
    among = Q()
    for place in sorted(seen.slices)[:SAMPLE]:
        start = first + place * size
        among |= Q(pk__gte=start, pk__lt=start + size)
    ids = judged.filter(among, verdict=reason).order_by("pk").values_list("pk", flat=True)
    found: dict[int, None] = {}
    for pk in ids.distinct()[:SAMPLE]:
        found[pk] = None
    return tuple(found)
