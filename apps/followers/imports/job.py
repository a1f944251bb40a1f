"""Bringing in a CSV file of followers: upload, look at what it would do,
then run it in the background.

The run works in slices of SLICE rows. One transaction per slice writes the people, the refused
rows, the counters and the place in the file, so a killed worker's successor goes on exactly there,
and running a whole file again changes nothing. A line about somebody whom an earlier line of the
same file spoke about is refused: of two lines that say different things the later one would undo
the earlier one at every run. Whoever unsubscribed stays so, whatever the file says; a suppressed
address stays suppressed.
"""

import csv
import datetime as dt
import io
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.followers.imports import csv_file
from apps.followers.imports.csv_file import BadFile, Row
from apps.followers.imports.plan import (
    TARGETS,
    Action,
    BadMapping,
    Decision,
    Memory,
    Options,
    Person,
    check_mapping,
    decide,
    judge_rows,
    look_up,
    suggest,
)
from apps.followers.imports.write import write
from apps.followers.models import Import, ImportState
from apps.lib.actor import Actor, ActorKind
from apps.lib.csv_cells import inert
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import RefusalKind, Refused

__all__ = [
    "TARGETS",
    "AlreadyStarted",
    "BadFile",
    "BadMapping",
    "Preview",
    "Taken",
    "discard",
    "preview",
    "problems_csv",
    "resume_stalled",
    "run",
    "slices",
    "start",
    "start_upload",
]

# Rows in one transaction, and a rest after it on SQLite, where a transaction keeps everybody else
# from writing. Web writes beside an import on a busy machine, p95: 0.86 s with 1,000 rows and 10
# ms, 0.25 s with these.
SLICE = 250
REST = 0.05  # seconds
LOOK = 1000  # rows that the preview looks up at once
PREVIEW_ROWS = 20_000  # beyond that the preview is a sample
RUN_SECONDS = 8  # then the next task takes over, so that the lane stays open for others
LEASE = dt.timedelta(seconds=60)
MOST_ATTEMPTS = 3  # claims without one finished slice, then the file is given up


class AlreadyStarted(Refused):
    """The import runs or has run; a second click changes nothing."""

    kind = RefusalKind.STATE


class Taken(RuntimeError):
    """Another worker holds the lease."""


# ---------------------------------------------------------------- upload and preview
def start_upload(*, file: BinaryIO, file_name: str, by: Actor, now: dt.datetime) -> Import:
    """Store and check a file, guess what its columns are (`job.mapping`), and wait for `start`.

    `job.dialect["columns"]` are the headings. Raises BadFile with the line; then nothing is kept.
    """
    path = f"imports/{secrets.token_hex(16)}.csv"
    target = Path(settings.MEDIA_ROOT) / path
    shape = csv_file.store(file, target, max_bytes=settings.IMPORT_MAX_BYTES)
    return Import.objects.create(
        file_name=Path(file_name.replace("\\", "/")).name[:200] or "followers.csv",
        path=path,
        dialect=asdict(shape),
        mapping=suggest(shape.columns),
        rows_total=shape.rows,
        offset=shape.offset,
        line=shape.line,
        by_kind=by.kind,
        by_id=by.id,
        by_label=by.label[:200],
        created_at=now,
    )


def discard(*, job: Import) -> None:
    """Forget an upload that was never started, and its file. Raises AlreadyStarted."""
    if not Import.objects.filter(pk=job.pk, state=ImportState.UPLOADED).delete()[0]:
        raise AlreadyStarted("This import was started already, so its record stays.")
    (Path(settings.MEDIA_ROOT) / job.path).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class Preview:
    """`rows` are the first ones, `problems` the first refused ones anywhere, `counts` per Action of
    all `read` rows; `complete` says that these are all rows of the file.
    """

    rows: list[Decision]
    problems: list[Decision]
    counts: dict[str, int]
    read: int
    complete: bool


def preview(
    job: Import,
    mapping: Mapping[str, str],
    limit: int = 50,
    *,
    options: Mapping[str, Any] | None = None,
) -> Preview:
    """What `start` with the same mapping and options would do now.

    Writes nothing. Raises as `start`.
    """
    if job.state != ImportState.UPLOADED:
        raise AlreadyStarted("This import was started already; its counts say what it did.")
    used = check_mapping(job.dialect["columns"], mapping)
    chosen = Options.read(options or {})
    memory = Memory()
    shown: list[Decision] = []
    problems: list[Decision] = []
    counts: Counter[str] = Counter({action.value: 0 for action in Action})
    rows = islice(_rows(job), PREVIEW_ROWS)
    while batch := list(islice(rows, LOOK)):
        people, refused_rows = judge_rows(batch, job.dialect["columns"], used, chosen)
        decisions = _decide(people, refused_rows, memory, chosen)
        counts.update(decision.action.value for decision in decisions)
        shown += decisions[: limit - len(shown)]
        refused = [decision for decision in decisions if decision.action == Action.REFUSED]
        problems += refused[: limit - len(problems)]
    read = counts.total()
    return Preview(shown, problems, dict(counts), read, complete=read == job.rows_total)


def _rows(job: Import) -> Iterator[Row]:
    path = Path(settings.MEDIA_ROOT) / job.path
    return csv_file.rows(path, job.dialect["delimiter"], offset=job.offset, line=job.line)


def _decide(
    people: Sequence[tuple[Row, Person]],
    refused: Sequence[Decision],
    memory: Memory,
    options: Options,
    *,
    job: Import | None = None,
) -> list[Decision]:
    known = look_up([person for _, person in people], memory, job=job)
    decided = [decide(person, row.cells, known, memory, options) for row, person in people]
    return sorted([*decided, *refused], key=lambda decision: decision.line)


# ---------------------------------------------------------------- start and run
def start(
    *,
    job: Import,
    mapping: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
    by: Actor,
    now: dt.datetime,
    background: bool = True,
) -> Import:
    """Let it run. `mapping` is {heading: one of TARGETS or "metadata.<key>"},
    `options` as `Options.read` takes them.

    `background=False` leaves the work to the caller, who goes through `slices`; the tick takes over
    if it dies. Raises BadMapping, AlreadyStarted.
    """
    used = check_mapping(job.dialect["columns"], mapping)
    chosen = Options.read(options or {})
    with transaction.atomic():
        mine = Import.objects.filter(pk=job.pk, state=ImportState.UPLOADED).update(
            state=ImportState.RUNNING,
            mapping=used,
            options=chosen.as_json(),
            started_at=now,
            lease_until=now + LEASE,
            by_kind=by.kind,
            by_id=by.id,
            by_label=by.label[:200],
        )
        if not mine:
            raise AlreadyStarted(
                "This import was started already. Upload the file again to run it once more."
            )
        job.refresh_from_db()
        data = {
            "file": job.file_name,
            "rows": job.rows_total,
            "mapping": used,
            "options": job.options,
        }
        tell(Kind.IMPORT_STARTED, by=by, now=now, about=job, data=data)
        if background:
            announce("apps.followers.imports.job.run", lane=Lane.BULK, job_id=job.pk)
    return job


def run(job_id: int, **_: Any) -> None:
    """Task: work for RUN_SECONDS, then announce the next one.

    The second of two finds the lease taken, or no work.
    """
    stop = time.monotonic() + RUN_SECONDS
    with suppress(Taken):
        for job in slices(job_id):
            if job.state == ImportState.RUNNING and time.monotonic() > stop:
                with transaction.atomic():
                    _release(job)
                    announce("apps.followers.imports.job.run", lane=Lane.BULK, job_id=job.pk)
                return


def slices(job_id: int) -> Iterator[Import]:
    """Claim the import and work on it; yields it after each committed slice.

    Left early, the lease is given back.

    Raises Taken when somebody else is at it.
    """
    job = _claim(job_id)
    try:
        while job.state == ImportState.RUNNING:
            _work(job)
            yield job
            if connection.vendor == "sqlite":
                time.sleep(REST)
    except GeneratorExit:
        _release(job)
        raise


def resume_stalled(*, now: dt.datetime) -> int:
    """Tick: imports that run but whose worker let its lease run out are announced again.

    Returns how many.
    """
    stalled = Import.objects.filter(state=ImportState.RUNNING, lease_until__lt=now)
    count = 0
    for pk in stalled.values_list("pk", flat=True):
        with transaction.atomic():
            # the update is the claim: of two ticks one announces
            if stalled.filter(pk=pk).update(owner="", lease_until=now + LEASE):
                announce("apps.followers.imports.job.run", lane=Lane.BULK, job_id=pk)
                count += 1
    return count


def _claim(job_id: int) -> Import:
    now = timezone.now()
    owner = secrets.token_hex(16)
    with transaction.atomic():
        free = Import.objects.filter(
            Q(owner="") | Q(lease_until__lt=now), pk=job_id, state=ImportState.RUNNING
        )
        job = free.select_for_update().first()
        if job is None:
            raise Taken("This import is finished, or another worker is at it.")
        if job.attempts >= MOST_ATTEMPTS:
            _fail(job, f"Stopped {job.attempts} times in the rows from line {job.line:,} on.", now)
            return job
        # counted before the work: what kills its worker must not be tried for ever
        job.owner = owner
        job.lease_until = now + LEASE
        job.attempts = job.attempts + 1
        job.save(update_fields=["owner", "lease_until", "attempts"])
    return job


def _release(job: Import) -> None:
    Import.objects.filter(pk=job.pk, owner=job.owner).update(
        owner="", lease_until=timezone.now() + LEASE
    )


def _work(job: Import) -> None:
    """One slice. Somebody who adds the same person meanwhile makes it start over,
    with that person known.
    """
    options = Options.read(job.options)
    try:
        batch = list(islice(_rows(job), SLICE))
    except (
        BadFile,
        OSError,
    ) as error:  # checked at upload, so the stored file was changed or removed since
        with transaction.atomic():
            _fail(job, str(error), timezone.now())
        return
    people, refused = judge_rows(batch, job.dialect["columns"], job.mapping, options)
    for attempt in range(3):
        now = timezone.now()
        try:
            with transaction.atomic():
                # First the fence: on SQLite this takes the write lock, on PostgreSQL the row's.
                if not _still_mine(job).update(lease_until=now + LEASE):
                    _lost()
                decisions = _decide(people, refused, Memory(), options, job=job)
                write(job, decisions, options, by=_actor(job), now=now)
                _count(job, batch, decisions, now)
            return
        except IntegrityError:
            if attempt == 2:
                raise
            job.refresh_from_db()


def _count(
    job: Import, batch: Sequence[Row], decisions: Sequence[Decision], now: dt.datetime
) -> None:
    counts = Counter(decision.action for decision in decisions)
    job.rows_done += len(batch)
    job.created += counts[Action.CREATE]
    job.updated += counts[Action.UPDATE]
    job.unchanged += counts[Action.UNCHANGED]
    job.refused += counts[Action.REFUSED]
    job.attempts = 0
    job.lease_until = now + LEASE
    if batch:
        job.offset = batch[-1].end
        job.line = batch[-1].end_line
    if len(batch) < SLICE:
        _finish(job, now)
    job.save()


def _still_mine(job: Import) -> QuerySet[Import]:
    return Import.objects.filter(pk=job.pk, owner=job.owner, state=ImportState.RUNNING)


def _lost() -> NoReturn:
    raise Taken("Another worker took this import over.")


def _actor(job: Import) -> Actor:
    return Actor(ActorKind(job.by_kind), job.by_id, job.by_label)


def _finish(job: Import, now: dt.datetime) -> None:
    job.state = ImportState.FINISHED
    job.finished_at = now
    job.owner = ""
    job.lease_until = None
    counts = {name: getattr(job, name) for name in ("created", "updated", "unchanged", "refused")}
    data = {"file": job.file_name, "rows": job.rows_done, **counts}
    tell(Kind.IMPORT_FINISHED, by=_actor(job), now=now, about=job, data=data)
    # the people are in the database and the refused rows beside them:
    # no second copy of personal data stays
    path = Path(settings.MEDIA_ROOT) / job.path
    transaction.on_commit(lambda: path.unlink(missing_ok=True))


def _fail(job: Import, reason: str, now: dt.datetime) -> None:
    if not _still_mine(job).update(
        state=ImportState.FAILED, error=reason[:300], finished_at=now, owner="", lease_until=None
    ):
        _lost()
    job.refresh_from_db()
    tell(Kind.IMPORT_FAILED, by=_actor(job), now=now, about=job, data={"error": job.error})


# ---------------------------------------------------------------- the error file
def problems_csv(job: Import) -> Iterator[str]:
    """The refused rows as a CSV file, piece by piece: line, problem, then the row's own cells,
    made inert.

    Corrected and uploaded again it imports only them:
    “Line” and “Problem” are left out by themselves.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")  # without it Excel reads UTF-8 as something else
    writer.writerow(["Line", "Problem", *map(inert, job.dialect["columns"])])
    for problem in job.problems.iterator(chunk_size=1000):
        writer.writerow([problem.line, inert(problem.message), *map(inert, problem.row)])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()
