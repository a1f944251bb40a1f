"""How the API describes itself: the schemes of authentication, and the page to try calls on."""

import re
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from apps.accounts.permissions import Capability, requires
from apps.api.auth import ApiKeyAuthentication, StaffSession
from apps.api.document.operation import references
from apps.api.idempotency import LONGEST, METHODS
from apps.api.refusals import KEY_HEADER, MEDIA_TYPE

# A line break inside a paragraph.
_WRAPPED = re.compile(r"(?<!\n)\n(?![\n*])")


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # theirs
    """How the schema describes API keys."""

    target_class = ApiKeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "car_live_…",
            "description": "An API key.",
        }


class StaffSessionScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # theirs
    """How the schema describes the session of the try-it page."""

    target_class = StaffSession
    name = "staffSession"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "apiKey",
            "in": "cookie",
            "name": "sessionid",
            "description": "A logged-in member of staff; for trying calls on this page.",
        }


def say_that_unknown_fields_are_refused(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Every body is read by a Strict serializer (endpoint.py);
    drf-spectacular calls this on the whole document.
    """
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request"):
            schema["additionalProperties"] = False
    return result


def join_wrapped_lines(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Describe each schema without the line breaks that its docstring has in our source.

    Paragraphs stay apart, and so do the values that drf-spectacular lists by lines with a star.
    """
    for schema in result["components"]["schemas"].values():
        if "description" in schema:
            schema["description"] = _WRAPPED.sub(" ", schema["description"])
    return result


def say_the_type_of_what_may_be_null(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """Name the type beside `nullable`: OpenAPI 3.0 ignores the word without one."""
    schemas = result["components"]["schemas"]
    fields = [field for schema in schemas.values() for field in _fields_of(schema)]
    for field in fields:
        if "nullable" in field and "type" not in field:
            first, *_ = field.get("allOf") or field["oneOf"]
            name = first["$ref"].rpartition("/")[2]
            field["type"] = schemas[name]["type"]
    return result


def _fields_of(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return list(schema.get("properties", {}).values())


def say_that_writes_take_a_key(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """The Idempotency-Key is done once for every write (idempotency.py),
    and so is its description.
    """
    result["components"]["parameters"] = {
        "IdempotencyKey": {
            "name": KEY_HEADER,
            "in": "header",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": LONGEST,
                "pattern": "^[!-~]([ -~]*[!-~])?$",  # printable ASCII; HTTP strips blanks
            },
            "description": (
                "A name of yours for this call, for example a UUID. Sent again with the same "
                "body, the call is not done again: you get the first answer with "
                "`Idempotency-Replayed: true`. 409 while the first one is still being worked on, "
                "422 when the body is another. Refusals are not kept."
            ),
        }
    }
    problem = {"schema": {"$ref": "#/components/schemas/Problem"}}
    for path in result["paths"].values():
        for method in path.keys() & {each.lower() for each in METHODS}:
            path[method].setdefault("parameters", []).append(
                {"$ref": "#/components/parameters/IdempotencyKey"}
            )
            responses = path[method]["responses"]
            for status, text in (
                ("409", "The first call with this key goes on."),
                ("422", "The key is used already."),
            ):
                refusal = {"content": {MEDIA_TYPE: problem}, "description": text}
                responses.setdefault(status, refusal | {"headers": references()})
            path[method]["responses"] = dict(sorted(responses.items()))
    return result


class Document(SpectacularAPIView):
    """The OpenAPI document, for staff and for programs that have a key."""

    throttle_classes: list[Any] = []


class TryIt(SpectacularSwaggerSplitView):
    """Swagger UI from our own files; its script is a request of its own,
    so that no inline script is needed.
    """

    permission_classes: list[Any] = []  # `requires` sends strangers to the log-in page
    throttle_classes: list[Any] = []
    url_name = "api:schema"
    template_name = "api/docs.html"


try_it = requires(Capability.VIEW)(TryIt.as_view())
