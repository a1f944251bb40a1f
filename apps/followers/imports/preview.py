"""Look at what an import would do, before it does it."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from django.utils.translation import gettext

from apps.followers.imports.plan import Action, Memory, RowDecision, decide_slice, judge_rows
from apps.followers.imports.rows import Terms, sort_label
from apps.followers.imports.upload import AlreadyStarted, rows_left
from apps.followers.models import Import, ImportState

LOOK = 1000  # rows that are looked up at once
PREVIEW_ROWS = 20_000  # beyond that the preview is a sample


@dataclass(frozen=True, slots=True)
class Preview:
    """What an import would do.

    `rows` are the first ones, `problems` the first ones anywhere that are refused or lose a cell,
    `sorts` how often each sort of problem was met, most often first, `counts` per Action of all
    `read` rows; `complete` says that these are all rows of the file.
    """

    rows: list[RowDecision]
    problems: list[RowDecision]
    sorts: list[tuple[str, int]]
    counts: dict[str, int]
    read: int
    complete: bool


def preview_of(
    job: Import,
    mapping: Mapping[str, str],
    limit: int = 50,
    *,
    options: Mapping[str, Any] | None = None,
) -> Preview:
    """Say what `start` with the same mapping and options would do now.

    Writes nothing. Raises as `start`.
    """
    if job.state != ImportState.UPLOADED:
        said = gettext("This import was started already; its counts say what it did.")
        raise AlreadyStarted(said)
    terms = Terms.of(job, mapping, options)
    memory = Memory()
    shown: list[RowDecision] = []
    problems: list[RowDecision] = []
    sorts: Counter[str] = Counter()
    counts: Counter[str] = Counter({action.value: 0 for action in Action})
    rows = islice(rows_left(job), PREVIEW_ROWS)
    while batch := list(islice(rows, LOOK)):
        people, refused_rows = judge_rows(batch, terms)
        decisions = decide_slice(people, refused_rows, memory, terms.options)
        counts.update(decision.action.value for decision in decisions)
        shown += decisions[: limit - len(shown)]
        faulty = [decision for decision in decisions if decision.problems]
        problems += faulty[: limit - len(problems)]
        for decision in faulty:
            sorts.update(sort_label(problem.sort) for problem in decision.problems)
    read = counts.total()
    complete = read == job.rows_total
    return Preview(shown, problems, sorts.most_common(), dict(counts), read, complete)
