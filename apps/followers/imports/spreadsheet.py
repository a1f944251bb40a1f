"""Workbooks (XLSX) as tables: one sheet written out as CSV, a row at a time.

A workbook is a ZIP of XML, and both can hold far more than they weigh. What it may unpack to, how
many rows and cells a sheet has, and how long texts are is limited; no XML may declare entities. The
library streams rows, so that memory is what the shared texts need.
"""

import csv
import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

import openpyxl
from django.utils.translation import gettext

MAX_UNPACKED = 1 << 30  # bytes of XML
MAX_TEXTS = 128 << 20  # bytes of the texts that cells share: they are held in memory
MAX_RATIO = 300  # what is unpacked for each byte packed; tables have 10 to 50
MAX_ROWS = 1_048_576  # Excel's own limit
MAX_CELLS = 60_000_000
_TEXTS = "xl/sharedStrings.xml"
_BOOK = "xl/workbook.xml"
_WHOLE = 10**15  # whole numbers below are exact


class BadWorkbook(Exception):
    """The file can't be read as a workbook; the text says why."""


def is_workbook(path: Path) -> bool:
    """Tell a workbook from another ZIP file."""
    try:
        with zipfile.ZipFile(path) as book:
            return _BOOK in book.namelist()
    except zipfile.BadZipFile:
        return False


def write_csv(path: Path, target: Path, *, sheet: str, most_columns: int) -> tuple[str, list[str]]:
    """Write a sheet as CSV with commas; "" takes the first that is shown.

    Returns its name and the names of all. Raises BadWorkbook.
    """
    try:
        _judge(path)
        # opened here: the library wants a name that ends in .xlsx
        with path.open("rb") as file:
            return _write_sheet(file, target, sheet, most_columns)
    except BadWorkbook:
        raise
    except Exception as error:
        # the library raises whatever a broken file makes it stumble over
        said = gettext("This workbook can't be read ({error}). Save it as CSV UTF-8 instead.")
        raise BadWorkbook(said.format(error=str(error)[:80])) from error


def _write_sheet(
    file: IO[bytes], target: Path, sheet: str, most_columns: int
) -> tuple[str, list[str]]:
    book = openpyxl.load_workbook(file, read_only=True, data_only=True)
    names = [each.title for each in book.worksheets if each.sheet_state == "visible"]
    if sheet and sheet not in names:
        said = gettext("The workbook has no sheet {sheet!r}.")
        raise BadWorkbook(said.format(sheet=sheet[:60]))
    if not names:
        raise BadWorkbook(gettext("The workbook has no sheet that is shown."))
    name = sheet or names[0]
    table = book[name]
    table.reset_dimensions()  # what a program wrote there may be wrong
    _write(table.iter_rows(values_only=True), target, most_columns)
    return name, names


def _judge(path: Path) -> None:
    """Refuse what holds far more than it weighs. Raises BadWorkbook, and what zipfile raises."""
    too_large = gettext("The workbook unpacks to too much. Save the sheet as CSV UTF-8.")
    with zipfile.ZipFile(path) as book:
        parts = book.infolist()  # to read more than a part says of itself is an error of zipfile
        unpacked = sum(part.file_size for part in parts)
        if unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * path.stat().st_size:
            raise BadWorkbook(too_large)
        for part in parts:
            if part.filename == _TEXTS and part.file_size > MAX_TEXTS:
                raise BadWorkbook(too_large)
            if part.filename.endswith((".xml", ".rels")):
                with book.open(part) as xml:
                    _refuse_entities(xml)


def _refuse_entities(xml: IO[bytes]) -> None:
    """Read up to the first element: what may declare entities stands before it."""
    begun: list[str] = []
    parser = expat.ParserCreate()

    def declares(*_: Any) -> None:
        raise BadWorkbook(gettext("The workbook declares entities, as no program's does."))

    parser.StartDoctypeDeclHandler = declares
    parser.StartElementHandler = lambda name, _: begun.append(name)
    while not begun and (piece := xml.read(4096)):
        parser.Parse(piece)


def _write(rows: Iterator[Sequence[Any]], target: Path, most_columns: int) -> None:
    width = 0
    cells = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        for number, row in enumerate(rows, start=1):
            cells += len(row)
            if number > MAX_ROWS or cells > MAX_CELLS:
                said = gettext("The sheet has too many rows or columns. Split it into several.")
                raise BadWorkbook(said)
            texts = [_text(value) for value in row[: most_columns + 1]]
            while texts and not texts[-1].strip():
                texts.pop()
            width = width or len(texts)  # of the headings
            if texts:
                texts += [""] * (width - len(texts))
            table.writerow(texts)


def _text(value: Any) -> str:
    """Write a cell as people would type it."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case float() if value.is_integer() and abs(value) < _WHOLE:
            return str(int(value))
        case dt.datetime() if value.time() == dt.time():
            return value.date().isoformat()
        case dt.datetime():
            return value.isoformat(" ", "seconds")
        case str() if value.startswith("#") and value.rstrip("!?") in _ERRORS:
            return ""
    return str(value).replace("\0", "").replace("\r\n", "\n").replace("\r", "\n")


# What a formula gives that has no value.
_ERRORS = frozenset(
    [
        "#NULL",
        "#DIV/0",
        "#VALUE",
        "#REF",
        "#NAME",
        "#NUM",
        "#N/A",
        "#GETTING_DATA",
        "#SPILL",
        "#CALC",
    ]
)
