"""Run an import in the background, slice by slice.

One transaction per slice writes the people, the refused rows, the counters and the place in the
file, so a killed worker's successor goes on exactly there, and running a whole file again changes
nothing.
"""

import datetime as dt
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import Any, NoReturn

from django.db import IntegrityError, connection, transaction
from django.db.models import Q, QuerySet
from django.utils import translation
from django.utils.translation import gettext

from apps.followers.imports.csv_file import BadFile, CsvRow, raw_of
from apps.followers.imports.judging.decisions import Action, Memory, RowDecision
from apps.followers.imports.judging.slices import decide_slice, judge_rows
from apps.followers.imports.options import check_words
from apps.followers.imports.rows import Terms
from apps.followers.imports.upload import AlreadyStarted, forget_file, path_of, rows_left
from apps.followers.imports.write import write
from apps.followers.models import Import, ImportState
from apps.lib import steady_clock
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane

# Rows in one transaction: on PostgreSQL many, for what each costs is mostly the commit and the
# statements; on SQLite, where a transaction keeps everybody else from writing, so few that the
# write of a web page waits for a part of a second, and then a rest.
SLICES = {"postgresql": 5000, "sqlite": 250}
REST = 0.05  # seconds
RUN_SECONDS = 8  # then the next task takes over, so that the lane stays open for others
LEASE = dt.timedelta(seconds=60)
MOST_ATTEMPTS = 3  # claims without one finished slice, then the file is given up

TASK = "apps.followers.imports.run.run"


class Taken(RuntimeError):
    """Another worker holds the lease."""


def start(
    *,
    job: Import,
    mapping: Mapping[str, str],
    options: Mapping[str, Any] | None = None,
    by: Actor,
    now: dt.datetime,
    background: bool = True,
) -> Import:
    """Let an upload run, and give it as it is now.

    `mapping` is {heading: one of columns.TARGETS or "metadata.<key>"}, `options` as `Options.read`
    takes them. From now on the file can't be read in another encoding.

    `background=False` leaves the work to the caller, who goes through `slices`; the tick takes over
    if it dies. Raises BadMapping, AlreadyStarted.
    """
    terms = Terms.of(job, mapping, options)
    check_words(terms.mapping, terms.options.values, job.dialect.get("words", {}))
    # what words mean is decided; the words are of the file, which goes, too
    dialect = {name: said for name, said in job.dialect.items() if name != "words"}
    with transaction.atomic():
        mine = Import.objects.filter(pk=job.pk, state=ImportState.UPLOADED).update(
            state=ImportState.RUNNING,
            dialect=dialect,
            mapping=terms.mapping,
            options=terms.options.as_json(),
            started_at=now,
            lease_until=now + LEASE,
            by_kind=by.kind,
            by_id=by.id,
            by_label=by.label[:200],
        )
        if not mine:
            said = gettext(
                "This import was started already. Upload the file again to run it once more."
            )
            raise AlreadyStarted(said)
        job = Import.objects.get(pk=job.pk)
        data = {
            "file": job.file_name,
            "rows": job.rows_total,
            "mapping": terms.mapping,
            "options": job.options,
        }
        tell(Kind.IMPORT_STARTED, by=by, now=now, about=job, data=data)
        if background:
            announce(TASK, lane=Lane.BULK, job_id=job.pk)
        raw = raw_of(path_of(job))
        transaction.on_commit(lambda: raw.unlink(missing_ok=True))
    return job


def run(job_id: int, **_: Any) -> None:
    """Task: work for RUN_SECONDS, then announce the next one.

    A second task at the same time finds the lease taken, or no work.
    """
    stop = time.monotonic() + RUN_SECONDS
    with suppress(Taken):
        for job in slices(job_id):
            if job.state == ImportState.RUNNING and time.monotonic() > stop:
                with transaction.atomic():
                    _release(job)
                    announce(TASK, lane=Lane.BULK, job_id=job.pk)
                return


def slices(job_id: int) -> Iterator[Import]:
    """Claim the import and work on it; yields it after each committed slice.

    A caller that leaves early gives the lease back. Raises Taken when somebody else is at it.
    """
    job = _claim(job_id)
    try:
        while job.state == ImportState.RUNNING:
            with translation.override("en"):  # what is wrong with rows is kept in one language
                _work(job)
            yield job
            if connection.vendor == "sqlite":
                time.sleep(REST)
    except GeneratorExit:
        _release(job)
        raise


def resume_stalled(*, now: dt.datetime) -> int:
    """Tick: announce imports again that run but whose worker let its lease run out.

    Returns how many.
    """
    stalled = Import.objects.filter(_over(now), state=ImportState.RUNNING)
    count = 0
    for pk in stalled.values_list("pk", flat=True):
        with transaction.atomic():
            # the update is the claim: of two ticks one announces
            if stalled.filter(pk=pk).update(owner="", lease_until=now + LEASE):
                announce(TASK, lane=Lane.BULK, job_id=pk)
                count += 1
    return count


def _over(now: dt.datetime) -> Q:
    """Leases that are over, and those that only a wrong clock can have written."""
    return Q(lease_until__lt=now) | Q(lease_until__gt=now + 2 * LEASE)


def _claim(job_id: int) -> Import:
    now = steady_clock.now()
    owner = secrets.token_hex(16)
    with transaction.atomic():
        free = Import.objects.filter(Q(owner="") | _over(now), pk=job_id, state=ImportState.RUNNING)
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
        owner="", lease_until=steady_clock.now() + LEASE
    )


def _work(job: Import) -> None:
    """Write one slice.

    Somebody who adds the same person meanwhile makes it start over, with that person known.
    """
    terms = Terms.kept(job)
    most = SLICES[connection.vendor]
    try:
        batch = list(islice(rows_left(job), most))
    except (BadFile, OSError) as error:
        # the file was checked at upload, so it was changed or removed since
        with transaction.atomic():
            _fail(job, str(error), steady_clock.now())
        return
    people, refused = judge_rows(batch, terms)
    for attempt in range(3):
        now = steady_clock.now()
        try:
            with transaction.atomic():
                # First the fence: on SQLite this takes the write lock, on PostgreSQL the row's.
                if not _still_mine(job).update(lease_until=now + LEASE):
                    _lost()
                decisions = decide_slice(people, refused, Memory(), terms.options, job=job)
                write(job, decisions, terms.options, by=_actor(job), now=now)
                done = batch[: len(decisions)]
                _count(job, done, decisions, now)
                if len(done) == len(batch) < most:
                    _finish(job, now)
                job.save()
            return
        except IntegrityError:
            if attempt == 2:
                raise
            job.refresh_from_db()


def _count(
    job: Import, done: Sequence[CsvRow], decisions: Sequence[RowDecision], now: dt.datetime
) -> None:
    counts = Counter(decision.action for decision in decisions)
    job.rows_done += len(done)
    job.created += counts[Action.CREATE]
    job.updated += counts[Action.UPDATE]
    job.unchanged += counts[Action.UNCHANGED]
    job.suppressed += counts[Action.SUPPRESS]
    job.refused += counts[Action.REFUSED]
    job.incomplete += sum(1 for row in decisions if row.problems) - counts[Action.REFUSED]
    job.attempts = 0
    job.lease_until = now + LEASE
    if done:
        job.offset = done[-1].end
        job.line = done[-1].end_line


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
    names = ("created", "updated", "unchanged", "suppressed", "refused", "incomplete")
    counts = {name: getattr(job, name) for name in names}
    data = {"file": job.file_name, "rows": job.rows_done, **counts}
    tell(Kind.IMPORT_FINISHED, by=_actor(job), now=now, about=job, data=data)
    # the people are in the database and the refused rows beside them:
    # no second copy of personal data stays
    transaction.on_commit(lambda: forget_file(job))


def _fail(job: Import, reason: str, now: dt.datetime) -> None:
    if not _still_mine(job).update(
        state=ImportState.FAILED, error=reason[:300], finished_at=now, owner="", lease_until=None
    ):
        _lost()
    job.refresh_from_db()
    tell(Kind.IMPORT_FAILED, by=_actor(job), now=now, about=job, data={"error": job.error})
