"""JSON in, as every database can keep it."""

from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

from apps.lib import strict_json


class PlainJson(JSONParser):
    """Refuses what is JSON and can't be kept."""

    def parse(
        self,
        stream: IO[bytes],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            strict_json.check(data)
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
        except strict_json.BadJson as error:
            raise ParseError(f"The body {error}.") from error
        return data
