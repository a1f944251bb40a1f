"""Decide about a slice of a file: whom it names is looked up together, then row by row."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from operator import attrgetter

from django.db import connection

from apps.followers.consent import tombstones
from apps.followers.imports.csv_file import CsvRow
from apps.followers.imports.judging.decisions import Action, Memory, RowDecision, refusal_of
from apps.followers.imports.judging.known import Known, erased_among, look_up
from apps.followers.imports.judging.rules import decide, decide_to_suppress
from apps.followers.imports.options import Options
from apps.followers.imports.person import BadRow, CellProblem, ImportedPerson, Place
from apps.followers.imports.rows import Terms, named_in, read
from apps.followers.imports.status_words import Standing
from apps.followers.models import Import, Tombstone


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


def decide_slice(
    people: Sequence[tuple[CsvRow, ImportedPerson]],
    refused: Sequence[RowDecision],
    memory: Memory,
    options: Options,
    *,
    job: Import | None = None,
) -> list[RowDecision]:
    """Decide about the people that `judge_rows` found; all decisions in the order of the file.

    With `job`, in a transaction that writes them, the memory of its earlier slices is read, and
    who is to be changed is locked and judged once more. Then decisions end before a row that takes
    an address which an earlier one gave up: that has to be written first.
    """
    about = [person for _, person in people]
    about += [decision.person for decision in refused if decision.person]
    known = look_up(about, memory, job=job, listed=options.do_not_contact)
    decided = _decide_each(people, known, memory, options)
    if job and memory.freed:
        decided, refused = _until_freed(people, decided, refused, memory)
    # whoever is new is held by the unique keys, and on SQLite nobody else writes
    if job and connection.features.has_select_for_update:
        changed = {row.line for row in decided if row.action == Action.UPDATE}
        if changed:
            memory.forget(changed)
            some = [(row, person) for row, person in people if row.line in changed]
            held = look_up([person for _, person in some], memory, job=job, lock=True)
            decided = [row for row in decided if row.line not in changed]
            decided += _decide_each(some, held, memory, options)
    decided += _without_erased_people(refused, known, options)
    return sorted(decided, key=attrgetter("line"))


def _decide_each(
    people: Sequence[tuple[CsvRow, ImportedPerson]], known: Known, memory: Memory, options: Options
) -> list[RowDecision]:
    how = decide
    if options.do_not_contact:
        how = decide_to_suppress
    decided = []
    for row, person in people:
        if known.erased and _is_erased(person, known):
            decided.append(_refuse_erased(person, known, options))
        else:
            decided.append(how(person, row.cells, known, memory, options))
    return decided


def _without_erased_people(
    refused: Sequence[RowDecision], known: Known, options: Options
) -> Iterator[RowDecision]:
    """Keep nothing of the rows that name somebody who was erased, wherever they stand in it."""
    unread: dict[int, set[tuple[str, str]]] = {}
    if Tombstone.objects.exists():
        for decision in refused:
            if decision.person is None:
                unread[decision.line] = named_in(decision.cells, options.country)
    erased = erased_among(set().union(*unread.values()))
    for decision in refused:
        if decision.person and _is_erased(decision.person, known):
            yield _refuse_erased(decision.person, known, options)
        elif erased.isdisjoint(unread.get(decision.line, ())):
            yield decision
        else:
            yield replace(decision, cells=[])


def _until_freed(
    people: Sequence[tuple[CsvRow, ImportedPerson]],
    decided: list[RowDecision],
    refused: Sequence[RowDecision],
    memory: Memory,
) -> tuple[list[RowDecision], Sequence[RowDecision]]:
    """Leave out all from the first row on that takes a key which another one of them gave up."""
    for _, person in people:
        lines = [memory.freed.get(named, person.line) for named in _named(person)]
        if min(lines) < person.line:
            before = [row for row in decided if row.line < person.line]
            memory.forget(row.line for row in decided if row.line >= person.line)
            return before, [row for row in refused if row.line < person.line]
    return decided, refused


def _named(person: ImportedPerson) -> set[tuple[str, str]]:
    return {*person.keys.items(), *((place.field, place.key) for place in person.more)}


def _is_erased(person: ImportedPerson, known: Known) -> bool:
    return not _named(person).isdisjoint(known.erased)


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
