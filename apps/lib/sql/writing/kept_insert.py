"""New rows whose INSERT is put together once per process: for the ORM that takes longer than for
the database to write the row.

For the rows that every call to notify writes. No signal of Django's is sent.
"""

from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import Model

from apps.lib.sql.prepared import Rows, Statement, run_soon

M = TypeVar("M", bound=Model)


class KeptInsert(Generic[M]):
    """The INSERT of a model whose primary key the database gives."""

    def __init__(self, model: type[M]) -> None:
        self._model = model

    def store(self, row: M) -> None:
        """Write a row that is not stored yet, and set its primary key; inside `gathering` of
        prepared.py later, with the next statement.
        """
        wrapper = connections[DEFAULT_DB_ALIAS]
        values = [
            field.get_db_prep_save(field.pre_save(row, add=True), wrapper) for field in self._fields
        ]

        def stored(rows: Rows) -> None:
            [(row.pk,)] = rows
            row._state.adding = False
            row._state.db = DEFAULT_DB_ALIAS

        run_soon(Statement(self._statement, values, stored))

    @cached_property
    def _fields(self) -> list[Any]:
        return [field for field in self._model._meta.concrete_fields if not field.primary_key]

    @cached_property
    def _statement(self) -> str:
        quote = connections[DEFAULT_DB_ALIAS].ops.quote_name
        meta = self._model._meta
        columns = ", ".join(quote(field.column) for field in self._fields)
        marks = ", ".join("%s" for _ in self._fields)
        key = quote(str(meta.pk.column))
        table = quote(meta.db_table)
        # names of the model's own
        return f"INSERT INTO {table} ({columns}) VALUES ({marks}) RETURNING {key}"  # noqa: S608
