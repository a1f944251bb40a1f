"""A part of what is held about somebody: rows of one kind, in the order of their ids."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.utils.functional import Promise

from apps.followers.exports.table import told
from apps.lib.erasing.person import DataSubject

Told = tuple[int, dict[str, Any]]  # an id, and what the row says, as JSON holds it
Read = Callable[[DataSubject, int, int], Sequence[Told]]


@dataclass(frozen=True, slots=True)
class Part:
    """One kind of rows. `read` gives those about a person after an id, at most so many; `tables`
    are those from which it tells all that is the person's.
    """

    name: str
    title: str | Promise
    read: Read
    tables: tuple[str, ...] = ()


def rows_of(
    found: Callable[[DataSubject], QuerySet[Any]], tell: Callable[[Any], dict[str, Any]]
) -> Read:
    """Read rows that a question finds, one by one."""

    def read(person: DataSubject, after: int, most: int) -> list[Told]:
        rows = found(person).filter(pk__gt=after).order_by("pk")[:most]
        return [(row.pk, tell(row)) for row in rows]

    return read


def columns(row: Any, *names: str, **more: Any) -> dict[str, Any]:
    """Tell some columns of a row under their own names, and what else there is to say."""
    values = {name: told(getattr(row, name)) for name in names}
    return values | {name: told(value) for name, value in more.items()}
