"""What one row of an import would do: from cells to a person,
and from a person to a decision with its reason.

Nothing here writes. The preview and the run take the same road,
so that what was shown is what happens.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF, normalise
from apps.followers.consent.suppression import states_of
from apps.followers.imports.csv_file import Row
from apps.followers.models import (
    Address,
    AddressState,
    Follower,
    Import,
    ImportedFollower,
    Tagging,
)
from apps.followers.profile_fields import BadFollower
from apps.lib import csv_cells
from apps.lib.refusals import Refused

# What a column can be; "metadata.<key>" is possible for any key besides.
TARGETS = {
    "ignore": "Leave out",
    "email": "Email",
    "phone": "Phone",
    "name": "Name",
    "first_name": "First name",
    "last_name": "Last name",
    "external_id": "External id",
    "language": "Language",
    "time_zone": "Time zone",
    "tags": "Tags (separated by ; or ,)",
    "subscribed": "Subscribed (yes or no)",
}
_KEYS = ("external_id", "email", "phone")  # what tells one person from another, in this order
_METADATA = "metadata."
_NAMES = {"external_id": "external id", "email": "email", "phone": "phone"}

_HEADINGS = {
    "email": "email emailaddress mail emailaddr почта емейл имейл емаил электроннаяпочта адресэлектроннойпочты элпочта",
    "phone": "phone phonenumber mobile mobilephone cell tel telephone sms телефон номертелефона мобильный сотовый тел",
    "name": "name fullname displayname contact имя фио полноеимя контакт имяифамилия",
    "first_name": "firstname givenname forename",
    "last_name": "lastname surname familyname фамилия",
    "external_id": "externalid id userid customerid crmid uid внешнийид идентификатор ид кодклиента номерклиента",
    "language": "language lang locale язык",
    "time_zone": "timezone tz часовойпояс таймзона",
    "tags": "tags tag labels groups теги тег метки метка группы",
    "subscribed": "subscribed subscription optin consent подписан подписка согласие",
}
_SUGGESTIONS = {
    heading: target for target, headings in _HEADINGS.items() for heading in headings.split()
}
_YES = frozenset(
    [
        "yes",
        "y",
        "true",
        "1",
        "on",
        "subscribed",
        "active",
        "да",
        "д",
        "истина",
        "подписан",
        "подписана",
    ]
)
_NO = frozenset(
    [
        "no",
        "n",
        "false",
        "0",
        "off",
        "unsubscribed",
        "inactive",
        "optout",
        "нет",
        "н",
        "ложь",
        "отписан",
        "отписана",
    ]
)


class BadMapping(Refused):
    """The columns can't be read this way."""


def suggest(columns: Iterable[str]) -> dict[str, str]:
    """A target for each column, guessed from its heading in English or Russian;
    "ignore" where nothing fits.
    """
    mapping: dict[str, str] = {}
    for column in columns:
        word = "".join(char for char in column.casefold().replace("ё", "е") if char.isalnum())
        target = _SUGGESTIONS.get(word, "ignore")
        if target in mapping.values():
            mapping[column] = "ignore"
        else:
            mapping[column] = target
    found = set(mapping.values())
    if {"name", "first_name"} <= found:  # the full name says it all
        instead = {"first_name": "ignore", "last_name": "ignore"}
    elif {"name", "last_name"} <= found:  # “Имя” beside “Фамилия” is the first name
        instead = {"name": "first_name"}
    else:
        instead = {}
    return {column: instead.get(target, target) for column, target in mapping.items()}


def check_mapping(columns: Sequence[str], mapping: Mapping[str, str]) -> dict[str, str]:
    """The mapping without what is left out. Raises BadMapping with what to change."""
    if unknown := [column for column in mapping if column not in columns]:
        raise BadMapping(
            f"The file has no column {unknown[0]!r}. Its columns are: {', '.join(columns)}."
        )
    used = {column: target for column, target in mapping.items() if target and target != "ignore"}
    for column, target in used.items():
        key = target.removeprefix(_METADATA)
        if target not in TARGETS and not (
            target.startswith(_METADATA) and key.strip() and len(key) <= 60
        ):
            raise BadMapping(
                f"{target!r} is nothing a column can be. Choose one of: {', '.join(TARGETS)}, metadata.<key>."
            )
        if twice := [other for other, same in used.items() if same == target and other != column]:
            raise BadMapping(
                f"{column!r} and {twice[0]!r} are both mapped to {target!r}. Leave one out."
            )
    targets = set(used.values())
    if not targets & set(_KEYS):
        raise BadMapping(
            "Map a column to email, phone or external_id: without one of them nobody can be told apart."
        )
    if "name" in targets and targets & {"first_name", "last_name"}:
        raise BadMapping("Map either one column to name, or two to first_name and last_name.")
    return used


@dataclass(frozen=True, slots=True)
class Options:
    """Choices for the whole file.

    Opt-outs in the file are obeyed even when existing followers are left alone.
    """

    tags: tuple[str, ...] = ()  # put on everybody in the file
    update: bool = True  # False: followers that exist already stay as they are
    wording: str = ""  # which consent text the people in the file saw

    @classmethod
    def read(cls, options: Mapping[str, Any]) -> "Options":
        """From {"tags": [names], "update": bool, "wording": text}. Raises BadMapping."""
        if unknown := set(options) - {"tags", "update", "wording"}:
            raise BadMapping(
                f"{unknown.pop()!r} is not an option. There are: tags, update, wording."
            )
        try:
            tags = profile_fields.tag_names(options.get("tags", ()))
        except BadFollower as error:
            raise BadMapping(str(error)) from error
        return cls(
            tuple(tags), bool(options.get("update", True)), str(options.get("wording", ""))[:40]
        )

    def as_json(self) -> dict[str, Any]:
        return {"tags": list(self.tags), "update": self.update, "wording": self.wording}


@dataclass(frozen=True, slots=True)
class Person:
    """What a row says, tidied; only what is not empty."""

    line: int
    keys: dict[str, str]  # of _KEYS: what is compared
    places: dict[str, tuple[str, str]]  # "email" and "phone": (value, key)
    values: dict[str, str]  # name, external_id, language, time_zone
    tags: list[str]
    subscribed: bool | None
    metadata: dict[str, str]


def read(row: Row, columns: Sequence[str], mapping: Mapping[str, str], options: Options) -> Person:
    """Raises Refused with the reason why this row can't be taken."""
    cells = row.cells
    # Excel likes to end a row with empty cells;
    # anything else that doesn't fit may have slipped into the wrong column.
    if len(cells) < len(columns) or any(cell.strip() for cell in cells[len(columns) :]):
        raise BadFollower(
            f"The row has {len(cells)} cells, but there are {len(columns)} headings.", field="row"
        )
    said = {
        target: csv_cells.original(cell).strip()
        for column, cell in zip(columns, cells, strict=False)
        if (target := mapping.get(column))
    }
    places = {
        name: normalise(channel, said[name])
        for name, channel in CHANNEL_OF.items()
        if said.get(name)
    }
    full_name = said.get("name") or f"{said.get('first_name', '')} {said.get('last_name', '')}"
    values = {
        "name": profile_fields.name(full_name),
        "external_id": profile_fields.external_id(said.get("external_id")),
        "language": profile_fields.language(said.get("language", "")),
        "time_zone": profile_fields.time_zone(said.get("time_zone", "")),
    }
    keys = {name: key for name, (_, key) in places.items()}
    if external_id := values["external_id"]:
        keys["external_id"] = external_id
    if not keys:
        raise BadFollower(
            "The row has no email, phone or external id, so nobody could tell whom it is about.",
            field="row",
        )
    metadata = {
        target.removeprefix(_METADATA): cell
        for target, cell in said.items()
        if target.startswith(_METADATA) and cell
    }
    return Person(
        line=row.line,
        keys=keys,
        places=places,
        values={name: value for name, value in values.items() if value},
        tags=profile_fields.tag_names([*re.split("[;,]", said.get("tags", "")), *options.tags]),
        subscribed=_yes_or_no(said.get("subscribed", "")),
        metadata=profile_fields.metadata(metadata),
    )


def _yes_or_no(text: str) -> bool | None:
    word = text.casefold()
    if not word:
        return None
    if word in _YES or word in _NO:
        return word in _YES
    raise BadFollower(
        f"{text[:40]!r} is neither yes nor no. Write yes or no under “subscribed”.",
        field="subscribed",
    )


class Action(StrEnum):
    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to one row.

    `changes` are {field: (before, after)}; `note` says why, or what stays as it is.
    """

    line: int
    action: Action
    cells: list[str]
    note: str = ""
    person: Person | None = None
    follower: Follower | None = None
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """`changes` for reading: (field, before, after) as text, each metadata key by itself."""
        lines: list[tuple[str, str, str]] = []
        for name, (before, after) in self.changes.items():
            if name == "metadata":
                old = before or {}
                lines += [
                    (f"metadata.{key}", _text(old.get(key)), _text(value))
                    for key, value in after.items()
                ]
            else:
                lines.append((name, _text(before), _text(after)))
        return lines


def _text(value: Any) -> str:
    if isinstance(value, bool):
        if value:
            return "yes"
        return "no"
    if isinstance(value, list):
        return ", ".join(value)
    return str("" if value is None else value)


@dataclass(slots=True)
class Memory:
    """Whom earlier rows of the same file spoke about: a later one is refused,
    so that a second run changes nothing.
    """

    lines_by_key: dict[tuple[str, str], int] = field(default_factory=dict)
    lines_by_follower: dict[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds about the people of a slice."""

    owners: dict[tuple[str, str], Follower]
    addresses: dict[tuple[int, str], list[Address]]
    tags: dict[int, set[str]]
    states: dict[tuple[str, str], AddressState]


def look_up(people: Sequence[Person], memory: Memory, *, job: Import | None = None) -> Known:
    """A handful of queries however many people.

    With `job`, the followers are locked and the memory of its earlier slices is read.
    """
    keys = {name: [person.keys[name] for person in people if name in person.keys] for name in _KEYS}
    holders = {
        (name, key): pk
        for name, channel in CHANNEL_OF.items()
        for key, pk in Address.objects.filter(channel=channel, key__in=keys[name]).values_list(
            "key", "follower_id"
        )
    }
    for key, pk in Follower.objects.filter(external_id__in=keys["external_id"]).values_list(
        "external_id", "pk"
    ):
        holders["external_id", str(key)] = pk
    # locked in one order, so that two imports can't wait for each other; no_key,
    # so that planning can't wait for either
    rows = Follower.objects.filter(pk__in=set(holders.values())).order_by("pk")
    followers = {row.pk: row for row in (rows.select_for_update(no_key=True) if job else rows)}

    addresses: dict[tuple[int, str], list[Address]] = {}
    for address in Address.objects.filter(follower__in=followers):
        addresses.setdefault((address.follower_id, address.channel), []).append(address)
    tags: dict[int, set[str]] = {}
    for pk, name in Tagging.objects.filter(follower__in=followers).values_list(
        "follower_id", "tag__name"
    ):
        tags.setdefault(pk, set()).add(name.casefold())
    if job:
        memory.lines_by_follower |= dict(
            ImportedFollower.objects.filter(job=job, follower__in=followers).values_list(
                "follower_id", "line"
            )
        )
    # whoever was deleted between two of these queries is not there any more
    owners = {place: followers[pk] for place, pk in holders.items() if pk in followers}
    states = {
        (name, key): state
        for name, channel in CHANNEL_OF.items()
        for key, state in states_of(channel, keys[name]).items()
    }
    return Known(owners, addresses, tags, states)


def decide(
    person: Person, cells: list[str], known: Known, memory: Memory, options: Options
) -> Decision:
    """What happens to this person, who is then remembered.

    The rules are those of `contacts.upsert_follower`.
    """
    follower = next(
        (row for key in _KEYS if (row := known.owners.get((key, person.keys.get(key, ""))))), None
    )
    if refusal := _refusal(person, follower, known, memory):
        return Decision(person.line, Action.REFUSED, cells, refusal)
    memory.lines_by_key |= dict.fromkeys(person.keys.items(), person.line)
    if follower is None:
        return Decision(
            person.line,
            Action.CREATE,
            cells,
            _note_on_new(person, known),
            person,
            None,
            _as_new(person),
        )
    memory.lines_by_follower[follower.pk] = person.line
    changes = {}
    if options.update:
        changes = _changes(person, follower, known)
    if person.subscribed is False and follower.subscribed:
        changes["subscribed"] = (True, False)
    note = "Unsubscribed, and stays so."
    if follower.subscribed:
        note = ""
    return Decision(
        person.line,
        Action.UPDATE if changes else Action.UNCHANGED,
        cells,
        note,
        person,
        follower,
        changes,
    )


def _refusal(person: Person, follower: Follower | None, known: Known, memory: Memory) -> str:
    for name, key in person.keys.items():
        if line := memory.lines_by_key.get((name, key)):
            return f"Line {line:,} of this file has the same {_NAMES[name]} already."
    if follower is None:
        return ""
    if line := memory.lines_by_follower.get(follower.pk):
        return f"Line {line:,} of this file is about the same follower already: {follower.label}."
    external_id = person.keys.get("external_id")
    if external_id and follower.external_id and follower.external_id != external_id:
        return (
            f"This address belongs to the follower with the external id {follower.external_id!r}."
        )
    for name, key in person.keys.items():
        owner = known.owners.get((name, key))
        if owner and owner.pk != follower.pk:
            return f"This {_NAMES[name]} belongs to another follower already: {owner.label}."
    try:
        profile_fields.metadata(follower.metadata | person.metadata)
    except BadFollower as error:
        return str(error)
    return ""


def _changes(person: Person, follower: Follower, known: Known) -> dict[str, tuple[Any, Any]]:
    changes: dict[str, tuple[Any, Any]] = {
        name: (getattr(follower, name) or "", value)
        for name, value in person.values.items()
        if getattr(follower, name) != value
    }
    for name, (value, key) in person.places.items():
        present = known.addresses.get((follower.pk, CHANNEL_OF[name]), [])
        if key not in {address.key for address in present}:
            changes[name] = (
                next((address.value for address in present if address.primary), ""),
                value,
            )
    old = {
        key: follower.metadata.get(key)
        for key, value in person.metadata.items()
        if follower.metadata.get(key) != value
    }
    if old:
        changes["metadata"] = (old, {key: person.metadata[key] for key in old})
    present_tags = known.tags.get(follower.pk, set())
    if new_tags := [name for name in person.tags if name.casefold() not in present_tags]:
        changes["tags"] = ([], new_tags)
    return changes


def _as_new(person: Person) -> dict[str, tuple[Any, Any]]:
    after: dict[str, Any] = {
        name: value for name, (value, _) in person.places.items()
    } | person.values
    if person.tags:
        after["tags"] = person.tags
    if person.metadata:
        after["metadata"] = person.metadata
    if person.subscribed is False:
        after["subscribed"] = False
    return {name: (None, value) for name, value in after.items()}


def _note_on_new(person: Person, known: Known) -> str:
    if any((name, key) in known.states for name, (_, key) in person.places.items()):
        return "On the suppression list: is added, but nothing is sent to this address."
    return ""


def judge_rows(
    rows: Sequence[Row],
    columns: Sequence[str],
    mapping: Mapping[str, str],
    options: Options,
) -> tuple[list[tuple[Row, Person]], list[Decision]]:
    """`(people, refused)`: rows that say something sensible,
    and the decisions about those that don't. No database.
    """
    people: list[tuple[Row, Person]] = []
    refused: list[Decision] = []
    for row in rows:
        try:
            people.append((row, read(row, columns, mapping, options)))
        except Refused as error:
            refused.append(Decision(row.line, Action.REFUSED, row.cells, str(error)))
    return people, refused
