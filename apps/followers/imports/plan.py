"""Decide what each person of a file would change, with the reason.

Nothing here writes. The preview and the run take the same road, so that what was shown is what
happens.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from operator import attrgetter
from typing import Any

from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF
from apps.followers.consent.suppression import states_of
from apps.followers.imports.columns import KEYS
from apps.followers.imports.csv_file import CsvRow
from apps.followers.imports.rows import ImportedPerson, Options, read
from apps.followers.models import (
    Address,
    AddressState,
    Follower,
    Import,
    ImportedFollower,
    Tagging,
)
from apps.followers.profile_fields import BadFollower
from apps.lib.refusals import Refused

_NAMES = {"external_id": "external id", "email": "email", "phone": "phone"}


class Action(StrEnum):
    """What an import does with a row."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RowDecision:
    """What happens to one row.

    `changes` are {field: (before, after)}; `note` says why, or what stays as it is.
    """

    line: int
    action: Action
    cells: list[str]
    note: str = ""
    person: ImportedPerson | None = None
    follower: Follower | None = None
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    @property
    def differences(self) -> list[tuple[str, str, str]]:
        """Give `changes` for reading: (field, before, after) as text, one per metadata key."""
        lines: list[tuple[str, str, str]] = []
        for name, (before, after) in self.changes.items():
            if name != "metadata":
                lines.append((name, _text(before), _text(after)))
                continue
            old = before or {}
            for key, value in after.items():
                lines.append((f"metadata.{key}", _text(old.get(key)), _text(value)))
        return lines


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        if value:
            return "yes"
        return "no"
    if isinstance(value, list):
        return ", ".join(value)
    return str(value)


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


def look_up(
    people: Sequence[ImportedPerson], memory: Memory, *, job: Import | None = None
) -> Known:
    """Read what the database holds about these people, in a handful of queries however many.

    With `job`, the followers are locked and the memory of its earlier slices is read.
    """
    keys: dict[str, list[str]] = {name: [] for name in KEYS}
    for person in people:
        for name, key in person.keys.items():
            keys[name].append(key)
    holders = _holders(keys)
    # Locked in one order, so that two imports can't wait for each other; no_key, so that planning
    # can't wait for either.
    rows = Follower.objects.filter(pk__in=set(holders.values())).order_by("pk")
    if job:
        rows = rows.select_for_update(no_key=True)
    followers = {row.pk: row for row in rows}

    addresses: dict[tuple[int, str], list[Address]] = {}
    for address in Address.objects.filter(follower__in=followers):
        addresses.setdefault((address.follower_id, address.channel), []).append(address)
    tags: dict[int, set[str]] = {}
    taggings = Tagging.objects.filter(follower__in=followers)
    for pk, name in taggings.values_list("follower_id", "tag__name"):
        tags.setdefault(pk, set()).add(name.casefold())
    if job:
        imported = ImportedFollower.objects.filter(job=job, follower__in=followers)
        memory.lines_by_follower |= dict(imported.values_list("follower_id", "line"))
    # whoever was deleted between two of these queries is not there any more
    owners = {place: followers[pk] for place, pk in holders.items() if pk in followers}
    states: dict[tuple[str, str], AddressState] = {}
    for name, channel in CHANNEL_OF.items():
        for key, state in states_of(channel, keys[name]).items():
            states[name, key] = state
    return Known(owners, addresses, tags, states)


def _holders(keys: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], int]:
    """Find who has each key: {(name of the key, key): primary key of the follower}."""
    holders: dict[tuple[str, str], int] = {}
    for name, channel in CHANNEL_OF.items():
        rows = Address.objects.filter(channel=channel, key__in=keys[name])
        for key, pk in rows.values_list("key", "follower_id"):
            holders[name, key] = pk
    known = Follower.objects.filter(external_id__in=keys["external_id"])
    for external_id, pk in known.values_list("external_id", "pk"):
        holders["external_id", str(external_id)] = pk
    return holders


def judge_rows(
    rows: Sequence[CsvRow],
    columns: Sequence[str],
    mapping: Mapping[str, str],
    options: Options,
) -> tuple[list[tuple[CsvRow, ImportedPerson]], list[RowDecision]]:
    """Tell the rows that say something sensible from the refused ones. No database.

    Returns `(people, refused)`.
    """
    people: list[tuple[CsvRow, ImportedPerson]] = []
    refused: list[RowDecision] = []
    for row in rows:
        try:
            people.append((row, read(row, columns, mapping, options)))
        except Refused as error:
            refused.append(RowDecision(row.line, Action.REFUSED, row.cells, str(error)))
    return people, refused


def decide_slice(
    people: Sequence[tuple[CsvRow, ImportedPerson]],
    refused: Sequence[RowDecision],
    memory: Memory,
    options: Options,
    *,
    job: Import | None = None,
) -> list[RowDecision]:
    """Decide about the people that `judge_rows` found; all decisions in the order of the file.

    `job` as in `look_up`.
    """
    known = look_up([person for _, person in people], memory, job=job)
    decided = [decide(person, row.cells, known, memory, options) for row, person in people]
    return sorted([*decided, *refused], key=attrgetter("line"))


def decide(
    person: ImportedPerson, cells: list[str], known: Known, memory: Memory, options: Options
) -> RowDecision:
    """Decide what happens to this person, and remember the row.

    The rules are those of `contacts.upsert_follower`.
    """
    follower = _owner(person, known)
    if refusal := _refusal(person, follower, known, memory):
        return RowDecision(person.line, Action.REFUSED, cells, refusal)
    memory.lines_by_key |= dict.fromkeys(person.keys.items(), person.line)
    if follower is None:
        return RowDecision(
            person.line,
            Action.CREATE,
            cells,
            note=_note_on_new(person, known),
            person=person,
            changes=_as_new(person),
        )
    memory.lines_by_follower[follower.pk] = person.line
    changes = {}
    if options.update:
        changes = _changes(person, follower, known)
    if person.subscribed is False and follower.subscribed:
        changes["subscribed"] = (True, False)
    note = ""
    if not follower.subscribed:
        note = "Unsubscribed, and stays so."
    action = Action.UNCHANGED
    if changes:
        action = Action.UPDATE
    return RowDecision(person.line, action, cells, note, person, follower, changes)


def _owner(person: ImportedPerson, known: Known) -> Follower | None:
    for name in KEYS:
        follower = known.owners.get((name, person.keys.get(name, "")))
        if follower:
            return follower
    return None


def _refusal(
    person: ImportedPerson, follower: Follower | None, known: Known, memory: Memory
) -> str:
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


def _changes(
    person: ImportedPerson, follower: Follower, known: Known
) -> dict[str, tuple[Any, Any]]:
    changes: dict[str, tuple[Any, Any]] = {}
    for name, value in person.values.items():
        before = getattr(follower, name)
        if before != value:
            changes[name] = (before or "", value)
    for name, (value, key) in person.places.items():
        present = known.addresses.get((follower.pk, CHANNEL_OF[name]), [])
        if key not in {address.key for address in present}:
            primary = next((address.value for address in present if address.primary), "")
            changes[name] = (primary, value)
    old = {}
    new = {}
    for key, value in person.metadata.items():
        before = follower.metadata.get(key)
        if before != value:
            old[key] = before
            new[key] = value
    if new:
        changes["metadata"] = (old, new)
    present_tags = known.tags.get(follower.pk, set())
    new_tags = [name for name in person.tags if name.casefold() not in present_tags]
    if new_tags:
        changes["tags"] = ([], new_tags)
    return changes


def _as_new(person: ImportedPerson) -> dict[str, tuple[Any, Any]]:
    after: dict[str, Any] = {name: value for name, (value, _) in person.places.items()}
    after |= person.values
    if person.tags:
        after["tags"] = person.tags
    if person.metadata:
        after["metadata"] = person.metadata
    if person.subscribed is False:
        after["subscribed"] = False
    return {name: (None, value) for name, value in after.items()}


def _note_on_new(person: ImportedPerson, known: Known) -> str:
    if any((name, key) in known.states for name, (_, key) in person.places.items()):
        return "On the suppression list: is added, but nothing is sent to this address."
    return ""
