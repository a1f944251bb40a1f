"""Look-ups whose SQL is put together once per process:
for the ORM that takes longer than to ask for the row.

For the handful that every call of the API makes; one took 0.6 ms and takes 0.25.
Elsewhere the ORM is quick enough.
"""

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import connection
from django.db.models import Model, QuerySet
from django.db.models.query import get_related_populators

from apps.lib.sql.prepared import run_prepared

M = TypeVar("M", bound=Model)
_MARK = "kept:"


class Kept(Generic[M]):
    """The first row of a queryset that differs from call to call only in some texts,
    related rows included.
    """

    def __init__(self, rows: Callable[..., QuerySet[M]], *names: str) -> None:
        """Take a function of `names` that puts each of them, as it is, where a text is compared."""
        self._rows = rows
        self._names = names

    def first(self, **values: str) -> M | None:
        sql, marked, built = self._made
        real = {_MARK + name: value for name, value in values.items()}
        parameters = list(marked)
        for place, each in enumerate(parameters):
            if type(each) is str:
                parameters[place] = real.get(each, each)
        found = run_prepared(sql, parameters)
        if found:
            return built(found[0])
        return None

    @cached_property
    def _made(self) -> tuple[str, Sequence[Any], Callable[[Sequence[Any]], M]]:
        """The statement, its parameters with marks for the texts,
        and what makes a row into objects.
        """
        rows = self._rows(**{name: _MARK + name for name in self._names})[:1]
        compiler: Any = rows.query.get_compiler(connection=connection)
        sql, marked = compiler.as_sql()
        # what QuerySet's own iteration does for each row,
        # prepared (django.db.models.query.ModelIterable)
        info = compiler.klass_info
        select = compiler.select
        model = info["model"]
        chosen = info["select_fields"]
        names = [select[place][0].target.attname for place in chosen]
        # the stubs are those of Django 6
        related = get_related_populators(info, select, connection.alias)  # type: ignore[call-arg]
        converters = compiler.get_converters([expression for expression, *_ in select])

        def built(found: Sequence[Any]) -> M:
            values = found
            if converters:
                values = next(iter(compiler.apply_converters([found], converters)))
            made: M = model.from_db(connection.alias, names, values[chosen[0] : chosen[-1] + 1])
            for populator in related:
                populator.populate(values, made)
            return made

        return sql, marked, built
