"""JSON in: not too deep, and only characters that every database can keep."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")  # escaped, as json.dumps writes it; not a backslash before u0000


class PlainJson(JSONParser):
    """NUL and halves of surrogate pairs are JSON, but no text that PostgreSQL can store."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            data = super().parse(stream, media_type, parser_context)
            text = json.dumps(data, ensure_ascii=False, allow_nan=False)
            text.encode()
        except RecursionError as error:
            raise ParseError("The body is nested too deeply.") from error
        except UnicodeEncodeError as error:
            raise ParseError("The body has half of a surrogate pair (\\ud800 to \\udfff). Send it whole.") from error
        except ValueError as error:  # 1e999 is JSON, and infinite to Python
            raise ParseError("The body has a number that is too large.") from error
        if _NUL.search(text):
            raise ParseError("The body has a NUL character (\\u0000), which can't be stored.")
        return data
