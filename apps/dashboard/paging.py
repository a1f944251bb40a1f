"""The page of a list that a request asks for with `?after=` or `?before=`."""

from typing import TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpRequest

from apps.lib import keyset

Row = TypeVar("Row", bound=Model)


def page_of(request: HttpRequest, rows: QuerySet[Row], *, size: int = 50) -> keyset.Page[Row]:
    """A cursor that is not a number is a hand-written one: the first page is the answer."""
    return keyset.page(rows, after=_cursor(request, "after"), before=_cursor(request, "before"), size=size)


def _cursor(request: HttpRequest, name: str) -> int | None:
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
