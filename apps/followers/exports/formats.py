"""How rows are written as a file. A format takes them a chunk at a time and gives bytes as it goes,
so that a million rows cost no more memory than some thousand.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from django.utils.translation import gettext

from apps.followers.exports.parquet import parquet
from apps.followers.exports.spreadsheet import workbook
from apps.followers.imports.cells import inert
from apps.lib.refusals import RefusalKind, Refused

Columns = Mapping[str, str]  # what each holds, by name: see source.py
Rows = Sequence[Sequence[Any]]


class NoSuchPackage(Refused):
    """A format needs a package that is not installed; the sentence says how to have it."""

    kind = RefusalKind.STATE


@dataclass(frozen=True, slots=True)
class Format:
    """What a file is, to a browser, what writes it, and the package that it needs."""

    media_type: str
    write: Callable[[Columns, Iterable[Rows]], Iterator[bytes]]
    package: str = ""


def check(name: str) -> None:
    """Raise NoSuchPackage where a format of FORMATS can't be written on this machine."""
    package = FORMATS[name].package
    if package and find_spec(package) is None:
        said = gettext(
            "{format} needs the package {package}, which is not installed. Run: pip install -r"
            " requirements-parquet.txt"
        )
        raise NoSuchPackage(said.format(format=name.upper(), package=package), field="format")


def _csv(columns: Columns, chunks: Iterable[Rows]) -> Iterator[bytes]:
    """What a spreadsheet would run is made inert; an import of ours reads it back as it was."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    buffer.write("\ufeff")  # without it Excel reads UTF-8 as something else
    writer.writerow(columns)
    for rows in chunks:
        writer.writerows([_inert(value) for value in row] for row in rows)
        yield _taken(buffer)
    yield _taken(buffer)


def _json_lines(columns: Columns, chunks: Iterable[Rows]) -> Iterator[bytes]:
    """Values keep their types, so that nothing in them is ever taken for a formula."""
    for rows in chunks:
        lines = []
        for row in rows:
            named = dict(zip(columns, row, strict=True))
            lines.append(json.dumps(named, ensure_ascii=False) + "\n")
        yield "".join(lines).encode()


def _xlsx(columns: Columns, chunks: Iterable[Rows]) -> Iterator[bytes]:
    flat = ([[_flat(value) for value in row] for row in rows] for rows in chunks)
    return workbook(list(columns), flat)


FORMATS = {
    "csv": Format("text/csv; charset=utf-8", _csv),
    "xlsx": Format("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", _xlsx),
    "jsonl": Format("application/jsonl; charset=utf-8", _json_lines),
    "parquet": Format("application/vnd.apache.parquet", parquet, package="pyarrow"),
}


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode()


def _inert(value: Any) -> str:
    flat = _flat(value)
    match flat:
        case None:
            return ""
        case bool():
            return str(flat).lower()
        case str():
            return inert(flat)
    return str(flat)


def _flat(value: Any) -> Any:
    """Write what has parts as one text: lists by commas, objects as JSON."""
    match value:
        case list() if all(isinstance(each, str) for each in value):
            return ", ".join(value)
        case list() | dict():
            if not value:
                return ""
            return json.dumps(value, ensure_ascii=False)
    return value
