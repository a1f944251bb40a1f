"""JSON from outside: all that can be kept, and nothing else."""

import json

import pytest

from apps.lib import strict_json
from apps.lib.strict_json import BadJson


def deep(levels: int) -> str:
    return "[" * levels + "]" * levels


@pytest.mark.parametrize(
    "text",
    [
        "1",
        "null",
        '{"a": [1, 2.5, "\\\\u0000", "\\ud83d\\ude00"]}',
        deep(100),
        '"' + "[" * 999 + '"',
    ],
)
def test_what_can_be_kept_is_read_as_it_is(text: str) -> None:
    assert strict_json.read(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "is not JSON: .* line 1 column 2"),
        ("", "is not JSON"),
        ('{"a": NaN}', "NaN is no number"),
        ("[-Infinity]", "-Infinity is no number"),
        ("1e999", "too large"),
        ("9" * 5000, "is not JSON"),
        ('{"\\u0000": 1}', "NUL"),
        ('"\\ud800"', "surrogate"),
        (deep(102), "too deep"),
        ("[" * 5000, "nested too deeply"),
        ('{"a": ' * 5000, "nested too deeply"),
        ('{"a": "' + "[" * 5000, "is not JSON"),
        ("[]," * 5000, "is not JSON"),
        (deep(5000), "too deep"),
        ("[" * 100_000, "too deep"),
    ],
)
def test_what_can_not_be_kept_is_refused_with_what_is_wrong(text: str, says: str) -> None:
    with pytest.raises(BadJson, match=says):
        strict_json.read(text)
