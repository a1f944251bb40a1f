"""What an export looks like to the program that opens it."""

import datetime as dt
import io
from typing import Any

import openpyxl
import pytest
from pyarrow.parquet import read_table

from apps.followers.exports import formats, parquet, spreadsheet
from apps.followers.exports.formats import FORMATS, NoSuchPackage
from apps.followers.exports.source import MOMENT, TEXT, TRUTH, WHOLE, sources

COLUMNS = ["name", "count", "yes", "tags", "metadata", "nothing"]
EVIL = '=HYPERLINK("https://evil.example")'


def opened(rows: list[list[Any]], columns: list[str]) -> Any:
    """The workbook as another program reads it; rows come in chunks of two."""
    chunks = [rows[start : start + 2] for start in range(0, len(rows), 2)]
    made = b"".join(FORMATS["xlsx"].write(dict.fromkeys(columns, TEXT), chunks))
    return openpyxl.load_workbook(io.BytesIO(made))


def test_a_workbook_has_the_rows_with_their_types() -> None:
    rows = [
        ["Ида", 3, True, ["vip", "press"], {"plan": "pro"}, None],
        ["<&>\n\"'", 0, False] + [[]] * 3,
    ]
    [sheet] = opened(rows, COLUMNS).worksheets
    assert [[cell.value for cell in row] for row in sheet] == [
        COLUMNS,
        ["Ида", 3, True, "vip, press", '{"plan": "pro"}', None],
        ["<&>\n\"'", 0, False, None, None, None],
    ]
    assert sheet["A1"].font.bold
    assert sheet.freeze_panes == "A2"


@pytest.mark.parametrize("text", [EVIL, "+cmd|' /C calc'!A0", "-2+3", "@SUM(1)", "\t=1+1", "＝1+1"])
def test_what_a_spreadsheet_would_run_stays_text_in_a_workbook(text: str) -> None:
    """Unchanged, and so marked that it is no formula after an edit either."""
    [sheet] = opened([[text]], ["name"]).worksheets
    cell = sheet["A2"]
    assert (cell.value, cell.data_type, cell.quotePrefix) == (text, "s", True)


def test_a_workbook_holds_what_xml_does_not() -> None:
    [sheet] = opened(
        [["a\x07b_x0041_"], ["x" * 40_000], ["😀" * 20_000], [10**18]], ["name"]
    ).worksheets
    values = [cell.value for cell in sheet["A"]][1:]
    assert values[0] == "a_x0007_b_x005F_x0041_"  # as written; Excel reads it back
    assert [len(value) for value in values[1:3]] == [32_767, 16_383]
    assert values[3] == str(10**18)


def test_a_full_sheet_is_followed_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheet, "MOST_ROWS", 3)
    book = opened([[number] for number in range(5)], ["n"])
    found = [[cell.value for cell in sheet["A"]] for sheet in book.worksheets]
    assert found == [["n", 0, 1], ["n", 2, 3], ["n", 4]]


@pytest.mark.parametrize("name", FORMATS)
def test_no_rows_are_a_file_all_the_same(name: str) -> None:
    made = b"".join(FORMATS[name].write({"n": TEXT}, []))
    assert made or name == "jsonl"


def test_a_parquet_file_has_types_and_leaves_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "GROUP", 2)
    columns = {"name": TEXT, "attempts": WHOLE, "subscribed": TRUTH, "at": MOMENT, "tags": TEXT}
    rows = [
        ["Ида", 1, True, "2026-05-04T12:00:00Z", ["vip"]],
        [None] * 5,
        [EVIL, 2, False, None, []],
    ]
    pieces = list(FORMATS["parquet"].write(columns, [rows[:1], rows[1:2], rows[2:]]))
    assert len([piece for piece in pieces if piece]) == 3
    table = read_table(io.BytesIO(b"".join(pieces)))
    noon = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
    assert [list(row.values()) for row in table.to_pylist()] == [
        ["Ида", 1, True, noon, '["vip"]'],
        [None] * 5,
        [EVIL, 2, False, None, "[]"],
    ]


def test_every_kind_says_what_its_columns_hold() -> None:
    held = {name: source.types for name, source in sources().items()}
    assert held["followers"]["subscribed"] == TRUTH
    assert held["deliveries"]["attempts"] == WHOLE
    assert held["campaigns"]["created_at"] == held["audit"]["at"] == MOMENT
    assert held["tags"]["followers"] == held["imports"]["rows"] == WHOLE
    assert held["notifications"]["template"] == TEXT


def test_parquet_without_its_package_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "find_spec", lambda _name: None)
    with pytest.raises(NoSuchPackage, match=r"pip install -r requirements-parquet\.txt"):
        formats.check("parquet")
    formats.check("csv")
