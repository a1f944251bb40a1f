"""The JSON Schema of a type: what it may be, and what it says about data."""

from typing import Any

import pytest

from apps.notifications.data_schema import BadSchema, Unfit, check_fit, check_schema

ORDER = {
    "type": "object",
    "required": ["order"],
    "properties": {
        "order": {"$ref": "#/$defs/order"},
        "due": {"type": "string", "format": "date-time"},
        "link": {"type": "string", "format": "uri"},
    },
    "$defs": {
        "order": {"type": "object", "properties": {"items": {"items": {"properties": {"price": {"minimum": 0}}}}}}
    },
}


def test_data_that_fits_passes() -> None:
    check_schema(ORDER)
    check_fit(ORDER, {"order": {"items": [{"price": 1}]}, "due": "2026-05-01T08:00:00Z", "link": "https://a.example/x"})


@pytest.mark.parametrize(
    ("data", "path", "says"),
    [
        ({}, "", "'order' is a required property"),
        (
            {"order": {"items": [{"price": 1}, {"price": -1}]}},
            "order.items.1.price",
            "-1 is less than the minimum of 0",
        ),
        ({"order": {}, "due": "tomorrow"}, "due", "is not a 'date-time'"),
        ({"order": {}, "due": "2026-05-01T08:00:00"}, "due", "is not a 'date-time'"),
        ({"order": {}, "link": "a b"}, "link", "is not a 'uri'"),
    ],
)
def test_what_does_not_fit_is_named_by_its_path(data: dict[str, Any], path: str, says: str) -> None:
    with pytest.raises(Unfit, match=says) as error:
        check_fit(ORDER, data)
    assert error.value.path == path


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ([], "JSON object"),
        ({"type": "objekt"}, "At type"),
        ({"properties": {"a": {"pattern": "("}}}, "is not a 'regex'"),
        ({"$ref": "https://json.example/order.json"}, "leads elsewhere"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "leads nowhere"),
        ({"$ref": "#"}, "without end"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "2020-12"),
        ({"const": float("nan")}, "NaN"),
        ({"const": "\0"}, "NUL"),
        ({"const": "\ud800"}, "half of a character"),
        ({"const": "x" * 20_000}, "20,000 are possible"),
    ],
)
def test_what_is_no_usable_schema_is_refused(schema: Any, says: str) -> None:
    with pytest.raises(BadSchema, match=says):
        check_schema(schema)
