"""Pages by the last id seen: page 10,000 costs as much as page 1,
and new rows never shift what a reader sees.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """`next` and `previous` are the ids to give as `after` and `before`;
    None = there is no such page.
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
        return f"{self.number:,}{'+' if self.more else ''}"


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
        found = list(
            (queryset if after is None else queryset.filter(pk__lt=after)).order_by("-pk")[
                : size + 1
            ]
        )
        rows = found[:size]
        newer = after is not None
        older = len(found) > size
    if not rows:  # beyond one end: the only way is back, and there from the end itself
        return Page(
            [],
            next=None if before is None else before + 1,
            previous=None if after is None else after - 1,
        )
    return Page(rows, next=rows[-1].pk if older else None, previous=rows[0].pk if newer else None)


def count(queryset: QuerySet[Row], *, limit: int = 10_000) -> Count:
    """How many rows, without ever reading more than `limit` of them."""
    number = queryset.order_by()[: limit + 1].count()
    return Count(min(number, limit), more=number > limit)
