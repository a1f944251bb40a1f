"""How the document describes what all operations share: the headers of answers, our own faults, and
what is compared before a change.
"""

from collections.abc import Iterable
from typing import Any

from drf_spectacular.openapi import AutoSchema

from apps.api.edited import Edited
from apps.api.idempotency import METHODS
from apps.api.refusals import MEDIA_TYPE

_TEXT = {"type": "string"}
_NUMBER = {"type": "integer"}
HEADERS: dict[str, dict[str, Any]] = {
    "X-Request-Id": {
        "schema": {"type": "string", "format": "uuid"},
        "description": "The id of this call; name it when you ask us about it.",
    },
    "RateLimit-Limit": {"schema": _NUMBER, "description": "Calls in a minute."},
    "RateLimit-Remaining": {"schema": _NUMBER, "description": "Calls that are left now."},
    "RateLimit-Reset": {"schema": _NUMBER, "description": "Seconds until all are back."},
    "RateLimit-Policy": {"schema": _TEXT, "description": "Calls, and the window in seconds."},
    "Retry-After": {"schema": _NUMBER, "description": "Seconds to wait before the next try."},
    "ETag": {"schema": _TEXT, "description": "Send it back as `If-Match` with a change."},
    "Idempotency-Replayed": {
        "schema": {"type": "string", "enum": ["true"]},
        "description": "The answer of an earlier call with this key.",
    },
    "X-Original-Request-Id": {
        "schema": {"type": "string", "format": "uuid"},
        "description": "The id of that earlier call.",
    },
}
ALWAYS = [name for name in HEADERS if name.startswith(("X-Request", "RateLimit"))]
_OF_WRITES = ["Idempotency-Replayed", "X-Original-Request-Id"]
_PROBLEM = {"content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "schema": _TEXT,
    "description": "The `ETag` of what you read; 412 when it was changed since.",
}


def references(names: Iterable[str] = ALWAYS) -> dict[str, Any]:
    """Refer to these headers as the document describes them."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in sorted(names)}


class OperationSchema(AutoSchema):
    """The description of one operation."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        responses = operation["responses"]
        responses["500"] = {**_PROBLEM, "description": "Our fault; nothing was stored."}
        edited = isinstance(self.view, Edited)
        if edited and self.method in METHODS:
            operation.setdefault("parameters", []).append(_IF_MATCH)
            responses["412"] = {**_PROBLEM, "description": "Somebody else changed it."}
        for status, response in responses.items():
            names = list(ALWAYS)
            if status == "429":
                names.append("Retry-After")
            if status < "300" and self.method in METHODS:
                names += _OF_WRITES
            if status == "200" and edited:
                names.append("ETag")
            response["headers"] = references(names)
        operation["responses"] = dict(sorted(responses.items()))
        return operation


def describe_headers(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe each header once; drf-spectacular calls this on the whole document."""
    result["components"]["headers"] = HEADERS
    return result
