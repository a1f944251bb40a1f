"""Workbooks (XLSX) as tables: one sheet written out as CSV, a row at a time.

A workbook is a ZIP of XML, and both can hold far more than they weigh. Each part that the library
opens, whatever its name, is streamed through and judged before: its rows, cells and texts are
limited, and no XML may declare entities. The library streams rows, so that memory is what the
shared texts need; what it reads whole has to be small.
"""

import csv
import datetime as dt
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any
from xml.parsers import expat

from django.utils.translation import gettext
from openpyxl.reader.excel import ExcelReader

MAX_UNPACKED = 1 << 30  # bytes of XML
MAX_TEXTS = 128 << 20  # bytes of the texts that cells share: they are held in memory
MAX_RATIO = 300  # what is unpacked for each byte packed; tables have 10 to 50
MAX_ROWS = 1_048_576  # Excel's own limit
MAX_CELLS = 60_000_000
MAX_ROW = 16_384  # cells; Excel's own limit
_ROW_ELEMENTS = 16 * MAX_ROW  # with what is in the cells
_OTHER_ELEMENTS = 4_000_000  # outside of rows: two for each text, and some for its formats
_TEXT = 1 << 20  # characters of one cell, or of one tag; Excel has 32,767
_FREE_TEXTS = 20_000  # above, each shared text has to weigh a byte: they are different ones
_WHOLE_BYTES = 16 << 20  # of a part that is read whole, such as the styles
_WHOLE_TAGS = 400_000  # in it, counted with those that close; Excel has 65,490 formats
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
    reader = _Reader(file, read_only=True, data_only=True, keep_links=False)
    reader.archive = _Guarded(file)
    reader.read()
    book = reader.wb
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
    """Refuse what unpacks to far more than it weighs. Raises BadWorkbook, or as zipfile does."""
    with zipfile.ZipFile(path) as book:
        # to read more than a part says of itself is an error of zipfile
        unpacked = sum(part.file_size for part in book.infolist())
        if unpacked > MAX_UNPACKED or unpacked > MAX_RATIO * path.stat().st_size:
            raise _too_large()


def _too_large() -> BadWorkbook:
    return BadWorkbook(gettext("The workbook unpacks to too much. Save the sheet as CSV UTF-8."))


class _Reader(ExcelReader):  # type: ignore[misc]  # the library has no types
    def read_chartsheet(self, sheet: Any, rel: Any) -> None:
        """Leave charts out: they have no rows, and would be read whole."""


class _Guarded(zipfile.ZipFile):
    """A workbook whose parts are judged before the library sees them. Raises BadWorkbook."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(file)
        self.judged: set[str] = set()
        self.weight = file.seek(0, 2)

    def open(self, name: Any, *args: Any, **options: Any) -> IO[bytes]:
        part = self.getinfo(getattr(name, "filename", name))
        if part.filename not in self.judged:
            with super().open(part) as xml:
                _Judge(part.file_size, self.weight).read(xml)
            self.judged.add(part.filename)
        return super().open(name, *args, **options)

    def read(self, name: Any, pwd: bytes | None = None) -> bytes:
        if self.getinfo(getattr(name, "filename", name)).file_size > _WHOLE_BYTES:
            raise _too_large()
        content = super().read(name, pwd)
        if content.count(b"<") > _WHOLE_TAGS:
            raise _too_large()
        return content


class _Judge:
    """Stream a part of `size` bytes, in a file that weighs `weight`, and count what is in it."""

    def __init__(self, size: int, weight: int) -> None:
        self.size = size
        self.most_texts = max(_FREE_TEXTS, weight)
        self.depth = 0
        self.row = 0  # the depth of the row that is open
        self.in_row = 0  # elements
        self.in_this_row = 0  # cells
        self.cells = 0
        self.texts = 0
        self.other = 0
        self.characters = 0  # since the last tag

    def read(self, xml: IO[bytes]) -> None:
        """Raise BadWorkbook where it holds more than a workbook does, or declares entities."""
        parser = expat.ParserCreate()
        parser.StartDoctypeDeclHandler = _refuse_declarations
        parser.StartElementHandler = self.begin
        parser.EndElementHandler = self.end
        parser.CharacterDataHandler = self.text
        fed = 0
        while piece := xml.read(1 << 16):
            fed += len(piece)
            parser.Parse(piece)
            if fed - parser.CurrentByteIndex > _TEXT:  # a tag that does not end
                raise _too_large()

    def begin(self, name: str, _: Any) -> None:
        name = name.rpartition(":")[2]
        self.characters = 0
        self.depth += 1
        if self.depth == 1 and name != "worksheet" and self.size > MAX_TEXTS:
            raise _too_large()
        if name == "si":
            self.texts += 1
            if self.texts > self.most_texts or self.size > MAX_TEXTS:
                raise _too_large()
        if self.row:
            self.count_in_row()
        elif name == "row":
            self.row = self.depth
            self.in_row = 0
            self.in_this_row = 0
        else:
            self.other += 1
            if self.other > _OTHER_ELEMENTS:
                raise _too_large()

    def count_in_row(self) -> None:
        self.in_row += 1
        if self.depth == self.row + 1:
            self.in_this_row += 1
            self.cells += 1
        if self.in_this_row > MAX_ROW or self.cells > MAX_CELLS or self.in_row > _ROW_ELEMENTS:
            raise _too_many()

    def end(self, _: str) -> None:
        self.characters = 0
        if self.depth == self.row:
            self.row = 0
        self.depth -= 1

    def text(self, text: str) -> None:
        self.characters += len(text)
        if self.characters > _TEXT:
            raise _too_large()


def _refuse_declarations(*_: Any) -> None:
    raise BadWorkbook(gettext("The workbook declares entities, as no program's does."))


def _too_many() -> BadWorkbook:
    return BadWorkbook(gettext("The sheet has too many rows or columns. Split it into several."))


def _write(rows: Iterator[Sequence[Any]], target: Path, most_columns: int) -> None:
    width = 0
    cells = 0
    with target.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        for number, row in enumerate(rows, start=1):
            cells += len(row)
            if number > MAX_ROWS or cells > MAX_CELLS:
                raise _too_many()
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
