"""A sheet of a workbook is read as the table it is, and a bomb is refused before it goes off."""

import datetime as dt
import io
import zipfile
from typing import Any

import openpyxl
import pytest
from django.utils import timezone

from apps.followers.imports import run, spreadsheet
from apps.followers.imports.csv_file import BadFile, Reading
from apps.followers.imports.upload import read_again, start_upload
from apps.followers.models import Follower, Import
from tests.followers.imports.world import counts
from tests.make import TESTER

pytestmark = pytest.mark.django_db


def workbook(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets:
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def stored(content: bytes, **reading: str) -> Import:
    return start_upload(
        file=io.BytesIO(content),
        file_name="people.xlsx",
        reading=Reading(**reading),
        by=TESTER,
        now=timezone.now(),
    )


def packed(parts: dict[str, bytes], base: bytes) -> bytes:
    """Give the workbook with these parts instead of its own."""
    out = io.BytesIO()
    old = zipfile.ZipFile(io.BytesIO(base))
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, parts.get(name, old.read(name)))
    return out.getvalue()


PEOPLE = [
    ["Email", "Name", "Phone", "OPTIN_TIME", "VIP", "Visits", None],
    ["a@x.example", "Zoë Łuk", "+4915112345678", dt.datetime(2023, 5, 1, 10, 30), True, 3.0],
    [None, None],
    ["b@x.example", "Two\nlines", None, dt.date(2023, 5, 1), False, 2.5],
    ["broken"],
]


def test_a_sheet_is_read_with_its_dates_numbers_and_line_numbers() -> None:
    job = stored(workbook(("People", PEOPLE), ("Other", [["Email"], ["c@x.example"]])))
    assert job.dialect["columns"] == ["Email", "Name", "Phone", "OPTIN_TIME", "VIP", "Visits"]
    assert (job.dialect["sheet"], job.dialect["sheets"]) == ("People", ["People", "Other"])
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    run.run(job.pk)
    job.refresh_from_db()
    assert counts(job) == (2, 0, 0, 1)
    first, second = Follower.objects.order_by("pk")
    assert (first.name, first.phone) == ("Zoë Łuk", "+4915112345678")
    assert first.subscribed_at == dt.datetime(2023, 5, 1, 10, 30, tzinfo=dt.UTC)
    assert first.metadata == {"VIP": "true", "Visits": "3"}
    assert (second.name, second.metadata) == ("Two lines", {"VIP": "false", "Visits": "2.5"})


def test_another_sheet_can_be_chosen() -> None:
    content = workbook(("People", PEOPLE), ("Other", [["Mail"], ["c@x.example"]]))
    job = read_again(job=stored(content), reading=Reading(sheet="Other"))
    assert (job.dialect["columns"], job.rows_total) == (["Mail"], 1)
    with pytest.raises(BadFile, match="no sheet 'Third'"):
        read_again(job=job, reading=Reading(sheet="Third"))


SMALL = workbook(("People", [["Email"], ["a@x.example"]]))
SHEET = "xl/worksheets/sheet1.xml"
_HEAD = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_CELL = '<c t="inlineStr"{place}><is><t>Email</t></is></c>'


def sheet_of(rows: str) -> bytes:
    return f"{_HEAD}{rows}</sheetData></worksheet>".encode()


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({SHEET: b" " * 50_000_000}, "unpacks to too much"),
        (
            {
                SHEET: b'<!DOCTYPE x [<!ENTITY a "aaaa">]>'
                + sheet_of("<row><c><v>&a;</v></c></row>")
            },
            "declares entities",
        ),
        ({SHEET: sheet_of('<row r="4000000000">' + _CELL.format(place="") + "</row>")}, "too many"),
        ({SHEET: b"<worksheet"}, "can't be read"),
        ({SHEET: sheet_of("")}, "empty"),
    ],
)
def test_what_holds_more_than_it_weighs_or_is_broken_is_refused(
    parts: dict[str, bytes], says: str
) -> None:
    with pytest.raises(BadFile, match=says):
        stored(packed(parts, SMALL))
    assert not Import.objects.exists()


def test_a_sheet_of_too_many_cells_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_CELLS", 40_000)
    row = "<row>" + _CELL.format(place="") + _CELL.format(place=' r="XFD1"') + "</row>"
    with pytest.raises(BadFile, match="too many rows or columns"):
        stored(packed({SHEET: sheet_of(row * 3)}, SMALL))


TEXTS = "xl/texts.dat"
_TYPES = "[Content_Types].xml"
_OF_TEXTS = (
    '<Override PartName="/xl/texts.dat" ContentType="application/vnd.openxmlformats-officedocument'
    '.spreadsheetml.sharedStrings+xml"/></Types>'
)


def with_texts(texts: bytes) -> bytes:
    """Give a workbook whose shared texts lie under a name of its own."""
    types = zipfile.ZipFile(io.BytesIO(SMALL)).read(_TYPES)
    types = types.replace(b'PartName="/xl/sharedStrings.xml"', b'PartName="/xl/none.xml"')
    types = types.replace(b"sharedStrings+xml", b"none+xml")
    out = io.BytesIO(packed({_TYPES: types.replace(b"</Types>", _OF_TEXTS.encode())}, SMALL))
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as book:
        main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
        book.writestr(TEXTS, f"<sst {main}>".encode() + texts + b"</sst>")
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (packed({SHEET: sheet_of("<row>" + "<c/>" * 20_000 + "</row>")}, SMALL), "too many"),
        (packed({SHEET: sheet_of(f"<row><c>{'<t/>' * 300_000}</c></row>")}, SMALL), "too many"),
        (packed({SHEET: sheet_of(f"<row><c>{'x' * 1_500_000}</c></row>")}, SMALL), "too much"),
        (packed({SHEET: sheet_of(f'<row r="{"1" * 1_500_000}"/>')}, SMALL), "too much"),
        (with_texts(b"<si/>" * 25_000), "too much"),
        (packed({"xl/styles.xml": b"<x>" + b"<y/>" * 450_000 + b"</x>"}, SMALL), "too much"),
    ],
    ids=["cells", "in a cell", "text", "tag", "texts", "styles"],
)
def test_a_bomb_is_refused_whatever_its_part_is_called(
    content: bytes, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spreadsheet, "MAX_RATIO", 2000)  # small bombs, quickly made
    with pytest.raises(BadFile, match=says):
        stored(content)


def test_shared_texts_are_read_wherever_they_lie() -> None:
    content = with_texts(b"<si><t>Email</t></si><si><t>a@x.example</t></si>")
    rows = '<row><c t="s"><v>0</v></c></row><row><c t="s"><v>1</v></c></row>'
    job = stored(packed({SHEET: sheet_of(rows)}, content))
    assert (job.dialect["columns"], job.rows_total) == (["Email"], 1)


def test_another_zip_file_is_refused_with_what_to_do() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("subscribed.csv", "email\n")
    with pytest.raises(BadFile, match="Unpack it"):
        stored(out.getvalue())
