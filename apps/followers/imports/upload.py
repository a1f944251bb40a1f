"""Take in a file: store it, check it whole, guess its columns, or forget it again."""

import datetime as dt
import secrets
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import BinaryIO

from django.conf import settings

from apps.followers.imports import csv_file
from apps.followers.imports.columns import suggest
from apps.followers.imports.csv_file import CsvRow
from apps.followers.models import Import, ImportState
from apps.lib.actor import Actor
from apps.lib.refusals import RefusalKind, Refused


class AlreadyStarted(Refused):
    """The import runs or has run; a second click changes nothing."""

    kind = RefusalKind.STATE


def start_upload(*, file: BinaryIO, file_name: str, by: Actor, now: dt.datetime) -> Import:
    """Store and check a file, guess what its columns are (`job.mapping`), and wait for `start`.

    `job.dialect["columns"]` are the headings. Raises BadFile with the line; then nothing is kept.
    """
    path = f"imports/{secrets.token_hex(16)}.csv"
    target = Path(settings.MEDIA_ROOT) / path
    shape = csv_file.store(file, target, max_bytes=settings.IMPORT_MAX_BYTES)
    # a browser on Windows may send the whole path
    name = Path(file_name.replace("\\", "/")).name[:200]
    return Import.objects.create(
        file_name=name or "followers.csv",
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
    path_of(job).unlink(missing_ok=True)


def path_of(job: Import) -> Path:
    """Give the place where the file of an import is stored."""
    return Path(settings.MEDIA_ROOT) / job.path


def rows_left(job: Import) -> Iterator[CsvRow]:
    """Read the rows from the checkpoint of the import on. Raises BadFile, OSError."""
    delimiter = job.dialect["delimiter"]
    return csv_file.rows(path_of(job), delimiter, offset=job.offset, line=job.line)
