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


class Cause(StrEnum):
    """What stands in the way of a value whose form is right: what no description of the form can
    tell. The API shows the words as codes, so they never change.
    """

    NOT_FOUND = "not_found"  # it names something that is not there
    NOT_NOW = "not_now"  # a moment that has passed, that has not come, or that is too far away
    UNFIT = "unfit"  # it does not go with what something else says: a type, a template, a schema
    TOO_MUCH = "too_much"  # each part is right; together they are too many, too deep or too long


NOT_FOUND = Cause.NOT_FOUND
NOT_NOW = Cause.NOT_NOW
UNFIT = Cause.UNFIT
TOO_MUCH = Cause.TOO_MUCH


class Refused(ValueError):
    """The act was not done, and nothing was changed; the sentence says what to do.

    `field` names the input that the refusal is about, "" for none; `cause` says why a value whose
    form is right can't be taken, None where it is the form. A class of its own lives beside
    the act that raises it, and says its `kind` and, where it is always the same one, its `field`.
    """

    kind: ClassVar[RefusalKind] = RefusalKind.VALUE
    field: str = ""
    cause: Cause | None = None

    def __init__(self, sentence: str, *, field: str = "", cause: Cause | None = None) -> None:
        super().__init__(sentence)
        if field:
            self.field = field
        if cause:
            self.cause = cause

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
