"""What comes in: JSON as every database can keep it, and moments that name their zone."""

import datetime as dt
from collections.abc import Mapping
from typing import IO, Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rest_framework import serializers
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser

from apps.lib import strict_json
from apps.lib.network.utf8 import charset_of
from apps.lib.refusals import NOT_FOUND


class PlainJson(BaseParser):
    """Refuses what is no JSON in UTF-8, and what is JSON and can't be kept or has two meanings."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        request = (parser_context or {})["request"]
        if charset_of(request.META) not in ("", "utf-8", "utf8"):
            raise UnsupportedMediaType(media_type or "")
        try:
            return strict_json.read(request.body.decode("utf-8-sig"))  # and not more than it may be
        except UnicodeDecodeError as error:
            raise ParseError("The body is not JSON: it has to be UTF-8.") from error
        except strict_json.BadJson as error:
            raise ParseError(f"The body {error}.") from error


_ZONE_NEEDED = (
    "Give the moment with its time zone, such as 2027-05-31T09:00:00+02:00, or in UTC as "
    "2027-05-31T07:00:00Z."
)


class MomentField(serializers.DateTimeField):
    """A moment in ISO 8601; a bare date, or a time without its zone, is refused and not guessed."""

    default_error_messages = {"naive": _ZONE_NEEDED}

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=dt.UTC, **options)

    def enforce_timezone(self, value: dt.datetime) -> dt.datetime:
        if timezone.is_naive(value):
            self.fail("naive")
        return super().enforce_timezone(value)


class WallField(serializers.CharField):
    """What a clock on the wall shows, without an offset; a naive datetime in Python."""

    default_error_messages = {
        "offset": "Give the time on the wall, such as 2027-05-31T09:00, without an offset.",
        NOT_FOUND.value: "There is no such day or time in the calendar.",
    }

    def to_internal_value(self, data: Any) -> Any:
        text = super().to_internal_value(data)
        try:
            wall = parse_datetime(text)
        except ValueError:  # it is written well, as the 31st of February may be
            self.fail(NOT_FOUND.value)
        if wall is None or wall.tzinfo is not None or len(text) <= len("2027-05-31"):
            self.fail("offset")
        return wall
