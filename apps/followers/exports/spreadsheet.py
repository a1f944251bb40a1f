"""An XLSX workbook that leaves while it is written.

Libraries write the whole workbook to the disk before its first byte can leave: a minute and a half
for a million followers, in plain text beside a database that keeps them encrypted. The few parts of
a workbook of plain rows are written here (ECMA-376, part 1, chapter 18), and Python's zipfile packs
them into a stream. Text is stored as text, never as a formula; what looks like one is marked as
quoted, so that it stays text when somebody edits the cell.
"""

import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, cast
from xml.sax.saxutils import escape

from apps.followers.imports.cells import inert

MOST_ROWS = 1_048_576  # of a sheet, its heading with them
MOST_BYTES = 1_000_000_000  # of a sheet; zipfile packs no larger part without ZIP64
MOST_TEXT = 32_767  # of a cell; Excel calls a file with a longer one damaged
MOST_DIGITS = 10**15  # a spreadsheet rounds longer numbers
FAST = 1  # of zlib's levels: sheets repeat themselves, and a better one takes three times as long

_BOLD = 1  # of the styles below
_QUOTED = 2
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_STYLES = (
    f'{_HEAD}<styleSheet xmlns="{_MAIN}">'
    '<fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="2"><fill><patternFill patternType="none"/></fill>'
    '<fill><patternFill patternType="gray125"/></fill></fills>'
    '<borders count="1"><border><left/><right/><top/><bottom/><diagonal/></border></borders>'
    '<cellStyleXfs count="1"><xf numFmtId="0" fontId="0" fillId="0" borderId="0"/></cellStyleXfs>'
    '<cellXfs count="3"><xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0"/>'
    '<xf numFmtId="0" fontId="1" fillId="0" borderId="0" xfId="0" applyFont="1"/>'
    '<xf numFmtId="0" fontId="0" fillId="0" borderId="0" xfId="0" quotePrefix="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles>'
    "</styleSheet>"
)
_TOP = (
    f'{_HEAD}<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">'
    '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    '</sheetView></sheetViews><cols><col min="1" max="{columns}" width="22" customWidth="1"/>'
    "</cols><sheetData>"
)
_END = "</sheetData></worksheet>"
# What XML can't hold is written as _x0007_, and what looks so already gets its own underscore so.
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]|_(?=x[0-9A-Fa-f]{4}_)")


class Stream:
    """A file that remembers only what nobody has taken yet. It has no `tell`: that is how zipfile
    knows that it can't go back.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._parts.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing; zipfile asks for it."""

    def taken(self) -> bytes:
        found = b"".join(self._parts)
        self._parts.clear()
        return found


class _Sheets:
    """The sheets of a workbook, one after the other: a full one is followed by the next."""

    def __init__(self, pack: zipfile.ZipFile, columns: Sequence[str]) -> None:
        self._pack = pack
        self._top = (_TOP.format(columns=len(columns)) + _row(columns, style=_BOLD)).encode()
        self._sheet: IO[bytes]
        self.count = 0
        self._begin()

    def _begin(self) -> None:
        self.count += 1
        self._sheet = self._pack.open(f"xl/worksheets/sheet{self.count}.xml", "w")
        self._sheet.write(self._top)
        self._rows_left = MOST_ROWS - 1
        self._bytes_left = MOST_BYTES

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        while rows:
            if self._rows_left == 0 or self._bytes_left <= 0:
                self.end()
                self._begin()
            lines = "".join(map(_row, rows[: self._rows_left])).encode()
            self._sheet.write(lines)
            self._bytes_left -= len(lines)
            rest = rows[self._rows_left :]
            self._rows_left -= len(rows) - len(rest)
            rows = rest

    def end(self) -> None:
        self._sheet.write(_END.encode())
        self._sheet.close()


def workbook(columns: Sequence[str], chunks: Iterable[Sequence[Sequence[Any]]]) -> Iterator[bytes]:
    """Give the file. Cells are texts, numbers, truths or None; a text that is too long for a cell
    is cut.
    """
    stream = Stream()
    # a stream is enough, which the stubs don't know
    pack = zipfile.ZipFile(cast(IO[bytes], stream), "w", zipfile.ZIP_DEFLATED, compresslevel=FAST)
    sheets = _Sheets(pack, columns)
    for rows in chunks:
        sheets.add(rows)
        yield stream.taken()
    sheets.end()
    for name, text in _frame(sheets.count):
        pack.writestr(name, text)
    pack.close()
    yield stream.taken()


def _row(cells: Sequence[Any], style: int = 0) -> str:
    return f"<row>{''.join([_cell(value, style) for value in cells])}</row>"


def _cell(value: Any, style: int) -> str:
    if value is None or value == "":
        return "<c/>"
    if value is True or value is False:
        return f'<c t="b"><v>{value:d}</v></c>'
    if isinstance(value, int | float) and abs(value) < MOST_DIGITS:
        return f"<c><v>{value}</v></c>"
    text = _cut(str(value))
    if inert(text) != text:
        style = _QUOTED
    fit = escape(_UNFIT.sub(_escaped, text))
    return f'<c t="inlineStr" s="{style}"><is><t xml:space="preserve">{fit}</t></is></c>'


def _cut(text: str) -> str:
    """Cut a text to what a cell holds, counted in UTF-16 as spreadsheets do."""
    if len(text) <= MOST_TEXT // 2:
        return text
    return text.encode("utf-16-le", "replace")[: 2 * MOST_TEXT].decode("utf-16-le", "ignore")


def _escaped(found: re.Match[str]) -> str:
    return f"_x{ord(found[0]):04X}_"


def _frame(sheets: int) -> Iterator[tuple[str, str]]:
    """Give the parts around the sheets, by name."""
    types = [f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPE}.sheet.main+xml"/>']
    types.append(f'<Override PartName="/xl/styles.xml" ContentType="{_TYPE}.styles+xml"/>')
    shown = []
    related = [f'<Relationship Id="styles" Type="{_OFFICE}/styles" Target="styles.xml"/>']
    for number in range(1, sheets + 1):
        place = f"worksheets/sheet{number}.xml"
        kind = f"{_TYPE}.worksheet+xml"
        types.append(f'<Override PartName="/xl/{place}" ContentType="{kind}"/>')
        shown.append(f'<sheet name="{number}" sheetId="{number}" r:id="sheet{number}"/>')
        link = f'Id="sheet{number}" Type="{_OFFICE}/worksheet" Target="{place}"'
        related.append(f"<Relationship {link}/>")
    yield (
        "[Content_Types].xml",
        f'{_HEAD}<Types xmlns="{_PACKAGE}/content-types"><Default Extension="rels"'
        ' ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(types)}</Types>',
    )
    root = f'<Relationship Id="book" Type="{_OFFICE}/officeDocument" Target="xl/workbook.xml"/>'
    yield "_rels/.rels", _relations([root])
    yield "xl/_rels/workbook.xml.rels", _relations(related)
    yield "xl/styles.xml", _STYLES
    book = f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{"".join(shown)}</sheets>'
    yield "xl/workbook.xml", f"{_HEAD}{book}</workbook>"


def _relations(links: Sequence[str]) -> str:
    joined = "".join(links)
    return f'{_HEAD}<Relationships xmlns="{_PACKAGE}/relationships">{joined}</Relationships>'
