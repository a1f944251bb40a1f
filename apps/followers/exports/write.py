"""Write an export in the background, slice by slice.

One transaction a slice writes the rows and the id after which the next one begins, so that a killed
worker's successor goes on exactly there, and nothing comes twice.
"""

import base64
import datetime as dt
import json
import time
import zlib
from collections.abc import Sequence
from typing import Any

from django.db import transaction

from apps.followers.exports.source import PERSON, reader_of
from apps.followers.exports.start import TASK
from apps.followers.models import Export, ExportChunk, ExportState
from apps.lib import steady_clock
from apps.lib.actor import Actor, ActorKind
from apps.lib.crypto import decrypt, encrypt
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane

SLICE = 2000  # rows; some 200 kB
SLICE_OF_PERSON = 100  # each may be a mail with all its words
RUN_SECONDS = 8  # then the next task takes over, so that the lane stays open for others
PATIENCE = dt.timedelta(seconds=60)  # after it a slice is taken for lost
MOST_ATTEMPTS = 3
KEPT = dt.timedelta(days=1)


def run(job_id: int, **_: Any) -> None:
    """Task: write for RUN_SECONDS, then announce the next one. Two at once write each slice once,
    for the slice locks its export.
    """
    stop = time.monotonic() + RUN_SECONDS
    while time.monotonic() < stop:
        if not _slice(job_id):
            return
    announce(TASK, lane=Lane.BULK, job_id=job_id)


def _slice(job_id: int) -> bool:
    """Write one slice; False when there is nothing more to write."""
    if not _begin(job_id):
        return False
    now = steady_clock.now()
    with transaction.atomic():
        running = Export.objects.select_for_update().filter(state=ExportState.RUNNING)
        job = running.filter(pk=job_id).first()
        if job is None:
            return False
        most = SLICE
        if job.kind == PERSON:
            most = SLICE_OF_PERSON
        found = reader_of(job.kind).rows(job.asked, after=job.last_id, most=most)
        if found:
            rows = [[row.get(name) for name in job.columns] for _id, row in found]
            body = pack(rows)
            ExportChunk.objects.create(export=job, number=job.chunks_done, body=body)
            job.chunks_done += 1
            job.rows_done += len(found)
            job.last_id = found[-1][0]
        job.attempts = 0
        job.touched_at = now
        if len(found) < most:
            job.state = ExportState.READY
            job.finished_at = now
            told = {"what": job.kind, "rows": job.rows_done}
            tell(Kind.EXPORT_FINISHED, by=_actor(job), now=now, about=job, data=told)
        job.save()
    return job.state == ExportState.RUNNING


def _begin(job_id: int) -> bool:
    """Count the attempt before the work: what kills its worker must not be tried for ever."""
    now = steady_clock.now()
    with transaction.atomic():
        running = Export.objects.select_for_update().filter(state=ExportState.RUNNING)
        job = running.filter(pk=job_id).first()
        if job is None:
            return False
        if job.attempts >= MOST_ATTEMPTS:
            job.state = ExportState.FAILED
            job.error = f"Stopped {job.attempts} times after {job.rows_done:,} rows."
            job.finished_at = now
            told = {"error": job.error}
            tell(Kind.EXPORT_FAILED, by=_actor(job), now=now, about=job, data=told)
        else:
            job.attempts += 1
        job.save()
    return job.state == ExportState.RUNNING


def resume_stalled(*, now: dt.datetime) -> int:
    """Tick: announce exports again of which no slice came for long. Returns how many."""
    lost = Export.objects.filter(state=ExportState.RUNNING, touched_at__lt=now - PATIENCE)
    count = 0
    for pk in lost.values_list("pk", flat=True):
        with transaction.atomic():
            # the update is the claim: of two ticks one announces
            if lost.filter(pk=pk).update(touched_at=now):
                announce(TASK, lane=Lane.BULK, job_id=pk)
                count += 1
    return count


def forget_old(*, now: dt.datetime) -> int:
    """Tick: forget what was made more than a day ago. Returns how many chunks and exports."""
    return Export.objects.filter(created_at__lt=now - KEPT).delete()[0]


def pack(rows: Sequence[Sequence[Any]]) -> str:
    """Compress and encrypt rows."""
    text = json.dumps(rows, ensure_ascii=False, separators=(",", ":"))
    return encrypt(base64.b64encode(zlib.compress(text.encode())).decode())


def unpack(body: str) -> list[list[Any]]:
    """Read what `pack` wrote. Raises Undecryptable."""
    rows: list[list[Any]] = json.loads(zlib.decompress(base64.b64decode(decrypt(body))))
    return rows


def _actor(job: Export) -> Actor:
    return Actor(ActorKind(job.by_kind), job.by_id, job.by_label)
