"""Pages by the last id seen: page 10,000 costs as much as page 1,
and new rows never shift what a reader sees.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import connection
from django.db.models import F, Model, OrderBy, QuerySet
from django.utils.translation import gettext

from apps.lib.sql.raw import run
from apps.lib.sql.undocumented import statement_of
from apps.lib.written import grouped

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows of one page; `next` and `previous` are the ids to give as `after` and `before`, None
    where there is no such page.
    """

    rows: list[Row]
    next: int | None
    previous: int | None


_GUESSED = 1000  # rows: what the database expects of fewer is worth nothing


@dataclass(frozen=True, slots=True)
class Count:
    """A number that stops counting at its limit: "1,234" or "10,000+", or "about 240,000" where
    the database has an idea of it.
    """

    number: int
    more: bool
    about: int = 0

    @property
    def likely(self) -> int:
        """What comes nearest to the truth, as a number."""
        return max(self.number, self.about)

    def __str__(self) -> str:
        shown = grouped(self.likely)
        if self.about > self.number:
            return gettext("about {number}").format(number=shown)
        if self.more:
            return f"{shown}+"
        return shown


@dataclass(frozen=True, slots=True)
class _Way:
    """A direction through the ids: how rows are sorted, and which lie ahead of one and behind."""

    order: str
    ahead: str
    behind: str
    step: int  # to the next id ahead

    @property
    def summed(self) -> OrderBy:
        """Order by a sum of the id, which no index has."""
        return OrderBy(F("pk") + 0, descending=self.step < 0)


_OLDER = _Way("-pk", "pk__lt", "pk__gt", -1)
_NEWER = _Way("pk", "pk__gt", "pk__lt", 1)


def page(
    queryset: QuerySet[Row],
    *,
    after: int | None = None,
    before: int | None = None,
    size: int = 50,
    oldest_first: bool = False,
    scattered: bool = False,
) -> Page[Row]:
    """Newest first, or `oldest_first`. `after` goes on, `before` goes back;
    both are ids of rows, gone or not. `scattered` says that the rows are few among many, and lie
    anywhere: their ids are gathered and sorted (one query more), instead of passing by all others.
    """
    way = _OLDER
    back = _NEWER
    if oldest_first:
        way = _NEWER
        back = _OLDER
    if before is not None:
        found = _first(queryset.filter(**{way.behind: before}), back, size + 1, scattered)
        rows = found[:size][::-1]
        there_is_before = len(found) > size
        there_is_after = True
    else:
        if after is not None:
            queryset = queryset.filter(**{way.ahead: after})
        found = _first(queryset, way, size + 1, scattered)
        rows = found[:size]
        there_is_before = after is not None
        there_is_after = len(found) > size
    following = None
    preceding = None
    if rows:
        if there_is_after:
            following = rows[-1].pk
        if there_is_before:
            preceding = rows[0].pk
    # beyond one end: the only way is back, and there from the end itself
    elif before is not None:
        following = before - way.step
    elif after is not None:
        preceding = after + way.step
    return Page(rows, next=following, previous=preceding)


def _first(queryset: QuerySet[Row], way: _Way, many: int, scattered: bool) -> list[Row]:
    if not scattered:
        return list(queryset.order_by(way.order)[:many])
    # no index has a sum
    keys = queryset.order_by(way.summed).values_list("pk", flat=True)[:many]
    return list(queryset.filter(pk__in=list(keys)).order_by(way.order))


def count(queryset: QuerySet[Row], *, limit: int = 10_000) -> Count:
    """How many rows, without ever reading more than `limit` of them."""
    number = queryset.order_by()[: limit + 1].count()
    if number <= limit:
        return Count(number, more=False)
    about = 0
    if limit >= _GUESSED:
        about = in_round(estimated(queryset))
    return Count(limit, more=True, about=about)


def estimated(queryset: QuerySet[Row]) -> int:
    """How many rows PostgreSQL expects, from its statistics; 0 on SQLite, which expects nothing."""
    if connection.vendor != "postgresql":
        return 0
    sql, parameters = statement_of(queryset.order_by().values_list("pk"))
    ((plan,),) = run(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
    return int(plan[0]["Plan"]["Plan Rows"])


def in_round(number: int) -> int:
    """The number with two figures that count: 916,941 is about 920,000."""
    return int(float(f"{number:.2g}"))
