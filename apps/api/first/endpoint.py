"""What the first addresses share: arrays instead of pages, words between commas, ids of any form.

A browser that asks for one of them without a key is somebody who typed the address of a page, and
is sent there: pages have a slash at the end.
"""

import uuid
from collections.abc import Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponseBase, HttpResponseRedirect
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.endpoint import Endpoint, Strict
from apps.lib.sql import keyset

MOST = 1000  # rows of one answer
MOST_WORDS = 50
PlainRow = TypeVar("PlainRow", bound=Model)


class CommaWords(serializers.ListField):
    """Words, one by one or with commas between them: `tags=a,b` is `tags=a&tags=b`."""

    def __init__(self, **options: Any) -> None:
        word = serializers.CharField(max_length=80)
        super().__init__(child=word, max_length=MOST_WORDS, **options)

    def to_internal_value(self, data: Any) -> list[Any]:
        if isinstance(data, str):
            data = [data]
        parts: list[Any] = []
        for word in data:
            if isinstance(word, str):
                parts += [part.strip() for part in word.split(",") if part.strip()]
            else:
                parts.append(word)
        return super().to_internal_value(parts)


class ArrayQuery(Strict):
    """What every list takes."""

    limit = serializers.IntegerField(required=False, default=MOST, min_value=1, max_value=MOST)
    after = serializers.UUIDField(required=False)


class FirstEndpoint(Endpoint):
    """An address as it was at first."""

    schema = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if _is_a_reader(request):
            return HttpResponseRedirect(f"{request.path}/")
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response

    def array(
        self,
        rows: QuerySet[PlainRow],
        asked: dict[str, Any],
        shown: Callable[[list[Any]], Any],
    ) -> Response:
        """The newest rows as an array; a header `Link` leads to those that come after them."""
        after = None
        if "after" in asked:
            after = _found(rows.model._default_manager.all(), asked["after"]).pk
        page = keyset.page(rows, size=asked["limit"], after=after)
        response = Response(shown(page.rows))
        if page.next:
            last: Any = page.rows[-1]
            response["Link"] = f'<{_following(self.request, last.uid)}>; rel="next"'
        return response


def row_of(rows: QuerySet[PlainRow], id: str) -> PlainRow:
    """The row with this public id, in any of the forms of a UUID. Raises NotFound."""
    try:
        return _found(rows, uuid.UUID(id))
    except ValueError as error:
        raise NotFound from error


def _found(rows: QuerySet[PlainRow], uid: uuid.UUID) -> PlainRow:
    found = rows.filter(uid=uid).first()
    if found is None:
        raise NotFound
    return found


def _following(request: Request, last: uuid.UUID) -> str:
    query = [pair for pair in request.query_params.lists() if pair[0] != "after"]
    pairs = [(name, word) for name, words in query for word in words]
    address = request.build_absolute_uri(request.path)
    return f"{address}?{urlencode([*pairs, ('after', str(last))])}"


def _is_a_reader(request: HttpRequest) -> bool:
    if request.method != "GET" or "Authorization" in request.headers:
        return False
    return "text/html" in request.headers.get("Accept", "")
