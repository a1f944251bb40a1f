"""The page of a list that a request asks for with `?after=` or `?before=`."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from apps.dashboard.shell.forms import whole_number
from apps.lib.sql import keyset

Row = TypeVar("Row", bound=Model)


def page_of(
    request: HttpRequest, rows: QuerySet[Row], *, scattered: bool = False
) -> keyset.Page[Row]:
    """A cursor that is not a number is a hand-written one: the first page is the answer.
    `scattered` as in `keyset.page`.
    """
    after = whole_number(request.GET.get("after", ""))
    before = whole_number(request.GET.get("before", ""))
    return keyset.page(rows, after=after, before=before, scattered=scattered)


def beside(row: object, **values: object) -> None:
    """Hang onto a row what its page shows beside its own columns; only templates read it."""
    for name, value in values.items():
        setattr(row, name, value)
