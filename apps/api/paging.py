"""Pages by cursor: newest or oldest first, stable while rows are added,
as fast at the end as at the start, never a COUNT.
"""

import hashlib
from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.parsing import MomentField
from apps.lib.crypto import Undecryptable, decrypt, encrypt
from apps.lib.refusals import NOT_FOUND
from apps.lib.sql import keyset

DEFAULT = 50
MOST = 200
SORTS = [("-created_at", "Newest first"), ("created_at", "Oldest first")]
_SIZES = f"Give a whole number from 1 to {MOST}."


class CursorPages(BasePagination):
    """Pages as `{"next": cursor | null, "previous": cursor | null, "results": [...]}`;
    a cursor goes back as `?cursor=`.
    """

    page: keyset.Page[Any]
    place: str

    def cut(
        self,
        rows: QuerySet[Any],
        serializer: type[serializers.BaseSerializer[Any]],
        request: Request,
    ) -> list[Any]:
        """Give the rows of the page that was asked for. Raises ValidationError."""
        asked = _asked(request, serializer)
        self.place = _place(request)
        position: dict[str, int] = {}
        if "cursor" in asked:
            position = _position(asked["cursor"], self.place)
        self.page = keyset.page(
            _within(rows, asked, serializer),
            size=asked["page_size"],
            oldest_first=asked.get("sort") == "created_at",
            after=position.get("after"),
            before=position.get("before"),
        )
        return self.page.rows

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "next": _cursor("after", self.page.next, self.place),
                "previous": _cursor("before", self.page.previous, self.place),
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
        error_messages=dict.fromkeys(("invalid", "min_value", "max_value"), _SIZES),
        help_text="How many results at most.",
    )


class TimedQuery(PageQuery):
    """What a list takes whose rows say when they were created."""

    sort = serializers.ChoiceField(
        SORTS, required=False, default="-created_at", help_text="Newest first, or oldest first."
    )
    created_after = MomentField(required=False, help_text="At this moment or later.")
    created_before = MomentField(required=False, help_text="Before this moment.")


class ChangedQuery(TimedQuery):
    """What a list takes whose rows say when they were changed, too."""

    updated_after = MomentField(required=False, help_text="At this moment or later.")
    updated_before = MomentField(required=False, help_text="Before this moment.")


PARAMETERS = tuple(ChangedQuery().fields)
_LOOKUPS = {"after": "gte", "before": "lt"}


def page_query(serializer: type[Any]) -> type[PageQuery]:
    """Say what may be asked of the pages of such rows."""
    times = _times(serializer)
    if "created_at" not in times:
        return PageQuery
    if "updated_at" in times:
        return ChangedQuery
    return TimedQuery


def _times(serializer: type[Any]) -> dict[str, str]:
    """The columns behind `created_at` and `updated_at`, as far as the rows have them."""
    fields = serializer._declared_fields
    found = {}
    for name in ("created_at", "updated_at"):
        if name in fields:
            found[name] = str(fields[name].source or name).replace(".", "__")
    return found


def _asked(request: Request, serializer: type[serializers.BaseSerializer[Any]]) -> dict[str, Any]:
    query = page_query(serializer)
    said = {name: request.query_params[name] for name in PARAMETERS if name in request.query_params}
    known = query().fields
    if unknown := [name for name in said if name not in known]:
        raise ValidationError({name: ["This list can't be asked that."] for name in unknown})
    given = query(data=said)
    given.is_valid(raise_exception=True)
    asked: dict[str, Any] = given.validated_data
    return asked


def _within(
    rows: QuerySet[Any], asked: dict[str, Any], serializer: type[serializers.BaseSerializer[Any]]
) -> QuerySet[Any]:
    """Narrow the rows to the times that were asked for."""
    columns = _times(serializer)
    for name, moment in asked.items():
        event, _, side = name.partition("_")
        if side in _LOOKUPS:
            rows = rows.filter(**{f"{columns[f'{event}_at']}__{_LOOKUPS[side]}": moment})
    return rows


# ---- cursors: a position in one list, which nobody can read, make or take elsewhere
def _place(request: Request) -> str:
    """The list that a cursor belongs to: its address, filters and order, in short."""
    asked = request.query_params
    filters = sorted(
        (name, value)
        for name in asked
        if name not in ("cursor", "page_size")
        for value in asked.getlist(name)
    )
    return hashlib.sha256(f"{request.path}?{urlencode(filters)}".encode()).hexdigest()[:16]


def _cursor(side: str, position: int | None, place: str) -> str | None:
    if position is None:
        return None
    return encrypt([side, position, place]).rstrip("=")


def _position(cursor: str, place: str) -> dict[str, int]:
    try:
        said = decrypt(cursor + "=" * (-len(cursor) % 4))
    except Undecryptable:
        said = None
    if not said:
        raise ValidationError(
            {"cursor": ["Send a cursor as it was given to you, or none."]}, code=NOT_FOUND
        )
    side, position, home = said
    if home != place:
        raise ValidationError(
            {
                "cursor": [
                    "This cursor belongs to another list. Ask with the address, filters and "
                    "order of the page that gave it to you."
                ]
            },
            code=NOT_FOUND,
        )
    return {side: position}
