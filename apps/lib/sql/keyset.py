"""Pages by the last id seen: page 10,000 costs as much as page 1,
and new rows never shift what a reader sees.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Rows of one page; `next` and `previous` are the ids to give as `after` and `before`, None
    where there is no such page.
    """

    rows: list[Row]
    next: int | None
    previous: int | None


@dataclass(frozen=True, slots=True)
class Count:
    """A number that stops counting at its limit: "1,234" or "10,000+"."""

    number: int
    more: bool

    def __str__(self) -> str:
        if self.more:
            return f"{self.number:,}+"
        return f"{self.number:,}"


def page(
    queryset: QuerySet[Row], *, after: int | None = None, before: int | None = None, size: int = 50
) -> Page[Row]:
    """Newest first. `after` goes on to older rows, `before` back to newer ones;
    both are ids of rows, gone or not.
    """
    if before is not None:
        found = list(queryset.filter(pk__gt=before).order_by("pk")[: size + 1])
        rows = found[:size][::-1]
        newer = len(found) > size
        older = True
    else:
        if after is not None:
            queryset = queryset.filter(pk__lt=after)
        found = list(queryset.order_by("-pk")[: size + 1])
        rows = found[:size]
        newer = after is not None
        older = len(found) > size
    following = None
    preceding = None
    if rows:
        if older:
            following = rows[-1].pk
        if newer:
            preceding = rows[0].pk
    # beyond one end: the only way is back, and there from the end itself
    elif before is not None:
        following = before + 1
    elif after is not None:
        preceding = after - 1
    return Page(rows, next=following, previous=preceding)


def count(queryset: QuerySet[Row], *, limit: int = 10_000) -> Count:
    """How many rows, without ever reading more than `limit` of them."""
    number = queryset.order_by()[: limit + 1].count()
    return Count(min(number, limit), more=number > limit)
