"""The API's document as it is now, made once in a process: nobody who asks for it changes it."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator


@cache
def whole() -> dict[str, Any]:
    """Make the document that openapi.yaml holds."""
    made: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return made
