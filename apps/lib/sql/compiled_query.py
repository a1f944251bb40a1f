"""Look-ups whose SQL is put together once per process: for the ORM that takes longer than to ask
for the row.

For the handful that every call of the API makes. Elsewhere the ORM is quick enough.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

from apps.lib.sql.prepared import Statement, run_prepared, run_together
from apps.lib.sql.undocumented import RowReading, reading_of

M = TypeVar("M", bound=Model)
_MARK = "kept:"
MOST = 1_000  # rows that one look-up remembers


class Kept(Generic[M]):
    """The first row of a queryset that differs from call to call only in some texts,
    related rows included.
    """

    def __init__(
        self, rows: Callable[..., QuerySet[M]], *names: str, remembers: bool = False
    ) -> None:
        """Take a function of `names` that puts each of them, as it is, where a text is compared.

        `remembers`: rows that many calls ask for, and few write. What they hold is kept, and
        PostgreSQL is only asked whether it is still theirs: by the transactions that wrote them.
        """
        self._rows = rows
        self._names = names
        self._remembers = remembers
        self._remembered: dict[tuple[str, ...], tuple[Any, Any]] = {}  # their marks and values

    def first(self, **values: str) -> M | None:
        asked = tuple(values[name] for name in self._names)
        found = _ahead.rows.pop((self, asked), None)
        if found is None:
            statement = self.statement(**values)
            found = run_prepared(statement.sql, statement.params)
        if not found:
            return None
        if not self._stamps:
            return self._reading.made(self._reading.values(found[0]))
        return self._made(asked, found[0])

    def statement(self, **values: str) -> Statement:
        """What `first` asks."""
        asked = tuple(values[name] for name in self._names)
        parameters = self._parameters(values)
        if not self._stamps:
            return Statement(self._reading.sql, parameters)
        if asked in self._remembered:
            return Statement(self._reading.stamps, parameters)
        return Statement(self._reading.stamped, parameters)

    def _made(self, asked: tuple[str, ...], row: tuple[Any, ...]) -> M | None:
        stamp, *found = row
        if found:
            values = self._reading.values(found)
            if len(self._remembered) < MOST:
                self._remembered[asked] = (stamp, values)
            return self._reading.made(values)
        remembered = self._remembered.get(asked)
        if remembered and remembered[0] == stamp:
            return self._reading.made(remembered[1])
        self._remembered.pop(asked, None)
        return self.first(**dict(zip(self._names, asked, strict=True)))

    def _parameters(self, values: dict[str, str]) -> list[Any]:
        real = {_MARK + name: value for name, value in values.items()}
        parameters = list(self._reading.parameters)
        for place, each in enumerate(parameters):
            if type(each) is str:
                parameters[place] = real.get(each, each)
        return parameters

    @cached_property
    def _stamps(self) -> bool:
        return self._remembers and connection.vendor == "postgresql"

    @cached_property
    def _reading(self) -> RowReading[M]:
        """The statement, with marks for the texts, and what makes a row into objects."""
        return reading_of(self._rows(**{name: _MARK + name for name in self._names})[:1])


class _Ahead(threading.local):
    """Rows that were asked for before anybody wanted them, each once."""

    def __init__(self) -> None:
        self.rows: dict[tuple[Kept[Any], tuple[str, ...]], list[tuple[Any, ...]]] = {}


_ahead = _Ahead()


@contextmanager
def asked_ahead(*questions: tuple[Kept[Any], dict[str, str]]) -> Iterator[None]:
    """Ask all of these in one round trip; the first look-up of each inside takes what was found."""
    found = run_together([kept.statement(**values) for kept, values in questions])
    for (kept, values), rows in zip(questions, found, strict=True):
        _ahead.rows[kept, tuple(values.values())] = rows
    try:
        yield
    finally:
        _ahead.rows.clear()
