"""Read a row of a file: from its cells to a person, or to the reason why it says none.

What can't be read in a cell costs that cell. Only a row that says nobody, that can't be told into
cells, or that may say an opt-out in unknown words is refused.
"""

import csv
import datetime as dt
import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF, normalise
from apps.followers.fields.fitting import KnownFields, fitted
from apps.followers.imports import cells
from apps.followers.imports.columns import (
    CONSENT,
    KEYS,
    METADATA,
    TARGETS,
    BadMapping,
    check_mapping,
)
from apps.followers.imports.csv_file import CsvRow
from apps.followers.imports.options import WITHOUT_PLUS, Options
from apps.followers.imports.person import (
    NO_PROOF,
    BadRow,
    CellProblem,
    ImportedPerson,
    Place,
    ProofThere,
)
from apps.followers.imports.status_words import OPTED_OUT, STATUS, Standing, standings
from apps.followers.imports.words import language_names
from apps.followers.imports.words.moments import moment
from apps.followers.imports.words.systems import OBJECT
from apps.followers.models import Channel, Import, NotificationType
from apps.followers.profile_fields import BadFollower
from apps.lib.partial import merged
from apps.lib.refusals import Refused

KEPT = 10_000  # characters of a cell in the file of problems
_Value = TypeVar("_Value")
# What stands between the signs of a list, and the sign behind it.
_PART = re.compile(r"([^;,\n|<>]++)([;,\n|<>]?)")
_APART = re.compile(r"[;,\n|<>]|mailto:", re.IGNORECASE)
_MAILTO = re.compile(r"^mailto:([^?]*+).*", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Terms:
    """How the rows of one file are read: its columns, what each is, and the choices for all."""

    columns: Sequence[str]
    mapping: Mapping[str, str]
    options: Options
    uploaded_at: dt.datetime
    fields: KnownFields = field(default_factory=KnownFields)
    # (place in the row, column, target) of each column that is used
    used: Sequence[tuple[int, str, str]] = field(init=False)

    def __post_init__(self) -> None:
        used = [
            (place, column, self.mapping[column])
            for place, column in enumerate(self.columns)
            if column in self.mapping
        ]
        object.__setattr__(self, "used", used)

    @classmethod
    def of(
        cls, job: Import, mapping: Mapping[str, str], options: Mapping[str, Any] | None
    ) -> "Terms":
        """Check mapping and options of an import; what is not chosen is as it was suggested.

        Raises BadMapping.
        """
        columns = job.dialect["columns"]
        used = check_mapping(columns, mapping, job.dialect.get("may_say_out", ()))
        chosen = Options.read(job.options | dict(options or {}))
        _check_welcome(chosen.welcome)
        if chosen.do_not_contact and not set(used.values()) & set(CHANNEL_OF):
            raise BadMapping(
                gettext("A do-not-contact list needs a column of emails or phone numbers.")
            )
        return cls(columns, used, chosen, job.created_at)

    @classmethod
    def kept(cls, job: Import) -> "Terms":
        """Give the terms on which an import was started."""
        options = Options.read(job.options)
        return cls(job.dialect["columns"], job.mapping, options, job.created_at)


def _check_welcome(key: str) -> None:
    if not key:
        return
    kind = NotificationType.objects.filter(key=key, active=True, confirms=False).first()
    if kind is None or Channel.EMAIL not in kind.channels:
        said = gettext("There is no message type {type!r} that could greet people by email.")
        raise BadMapping(said.format(type=key))


_PROOF = frozenset(["subscribed_ip", "confirmed_at", "confirmed_ip", "wording", OPTED_OUT])
# what stands in the follower's own row, beside the name
_VALUES: Mapping[str, Callable[[str], str | None]] = {
    "first_name": profile_fields.first_name,
    "last_name": profile_fields.last_name,
    "external_id": profile_fields.external_id,
    "language": language_names.language,
    "time_zone": profile_fields.time_zone,
}


def read(row: CsvRow, terms: Terms) -> ImportedPerson:
    """Read what a row says of a person. Raises BadRow with the reason why it can't be taken."""
    if row.problem:
        raise BadRow("quotation_marks", row.problem[:1].upper() + row.problem[1:])
    said = _Said(_cells_by_target(row, terms))
    places = said.places(terms.options.country)
    first: dict[str, Place] = {}
    for place in places:
        first.setdefault(place.field, place)
    values = said.values()
    keys = {name: place.key for name, place in first.items()}
    if external_id := values.get("external_id"):
        keys["external_id"] = external_id
    if not keys:
        raise said.nobody()
    more = tuple(place for place in places if place is not first[place.field])
    tags = said.tags(terms.options.tags)
    standings, unknown = said.standings(terms.options.standing)
    metadata = said.metadata(terms.fields)
    proof = said.proof(terms)
    signed_up = said.moment("subscribed_at", terms) or proof.confirmed_at
    person = ImportedPerson(
        line=row.line,
        keys=keys,
        places=first,
        more=more,
        values=values,
        tags=tags,
        standings=standings,
        subscribed_at=signed_up,
        metadata=metadata,
        proof=proof,
        name_is_weak=said.name_is_weak(),
        problems=tuple(said.problems),
    )
    if unknown:
        unknown.person = person
        raise unknown
    return person


@dataclass(slots=True)
class _Said:
    """Read the cells of one row by target; `problems` are those that could not be read."""

    cells: dict[str, list[str]]
    has_whole_name: bool = False
    problems: list[CellProblem] = field(default_factory=list)

    def text(self, target: str) -> str:
        found = self.cells.get(target)
        if found:
            return found[0]
        return ""

    def read(self, target: str, how: Callable[[str], _Value]) -> _Value | None:
        """Read the target's cell; None without one, and where it can't be read."""
        cell = self.text(target)
        if not cell:
            return None
        try:
            return how(cell)
        except (ValueError, OverflowError, OSError) as error:  # a Refused is a ValueError
            self.miss(target, error, cell)
            return None

    def miss(self, target: str, error: Exception, cell: str) -> None:
        message = str(error)
        if not isinstance(error, Refused):
            said = gettext("{cell!r} can't be read: {error}")
            message = said.format(cell=cell[:40], error=message)
        self.problems.append(CellProblem(target, message, cell))

    def values(self) -> dict[str, str]:
        """Read what stands in the follower's own row."""
        values = {"name": self.name()}
        for target, how in _VALUES.items():
            if target in self.cells:
                values[target] = self.read(target, how)
        return {name: value for name, value in values.items() if value}

    def moment(self, target: str, terms: Terms) -> dt.datetime | None:
        first = terms.options.dates
        return self.read(target, lambda cell: moment(cell, now=terms.uploaded_at, first=first))

    def proof(self, terms: Terms) -> ProofThere:
        if self.cells.keys().isdisjoint(_PROOF):
            return NO_PROOF
        return ProofThere(
            subscribed_ip=self.read("subscribed_ip", _network_address),
            confirmed_at=self.moment("confirmed_at", terms),
            confirmed_ip=self.read("confirmed_ip", _network_address),
            unsubscribed_at=self.opted_out_at(terms),
            wording=self.text("wording")[:40] or None,
        )

    def opted_out_at(self, terms: Terms) -> dt.datetime | None:
        """Give the date that an opt-out column holds instead of a yes."""
        for cell in self.cells.get(OPTED_OUT, []):
            try:
                return moment(cell, now=terms.uploaded_at, first=terms.options.dates)
            except ValueError:
                continue
        return None

    def name(self) -> str | None:
        """Read the name: whole, or from its parts, or as it stands before an address."""
        self.has_whole_name = bool(self.text("name"))
        if self.has_whole_name:
            return self.read("name", profile_fields.name)
        whole = profile_fields.whole_name(self.text("first_name"), self.text("last_name"))
        if not whole:
            whole = _named(self.text("email"))
        self.cells["name"] = [whole]
        return self.read("name", profile_fields.name)

    def name_is_weak(self) -> bool:
        parts = self.text("first_name") and self.text("last_name")
        return not self.has_whole_name and not parts

    def places(self, country: str) -> list[Place]:
        """Read all addresses, each once."""
        found: dict[tuple[str, str], Place] = {}
        for name, channel in CHANNEL_OF.items():
            if name not in self.cells:
                continue
            for part in _parts(self.text(name)):
                try:
                    value, key = _normalised(channel, part, country)
                except Refused as error:
                    self.miss(name, error, part)
                else:
                    found.setdefault((name, key), Place(name, value, key))
        return list(found.values())

    def nobody(self) -> BadRow:
        """Say why nobody could tell whom the row is about."""
        for problem in self.problems:
            if problem.sort in KEYS:
                return BadRow(problem.sort, problem.message)
        return BadRow(
            "nobody",
            gettext(
                "The row has no email, phone or external id, so nobody could tell whom it is about."
            ),
        )

    def standings(self, of_all: str) -> tuple[frozenset[Standing], BadRow | None]:
        """Read all columns about consent, and say what is wrong with the first unknown word."""
        found = standings(STATUS, of_all)
        unknown = None
        for target in CONSENT:
            for cell in self.cells.get(target, []):
                try:
                    found |= standings(target, cell)
                except ValueError:
                    unknown = unknown or BadRow(target, _unknown_word(target, cell), cell)
        return found, unknown

    def tags(self, of_all: Sequence[str]) -> list[str]:
        names = list(of_all)
        for cell in self.cells.get("tags", []):
            try:
                names = profile_fields.tag_names([*_tags_in(cell), *names])
            except BadFollower as error:
                self.miss("tags", error, cell)
        return names

    def metadata(self, fields: KnownFields) -> dict[str, Any]:
        said: dict[str, Any] = {}
        for key, value in (self.read(OBJECT, _object) or {}).items():
            said[key] = value
        for target, texts in self.cells.items():
            if target.startswith(METADATA):
                said[target.removeprefix(METADATA)] = texts[0]
        if not said:
            return {}
        try:
            return profile_fields.metadata(_fit(said, fields))
        except BadFollower:
            return self.fitting_metadata(said, fields)

    def fitting_metadata(self, said: Mapping[str, Any], fields: KnownFields) -> dict[str, Any]:
        """Leave out what can't be kept, key by key."""
        kept: dict[str, Any] = {}
        for key, value in said.items():
            try:
                more = _fit({key: value}, fields)
                profile_fields.metadata(kept | more)
            except BadFollower as error:
                self.miss(f"{METADATA}{key}", error, str(value))
            else:
                kept |= more
        return kept


def _fit(said: Mapping[str, Any], fields: KnownFields) -> dict[str, Any]:
    return merged({}, fitted(said, before={}, fields=fields))


def named_in(texts: Sequence[str], country: str) -> set[tuple[str, str]]:
    """List by what the cells of a row that can't be read may name somebody: {(name, key)}."""
    found = set()
    for text in texts:
        whole = cells.original(text[:KEPT]).strip()
        found.add(("external_id", whole))
        for part in _parts(whole):
            found.add(("external_id", part))
            for name, channel in CHANNEL_OF.items():
                with suppress(Refused):
                    found.add((name, _normalised(channel, part, country)[1]))
    return found


def _network_address(cell: str) -> str:
    # fe80::1%eth0 names a network card of that machine, which says nothing elsewhere
    return str(ipaddress.ip_address(cell)).partition("%")[0]


def _object(cell: str) -> dict[str, Any]:
    try:
        value = json.loads(cell)
    except (ValueError, RecursionError):  # brackets within brackets
        value = None
    return profile_fields.metadata(value)


def _normalised(channel: str, part: str, country: str) -> tuple[str, str]:
    if country != WITHOUT_PLUS:
        return normalise(channel, part, country=country)
    if channel == Channel.SMS and part[:1] in "123456789":
        return normalise(channel, f"+{part}")
    return normalise(channel, part)


def _unknown_word(target: str, cell: str) -> str:
    if target == STATUS:
        said = gettext(
            "{cell!r} is neither yes nor no, nor a known status. Write subscribed or unsubscribed."
        )
    else:
        said = gettext("{cell!r} is neither yes nor no, nor a date. Write yes or no.")
    return said.format(cell=cell[:40])


def _cells_by_target(row: CsvRow, terms: Terms) -> dict[str, list[str]]:
    """Give the cells that are mapped to something and not empty, stripped. Raises BadRow."""
    columns = terms.columns
    # Excel likes to end a row with empty cells; anything else that doesn't fit may have slipped
    # into the wrong column.
    beyond = row.cells[len(columns) :]
    if len(row.cells) < len(columns) or any(cell.strip() for cell in beyond):
        words = gettext("The row has {cells} cells, but there are {headings} headings.")
        counts = {"cells": len(row.cells), "headings": len(columns)}
        raise BadRow("cells", words.format(**counts))
    said: dict[str, list[str]] = {}
    for place, column, target in terms.used:
        text = cells.original(row.cells[place]).strip()
        if terms.options.values:
            text = terms.options.instead(column, text)
        if text:
            said.setdefault(target, []).append(text)
    return said


def _parts(cell: str) -> list[str]:
    """Split a cell with addresses: `Anna <a@x.org>`, `a@x.org; b@y.org`, and both together."""
    cell = cell.strip()
    if not cell:
        return []
    if not _APART.search(cell):
        return [cell]
    parts = []
    for part, sign in _PART.findall(cell):
        is_name = sign == "<"
        if "<" in cell and sign != ">" and "@" not in part:
            is_name = True  # “Smith, Anna <a@x.org>” begins with half a name
        if not is_name:
            parts.append(_MAILTO.sub(r"\1", part.strip()))
    return [part for part in parts if part]


def _named(cell: str) -> str:
    name, bracket, _ = cell.partition("<")
    if not bracket:
        return ""
    return name.strip().strip("\"'").strip()


def _tags_in(cell: str) -> list[str]:
    """Split a cell with tags; `"VIP","Beta"` and `["VIP", "Beta"]` lose their marks."""
    text = cell
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if '"' not in text and not text.startswith("'"):
        return re.split(r"[;,]", text)
    delimiter = ","
    if re.search(r"""["']\s*;""", text):
        delimiter = ";"
    mark = '"'
    if text.startswith("'"):
        mark = "'"
    line = text.replace("\n", " ").replace("\r", " ")
    reader = csv.reader([line], delimiter=delimiter, quotechar=mark, skipinitialspace=True)
    return [name.strip(' "') for name in next(reader)]


# The sorts of problems that are about no single target.
_SORTS = {
    "taken": _("Address of another follower"),
    "metadata": _("Metadata"),
    "nobody": pgettext_lazy("import", "Nobody"),
    "cells": _("Number of cells"),
    "quotation_marks": _("Quotation marks"),
    "twice": _("Twice in the file"),
    "erased": _("Erased, and not added again"),
}


def sort_label(sort: str) -> str:
    """Give the words for a sort of problem: the name of a target, or as it is."""
    label = str(TARGETS.get(sort) or _SORTS.get(sort) or sort)
    return label.partition(" (")[0]
