"""CSV files as people really have them: stored as clean UTF-8 once, checked whole,
then read row by row from any byte.

Everything that could make a reader lose or invent rows (quotation marks that don't match, NUL,
mixed encodings, endless lines) refuses the whole file, with the line number, before anything is
imported. What is wrong with one row only is left to the importer.
"""

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from apps.lib.refusals import Refused

MAX_COLUMNS = 200
MAX_CELL = 10_000  # characters
MAX_LINE = 1_000_000  # characters
DELIMITERS = ",;\t|"

_NUL = "this line contains a NUL character. Is it a CSV file? Save the table as CSV UTF-8."
_CHUNK = 1 << 20
_SAMPLE = 64 * 1024
_NOT_TEXT = {
    b"PK\x03\x04": "an Excel or ZIP file. In Excel choose “Save as”, “CSV UTF-8”, and upload that",
    b"\xd0\xcf\x11\xe0": (
        "an old Excel file. In Excel choose “Save as”, “CSV UTF-8”, and upload that"
    ),
    b"%PDF": "a PDF. Upload the table as CSV",
    b"\x1f\x8b": "a compressed file. Unpack it and upload the CSV inside",
}
# Bytes above 0x7F with a neighbour of the same sort: Cyrillic words are made of them,
# a Latin text has single ones.
_EMAIL_LIKE = re.compile(r"\S@\S+\.\S")
_HIGH = re.compile(rb"[\x80-\xff]")
_HIGH_RUN = re.compile(rb"[\x80-\xff]{2,}")


class BadFile(Refused):
    """The file can't be read as a table. `line` is where, 0 = the file as a whole."""

    def __init__(self, message: str, line: int = 0) -> None:
        self.line = line
        if line:
            message = f"Line {line:,}: {message}"
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Shape:
    """What a file is like: its original encoding, its delimiter, its headings, how many rows it
    has, and where the first one begins.
    """

    encoding: str
    delimiter: str
    columns: list[str]
    rows: int
    offset: int
    line: int


@dataclass(frozen=True, slots=True)
class CsvRow:
    """One row; `line` is the line of the file it begins on,
    `end` and `end_line` where the next one begins.
    """

    line: int
    cells: list[str]
    end: int
    end_line: int


def store(source: BinaryIO, target: Path, *, max_bytes: int) -> Shape:
    """Copy the upload to `target` as UTF-8 with plain line ends, and check all of it.

    Memory: about 2 MB.

    Encodings: UTF-8, UTF-16 (with or without byte order mark), else Windows-1251 or Windows-1252,
    whichever the bytes look like. Raises BadFile, and then leaves no file behind.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    raw = target.with_suffix(".upload")
    try:
        _copy(source, raw, max_bytes)
        encoding = _encoding(raw)
        _transcode(raw, target, encoding)
        delimiter = _delimiter(target)
        return _check(target, encoding, delimiter)
    except BadFile:
        target.unlink(missing_ok=True)
        raise
    finally:
        raw.unlink(missing_ok=True)


def rows(path: Path, delimiter: str, *, offset: int = 0, line: int = 1) -> Iterator[CsvRow]:
    """The rows of a stored file from byte `offset` on, which is line `line`;
    rows without any content are left out.

    Raises BadFile where quotation marks don't match.
    """
    with path.open("rb") as file:
        file.seek(offset)
        feed = _Feed(file, offset, line)
        # strict: a stray quotation mark is an error here, not a row that swallows the next hundred
        reader = csv.reader(feed, delimiter=delimiter, strict=True)
        while True:
            begins = feed.line
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise BadFile(
                    "the quotation marks of this row don't match: one is opened and never closed, "
                    'or stands inside a cell. Write a mark inside a cell twice ("").',
                    begins,
                ) from error
            if any(cell and not cell.isspace() for cell in cells):
                yield CsvRow(begins, cells, feed.offset, feed.line)


class _Feed(Iterator[str]):
    """Lines for csv.reader, which takes one more only when a row needs it:
    so the count after a row is its end.
    """

    def __init__(self, file: BinaryIO, offset: int, line: int) -> None:
        self.file = file
        self.offset = offset
        self.line = line

    def __next__(self) -> str:
        text = next(self.file)
        self.offset += len(text)
        self.line += 1
        return text.decode()


def _copy(source: BinaryIO, raw: Path, max_bytes: int) -> None:
    size = 0
    with raw.open("wb") as copy:
        while chunk := source.read(_CHUNK):
            size += len(chunk)
            if size > max_bytes:
                raise BadFile(
                    f"The file is larger than {max_bytes // 2**20:,} MB. Split it into several."
                )
            copy.write(chunk)
    if not size:
        raise BadFile("The file is empty.")


def _encoding(raw: Path) -> str:
    with raw.open("rb") as file:
        head = file.read(_SAMPLE)
    for magic, what in _NOT_TEXT.items():
        if head.startswith(magic):
            raise BadFile(f"This is {what}.")
    if head.startswith(codecs.BOM_UTF8):
        return "utf-8-sig"
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    # UTF-16 without its mark: every comma and digit has its NUL on the same side
    even = head[0::2].count(0)
    odd = head[1::2].count(0)
    if max(even, odd) > len(head) // 10 and min(even, odd) == 0:
        if odd:
            return "utf-16-le"
        return "utf-16-be"
    if 0 in head:
        raise BadFile(_NUL, head[: head.index(0)].count(b"\n") + 1)
    try:
        with raw.open(encoding="utf-8") as text:
            while text.read(_CHUNK):
                pass
    except UnicodeDecodeError:
        return _eight_bit(raw)
    return "utf-8"


def _eight_bit(raw: Path) -> str:
    """Windows-1251 or Windows-1252; refused when the file is UTF-8 but for some broken places."""
    good = bad = 0
    first_bad = 0
    singles = runs = 0
    with raw.open("rb") as file:
        for number, line in enumerate(iter(lambda: file.readline(_CHUNK), b""), start=1):
            if line.isascii():
                continue
            high = len(_HIGH.findall(line))
            together = sum(map(len, _HIGH_RUN.findall(line)))
            singles = singles + high - together
            runs = runs + together
            try:
                line.decode()
                good += 1
            except UnicodeDecodeError:
                bad += 1
                first_bad = first_bad or number
    if good > bad:
        raise BadFile(
            "this line is not UTF-8, though others are. Save the whole file as UTF-8.", first_bad
        )
    if runs > singles:
        return "cp1251"
    return "cp1252"


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
                    raise BadFile(
                        f"this line is longer than {MAX_LINE:,} characters. Is it a CSV file?", line
                    )
                if "\0" in part:
                    raise BadFile(_NUL, line)
                clean.write(part)
        except UnicodeError as error:
            raise BadFile(
                f"the text after this line can't be read as {encoding}. "
                "Save the file as CSV UTF-8.",
                line,
            ) from error


def _decodes(raw: Path, encoding: str) -> bool:
    try:
        with raw.open(encoding=encoding) as text:
            while text.read(_CHUNK):
                pass
    except UnicodeDecodeError:
        return False
    return True


def _delimiter(path: Path) -> str:
    with path.open(encoding="utf-8") as text:
        lines = text.read(_SAMPLE).splitlines()[:50]

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


def _check(path: Path, encoding: str, delimiter: str) -> Shape:
    found = rows(path, delimiter)
    heading = next(found, None)
    if heading is None:
        raise BadFile("The file is empty.")
    columns = _headings(heading)
    count = 0
    for row in found:
        count += 1
        if len(row.cells) > MAX_COLUMNS:
            raise BadFile(
                f"this row has {len(row.cells):,} cells; {MAX_COLUMNS} are allowed.", row.line
            )
        if any(len(cell) > MAX_CELL for cell in row.cells):
            raise BadFile(
                f"a cell has more than {MAX_CELL:,} characters. "
                "Perhaps a quotation mark is never closed.",
                row.line,
            )
    if not count:
        raise BadFile("The file has headings but no rows below them.")
    return Shape(encoding, delimiter, columns, count, heading.end, heading.end_line)


def _headings(row: CsvRow) -> list[str]:
    if len(row.cells) > MAX_COLUMNS:
        raise BadFile(
            f"the file has {len(row.cells):,} columns; {MAX_COLUMNS} are allowed.", row.line
        )
    columns = [
        " ".join(cell.split()) or f"Column {number}"
        for number, cell in enumerate(row.cells, start=1)
    ]
    seen: dict[str, int] = {}
    for number, name in enumerate(columns, start=1):
        if _EMAIL_LIKE.search(name):
            raise BadFile(
                f"the first line must hold the headings of the columns, but {name[:60]!r} is data.",
                row.line,
            )
        if len(name) > 200:
            raise BadFile(f"the heading of column {number} has more than 200 characters.", row.line)
        if (first := seen.setdefault(name.casefold(), number)) != number:
            raise BadFile(
                f"columns {first} and {number} are both called {name!r}. Rename one.", row.line
            )
    return columns
