"""Look-ups whose SQL is put together once per process:
for the ORM that takes longer than to ask for the row.

For the handful that every call of the API makes; one took 0.6 ms and takes 0.25.
Elsewhere the ORM is quick enough.
"""

from collections.abc import Callable
from functools import cached_property
from typing import Generic, TypeVar

from django.db.models import Model, QuerySet

from apps.lib.sql.prepared import run_prepared
from apps.lib.sql.undocumented import Reading, reading_of

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
        reading = self._reading
        real = {_MARK + name: value for name, value in values.items()}
        parameters = list(reading.parameters)
        for place, each in enumerate(parameters):
            if type(each) is str:
                parameters[place] = real.get(each, each)
        found = run_prepared(reading.sql, parameters)
        if found:
            return reading.made(found[0])
        return None

    @cached_property
    def _reading(self) -> Reading[M]:
        """The statement, with marks for the texts, and what makes a row into objects."""
        return reading_of(self._rows(**{name: _MARK + name for name in self._names})[:1])
