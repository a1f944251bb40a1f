"""Put the files of scheduled exports where they should be.

An export of many rows is several files, each put whole and noted before the next one: a killed
worker's successor goes on there, and puts a file that was half there once more, under its name. The
last file is `manifest.json`: where it is, all others are.
"""

import datetime as dt
import json
import time
from typing import Any

from django.db import transaction
from django.db.models import F

from apps.followers.exports.due import fail
from apps.followers.exports.files import columns_of, some_rows
from apps.followers.exports.formats import FORMATS
from apps.followers.exports.places import Unstored
from apps.followers.exports.schedules import place_of
from apps.followers.models import Export, ExportSchedule, ExportState, Shipment, ShipmentState
from apps.lib import steady_clock
from apps.lib.actor import SYSTEM
from apps.lib.crypto import Undecryptable
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane

TASK = "apps.followers.exports.store.run"
CHUNKS_PER_FILE = 50  # 100,000 rows; a workbook of so many takes some 6 s
RUN_SECONDS = 8  # then the next task takes over
LEASE = dt.timedelta(minutes=5)  # longer than a task may take
# after each try that failed; then it is given up, before the export itself is forgotten
WAITS = [dt.timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 240)]


def run(shipment_id: int, **_: Any) -> None:
    """Task: put files for RUN_SECONDS, then announce the next one."""
    stop = time.monotonic() + RUN_SECONDS
    while time.monotonic() < stop:
        if not _put_next(shipment_id):
            return
    announce(TASK, lane=Lane.BULK, shipment_id=shipment_id)


def announce_due(*, now: dt.datetime) -> int:
    """Tick: announce what is to be put somewhere, and give up what has no rows. Returns how many
    were announced.
    """
    due = Shipment.objects.filter(state=ShipmentState.WAITING, due_at__lte=now)
    for shipment in due.filter(export__state=ExportState.FAILED).select_related("export"):
        _give_up(shipment, shipment.export.error, now)
    ready = due.filter(export__state=ExportState.READY)
    count = 0
    for pk in ready.values_list("pk", flat=True):
        announce(TASK, lane=Lane.BULK, shipment_id=pk)
        count += 1
    return count


def _put_next(pk: int) -> bool:
    """Put one file; False when there is nothing more to put, or not now."""
    now = steady_clock.now()
    due = Shipment.objects.filter(
        pk=pk, state=ShipmentState.WAITING, due_at__lte=now, export__state=ExportState.READY
    )
    # counted before the work: what kills its worker must not be tried for ever
    if not due.update(due_at=now + LEASE, attempts=F("attempts") + 1):
        return False
    shipment = Shipment.objects.select_related("export", "schedule").get(pk=pk)
    if shipment.attempts > len(WAITS):
        _give_up(shipment, shipment.error or "The worker was stopped each time.", now)
        return False
    try:
        return _put(shipment)
    except (Unstored, Undecryptable) as error:
        wait = WAITS[shipment.attempts - 1]
        said = str(error)[:300]
        Shipment.objects.filter(pk=pk).update(due_at=steady_clock.now() + wait, error=said)
        if shipment.attempts == len(WAITS):
            _give_up(shipment, said, steady_clock.now())
        elif shipment.attempts == 1:  # staff know from the first one on
            fail(schedule=shipment.schedule, error=said, now=steady_clock.now())
        return False


def _put(shipment: Shipment) -> bool:
    """Put the next file of a shipment that is ours, and note it. Raises Unstored, Undecryptable."""
    export = shipment.export
    schedule = shipment.schedule
    place = place_of(schedule)
    folder = _folder(export)
    done = shipment.chunks_done
    end = min(done + CHUNKS_PER_FILE, export.chunks_done)
    if done < end or not shipment.files_done:
        rows = some_rows(export, done, end)
        pieces = FORMATS[schedule.file_format].write(columns_of(export), rows)
        number = shipment.files_done + 1
        place.put(f"{folder}/part-{number:04}.{schedule.file_format}", pieces)
        mine = Shipment.objects.filter(pk=shipment.pk, files_done=shipment.files_done)
        now = steady_clock.now()
        mine.update(chunks_done=end, files_done=number, attempts=0, due_at=now, error="")
        return True
    manifest = {
        "kind": export.kind,
        "filter": export.asked,
        "columns": export.columns,
        "rows": export.rows_done,
        "files": shipment.files_done,
        "format": schedule.file_format,
        "begun_at": export.created_at.astimezone(dt.UTC).isoformat(),
    }
    text = json.dumps(manifest, ensure_ascii=False, indent=2) + "\n"
    place.put(f"{folder}/manifest.json", iter([text.encode()]))
    _note_stored(shipment, export)
    return False


def _folder(export: Export) -> str:
    """Name the folder of an export: its time, its kind, and an id, for schedules that are due
    together may share a place.
    """
    begun = export.created_at.astimezone(dt.UTC)
    return f"{begun:%Y-%m-%dT%H%M%SZ}-{export.kind}-{export.uid.hex[-12:]}"


def _note_stored(shipment: Shipment, export: Export) -> None:
    now = steady_clock.now()
    with transaction.atomic():
        waiting = Shipment.objects.filter(pk=shipment.pk, state=ShipmentState.WAITING)
        if not waiting.update(state=ShipmentState.STORED):
            return
        schedule = shipment.schedule
        ExportSchedule.objects.filter(pk=schedule.pk).update(
            stored_at=now, failed_at=None, error=""
        )
        data = {"what": export.kind, "rows": export.rows_done, "files": shipment.files_done}
        tell(Kind.EXPORT_STORED, by=SYSTEM, now=now, about=schedule, data=data)


def _give_up(shipment: Shipment, error: str, now: dt.datetime) -> None:
    with transaction.atomic():
        waiting = Shipment.objects.filter(pk=shipment.pk, state=ShipmentState.WAITING)
        if waiting.update(state=ShipmentState.FAILED, error=error[:300]):
            fail(schedule=shipment.schedule, error=error, now=now)
