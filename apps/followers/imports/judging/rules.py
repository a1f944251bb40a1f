"""Decide about one person of a file: pure functions over the row, what the database holds and what
earlier rows said. The rules are those of `contacts.upsert_follower`.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.followers import profile_fields
from apps.followers.imports.columns import KEYS
from apps.followers.imports.judging.decisions import (
    Action,
    KnownFollower,
    Memory,
    RowDecision,
    refusal_of,
)
from apps.followers.imports.judging.known import Known
from apps.followers.imports.options import Options
from apps.followers.imports.person import CellProblem, ImportedPerson, Place
from apps.followers.profile_fields import BadFollower

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
    for named in person.keys.items():
        memory.lines_by_key[named] = person.line
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
        _free(person, follower, changes, known, memory)
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


def _free(
    person: ImportedPerson,
    follower: KnownFollower,
    changes: Mapping[str, Any],
    known: Known,
    memory: Memory,
) -> None:
    """Give up the addresses in whose place others come: a later row may be about their next owner,
    as it would be in another slice.
    """
    for name in changes.keys() & follower.primary.keys():
        _, key = follower.primary[name]
        known.owners.pop((name, key), None)
        memory.freed[name, key] = person.line


def _others_out(
    person: ImportedPerson, follower: KnownFollower | None, known: Known
) -> tuple[KnownFollower, ...]:
    """List the others who have a further address of a row that opts out."""
    if not person.opted_out:
        return ()
    owners = [known.owners.get((place.field, place.key)) for place in person.more]
    return tuple(owner for owner in owners if owner and owner is not follower)


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


def _owner(person: ImportedPerson, known: Known) -> KnownFollower | None:
    for name in KEYS:
        follower = known.owners.get((name, person.keys.get(name, "")))
        if follower:
            return follower
    return None


def _refusal(
    person: ImportedPerson, follower: KnownFollower | None, known: Known, memory: Memory
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
    known_as = follower.values["external_id"]
    if external_id and known_as and known_as != external_id:
        said = gettext("This address belongs to the follower with the external id {id!r}.")
        return CellProblem("taken", said.format(id=known_as))
    for name, key in person.keys.items():
        owner = known.owners.get((name, key))
        if owner and owner is not follower:
            said = _TAKEN[name].format(follower=owner.label)
            return CellProblem("taken", said)
    return None


def _without_taken(
    person: ImportedPerson, follower: KnownFollower | None, known: Known, memory: Memory
) -> ImportedPerson:
    """Leave out what can't be kept: further addresses of others, and metadata beyond the limit."""
    problems: list[CellProblem] = []
    more = []
    for place in person.more:
        owner = known.owners.get((place.field, place.key))
        taken = owner is not None and owner is not follower
        if taken or (place.field, place.key) in memory.lines_by_key:
            said = gettext("{address} belongs to another follower already.")
            problems.append(CellProblem(place.field, said.format(address=place.value)))
        else:
            more.append(place)
    metadata = person.metadata
    if follower and not metadata.items() <= follower.metadata.items():
        try:
            profile_fields.metadata(follower.metadata | metadata)
        except BadFollower as error:
            problems.append(CellProblem("metadata", str(error)))
            metadata = {}
    if not problems:
        return person
    problems = [*person.problems, *problems]
    return replace(person, more=tuple(more), metadata=metadata, problems=tuple(problems))


def _to_suppress(person: ImportedPerson, known: Known) -> list[str]:
    """List the addresses of a row that go to the suppression list."""
    if not person.standings:
        return []
    places = person.suppressions
    return [place.value for place in places if (place.field, place.key) not in known.states]


def _changes(
    person: ImportedPerson, follower: KnownFollower, known: Known
) -> dict[str, tuple[Any, Any]]:
    changes: dict[str, tuple[Any, Any]] = {}
    for name, value in person.values.items():
        before = follower.values[name]
        weak = name == "name" and person.name_is_weak
        if before != value and not (weak and before):
            changes[name] = (before or "", value)
    for name, place in person.places.items():
        if known.owners.get((name, place.key)) is not follower:
            changes[name] = (follower.primary_value(name), place.value)
    if further := _further(person, follower, known):
        changes["addresses"] = ([], [place.value for place in further])
    signed_up = person.subscribed_at
    if signed_up and follower.subscribed_at and signed_up < follower.subscribed_at:
        changes["subscribed_at"] = (follower.subscribed_at, signed_up)
    if not person.metadata.items() <= follower.metadata.items():
        changes["metadata"] = _different(follower.metadata, person.metadata)
    if person.tags:
        present_tags = known.tags.get(follower.pk, set())
        new_tags = [name for name in person.tags if name.casefold() not in present_tags]
        if new_tags:
            changes["tags"] = ([], new_tags)
    return changes


def _different(before: Mapping[str, Any], said: Mapping[str, Any]) -> tuple[Any, Any]:
    """Give what is new of this metadata, and what was there instead."""
    new = {key: value for key, value in said.items() if before.get(key) != value}
    return {key: before.get(key) for key in new}, new


def _further(person: ImportedPerson, follower: KnownFollower, known: Known) -> list[Place]:
    """List the further addresses of a row that the follower does not have yet."""
    return [
        place for place in person.more if known.owners.get((place.field, place.key)) is not follower
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
