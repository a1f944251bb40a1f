"""What we use of Django's ORM that its documentation does not promise, each of it here only.

Another release of Django may change it without a word. tests/lib/sql/test_undocumented.py says what
is gone; `make test ARGS=--next` asks it of the next release. `connection.features` and
`connection.ops` are used elsewhere too: Django announces changes of its database backend API.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import django
from django.db import DEFAULT_DB_ALIAS, connection, connections
from django.db.models import JSONField, Model, QuerySet, Value
from django.db.models.query import get_related_populators

M = TypeVar("M", bound=Model)

KNOWS_FETCH_MODES = django.VERSION >= (6, 1)
READS_VALUES_AS_THEY_ARE = django.VERSION >= (6, 1)


def statement_of(rows: QuerySet[Any, Any]) -> tuple[str, tuple[Any, ...]]:
    """Return the SQL of a queryset, with marks, and the parameters for them."""
    sql, parameters = rows.query.sql_with_params()
    return sql, tuple(parameters)


def wrapped_errors() -> AbstractContextManager[None]:
    """Turn the driver's errors into those of django.db, inside."""
    errors: AbstractContextManager[None] = connection.wrap_database_errors
    return errors


def hand_over(lent: Any) -> None:
    """Make this thread use a connection (Django's) that another thread has used."""
    connections[DEFAULT_DB_ALIAS] = lent


def taken_from_thread() -> Any:
    """Take the connection (Django's) from this thread, so that another one may use it.

    None where the thread has none.
    """
    for each in connections.all(initialized_only=True):
        del connections[each.alias]
        if not each.allow_thread_sharing:
            each.inc_thread_sharing()
        return each
    return None


def take_for_healthy(wrapper: Any) -> None:
    """Let Django not ask the database whether the connection is there, in this request."""
    wrapper.health_check_done = True


@dataclass(frozen=True)
class RowReading(Generic[M]):
    """A queryset's statement and what makes an object, with those selected along, of a row.

    `values` makes of a row what the fields hold, and `made` an object of these. On PostgreSQL,
    `stamps` asks only which transactions wrote the rows and where they lie, as one text, and
    `stamped` for that text before the columns.
    """

    sql: str
    parameters: Sequence[Any]
    stamps: str
    stamped: str
    values: Callable[[Sequence[Any]], Sequence[Any]]
    made: Callable[[Sequence[Any]], M]


def reading_of(rows: QuerySet[M]) -> RowReading[M]:
    """Prepare what QuerySet's own iteration does for each row (ModelIterable)."""
    compiler: Any = rows.query.get_compiler(connection=connection)
    sql, parameters = compiler.as_sql()
    info = compiler.klass_info
    select = compiler.select
    model = info["model"]
    chosen = info["select_fields"]
    first = chosen[0]
    end = chosen[-1] + 1
    names = [select[place][0].target.attname for place in chosen]
    related = _populators(rows, info, select)
    converters = compiler.get_converters([expression for expression, *_ in select])

    def values(found: Sequence[Any]) -> Sequence[Any]:
        if converters:
            converted: Sequence[Any] = next(iter(compiler.apply_converters([found], converters)))
            return converted
        return found

    def made(held: Sequence[Any]) -> M:
        row: M = model.from_db(connection.alias, names, held[first:end])
        for populator in related:
            populator.populate(held, row)
        return row

    stamp = _stamp([alias for alias in compiler.query.alias_map if f'"{alias}".' in sql])
    columns, rest = sql.split(" FROM ", 1)
    stamps = f"SELECT {stamp} FROM {rest}"  # noqa: S608  # of the ORM
    named = columns.removeprefix("SELECT ")
    stamped = f"SELECT {stamp}, {named} FROM {rest}"  # noqa: S608  # of the ORM
    return RowReading(sql, parameters, stamps, stamped, values, made)


def _stamp(aliases: Sequence[str]) -> str:
    """An expression that is another one whenever a row of these tables was written."""
    marks = ", ".join(f'"{alias}".xmin, "{alias}".ctid' for alias in aliases)
    return f"concat_ws(' ', {marks})"


def comparable_in_json(number: float) -> Value:
    """Return what KeyTransformGt and KeyTransformLt compare a number in a JSON column with.

    SQLite compares numbers. Django 5.2 reads the number out of the JSON text that a JSONField makes
    of it, and 6.1 takes a Value as it is.
    """
    if connection.features.has_native_json_field or not READS_VALUES_AS_THEY_ARE:
        return Value(number, output_field=JSONField())
    return Value(number)


def _populators(rows: QuerySet[M], info: Any, select: Any) -> Sequence[Any]:
    """Return what fills in each of the objects that are selected along."""
    populators: Callable[..., Sequence[Any]] = get_related_populators
    if KNOWS_FETCH_MODES:
        mode = rows._fetch_mode  # type: ignore[attr-defined]  # the stubs don't know it yet
        return populators(info, select, connection.alias, mode)
    return populators(info, select, connection.alias)
