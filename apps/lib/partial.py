"""Say which fields of a change somebody spoke about, where None and "" are words of their own.

The `values=` of a change act is a frozen dataclass. Its fields default to UNSET, "leave it as
it is":

    @dataclass(frozen=True, slots=True)
    class CapValues:
        name: str | Unset = UNSET
        per_day: int | Unset | None = UNSET

`if values.name is not UNSET` narrows the type.
"""

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


class Unset(Enum):
    """The type of UNSET, for annotations."""

    UNSET = "unset"

    def __repr__(self) -> str:
        return "UNSET"


UNSET: Final = Unset.UNSET


def given(values: "DataclassInstance") -> dict[str, Any]:
    """Return the fields that were spoken about, by name, in the order of the class."""
    said = {each.name: getattr(values, each.name) for each in fields(values)}
    return {name: value for name, value in said.items() if value is not UNSET}


def merged(before: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was there with what is said laid over it, key by key; None removes a key."""
    both = {**before, **said}
    return {key: value for key, value in both.items() if value is not None or key not in said}


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return {"before": …, "after": …} with the fields that differ, for the history; {} if none."""
    names = [name for name in after if before[name] != after[name]]
    if not names:
        return {}
    return {
        "before": {name: before[name] for name in names},
        "after": {name: after[name] for name in names},
    }
