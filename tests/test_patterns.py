"""No pattern of ours takes longer than its text is long, whoever wrote the text."""

import re

import pytest

from tests.patterns import Written, fault, written

# What stood in the code once, and what is like it.
SLOW = [
    r"<!--.*?-->",
    r"<(style|script)\b.*?</\1\s*>",
    r"\{%.*?%\}",
    r"\{\{.*?\}\}",
    r"<head(\s[^>]*)?>",
    r"<body\b[^>]*>",
    r"\S@\S+\.\S",
    r"[^@]+@[^@]+",
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(.+?)-----END",
    r"'(?=[\s']*[=+])",
    r"\s+$",
    r"a\s*x?\s*b",
    r"(a+)+b",
    r"(\w+\s?)+!",
]
QUICK = [
    r"<[^<>]*>",
    r"[ \t]+",
    r"(?<![\t ])[\t ]+$",
    r"@[^\s@]+\.",
    r"\*\|[^|*\n]{0,80}\|\*",
    r"\{\{-?\s*content\s*-?\}\}",
    r"[a-z]+(-[a-z]+)*",
    r"&[a-z]++;",
]


@pytest.mark.django_db  # the server's entry looks at the database when it is loaded
@pytest.mark.reported
def test_no_pattern_of_ours_can_be_made_slow() -> None:
    patterns = list(written("apps", "notifications_project"))
    assert len(patterns) > 80
    assert {each.place: fault(each) for each in patterns if fault(each)} == {}


@pytest.mark.parametrize("pattern", SLOW)
def test_a_slow_pattern_is_seen(pattern: str) -> None:
    assert fault(Written("x", pattern, re.DOTALL, anchored=False))


@pytest.mark.parametrize("pattern", QUICK)
def test_a_quick_pattern_is_let_through(pattern: str) -> None:
    assert fault(Written("x", pattern, 0, anchored=False)) == ""
