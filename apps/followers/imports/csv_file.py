"""CSV files as people really have them: stored as clean UTF-8 once, checked whole,
then read row by row from any byte. A workbook is stored as the CSV file of one of its sheets.

What makes the file itself unreadable (NUL, mixed encodings, endless lines, too many rows whose
quotation marks don't match) refuses it, with the line number, before anything is imported. What is
wrong with one row costs that row, what is wrong with a heading nothing.
"""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from django.utils.translation import gettext, gettext_lazy

from apps.followers.imports import encoding as encodings
from apps.followers.imports import spreadsheet
from apps.followers.imports.spreadsheet import BadWorkbook
from apps.lib.refusals import Refused

MAX_COLUMNS = 1_000
MAX_HEADING = 200  # characters
MAX_LINE = 1_000_000  # characters
MAX_ROW_LINES = 1_000  # a row with more line breaks has a quotation mark that is never closed
MAX_BROKEN = 1_000  # rows whose quotation marks don't match
FEW = 30  # different words of a column; one with more is no status
DELIMITERS = ",;\t|"
WORKBOOK = "xlsx"

_NUL = gettext_lazy(
    "this line contains a NUL character. Is it a CSV file? Save the table as CSV UTF-8."
)
_QUOTES = gettext_lazy(
    "the quotation marks of this row don't match: one is opened and never closed, "
    'or stands inside a cell. Write a mark inside a cell twice ("").'
)
_CHUNK = 1 << 20
_SAMPLE = 64 * 1024
_NOT_TEXT = {
    b"PK\x03\x04": gettext_lazy(
        "This is a ZIP file and no Excel workbook. Unpack it, and upload the tables inside one by "
        "one."
    ),
    b"\xd0\xcf\x11\xe0": gettext_lazy(
        "This is an old or encrypted Excel file. In Excel choose “Save as”, “Excel workbook” "
        "without a password, and upload that."
    ),
    b"%PDF": gettext_lazy("This is a PDF. Upload the table as CSV."),
    b"\x1f\x8b": gettext_lazy("This is a compressed file. Unpack it and upload the CSV inside."),
}
_ADDRESS = re.compile(r"(.*<)?[^\s<>]+@[^\s<>]+\.[^\s<>]+>?")
# Excel's first line, which says how the others are separated.
_SEP = re.compile(r'\ufeff?"?sep=(\\t|.)"?\n?', re.IGNORECASE)

csv.field_size_limit(MAX_LINE)


class BadFile(Refused):
    """The file can't be read as a table. `line` is where, 0 = the file as a whole."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.line = line
        if line:
            message = gettext("Line {line:,}: {problem}").format(line=line, problem=message)
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Reading:
    """How a person wants a file to be read: an encoding, a delimiter; "" finds it out.

    `sheet` is one of a workbook; "" takes the first.
    """

    encoding: str = ""
    delimiter: str = ""
    sheet: str = ""


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file is like: its original encoding, its delimiter, its headings, how many rows it
    has, and where the first one begins.

    `words` are the different cells of each column in small letters, None where there are many.
    `sheets` are those of a workbook, whose encoding is WORKBOOK; `sheet` is the one that was read.
    """

    encoding: str
    delimiter: str
    columns: list[str]
    rows: int
    offset: int
    line: int
    words: list[set[str] | None]
    sheet: str = ""
    sheets: Sequence[str] = ()


@dataclass(slots=True)
class CsvRow:
    """One row; `line` is the line of the file it begins on,
    `end` and `end_line` where the next one begins.

    `problem` says why its cells can't be told apart; then `cells` holds the line as it is.
    """

    line: int
    cells: list[str]
    end: int
    end_line: int
    problem: str = ""


def store(
    source: BinaryIO, target: Path, *, max_bytes: int, reading: Reading | None = None
) -> Shape:
    """Copy the upload beside `target`, and check it; see `read_again`, which finds it there.

    Raises BadFile, and then leaves no file behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        _copy(source, raw_of(target), max_bytes)
        return read_again(target, reading or Reading())
    except BadFile:
        target.unlink(missing_ok=True)
        raw_of(target).unlink(missing_ok=True)
        raise


def raw_of(target: Path) -> Path:
    """Give the place of the bytes that were uploaded, to be read in another way."""
    return target.with_suffix(".upload")


def read_again(target: Path, reading: Reading) -> Shape:
    """Write the uploaded bytes to `target` as UTF-8 with plain line ends, and check all of it.

    Memory: about 2 MB. Raises BadFile; then `target` is as it was.
    """
    clean = target.with_suffix(".clean")
    try:
        if spreadsheet.is_workbook(raw_of(target)):
            shape = _of_sheet(raw_of(target), clean, reading.sheet)
        else:
            encoding = reading.encoding or _encoding(raw_of(target))
            _transcode(raw_of(target), clean, encoding)
            shape = _check(clean, encoding, reading.delimiter)
        clean.replace(target)
    finally:
        clean.unlink(missing_ok=True)
    return shape


def _of_sheet(raw: Path, clean: Path, sheet: str) -> Shape:
    try:
        name, names = spreadsheet.write_csv(raw, clean, sheet=sheet, most_columns=MAX_COLUMNS)
    except BadWorkbook as error:
        raise BadFile(str(error)) from error
    return replace(_check(clean, WORKBOOK, ","), sheet=name, sheets=names)


def rows(path: Path, delimiter: str, *, offset: int = 0, line: int = 1) -> Iterator[CsvRow]:
    """The rows of a stored file from byte `offset` on, which is line `line`;
    rows without any content are left out.

    After a row whose quotation marks don't match, reading goes on with the next line.
    """
    with path.open("rb") as file:
        feed = _Feed(file, offset, line)
        while True:
            start = feed.offset
            begins = feed.line
            feed.begin_row()
            # strict: a stray quotation mark is an error here, and no row that swallows the next
            # hundred; a new reader, because an error leaves the old one inside the cell
            reader = csv.reader(feed, delimiter=delimiter, strict=True)
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error:
                text = feed.go_on_after(start, begins)
                yield CsvRow(begins, [text], feed.offset, feed.line, str(_QUOTES))
                continue
            if any(cell and not cell.isspace() for cell in cells):
                yield CsvRow(begins, cells, feed.offset, feed.line)


class _Feed(Iterator[str]):
    """Lines for csv.reader, which takes one more only when a row needs it:
    so the count after a row is its end.
    """

    def __init__(self, file: BinaryIO, offset: int, line: int) -> None:
        self.file = file
        self.file.seek(offset)
        self.offset = offset
        self.line = line
        self.row_lines = 0
        self.row_size = 0

    def begin_row(self) -> None:
        self.row_lines = 0
        self.row_size = 0

    def __next__(self) -> str:
        text = next(self.file)
        self.row_lines += 1
        self.row_size += len(text)
        if self.row_lines > 1 and (self.row_lines > MAX_ROW_LINES or self.row_size > MAX_LINE):
            raise csv.Error("The row is too long.")
        self.offset += len(text)
        self.line += 1
        return text.decode()

    def go_on_after(self, offset: int, line: int) -> str:
        """Go back to this line, and on to the next; give its text."""
        self.file.seek(offset)
        self.offset = offset
        self.line = line
        self.begin_row()
        return next(self).rstrip("\n")


def _copy(source: BinaryIO, raw: Path, max_bytes: int) -> None:
    size = 0
    with raw.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                said = gettext("The file is larger than {size:,} MB. Split it into several.")
                raise BadFile(said.format(size=max_bytes // 2**20))
            copy.write(chunk)
    if not size:
        raise BadFile(gettext("The file is empty."))


def _encoding(raw: Path) -> str:
    with raw.open("rb") as file:
        head = file.read(_SAMPLE)
    for magic, refusal in _NOT_TEXT.items():
        if head.startswith(magic):
            raise BadFile(str(refusal))
    if marked := encodings.by_its_mark(head):
        return marked
    if 0 in head:
        raise BadFile(str(_NUL), head[: head.index(0)].count(b"\n") + 1)
    if encodings.is_utf8(raw):
        return "utf-8"
    _refuse_broken_utf8(raw)
    with raw.open("rb") as file:
        lines = iter(lambda: file.readline(_CHUNK), b"")
        return encodings.eight_bit(encodings.words_of(lines))


def _refuse_broken_utf8(raw: Path) -> None:
    """Raise BadFile when the file is UTF-8 but for some broken places."""
    good = bad = 0
    first_bad = 0
    with raw.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_CHUNK), b""), start=1):
            if line.isascii():
                continue
            try:
                line.decode()
                good += 1
            except UnicodeDecodeError:
                bad += 1
                first_bad = first_bad or number
    if good > bad:
        said = gettext("this line is not UTF-8, though others are. Save the whole file as UTF-8.")
        raise BadFile(said, first_bad)


def _transcode(raw: Path, target: Path, encoding: str) -> None:
    # cp1252 leaves five bytes undefined; Latin-1, its twin, has them all
    if encoding == "cp1252" and not _decodes(raw, encoding):
        encoding = "latin-1"
    line = 0
    with (
        raw.open(encoding=encoding) as text,
        target.open("w", encoding="utf-8", newline="\n") as clean,
    ):
        try:
            while part := text.readline(MAX_LINE + 1):
                line += 1
                if len(part) > MAX_LINE:
                    said = gettext(
                        "this line is longer than {most:,} characters. Is it a CSV file?"
                    )
                    raise BadFile(said.format(most=MAX_LINE), line)
                if "\0" in part:
                    raise BadFile(str(_NUL), line)
                clean.write(part)
        except UnicodeError as error:
            said = gettext(
                "the text after this line can't be read as {encoding}. "
                "Choose another encoding, or save the file as CSV UTF-8."
            )
            raise BadFile(said.format(encoding=encoding), line) from error


def _decodes(raw: Path, encoding: str) -> bool:
    try:
        with raw.open(encoding=encoding) as text:
            while text.read(_CHUNK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(path: Path, offset: int) -> str:
    with path.open("rb") as file:
        file.seek(offset)
        lines = file.read(_SAMPLE).decode(errors="ignore").splitlines()[:50]

    def fits(delimiter: str) -> tuple[float, int]:
        widths = [len(cells) for cells in csv.reader(lines, delimiter=delimiter) if cells]
        heading = 0
        if widths:
            heading = widths[0]
        alike = 0.0
        if heading > 1:
            alike = widths.count(heading) / len(widths)
        return alike, heading

    return max(DELIMITERS, key=fits)  # a tie goes to the comma, the first one


def _said_delimiter(path: Path) -> tuple[str, int]:
    """Read Excel's line `sep=;`: the delimiter and the length of the line, ("", 0) without it."""
    with path.open("rb") as file:
        first = file.readline(40)
    said = _SEP.fullmatch(first.decode(errors="ignore"))
    if said is None:
        return "", 0
    return said[1].replace("\\t", "\t"), len(first)


def _check(path: Path, encoding: str, delimiter: str) -> Shape:
    said, offset = _said_delimiter(path)
    delimiter = delimiter or said or _delimiter(path, offset)
    line = 1
    if offset:
        line = 2
    found = rows(path, delimiter, offset=offset, line=line)
    heading = next(found, None)
    if heading is None:
        raise BadFile(gettext("The file is empty."))
    columns = _headings(heading)
    words: list[set[str] | None] = [set() for _ in columns]
    count = broken = first_broken = 0
    for row in found:
        count += 1
        if row.problem:
            broken += 1
            first_broken = first_broken or row.line
        if broken > MAX_BROKEN:
            alike = gettext("{count:,} rows before this one are like it: {problem}")
            raise BadFile(alike.format(count=MAX_BROKEN, problem=_QUOTES), row.line)
        _note_words(words, row.cells)
    if not count:
        raise BadFile(gettext("The file has headings but no rows below them."))
    if broken == count:
        raise BadFile(str(_QUOTES), first_broken)
    return Shape(encoding, delimiter, columns, count, heading.end, heading.end_line, words)


def _note_words(words: list[set[str] | None], cells: Sequence[str]) -> None:
    for place, (seen, cell) in enumerate(zip(words, cells, strict=False)):
        if seen is None:
            continue
        word = cell.strip().casefold()
        if word:
            seen.add(word)
        if len(seen) > FEW:
            words[place] = None


def _headings(row: CsvRow) -> list[str]:
    """Name the columns: one without a heading by its place, a doubled one with a number."""
    if row.problem:
        raise BadFile(row.problem, row.line)
    cells = list(row.cells)
    while len(cells) > MAX_COLUMNS and not cells[-1].strip():
        cells.pop()  # Excel likes to end lines with thousands of empty cells
    if len(cells) > MAX_COLUMNS:
        said = gettext("the file has {count:,} columns; {most:,} are allowed.")
        raise BadFile(said.format(count=len(cells), most=MAX_COLUMNS), row.line)
    columns: dict[str, str] = {}
    for number, cell in enumerate(cells, start=1):
        name = " ".join(cell.strip("\ufeff").split()) or f"Column {number}"
        if _ADDRESS.fullmatch(name):
            said = gettext(
                "the first line must hold the headings of the columns, but {cell!r} is data."
            )
            raise BadFile(said.format(cell=name[:60]), row.line)
        name = _unlike(name[:MAX_HEADING], columns)
        columns[name.casefold()] = name
    return list(columns.values())


def _unlike(name: str, taken: dict[str, str]) -> str:
    """Give the heading with a number when another column has it already."""
    different = name
    number = 1
    while different.casefold() in taken:
        number += 1
        different = f"{name} ({number})"
    return different
