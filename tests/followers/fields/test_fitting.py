"""A value fits its field, or a sentence says what to write."""

from typing import Any

import pytest

from apps.followers.fields.fitting import value_for
from apps.followers.models import CustomField
from apps.followers.profile_fields import BadFollower
from tests.followers.fields.world import PLANS


def field(kind: str) -> CustomField:
    options = PLANS if kind.startswith("choice") else []
    return CustomField(key="it", kind=kind, labels={"en": "It"}, options=options)


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        ("text", "  Riga ", "Riga"),
        ("text", 7, "7"),
        ("text", "", None),
        ("text", "Haupt\tstraße\n7", "Haupt\tstraße\n7"),
        ("number", 3, 3),
        ("number", "3", 3),
        ("number", "3,5", 3.5),
        ("number", "1 234,5", 1234.5),
        ("number", "1,234.50", 1234.5),
        ("number", "1.234,50", 1234.5),
        ("number", "-0.25", -0.25),
        ("boolean", "Да", True),
        ("boolean", "no", False),
        ("boolean", 0, False),
        ("date", "2026-05-31", "2026-05-31"),
        ("date", "2026-05-31T00:00:00Z", "2026-05-31"),
        ("date", "31.5.2026", "2026-05-31"),
        ("date", "5/31/2026", "2026-05-31"),
        ("choice", "PRO", "pro"),
        ("choice", "профи", "pro"),
        ("choices", ["free", "Professional", "free"], ["pro", "free"]),
        ("choices", "free; pro", ["pro", "free"]),
        ("choices", [], None),
    ],
)
def test_what_means_a_value_is_kept_as_one(kind: str, given: Any, kept: Any) -> None:
    found = value_for(field(kind), given)
    assert (found, type(found)) == (kept, type(kept))


@pytest.mark.parametrize(
    ("kind", "given", "said"),
    [
        ("text", True, "It: write a text."),
        ("text", "x" * 2001, "It: write at most 2000 characters."),
        ("text", "Ri\x00ga", "It: remove the control character."),
        ("text", "Ri\ud800ga", "It: remove the control character."),
        ("number", 10**400, "It: write a number of at most 15 digits."),
        ("number", "1,234", "1,234 can be read as two numbers. Write 1234 or 1.234."),
        ("number", "many", "It: write a number, such as 12.5."),
        ("number", True, "It: write a number, such as 12.5."),
        ("number", "9" * 16, "It: write a number of at most 15 digits."),
        ("number", float("inf"), "It: write a number, such as 12.5."),
        ("boolean", "perhaps", "It: write yes or no."),
        ("date", "2026-02-30", "It: write a date such as 2026-05-31."),
        ("date", "2026-05-31T14:00:00Z", "It: write a date such as 2026-05-31."),
        ("date", "20260531", "It: write a date such as 2026-05-31."),
        ("date", "4/5/2026", "day and month of 4/5/2026 can't be told apart."),
        ("choice", "gold", "It: choose one of: pro, free."),
        ("choice", ["pro"], "It: choose one of: pro, free."),
        ("choices", ["pro", "gold"], "It: choose one of: pro, free."),
    ],
)
def test_what_does_not_fit_is_told_what_to_write(kind: str, given: Any, said: str) -> None:
    with pytest.raises(BadFollower) as refused:
        value_for(field(kind), given)
    assert said in refused.value.sentence
