"""Decide what each person of a file would change, with the reason.

Nothing here writes. The preview and the run take the same road, so that what was shown is what
happens.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF
from apps.followers.consent import tombstones
from apps.followers.consent.suppression import states_of
from apps.followers.imports.columns import KEYS
from apps.followers.imports.csv_file import CsvRow
from apps.followers.imports.options import Options
from apps.followers.imports.rows import (
    BadRow,
    CellProblem,
    ImportedPerson,
    Place,
    Terms,
    named_in,
    read,
)
from apps.followers.imports.status_words import Standing
from apps.followers.models import (
    Address,
    AddressState,
    Follower,
    Import,
    ImportedFollower,
    Tagging,
    Tombstone,
)
from apps.followers.profile_fields import BadFollower

_ASKED = 10_000  # names that one query asks for
_TWICE = {
    "external_id": _("Line {line:,} of this file has the same external id already."),
    "email": _("Line {line:,} of this file has the same email already."),
    "phone": _("Line {line:,} of this file has the same phone already."),
}
_TAKEN = {
    "external_id": _("This external id belongs to another follower already: {follower}."),
    "email": _("This email belongs to another follower already: {follower}."),
    "phone": _("This phone belongs to another follower already: {follower}."),
}


class Action(StrEnum):
    """What an import does with a row."""

    CREATE = "create"
    UPDATE = "update"
    UNCHANGED = "unchanged"
    SUPPRESS = "suppress"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class RowDecision:
    """What happens to one row.

    `changes` are {field: (before, after)}; `note` says why, or what stays as it is; `why` is what
    a refusal is for. The person of a refused row is known when its opt-out is obeyed; it is
    obeyed for `also_out` too, who have a further address of the row.
    """

    line: int
    action: Action
    cells: list[str]
    note: str = ""
    person: ImportedPerson | None = None
    follower: Follower | None = None
    changes: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    why: CellProblem | None = None
    also_out: tuple[Follower, ...] = ()

    @property
    def problems(self) -> list[CellProblem]:
        """Give what the file's owner may want to correct: cells left out, or why it was refused."""
        problems = []
        if self.why:
            problems.append(self.why._replace(message=self.note))
        elif self.person:
            problems += self.person.problems
        return problems

    @property
    def message(self) -> str:
        """Say the problems in one line for the file of problems."""
        return " ".join(problem.message for problem in self.problems)

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
    erased: set[tuple[str, str]] = field(default_factory=set)  # keys, by their name


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
        for place in person.more:
            keys[place.field].append(place.key)
    holders = holders_of(keys)
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
    return Known(owners, addresses, tags, states, _erased(keys))


def _erased(keys: Mapping[str, Sequence[str]]) -> set[tuple[str, str]]:
    """Find the keys of people who were erased: {(name of the key, key)}."""
    return _erased_among((name, key) for name in KEYS for key in keys[name])


def _erased_among(named: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    names = {CHANNEL_OF.get(name, name): name for name in KEYS}
    kinds = [(CHANNEL_OF.get(name, name), key) for name, key in named]
    found: set[tuple[str, str]] = set()
    for start in range(0, len(kinds), _ASKED):
        marked = tombstones.among(kinds[start : start + _ASKED])
        found |= {(names[kind], key) for kind, key in marked}
    return found


def holders_of(keys: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], int]:
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
    rows: Sequence[CsvRow], terms: Terms
) -> tuple[list[tuple[CsvRow, ImportedPerson]], list[RowDecision]]:
    """Tell the rows that say something sensible from the refused ones. No database.

    Returns `(people, refused)`.
    """
    people: list[tuple[CsvRow, ImportedPerson]] = []
    refused: list[RowDecision] = []
    for row in rows:
        try:
            people.append((row, read(row, terms)))
        except BadRow as error:
            refused.append(_refused(row, error, terms.options))
    return people, refused


def _refused(row: CsvRow, error: BadRow, options: Options) -> RowDecision:
    return RowDecision(
        row.line,
        Action.REFUSED,
        row.cells,
        refusal_of(str(error), error.person, options),
        person=error.person,
        why=error.problem,
    )


def refusal_of(said: str, person: ImportedPerson | None, options: Options) -> str:
    """Say why a row is refused, and that its opt-out is obeyed nevertheless."""
    if person is None:
        return said
    listed = options.do_not_contact and person.all_places
    if person.opted_out or person.suppressions or listed:
        obeyed = gettext("The opt-out in this row is obeyed.")
        return f"{said} {obeyed}"
    return said


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
    about = [person for _, person in people]
    about += [decision.person for decision in refused if decision.person]
    known = look_up(about, memory, job=job)
    how = decide
    if options.do_not_contact:
        how = decide_to_suppress
    decided = []
    for row, person in people:
        if _is_erased(person, known):
            decided.append(_refuse_erased(person, known, options))
        else:
            decided.append(how(person, row.cells, known, memory, options))
    decided += _without_erased_people(refused, known, options)
    return sorted(decided, key=attrgetter("line"))


def _without_erased_people(
    refused: Sequence[RowDecision], known: Known, options: Options
) -> Iterator[RowDecision]:
    """Keep nothing of the rows that name somebody who was erased, wherever they stand in it."""
    unread: dict[int, set[tuple[str, str]]] = {}
    if Tombstone.objects.exists():
        for decision in refused:
            if decision.person is None:
                unread[decision.line] = named_in(decision.cells, options.country)
    erased = _erased_among(set().union(*unread.values()))
    for decision in refused:
        if decision.person and _is_erased(decision.person, known):
            yield _refuse_erased(decision.person, known, options)
        elif erased.isdisjoint(unread.get(decision.line, ())):
            yield decision
        else:
            yield replace(decision, cells=[])


def _is_erased(person: ImportedPerson, known: Known) -> bool:
    named = {*person.keys.items(), *((place.field, place.key) for place in person.more)}
    return not named.isdisjoint(known.erased)


def _refuse_erased(person: ImportedPerson, known: Known, options: Options) -> RowDecision:
    """Refuse a row about somebody who was erased, and keep nothing of it; an opt-out counts for
    the others it names.
    """
    said = tombstones.told()
    rest = _without_erased(person, known)
    if rest.keys:
        said = refusal_of(said, rest, options)
    why = CellProblem("erased", said)
    return RowDecision(person.line, Action.REFUSED, [], said, person=rest, why=why)


def _without_erased(person: ImportedPerson, known: Known) -> ImportedPerson:
    """Leave out by what somebody who was erased is known."""
    kept = [place for place in person.all_places if (place.field, place.key) not in known.erased]
    first: dict[str, Place] = {}
    for place in kept:
        first.setdefault(place.field, place)
    keys = {name: place.key for name, place in first.items()}
    external_id = person.keys.get("external_id", "")
    if external_id and ("external_id", external_id) not in known.erased:
        keys["external_id"] = external_id
    standings = person.standings
    if "email" in person.places and "email" not in first:
        # what came back or was complained about was mail, and the phone is not suppressed for it
        if Standing.COMPLAINED in standings:
            standings |= {Standing.OUT}
        standings -= {Standing.BOUNCED, Standing.COMPLAINED}
    more = tuple(place for place in kept if place is not first[place.field])
    return replace(person, keys=keys, places=first, more=more, standings=standings)


def decide(
    person: ImportedPerson, cells: list[str], known: Known, memory: Memory, options: Options
) -> RowDecision:
    """Decide what happens to this person, and remember the row.

    The rules are those of `contacts.upsert_follower`.
    """
    follower = _owner(person, known)
    if refusal := _refusal(person, follower, known, memory):
        note = refusal_of(refusal.message, person, options)
        return RowDecision(person.line, Action.REFUSED, cells, note, person=person, why=refusal)
    also_out = _others_out(person, follower, known)
    person = _without_taken(person, follower, known, memory)
    memory.lines_by_key |= dict.fromkeys(person.keys.items(), person.line)
    for place in person.more:
        memory.lines_by_key[place.field, place.key] = person.line
    notes = [problem.message for problem in person.problems]
    if follower is None:
        notes += _notes_on_new(person, known)
        return RowDecision(
            person.line,
            Action.CREATE,
            cells,
            " ".join(notes),
            person,
            changes=_as_new(person),
            also_out=also_out,
        )
    memory.lines_by_follower[follower.pk] = person.line
    changes = {}
    if options.update:
        changes = _changes(person, follower, known)
    if person.opted_out and follower.subscribed:
        changes["subscribed"] = (True, False)
    if stopped := _to_suppress(person, known):
        changes["suppressed"] = ("", stopped)
    if not follower.subscribed:
        notes.append(gettext("Unsubscribed, and stays so."))
    action = Action.UNCHANGED
    if changes:
        action = Action.UPDATE
    return RowDecision(
        person.line,
        action,
        cells,
        " ".join(notes),
        person,
        follower,
        changes,
        also_out=also_out,
    )


def _others_out(
    person: ImportedPerson, follower: Follower | None, known: Known
) -> tuple[Follower, ...]:
    """List the others who have a further address of a row that opts out."""
    if not person.opted_out:
        return ()
    owners = [known.owners.get((place.field, place.key)) for place in person.more]
    return tuple(owner for owner in owners if owner and owner != follower)


def decide_to_suppress(
    person: ImportedPerson, cells: list[str], known: Known, memory: Memory, options: Options
) -> RowDecision:
    """Decide what a row of a do-not-contact list does: its addresses are suppressed."""
    if not person.all_places:
        said = gettext("The row has no email or phone that could be suppressed.")
        nobody = CellProblem("nobody", said)
        problem = next(iter(person.problems), nobody)
        return RowDecision(person.line, Action.REFUSED, cells, problem.message, why=problem)
    notes = [problem.message for problem in person.problems]
    stopped = []
    for place in person.all_places:
        seen = memory.lines_by_key.setdefault((place.field, place.key), person.line)
        if (place.field, place.key) not in known.states and seen == person.line:
            stopped.append(place.value)
    if stopped:
        changes: dict[str, tuple[Any, Any]] = {"suppressed": ("", stopped)}
        return RowDecision(
            person.line, Action.SUPPRESS, cells, " ".join(notes), person, changes=changes
        )
    notes.append(gettext("On the suppression list already."))
    return RowDecision(person.line, Action.UNCHANGED, cells, " ".join(notes), person)


def _owner(person: ImportedPerson, known: Known) -> Follower | None:
    for name in KEYS:
        follower = known.owners.get((name, person.keys.get(name, "")))
        if follower:
            return follower
    return None


def _refusal(
    person: ImportedPerson, follower: Follower | None, known: Known, memory: Memory
) -> CellProblem | None:
    for name, key in person.keys.items():
        if line := memory.lines_by_key.get((name, key)):
            return CellProblem("twice", _TWICE[name].format(line=line))
    if follower is None:
        return None
    if line := memory.lines_by_follower.get(follower.pk):
        said = gettext("Line {line:,} of this file is about the same follower already: {follower}.")
        about = said.format(line=line, follower=follower.label)
        return CellProblem("twice", about)
    external_id = person.keys.get("external_id")
    if external_id and follower.external_id and follower.external_id != external_id:
        said = gettext("This address belongs to the follower with the external id {id!r}.")
        return CellProblem("taken", said.format(id=follower.external_id))
    for name, key in person.keys.items():
        owner = known.owners.get((name, key))
        if owner and owner.pk != follower.pk:
            said = _TAKEN[name].format(follower=owner.label)
            return CellProblem("taken", said)
    return None


def _without_taken(
    person: ImportedPerson, follower: Follower | None, known: Known, memory: Memory
) -> ImportedPerson:
    """Leave out what can't be kept: further addresses of others, and metadata beyond the limit."""
    problems = list(person.problems)
    more = []
    for place in person.more:
        owner = known.owners.get((place.field, place.key))
        taken = owner is not None and owner != follower
        if taken or (place.field, place.key) in memory.lines_by_key:
            said = gettext("{address} belongs to another follower already.")
            problems.append(CellProblem(place.field, said.format(address=place.value)))
        else:
            more.append(place)
    metadata = person.metadata
    if follower and metadata:
        try:
            profile_fields.metadata(follower.metadata | metadata)
        except BadFollower as error:
            problems.append(CellProblem("metadata", str(error)))
            metadata = {}
    if len(problems) == len(person.problems):
        return person
    return replace(person, more=tuple(more), metadata=metadata, problems=tuple(problems))


def _to_suppress(person: ImportedPerson, known: Known) -> list[str]:
    """List the addresses of a row that go to the suppression list."""
    places = person.suppressions
    return [place.value for place in places if (place.field, place.key) not in known.states]


def _changes(
    person: ImportedPerson, follower: Follower, known: Known
) -> dict[str, tuple[Any, Any]]:
    changes: dict[str, tuple[Any, Any]] = {}
    for name, value in person.values.items():
        before = getattr(follower, name)
        weak = name == "name" and person.name_is_weak
        if before != value and not (weak and before):
            changes[name] = (before or "", value)
    for name, place in person.places.items():
        present = known.addresses.get((follower.pk, CHANNEL_OF[name]), [])
        if place.key not in {address.key for address in present}:
            primary = next((address.value for address in present if address.primary), "")
            changes[name] = (primary, place.value)
    if further := _further(person, follower, known):
        changes["addresses"] = ([], [place.value for place in further])
    signed_up = person.subscribed_at
    if signed_up and follower.subscribed_at and signed_up < follower.subscribed_at:
        changes["subscribed_at"] = (follower.subscribed_at, signed_up)
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


def _further(person: ImportedPerson, follower: Follower, known: Known) -> list[Place]:
    """List the further addresses of a row that the follower does not have yet."""
    return [
        place for place in person.more if known.owners.get((place.field, place.key)) != follower
    ]


def _as_new(person: ImportedPerson) -> dict[str, tuple[Any, Any]]:
    after: dict[str, Any] = {name: place.value for name, place in person.places.items()}
    after |= person.values
    if person.more:
        after["addresses"] = [place.value for place in person.more]
    if person.subscribed_at and person.subscribes:
        after["subscribed_at"] = person.subscribed_at
    if person.proof.confirmed_at:
        after["confirmed_at"] = person.proof.confirmed_at
    if person.tags:
        after["tags"] = person.tags
    if person.metadata:
        after["metadata"] = person.metadata
    if not person.subscribes:
        after["subscribed"] = False
    if stopped := person.suppressions:
        after["suppressed"] = [place.value for place in stopped]
    return {name: (None, value) for name, value in after.items()}


def _notes_on_new(person: ImportedPerson, known: Known) -> list[str]:
    if any((place.field, place.key) in known.states for place in person.all_places):
        said = gettext("On the suppression list: is added, but nothing is sent to this address.")
        return [said]
    return []
