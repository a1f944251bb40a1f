"""An export as a file, made piece by piece while it is fetched: it costs no memory and no disk."""

import csv
import datetime as dt
import io
import json
from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from apps.followers.exports.write import unpack
from apps.followers.imports.cells import inert
from apps.followers.models import Export, ExportState
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import WrongState

FORMATS = {"csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl; charset=utf-8"}


def fetch(*, export: Export, file_format: str, by: Actor, now: dt.datetime) -> Iterator[str]:
    """Give the file, and tell who fetched it. `file_format` is one of FORMATS.

    Raises WrongState where it is not ready.
    """
    pieces = written(export, file_format)
    with transaction.atomic():
        told = {"what": export.kind, "rows": export.rows_done, "format": file_format}
        tell(Kind.EXPORT_FETCHED, by=by, now=now, about=export, data=told)
    return pieces


def written(export: Export, file_format: str) -> Iterator[str]:
    """Give the file. Raises WrongState where it is not ready."""
    if export.state != ExportState.READY:
        raise WrongState(gettext("This export is not ready yet."))
    if file_format == "csv":
        return _csv(export)
    return _json_lines(export)


def _rows(export: Export) -> Iterator[list[list[Any]]]:
    """Give the rows, a chunk at a time. Raises Undecryptable."""
    for number in range(export.chunks_done):
        yield unpack(export.chunks.get(number=number).body)


def _csv(export: Export) -> Iterator[str]:
    """What a spreadsheet would run is made inert; an import of ours reads it back as it was."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")  # without it Excel reads UTF-8 as something else
    writer.writerow(export.columns)
    yield _taken(buffer)
    for rows in _rows(export):
        writer.writerows([_cell(value) for value in row] for row in rows)
        yield _taken(buffer)


def _json_lines(export: Export) -> Iterator[str]:
    for rows in _rows(export):
        lines = []
        for row in rows:
            named = dict(zip(export.columns, row, strict=True))
            lines.append(json.dumps(named, ensure_ascii=False) + "\n")
        yield "".join(lines)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text


def _cell(value: Any) -> str:
    """Write a value as a cell: lists by commas, objects as JSON."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case str():
            return inert(value)
        case list():
            return inert(", ".join(map(str, value)))
        case dict():
            if not value:
                return ""
            return inert(json.dumps(value, ensure_ascii=False))
    return str(value)
