"""The JSON Schema of a type: what it may be, and what it says about data."""

import time
from typing import Any

import pytest
from jsonschema import FormatChecker

from apps.notifications.types import data_schema
from apps.notifications.types.data_schema import BadSchema, Unfit, check_fit, check_schema
from apps.notifications.types.schema_texts import FORMATS
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
    assert error.value.field == path


@pytest.mark.parametrize(
    ("schema", "says"),
    [
        ([], "JSON object"),
        ({"type": "objekt"}, "At type"),
        ({"type": "objekt"}, "'objekt' is not valid under any of the given schemas"),
        ({"properties": {"a": {"minLength": -1}}}, "At properties.a.minLength: -1 is less than"),
        ({"properties": {"a": 3}}, "At properties.a: 3 is not of type 'object', 'boolean'"),
        ({"properties": {"a": {"pattern": "("}}}, "is not a 'regex'"),
        ({"pattern": "(?i)a"}, "is not a 'regex'"),  # Python's own
        ({"pattern": "a\\Z"}, "is not a 'regex'"),
        ({"pattern": "^(?=a)"}, "looks around"),
        ({"pattern": "(a)\\1"}, "looks around or back"),
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
        ({"items": {"$id": "https://json.example/item"}}, "inside"),
        ({"$ref": "#nowhere"}, "leads nowhere"),
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
        ({"$ref": "#/$defs/again"}, _nested(500, "a")),
        ({"const": {}}, _nested(500, "a")),
        ({"$ref": "#/$defs/twice"}, _nested(60, "a")),
        ({"pattern": "[ab]*a[ab]{9000}c"}, "ab" * 1000),
        ({"items": {"pattern": "[ab]*a[ab]{300}c"}}, ["ab" * 50_000] * 200),
    ],
)
def test_data_that_can_not_be_checked_does_not_fit(
    rule: dict[str, Any], value: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = {"properties": {"a": {"$ref": "#/$defs/again"}}}
    twice = {"properties": {"a": {"allOf": [{"$ref": "#/$defs/twice"}] * 2}}}
    schema = {"properties": {"a": rule}, "$defs": {"again": again, "twice": twice}}
    check_schema(schema)
    monkeypatch.setattr(data_schema, "SECONDS", 0.001)  # a fast machine needs 50 for the last
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


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ({"pattern": "^(a|aa)+$"}, "a" * 90),
        ({"pattern": "^\\p{L}+$"}, "Žofie"),
        ({"pattern": "b"}, "abc"),  # not anchored
        ({"multipleOf": 0.5}, 10**400),
        ({"multipleOf": 0.01}, 4.35),
        ({"type": "integer"}, 1.0),
        ({"$anchor": "self", "items": {"$ref": "#self"}, "type": "array"}, [[], [[]]]),
        ({"format": "hostname"}, "- no -"),  # for people: only those in FORMATS are checked
        ({"format": "date-time"}, 7),
        ({"properties": {"$id": {"type": "string"}}}, {"$id": "x"}),
    ],
)
def test_what_draft_2020_12_takes_is_taken(rule: dict[str, Any], value: Any) -> None:
    schema = {"properties": {"a": rule}}
    check_schema(schema)
    check_fit(schema, {"a": value})


# The sentences that people have been reading since the first version.
@pytest.mark.parametrize(
    ("rule", "value", "path", "says"),
    [
        ({"type": ["string", "null"]}, 1, "a", "1 is not of type 'string', 'null'"),
        ({"enum": ["b", None]}, "c", "a", "'c' is not one of ['b', None]"),
        ({"const": {"z": 1, "b": 2}}, 1, "a", "{'z': 1, 'b': 2} was expected"),
        ({"minimum": 1}, 0, "a", "0 is less than the minimum of 1"),
        ({"maximum": 1}, 2.5, "a", "2.5 is greater than the maximum of 1"),
        ({"exclusiveMinimum": 1}, 1, "a", "1 is less than or equal to the minimum of 1"),
        ({"exclusiveMaximum": 1}, 1, "a", "1 is greater than or equal to the maximum of 1"),
        ({"multipleOf": 2}, 3, "a", "3 is not a multiple of 2"),
        ({"minLength": 1}, "", "a", "'' should be non-empty"),
        ({"minLength": 2}, "b", "a", "'b' is too short"),
        ({"maxLength": 0}, "b", "a", "'b' is expected to be empty"),
        ({"maxLength": 2}, "bcd", "a", "'bcd' is too long"),
        ({"pattern": "^b"}, "c", "a", "'c' does not match '^b'"),
        (
            {"pattern": "^(a|aa)+$"},
            "a" * 90 + "!",
            "a",
            f"'{'a' * 90}!' does not match '^(a|aa)+$'",
        ),
        ({"pattern": "^\\d$"}, "٣", "a", "'٣' does not match '^\\\\d$'"),  # ECMA-262: 0 to 9
        ({"format": "email"}, "b", "a", "'b' is not a 'email'"),
        ({"format": "idn-email"}, "b", "a", "'b' is not a 'idn-email'"),
        ({"format": "date"}, "2026-02-30", "a", "'2026-02-30' is not a 'date'"),
        ({"format": "ipv4"}, "1.2.3.04", "a", "'1.2.3.04' is not a 'ipv4'"),
        ({"format": "ipv6"}, "::1%eth0", "a", "'::1%eth0' is not a 'ipv6'"),
        ({"format": "uuid"}, "7" * 32, "a", f"'{'7' * 32}' is not a 'uuid'"),
        ({"minItems": 1}, [], "a", "[] should be non-empty"),
        ({"minItems": 2}, [1], "a", "[1] is too short"),
        ({"maxItems": 0}, [1], "a", "[1] is expected to be empty"),
        ({"maxItems": 1}, [1, 2], "a", "[1, 2] is too long"),
        ({"uniqueItems": True}, [1, 1.0], "a", "[1, 1.0] has non-unique elements"),
        ({"items": False}, [1], "a", "Expected at most 0 items but found 1 extra: 1"),
        (
            {"prefixItems": [{}], "items": False},
            [1, 2, 3],
            "a",
            "Expected at most 1 item but found 2 extra: [2, 3]",
        ),
        (
            {"unevaluatedItems": False},
            ["b"],
            "a",
            "Unevaluated items are not allowed ('b' was unexpected)",
        ),
        (
            {"contains": {"const": 1}},
            [2],
            "a",
            "[2] does not contain items matching the given schema",
        ),
        (
            {"contains": {"const": 1}, "minContains": 2},
            [1],
            "a",
            "Too few items match the given schema (expected at least 2 but only 1 matched)",
        ),
        (
            {"contains": {"const": 1}, "maxContains": 1},
            [1, 1],
            "a",
            "Too many items match the given schema (expected at most 1)",
        ),
        ({"required": ["b"]}, {}, "a", "'b' is a required property"),
        ({"minProperties": 1}, {}, "a", "{} should be non-empty"),
        ({"minProperties": 2}, {"b": 1}, "a", "{'b': 1} does not have enough properties"),
        ({"maxProperties": 0}, {"b": 1}, "a", "{'b': 1} is expected to be empty"),
        ({"maxProperties": 1}, {"z": 1, "b": 2}, "a", "{'z': 1, 'b': 2} has too many properties"),
        ({"dependentRequired": {"b": ["c"]}}, {"b": 1}, "a", "'c' is a dependency of 'b'"),
        ({"propertyNames": {"maxLength": 1}}, {"bb": 1}, "a", "'bb' is too long"),
        ({"propertyNames": False}, {"bb": 1}, "a", "False schema does not allow 'bb'"),
        ({"properties": {"b": False}}, {"b": 1}, "a.b", "False schema does not allow 1"),
        (
            {"additionalProperties": False},
            {"c": 1, "b": 2},
            "a",
            "Additional properties are not allowed ('b', 'c' were unexpected)",
        ),
        (
            {"properties": {"c": {}}, "additionalProperties": False},
            {"c": 1, "b": 2},
            "a",
            "Additional properties are not allowed ('b' was unexpected)",
        ),
        (
            {"unevaluatedProperties": False},
            {"b": 1},
            "a",
            "Unevaluated properties are not allowed ('b' was unexpected)",
        ),
        (
            {"unevaluatedProperties": {"type": "null"}},
            {"b": 1},
            "a",
            "Unevaluated properties are not valid under the given schema"
            " ('b' was unevaluated and invalid)",
        ),
        ({"not": {"type": "null"}}, None, "a", "None should not be valid under {'type': 'null'}"),
        (
            {"oneOf": [{"minimum": 0}, {"maximum": 9}, {"const": 4}]},
            5,
            "a",
            "5 is valid under each of {'maximum': 9}, {'minimum': 0}",
        ),
        (
            {"anyOf": [{"type": "null"}, {"type": "string"}]},
            5,
            "a",
            "5 is not valid under any of the given schemas",
        ),
        (
            {
                "anyOf": [
                    {"type": "null"},
                    {"properties": {"b": {"properties": {"c": {"minimum": 1}}}}},
                ]
            },
            {"b": {"c": 0}},
            "a.b.c",  # the innermost of alternatives
            "0 is less than the minimum of 1",
        ),
        (
            {"oneOf": [{"type": "null"}, {"type": "object", "required": ["b"]}]},
            {},
            "a",
            "'b' is a required property",
        ),
        (
            {"if": {"type": "integer"}, "then": {"minimum": 4}},
            1,
            "a",
            "1 is less than the minimum of 4",
        ),
        (
            {"maxLength": 1, "minimum": 3, "type": "string"},
            1,
            "a",
            "1 is less than the minimum of 3",
        ),
        ({"$ref": "#/$defs/a~1b"}, 1, "a", "1 is not of type 'array'"),
    ],
)
def test_a_fault_is_said_as_ever(rule: dict[str, Any], value: Any, path: str, says: str) -> None:
    schema = {"properties": {"a": rule}, "$defs": {"a/b": {"type": "array"}}}
    check_schema(schema)
    with pytest.raises(Unfit) as error:
        check_fit(schema, {"a": value})
    assert (error.value.field, str(error.value)) == (path, says)


def test_of_several_faults_the_outermost_is_told() -> None:
    schema = {"properties": {"a": {"properties": {"b": {"minimum": 1}}}, "c": {"type": "null"}}}
    with pytest.raises(Unfit) as error:
        check_fit(schema, {"a": {"b": 0}, "c": 1})
    assert error.value.field == "c"


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"allOf": [{"maxItems": 1}] * 400}, "is too long"),
        ({"anyOf": [{"maxItems": 1}] * 400}, "too much of it to say where"),
    ],
)
def test_what_does_not_fit_anywhere_is_not_copied_for_each_fault(
    rule: dict[str, Any], says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_schema, "_SAID", 10_000_000)
    with pytest.raises(Unfit, match=says):
        check_fit({"properties": {"a": rule}}, {"a": list(range(100_000))})


def test_much_data_is_counted_and_then_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data_schema, "SECONDS", PATIENCE)
    schema = {"properties": {"a": {"items": {"allOf": [{"type": "object"}] * 40}}}}
    check_fit(schema, {"a": [{"n": n, "text": "x" * 100} for n in range(10_000)]})


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"date-time", "uri"}))
def test_a_format_is_what_it_was(name: str) -> None:
    texts = [
        "", "b", "b@c", "@", "2026-05-01", "2026-5-1", "20260501", "٢٠٢٦-05-01", "2026-02-29",
        "1.2.3.4", "1.2.3", "::1", "::ffff:1.2.3.4", "::1%1",
        "12345678-1234-1234-1234-123456789abc",
        "{12345678-1234-1234-1234-123456789abc}", "urn:uuid:12345678-1234-1234-1234-123456789abc",
    ]  # fmt: skip
    library = FormatChecker((name,))
    ours = {"properties": {"a": {"format": name}}}
    for text in texts:
        assert _fits(ours, text) == library.conforms(text, name), text


def _fits(schema: dict[str, Any], value: Any) -> bool:
    try:
        check_fit(schema, {"a": value})
    except Unfit:
        return False
    return True
