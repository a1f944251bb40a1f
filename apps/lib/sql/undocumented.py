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
from django.db import connection
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


@dataclass(frozen=True)
class Reading(Generic[M]):
    """A queryset's statement and what makes an object, with those selected along, of a row."""

    sql: str
    parameters: Sequence[Any]
    made: Callable[[Sequence[Any]], M]


def reading_of(rows: QuerySet[M]) -> Reading[M]:
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

    def made(found: Sequence[Any]) -> M:
        values = found
        if converters:
            values = next(iter(compiler.apply_converters([found], converters)))
        row: M = model.from_db(connection.alias, names, values[first:end])
        for populator in related:
            populator.populate(values, row)
        return row

    return Reading(sql, parameters, made)


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
