"""A source that is a table: its cells are said, the rest follows."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.db.models import Model, QuerySet

from apps.followers.exports.people import Rows, moment, only
from apps.followers.exports.source import MOMENT, NUMBER, TEXT, TRUTH, WHOLE

_TYPES = (
    (models.DateTimeField, MOMENT),
    (models.BooleanField, TRUTH),
    (models.IntegerField, WHOLE),  # ids, too
    (models.FloatField, NUMBER),
)


class Table:
    """Rows of a model in the order of their ids.

    `cells` says by column which attribute is told ("notification_type.key"), `lookups` how a filter
    narrows the rows ("state" or "name__icontains"). What is told otherwise is said in `narrowed`
    and `told`.
    """

    label: Any
    needs = "send"
    scope = ""
    model: type[Model]
    joins: Sequence[str] = ()
    cells: Mapping[str, str]
    lookups: Mapping[str, str] = {}
    counted: Sequence[str] = ()  # columns with numbers that no field holds

    @property
    def columns(self) -> Sequence[str]:
        return tuple(self.cells)

    @property
    def types(self) -> Mapping[str, str]:
        """Read them off the model; what is no field of it is text, or said in `counted`."""
        found = {column: _type_of(self.model, path) for column, path in self.cells.items()}
        return found | dict.fromkeys(self.counted, WHOLE)

    @property
    def filters(self) -> Sequence[str]:
        return tuple(self.lookups)

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return only(asked, dict.fromkeys(self.filters, str))

    def count(self, asked: Mapping[str, Any]) -> int:
        return self.narrowed(asked).count()

    def rows(self, asked: Mapping[str, Any], *, after: int, most: int) -> Rows:
        found = self.narrowed(asked).filter(pk__gt=after).order_by("pk")
        return [(row.pk, self.told(row)) for row in found[:most]]

    def narrowed(self, asked: Mapping[str, Any]) -> QuerySet[Any]:
        """Find the rows that a checked filter lets through."""
        rows = self.model._default_manager.select_related(*self.joins)
        return rows.filter(**{self.lookups[name]: value for name, value in asked.items()})

    def told(self, row: Any) -> dict[str, Any]:
        """Give a row's values by column."""
        return {column: told(_reached(row, path)) for column, path in self.cells.items()}


def told(value: Any) -> Any:
    """Write a value as JSON holds it."""
    match value:
        case dt.datetime():
            return moment(value)
        case dt.date() | dt.time():
            return value.isoformat()
        case UUID():
            return str(value)
    return value


def _type_of(model: type[Model], path: str) -> str:
    """Say what the field at the end of a path holds."""
    found: Any = None
    for name in path.split("."):
        if name == "pk":
            found = model._meta.pk
        else:
            try:
                found = model._meta.get_field(name)
            except FieldDoesNotExist:
                return TEXT
        model = found.related_model or model
    for kind, told_as in _TYPES:
        if isinstance(found, kind):
            return told_as
    return TEXT


def _reached(row: Any, path: str) -> Any:
    """Follow a path of attributes; None where one on the way is None."""
    found = row
    for name in path.split("."):
        if found is None:
            return None
        found = getattr(found, name)
    return found
