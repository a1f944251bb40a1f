"""Whether rows are there: many such questions in one statement, put together once per process.

What the tick asks every second is "no" nearly always, and the ORM takes ten times as long to write
a question as the database takes to say so.
"""

import datetime as dt
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Expression, QuerySet

from apps.lib.sql.raw import run
from apps.lib.sql.undocumented import statement_of


class AskedAt(Expression):
    """The time of day in a question that is asked again and again, with a new one each time; it
    stands where `now` stands, and for `now` and a while.
    """

    def __init__(self, offset: dt.timedelta = dt.timedelta()) -> None:
        super().__init__(output_field=DateTimeField())
        self.offset = offset

    # Of the ORM's expressions only this one is moved, not computed with.
    def __add__(self, other: Any) -> Any:
        return AskedAt(self.offset + other)

    def __sub__(self, other: Any) -> Any:
        return AskedAt(self.offset - other)

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        return "%s", (self,)

    def at(self, now: dt.datetime) -> Any:
        """Write it as the database takes it."""
        return connection.ops.adapt_datetimefield_value(now + self.offset)


Rows = Callable[[Any], QuerySet[Any, Any]]  # of a moment: a datetime, or AskedAt


class AnyRows:
    """Questions by name: is there any of the rows that a function of the moment gives?"""

    def __init__(self, questions: Mapping[str, Rows]) -> None:
        self._questions = questions
        self._written: dict[str, tuple[str, tuple[Any, ...]]] = {}

    def among(self, names: Iterable[str], *, now: dt.datetime) -> set[str]:
        """Name those of the questions whose answer is yes; one statement for all of them."""
        asked = [name for name in names if name in self._questions]
        if not asked:
            return set()
        written = [self._write(name) for name in asked]
        columns = ", ".join(f"EXISTS({sql})" for sql, _parameters in written)
        parameters = []
        for _sql, marked in written:
            for each in marked:
                if isinstance(each, AskedAt):
                    parameters.append(each.at(now))
                else:
                    parameters.append(each)
        [answers] = run(f"SELECT {columns}", parameters)  # the ORM's own statements, no text of any
        return {name for name, answer in zip(asked, answers, strict=True) if answer}

    def _write(self, name: str) -> tuple[str, tuple[Any, ...]]:
        if name not in self._written:
            rows = self._questions[name](AskedAt())
            self._written[name] = statement_of(rows.order_by().values_list("pk")[:1])
        return self._written[name]
