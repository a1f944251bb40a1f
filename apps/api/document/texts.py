"""What all texts that come in have in common: blanks alone are none."""

from collections.abc import Iterator
from typing import Any

from apps.api.document.patterns import KEY, NAME, SLUG, VISIBLE
from apps.followers.models import Channel

Schema = dict[str, Any]
_FORMS = ("pattern", "format", "enum")
_KEY: Schema = {"pattern": KEY, "maxLength": 60}
# what names a thing in an address, where that is no id
_IN_ADDRESSES: dict[str, Schema] = {
    "channel": {"pattern": f"^({'|'.join(Channel.values)})$"},
    "external_id": {"pattern": NAME, "maxLength": 200},
    "key": _KEY,
    "number": {"minimum": 1},
    "slug": {"pattern": SLUG, "maxLength": 80},
    "type": _KEY,
}
# bodies of which each field may be left out, and that can't be empty
_NEEDED = ("NewFollowerRequest", "PatchedScheduleInRequest", "ScheduleInRequest")


def say_that_blanks_are_no_text(result: Schema, **_: Any) -> Schema:
    """Say it of each text in a body or query; drf-spectacular calls this on the whole document."""
    for name, schema in result["components"]["schemas"].items():
        if name.endswith("Request"):
            for text in _texts(schema):
                _must_be_seen(text)
    for path in result["paths"].values():
        for operation in path.values():
            for parameter in operation.get("parameters", []):
                _describe(parameter)
            body = operation.get("requestBody", {})
            if any(needed in str(body) for needed in _NEEDED):
                body["required"] = True
    return result


def _texts(schema: Schema) -> Iterator[Schema]:
    for field in schema.get("properties", {}).values():
        yield field
        if "items" in field:
            yield field["items"]


def _must_be_seen(text: Schema) -> None:
    if text.get("minLength") == 1 and not any(form in text for form in _FORMS):
        text["pattern"] = VISIBLE


def _describe(parameter: Schema) -> None:
    schema = parameter.get("schema", {})
    if parameter.get("in") == "query":
        for text in (schema, schema.get("items", {})):
            _must_be_seen(text)
    if parameter.get("in") == "path":
        schema.update(_IN_ADDRESSES.get(parameter["name"], {}))
