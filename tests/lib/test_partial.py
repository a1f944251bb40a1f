"""Which fields of a change somebody spoke about."""

from dataclasses import dataclass

from apps.lib.partial import UNSET, Unset, changes, given


@dataclass(frozen=True, slots=True)
class _Values:
    name: str | Unset = UNSET
    layout: int | Unset | None = UNSET


def test_only_what_was_said_is_given_and_none_is_a_word():
    assert given(_Values()) == {}
    assert given(_Values(layout=None)) == {"layout": None}
    assert given(_Values(name="", layout=3)) == {"name": "", "layout": 3}


def test_changes_are_the_fields_that_differ() -> None:
    assert changes({"a": 1, "b": 2}, {"a": 1, "b": 3}) == {"before": {"b": 2}, "after": {"b": 3}}
    assert changes({"a": 1}, {"a": 1}) == {}
