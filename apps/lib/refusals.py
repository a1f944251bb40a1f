"""Refusals: what an act raises when it won't do what was asked, for the person who asked."""

from collections.abc import Iterable
from enum import StrEnum
from typing import ClassVar

from django.utils.translation import gettext


class RefusalKind(StrEnum):
    """What stands in the way. Only `apps/api` knows which status each becomes."""

    VALUE = "value"  # what was given is wrong; another value would do
    STATE = "state"  # not now, as things stand
    MISSING = "missing"  # there is no such thing


class Refused(ValueError):
    """The act was not done, and nothing was changed; the sentence says what to do.

    `field` names the input that the refusal is about, "" for none. A class of its own lives beside
    the act that raises it, and says its `kind` and, where it is always the same one, its `field`.
    """

    kind: ClassVar[RefusalKind] = RefusalKind.VALUE
    field: str = ""

    def __init__(self, sentence: str, *, field: str = "") -> None:
        super().__init__(sentence)
        if field:
            self.field = field

    @property
    def sentence(self) -> str:
        return str(self)

    @property
    def discreet(self) -> str:
        """The sentence without what only staff may read, such as somebody's name."""
        return self.sentence

    @property
    def faults(self) -> list[tuple[str, str]]:
        """Each field that has to change, with a sentence about it. Empty: it is about none."""
        if not self.field:
            return []
        return [(self.field, self.discreet)]


class WrongState(Refused):
    """A thing is not in a state in which this can be done; the sentence says in which one it is."""

    kind = RefusalKind.STATE


def not_one_of(value: str, choices: Iterable[str]) -> str:
    """Say that a value is none of those there are."""
    said = gettext("{value} is not one of: {choices}.")
    return said.format(value=value, choices=", ".join(choices))
