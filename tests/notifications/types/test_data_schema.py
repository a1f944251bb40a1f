"""The JSON Schema of a type: what it may be, and what it says about data."""

import time
from typing import Any

import pytest

from apps.notifications.types import data_schema
from apps.notifications.types.data_schema import BadSchema, Unfit, check_fit, check_schema
from tests.patience import PATIENCE


def _nested(levels: int, name: str) -> Any:
    if levels:
        return {name: _nested(levels - 1, name)}
    return {}


def _doubled(levels: int) -> dict[str, Any]:
    """A few lines that ask for the same part 2 to the power of `levels` times."""
    parts = {f"p{n}": {"allOf": [{"$ref": f"#/$defs/p{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/p0", "$defs": {**parts, f"p{levels}": {}}}


ORDER = {
    "type": "object",
    "required": ["order"],
    "properties": {
        "order": {"$ref": "#/$defs/order"},
        "due": {"type": "string", "format": "date-time"},
        "link": {"type": "string", "format": "uri"},
    },
    "$defs": {
        "order": {
            "type": "object",
            "properties": {"items": {"items": {"properties": {"price": {"minimum": 0}}}}},
        }
    },
}


def test_data_that_fits_passes() -> None:
    check_schema(ORDER)
    check_fit(
        ORDER,
        {
            "order": {"items": [{"price": 1}]},
            "due": "2026-05-01T08:00:00Z",
            "link": "https://a.example/x",
        },
    )


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
        ({"const": "\ud800"}, "half of a surrogate"),
        ({"const": "x" * 20_000}, "20,000 are possible"),
        ({"properties": {"a": {"pattern": "a{99999999999999999999}"}}}, "too large"),
        ({"items": {"patternProperties": {"^a": {}}}}, "patternProperties"),
        ({"items": {"$schema": "https://json-schema.org/draft/2020-12/schema"}}, "inside"),
        (_nested(300, "not"), "nested too deeply"),
    ],
)
def test_what_is_no_usable_schema_is_refused(schema: Any, says: str) -> None:
    with pytest.raises(BadSchema, match=says):
        check_schema(schema)


def test_a_schema_that_would_be_checked_for_years_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(data_schema, "SECONDS", 0.05)
    with pytest.raises(BadSchema, match="too long"):
        check_schema(_doubled(60))


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"pattern": "^(a|aa)+$"}, "a" * 90 + "!"),
        ({"multipleOf": 0.5}, 10**400),
        ({"$ref": "#/$defs/again"}, _nested(500, "a")),
    ],
)
def test_data_that_can_not_be_checked_does_not_fit(
    rule: dict[str, Any], value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {
        "properties": {"a": rule},
        "$defs": {"again": {"properties": {"a": {"$ref": "#/$defs/again"}}}},
    }
    check_schema(schema)
    monkeypatch.setattr(data_schema, "SECONDS", 0.05)
    with pytest.raises(Unfit, match="can't be checked"):
        check_fit(schema, {"a": value})


def test_many_objects_are_compared_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_schema, "SECONDS", PATIENCE)
    schema = {"properties": {"a": {"uniqueItems": True}}}

    def processor_time(count: int) -> float:
        rows = [{"n": n} for n in range(count)]
        began = time.thread_time()
        check_fit(schema, {"a": rows})
        return time.thread_time() - began

    few = min(processor_time(300) for _ in range(5))
    assert processor_time(3000) < 60 * few, "each with each would take a hundred times as long"
    with pytest.raises(Unfit, match="non-unique"):
        check_fit(schema, {"a": [{"n": 1, "m": 2}, {"m": 2, "n": 1}]})
