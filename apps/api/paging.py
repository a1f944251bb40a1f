"""Pages by cursor: newest first, stable while rows are added,
as fast at the end as at the start, never a COUNT.
"""

import base64
import re
from typing import Any

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from apps.lib.sql import keyset

DEFAULT = 50
MOST = 200


class CursorPages(BasePagination):
    """Pages as `{"next": cursor | null, "previous": cursor | null, "results": [...]}`;
    a cursor goes back as `?cursor=`.
    """

    page: keyset.Page[Any]

    def paginate_queryset(  # type: ignore[override]  # a cursor needs a queryset, no sequence
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> list[Any]:
        self.page = keyset.page(queryset, size=_size(request), **_position(request))
        return self.page.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "next": _cursor("after", self.page.next),
                "previous": _cursor("before", self.page.previous),
                "results": data,
            }
        )

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        cursor = {
            "type": "string",
            "nullable": True,
            "description": "Send it back as `cursor`; null at the end.",
        }
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": cursor, "previous": cursor, "results": schema},
        }


class PageQuery(serializers.Serializer[Any]):
    """What every list takes beside its own filters; read here, described by `described`."""

    cursor = serializers.CharField(
        required=False, help_text="`next` or `previous` of another page of this list."
    )
    page_size = serializers.IntegerField(
        required=False,
        default=DEFAULT,
        min_value=1,
        max_value=MOST,
        help_text="How many results at most.",
    )


PARAMETERS = ("cursor", "page_size")


def _size(request: Request) -> int:
    text = request.query_params.get("page_size", str(DEFAULT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= MOST:
        raise ValidationError({"page_size": [f"Give a whole number from 1 to {MOST}."]})
    return int(text)


def _cursor(side: str, position: int | None) -> str | None:
    if position is None:
        return None
    return base64.urlsafe_b64encode(f"{side}:{position}".encode()).decode().rstrip("=")


def _position(request: Request) -> dict[str, int]:
    text = request.query_params.get("cursor")
    if text is None:
        return {}
    try:
        plain = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        plain = ""
    # 18 digits stay within the 64 bits of an id
    if not (found := re.fullmatch(r"(after|before):([0-9]{1,18})", plain)):
        raise ValidationError({"cursor": ["Send a cursor as it was given to you, or none."]})
    return {found[1]: int(found[2])}
