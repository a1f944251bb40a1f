"""Take in a file: store it, check it whole, guess its columns, read it in another encoding,
or forget it again.
"""

import datetime as dt
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.utils.translation import gettext

from apps.followers.imports import csv_file
from apps.followers.imports.columns import into_fields, may_say_out, suggest
from apps.followers.imports.csv_file import CsvRow, Reading, Shape, raw_of
from apps.followers.imports.status_words import OPTED_OUT, STATUS, squashed
from apps.followers.imports.words.systems import System, recognise, standing_of_file
from apps.followers.models import CustomField, Import, ImportState
from apps.lib.actor import Actor
from apps.lib.refusals import RefusalKind, Refused

_WORD = 60  # characters of a word that may be a status


class AlreadyStarted(Refused):
    """The import runs or has run; a second click changes nothing."""

    kind = RefusalKind.STATE


def start_upload(
    *,
    file: BinaryIO,
    file_name: str,
    reading: Reading | None = None,
    do_not_contact: bool = False,
    by: Actor,
    now: dt.datetime,
) -> Import:
    """Store and check a file, guess what its columns are (`job.mapping`), and wait for `start`.

    `job.dialect["columns"]` are the headings, `job.options` what is suggested for all rows. Raises
    BadFile with the line; then nothing is kept.
    """
    path = f"imports/{secrets.token_hex(16)}.csv"
    target = Path(settings.MEDIA_ROOT) / path
    shape = csv_file.store(file, target, max_bytes=settings.IMPORT_MAX_BYTES, reading=reading)
    # a browser on Windows may send the whole path
    name = Path(file_name.replace("\\", "/")).name[:200]
    found = _found(shape, name)
    found["options"]["do_not_contact"] = do_not_contact
    return Import.objects.create(
        file_name=name or "followers.csv",
        path=path,
        **found,
        by_kind=by.kind,
        by_id=by.id,
        by_label=by.label[:200],
        created_at=now,
    )


def read_again(*, job: Import, reading: Reading) -> Import:
    """Read an upload in another encoding or with another delimiter, and give it as it is now.

    Its columns are guessed anew. Raises AlreadyStarted, and BadFile; then it stays as it was.
    """
    started = gettext("This import was started already. Upload the file again.")
    if job.state != ImportState.UPLOADED:
        raise AlreadyStarted(started)
    shape = csv_file.read_again(path_of(job), reading)
    waiting = Import.objects.filter(pk=job.pk, state=ImportState.UPLOADED)
    found = _found(shape, job.file_name)
    found["options"]["do_not_contact"] = job.options.get("do_not_contact", False)
    if not waiting.update(**found):
        raise AlreadyStarted(started)
    return Import.objects.get(pk=job.pk)


def _found(shape: Shape, name: str) -> dict[str, Any]:
    """Give what an Import keeps of a file's shape, and the guesses.

    No cells, but the few words of columns about consent: somebody says what they mean.
    """
    system = recognise(shape.columns)
    doubtful = may_say_out(shape.columns, shape.words, system)
    dialect = {
        "encoding": shape.encoding,
        "delimiter": shape.delimiter,
        "columns": shape.columns,
        "may_say_out": doubtful,
        "words": _words(shape, doubtful),
        "system": "",
        "sheet": shape.sheet,
        "sheets": list(shape.sheets),
    }
    if system:
        dialect["system"] = system.name
    mapping = into_fields(
        suggest(shape.columns, shape.words, system),
        CustomField.objects.all(),
        only_fields=settings.CUSTOM_FIELDS_ONLY,
    )
    options = _suggested(shape.columns, system)
    # a column of bounces or of text messages does not say who left
    if not set(mapping.values()) & {STATUS, OPTED_OUT}:
        options["standing"] = standing_of_file(name)
    return {
        "dialect": dialect,
        "mapping": mapping,
        "options": options,
        "rows_total": shape.rows,
        "offset": shape.offset,
        "line": shape.line,
    }


def _words(shape: Shape, doubtful: Sequence[str]) -> dict[str, list[str]]:
    """Give the words of these columns, where they are few and short."""
    found = {}
    for column, cells in zip(shape.columns, shape.words, strict=True):
        if column in doubtful and cells and max(map(len, cells)) <= _WORD:
            found[column] = sorted(cells)
    return found


def _suggested(columns: Sequence[str], system: System | None) -> dict[str, Any]:
    """Give the options that fit the exports of a system."""
    if system is None:
        return {}
    options = dict(system.options)
    values = {}
    for column in columns:
        if said := system.values.get(squashed(column)):
            values[column] = dict(said)
    if values:
        options["values"] = values
    return options


def discard(*, job: Import) -> None:
    """Forget an upload that was never started, and its file. Raises AlreadyStarted."""
    if not Import.objects.filter(pk=job.pk, state=ImportState.UPLOADED).delete()[0]:
        raise AlreadyStarted(gettext("This import was started already, so its record stays."))
    forget_file(job)


def forget_file(job: Import) -> None:
    """Remove the file of an import, as it was uploaded and as it is read."""
    path_of(job).unlink(missing_ok=True)
    raw_of(path_of(job)).unlink(missing_ok=True)


def path_of(job: Import) -> Path:
    """Give the place where the file of an import is stored."""
    return Path(settings.MEDIA_ROOT) / job.path


def rows_left(job: Import) -> Iterator[CsvRow]:
    """Read the rows from the checkpoint of the import on. Raises BadFile, OSError."""
    delimiter = job.dialect["delimiter"]
    return csv_file.rows(path_of(job), delimiter, offset=job.offset, line=job.line)
