"""A kind of rows that can be taken out."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from django.conf import settings
from django.utils.functional import Promise
from django.utils.module_loading import import_string
from django.utils.translation import gettext

from apps.lib.refusals import NOT_FOUND, Refused

# What a column holds, for formats that have types.
TEXT = "text"  # lists and objects, too, written as JSON
WHOLE = "whole"
NUMBER = "number"
TRUTH = "truth"
MOMENT = "moment"  # RFC 3339 in UTC


# All that is held about one person (followers/privacy/copies.py): written as exports are, and among
# the lists that staff take out nowhere.
PERSON = "person"


class BadExport(Refused):
    """What is asked for can't be exported; `field` says which part of it."""


class ExportSource(Protocol):
    """How a kind of rows is asked for, counted and read.

    `needs` is the capability of staff who may take it out ("send", "administer"), `scope` that of
    API keys; "" keeps it from them.
    """

    label: str | Promise
    needs: str
    scope: str
    filters: Sequence[str]

    @property
    def columns(self) -> Sequence[str]:
        """The names of what `rows` gives."""

    @property
    def types(self) -> Mapping[str, str]:
        """What each column holds that is not text: WHOLE, NUMBER, TRUTH or MOMENT."""

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """Give the filter as it is stored. Raises BadExport."""

    def count(self, asked: Mapping[str, Any]) -> int:
        """Count the rows, for the progress."""

    def rows(
        self, asked: Mapping[str, Any], *, after: int, most: int
    ) -> list[tuple[int, dict[str, Any]]]:
        """Give the next rows by id: each with its id and its values by column, as JSON holds
        them.
        """


def reader_of(kind: str) -> ExportSource:
    """Find what reads the rows of an export that was begun. Raises BadExport."""
    if kind == PERSON:
        found: ExportSource = import_string(settings.PERSON_EXPORT)()
        return found
    return source_of(kind)


@cache
def sources() -> dict[str, ExportSource]:
    """All kinds, by name."""
    return {name: import_string(path)() for name, path in settings.EXPORTS.items()}


def source_of(kind: str) -> ExportSource:
    """Find a kind. Raises BadExport."""
    found = sources().get(kind)
    if found is None:
        said = gettext("{kind!r} can't be exported. Known: {known}.")
        words = {"kind": kind, "known": ", ".join(sources())}
        raise BadExport(said.format(**words), field="kind", cause=NOT_FOUND)
    return found


def typed(columns: Sequence[str], **said: str) -> dict[str, str]:
    """Give the types of columns: those that are said, and moments, which end in "at"."""
    moments = [name for name in columns if name == "at" or name.endswith("_at")]
    return dict.fromkeys(moments, MOMENT) | said
