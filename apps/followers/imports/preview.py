"""Look at what an import would do, before it does it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from django.utils.translation import gettext

from apps.followers.imports import status_words
from apps.followers.imports.cells import original
from apps.followers.imports.columns import CONSENT, KEYS
from apps.followers.imports.csv_file import FEW, CsvRow
from apps.followers.imports.judging.decisions import Action, Memory, RowDecision
from apps.followers.imports.judging.slices import decide_slice, judge_rows
from apps.followers.imports.rows import Terms, sort_label
from apps.followers.imports.status_words import SMS_OUT, Standing
from apps.followers.imports.upload import AlreadyStarted, rows_left
from apps.followers.imports.words import language_names
from apps.followers.models import Import, ImportState
from apps.followers.profile_fields import BadFollower

LOOK = 1000  # rows that are looked up at once
PREVIEW_ROWS = 20_000  # beyond that the preview is a sample
EXAMPLES = 3  # rows of a sort of problem that are shown
MOST_WORDS = 250  # each is three fields of the page's form
_COUNTED = 2000  # different cells of a column that are counted
_STATUS_OF = {
    Standing.IN: "subscribed",
    Standing.OUT: "unsubscribed",
    Standing.NO_SMS: "unsubscribed",
    Standing.BOUNCED: "bounced",
    Standing.COMPLAINED: "complained",
}


@dataclass(frozen=True, slots=True)
class SeenWord:
    """A cell that was met `count` times, and what it is read as.

    `meaning` is None while nobody knows; `said` tells that a person chose it.
    """

    text: str
    count: int
    meaning: str | None
    said: bool


@dataclass(frozen=True, slots=True)
class ColumnWords:
    """The words of a column that can be given a meaning: all of one about consent, few languages,
    and of others those that can't be read.
    """

    column: str
    target: str
    words: list[SeenWord]

    @property
    def about_consent(self) -> bool:
        return self.target in CONSENT


@dataclass(slots=True)
class ProblemSort:
    """The rows of one sort of problem, and the first of them."""

    sort: str
    label: str
    count: int = 0
    examples: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ImportPreview:
    """What an import would do.

    `rows` are the first ones, `problems` the first ones anywhere that are refused or lose a cell,
    `sorts` the sorts of problems, most often first, `words` what can be given a meaning, `counts`
    per Action of all `read` rows; `complete` says that these are all rows of the file.
    """

    rows: list[RowDecision]
    problems: list[RowDecision]
    sorts: list[ProblemSort]
    words: list[ColumnWords]
    counts: dict[str, int]
    read: int
    complete: bool


def preview_of(
    job: Import,
    mapping: Mapping[str, str],
    limit: int = 50,
    *,
    options: Mapping[str, Any] | None = None,
) -> ImportPreview:
    """Say what `start` with the same mapping and options would do now.

    Writes nothing. Raises as `start`, but not for words whose meaning is still to be chosen.
    """
    if job.state != ImportState.UPLOADED:
        said = gettext("This import was started already; its counts say what it did.")
        raise AlreadyStarted(said)
    terms = Terms.of(job, mapping, options)
    memory = Memory()
    shown: list[RowDecision] = []
    problems: list[RowDecision] = []
    sorts: dict[str, ProblemSort] = {}
    tally = _Tally(terms)
    counts: Counter[str] = Counter({action.value: 0 for action in Action})
    rows = islice(rows_left(job), PREVIEW_ROWS)
    while batch := list(islice(rows, LOOK)):
        people, refused_rows = judge_rows(batch, terms)
        decisions = decide_slice(people, refused_rows, memory, terms.options)
        counts.update(decision.action.value for decision in decisions)
        shown += decisions[: limit - len(shown)]
        faulty = [decision for decision in decisions if decision.problems]
        problems += faulty[: limit - len(problems)]
        _sort(faulty, sorts)
        tally.count(batch, faulty)
    read = counts.total()
    complete = read == job.rows_total
    most_first = sorted(sorts.values(), key=lambda each: -each.count)
    return ImportPreview(shown, problems, most_first, tally.words(), dict(counts), read, complete)


def _sort(faulty: Sequence[RowDecision], sorts: dict[str, ProblemSort]) -> None:
    for decision in faulty:
        for problem in decision.problems:
            found = sorts.get(problem.sort)
            if found is None:
                found = ProblemSort(problem.sort, sort_label(problem.sort))
                sorts[problem.sort] = found
            found.count += 1
            if len(found.examples) < EXAMPLES:
                found.examples.append((decision.line, problem.message))


class _Tally:
    """Count the cells that can be given a meaning."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.seen: dict[str, Counter[str]] = {}
        self.unread: dict[str, set[str]] = {}
        for column, target in terms.mapping.items():
            if target not in KEYS:
                self.seen[column] = Counter()
                self.unread[target] = set()

    def count(self, rows: Sequence[CsvRow], faulty: Sequence[RowDecision]) -> None:
        places = [(place, name) for place, name in enumerate(self.terms.columns)]
        wanted = [(place, self.seen[name]) for place, name in places if name in self.seen]
        for row in rows:
            if len(row.cells) < len(places):
                continue
            for place, seen in wanted:
                word = original(row.cells[place]).strip().casefold()
                if word and (word in seen or len(seen) < _COUNTED):
                    seen[word] += 1
        for decision in faulty:
            for problem in decision.problems:
                if problem.cell and problem.sort in self.unread:
                    self.unread[problem.sort].add(problem.cell.casefold())

    def words(self) -> list[ColumnWords]:
        found = []
        left = MOST_WORDS
        for column, seen in self.seen.items():
            target = self.terms.mapping[column]
            said = self.terms.options.values.get(column, {})
            wanted = self.unread[target] | set(said)
            if target in (*CONSENT, "language") and len(seen) <= FEW:
                wanted |= set(seen)
            often = sorted(wanted & set(seen), key=lambda word: (-seen[word], word))
            words = [_word(target, word, seen[word], said) for word in often[: min(FEW, left)]]
            left -= len(words)
            if words:
                found.append(ColumnWords(column, target, words))
        return found


def _word(target: str, text: str, count: int, said: Mapping[str, str]) -> SeenWord:
    if text in said:
        return SeenWord(text, count, said[text], said=True)
    return SeenWord(text, count, meaning_of(target, text), said=False)


def meaning_of(target: str, word: str) -> str | None:
    """Give what a word is read as by itself, as a person would choose it; None when it can't be."""
    if target in CONSENT:
        try:
            found = status_words.standings(target, word)
        except ValueError:
            return None
        if not found and target == SMS_OUT:
            return "subscribed"
        return next((_STATUS_OF[standing] for standing in sorted(found)), "")
    if target == "language":
        try:
            return language_names.language(word)
        except BadFollower:
            return None
    return None
