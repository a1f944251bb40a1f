"""An export as a file, made piece by piece while it is fetched: it costs no memory and no disk."""

import datetime as dt
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from apps.followers.exports.formats import FORMATS, check
from apps.followers.exports.source import TEXT, source_of
from apps.followers.exports.write import unpack
from apps.followers.models import Export, ExportState
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import WrongState


def fetch(*, export: Export, file_format: str, by: Actor, now: dt.datetime) -> Iterator[bytes]:
    """Give the file, and tell who fetched it. `file_format` is one of FORMATS.

    Raises WrongState where it is not ready, NoSuchPackage.
    """
    pieces = written(export, file_format)
    with transaction.atomic():
        told = {"what": export.kind, "rows": export.rows_done, "format": file_format}
        tell(Kind.EXPORT_FETCHED, by=by, now=now, about=export, data=told)
    return pieces


def written(export: Export, file_format: str) -> Iterator[bytes]:
    """Give the file. Raises WrongState where it is not ready, NoSuchPackage."""
    if export.state != ExportState.READY:
        raise WrongState(gettext("This export is not ready yet."))
    check(file_format)
    rows = some_rows(export, 0, export.chunks_done)
    return FORMATS[file_format].write(columns_of(export), rows)


def columns_of(export: Export) -> dict[str, str]:
    """Say what each column of an export holds."""
    types = source_of(export.kind).types
    return {name: types.get(name, TEXT) for name in export.columns}


def some_rows(export: Export, start: int, end: int) -> Iterator[list[list[Any]]]:
    """Give the rows from one chunk to another, a chunk at a time. Raises Undecryptable."""
    for number in range(start, end):
        yield unpack(export.chunks.get(number=number).body)
