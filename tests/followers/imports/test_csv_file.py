"""Hostile and merely odd files: each is read right or refused with its line,
and nothing is lost in silence.
"""

import io
from pathlib import Path
from typing import Any

import pytest

from apps.followers.imports import csv_file
from apps.followers.imports.csv_file import BadFile, Reading, Shape

PLAIN = "email,name\nanna@example.com,Anna\nboris@example.com,Борис\n"


def store(content: bytes | str, path: Path, max_bytes: int = 10_000_000) -> Shape:
    data = content
    if isinstance(content, str):
        data = content.encode()
    return csv_file.store(io.BytesIO(data), path / "file.csv", max_bytes=max_bytes)


def table(path: Path, shape: Shape) -> list[list[str]]:
    return [
        row.cells
        for row in csv_file.rows(
            path / "file.csv", shape.delimiter, offset=shape.offset, line=shape.line
        )
    ]


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1251"]
)
def test_every_usual_encoding_is_understood(encoding: str, tmp_path: Path) -> None:
    shape = store(PLAIN.encode(encoding), tmp_path)
    assert shape.columns == ["email", "name"]
    assert table(tmp_path, shape) == [["anna@example.com", "Anna"], ["boris@example.com", "Борис"]]


def test_western_european_files_are_told_from_cyrillic_ones(tmp_path: Path) -> None:
    shape = store(
        "email,name\na@example.com,José Müller\nb@example.com,Zoë Łuk\n".replace("Ł", "L").encode(
            "cp1252"
        ),
        tmp_path,
    )
    assert table(tmp_path, shape)[0][1] == "José Müller"
    assert shape.encoding == "cp1252"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found_even_when_others_stand_in_cells(
    delimiter: str, tmp_path: Path
) -> None:
    content = (
        delimiter.join(["email", "name", "tags"])
        + "\n"
        + delimiter.join(["a@example.com", '"Weber, Anna"', '"x;y|z"'])
    )
    shape = store(content, tmp_path)
    assert (shape.delimiter, shape.rows) == (delimiter, 1)
    assert table(tmp_path, shape) == [["a@example.com", "Weber, Anna", "x;y|z"]]


def test_a_single_column_needs_no_delimiter(tmp_path: Path) -> None:
    assert table(tmp_path, store("Email\na@example.com\nb@example.com", tmp_path)) == [
        ["a@example.com"],
        ["b@example.com"],
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_of_all_systems_and_line_breaks_in_cells_keep_their_line_numbers(
    end: str, tmp_path: Path
) -> None:
    content = end.join(
        ["email,note", 'a@example.com,"two', 'lines"', "", ",", "b@example.com,x", ""]
    )
    shape = store(content, tmp_path)
    found = list(csv_file.rows(tmp_path / "file.csv", ",", offset=shape.offset, line=shape.line))
    assert [(row.line, row.cells) for row in found] == [
        (2, ["a@example.com", "two\nlines"]),
        (6, ["b@example.com", "x"]),
    ]


def test_reading_goes_on_from_any_row_as_if_it_had_read_all(tmp_path: Path) -> None:
    lines = [f'p{number}@example.com,"Имя\n{number}"' for number in range(50)]
    shape = store("email,name\n" + "\n".join(lines), tmp_path)
    everything = list(
        csv_file.rows(tmp_path / "file.csv", ",", offset=shape.offset, line=shape.line)
    )
    middle = everything[20]
    rest = list(csv_file.rows(tmp_path / "file.csv", ",", offset=middle.end, line=middle.end_line))
    assert rest == everything[21:]


@pytest.mark.parametrize(
    ("content", "line", "says"),
    [
        (b"", 0, "empty"),
        (b"\n\n  \n", 0, "empty"),
        (b"email,name\n", 0, "no rows"),
        (b"anna@example.com,Anna\nb@example.com,B\n", 1, "headings"),
        (b"email,name\na@example.com,A\x00B\n", 2, "NUL"),
        (b"email,name\n" + b"x" * 1_100_000 + b"\n", 2, "longer than 1,000,000"),
        (",".join(f"c{n}" for n in range(10_000)).encode() + b"\n1\n", 1, "10,000 columns; 1,000"),
        (b'email,"name\na@example.com,A\n', 1, "never closed"),
        (b"email,name\n" + b'x","\n' * 2_000, 1_002, "1,000 rows before this one"),
        (b"PK\x03\x04" + bytes(range(256)) * 40, 0, "Excel"),
        (b"%PDF-1.7 " + bytes(range(256)), 0, "PDF"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 10, 3, "NUL"),
        (
            b"email,name\n" + "a@example.com,Zoë\n".encode() * 5 + b"b@example.com,Zo\xeb\n",
            7,
            "not UTF-8",
        ),
        (b"\xff\xfe" + "email,name\nа@б,в\n".encode("utf-16-le") + b"\x00", 2, "utf-16|NUL"),
    ],
)
def test_a_file_that_cannot_be_trusted_is_refused_with_its_line(
    content: bytes, line: int, says: str, tmp_path: Path
) -> None:
    with pytest.raises(BadFile, match=says) as caught:
        store(content, tmp_path)
    assert caught.value.line == line
    assert list(tmp_path.iterdir()) == []


def test_an_endless_upload_stops_at_the_limit(tmp_path: Path) -> None:
    class Endless(io.RawIOBase):
        def read(self, size: int = -1) -> bytes:
            return b"a@example.com,x\n" * (size // 16)

    endless: Any = Endless()
    with pytest.raises(BadFile, match="larger than 3 MB"):
        csv_file.store(endless, tmp_path / "file.csv", max_bytes=3 * 2**20)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.reported
@pytest.mark.parametrize(
    ("content", "broken", "kept"),
    [
        ('a@example.com,"Anna\nb@example.com,B\n', [2], ["b@example.com"]),
        ('a@example.com,A\nb@example.com,"B\nc@example.com,"C"\n', [3], ["a@e", "c@e"]),
        ('a@example.com,"A" Weber\nb@example.com,B\n', [2], ["b@example.com"]),
        ('a@example.com,"A"" Weber\nb@example.com,"B"\n', [2], ["b@example.com"]),
        ('"' + "x\n" * 100_000, [2], ["x"]),
    ],
)
def test_a_quotation_mark_that_does_not_match_costs_its_row_and_no_other(
    content: str, broken: list[int], kept: list[str], tmp_path: Path
) -> None:
    shape = store("email,name\n" + content, tmp_path)
    found = list(
        csv_file.rows(tmp_path / "file.csv", shape.delimiter, offset=shape.offset, line=shape.line)
    )
    assert [row.line for row in found if row.problem] == broken
    assert "never closed" in next(row.problem for row in found if row.problem)
    good = [row.cells[0] for row in found if not row.problem]
    assert [cell.startswith(start) for cell, start in zip(good, kept, strict=False)] == [
        True
    ] * len(kept)
    assert shape.rows == len(found)


def test_a_megabyte_of_quotation_marks_is_read_in_reasonable_time(tmp_path: Path) -> None:
    shape = store('email,name\n"' + "x\n" * 500_000, tmp_path)
    assert shape.rows == 500_000


@pytest.mark.reported
def test_a_heading_that_stands_twice_gets_a_number(tmp_path: Path) -> None:
    shape = store(
        "Email Address,UNSUB_REASON,UNSUB_TIME,UNSUB_REASON,email address\na,b,c,d,e\n", tmp_path
    )
    assert shape.columns == [
        "Email Address",
        "UNSUB_REASON",
        "UNSUB_TIME",
        "UNSUB_REASON (2)",
        "email address (2)",
    ]


@pytest.mark.reported
@pytest.mark.parametrize("count", [232, 1_000])
def test_a_file_may_have_hundreds_of_columns(count: int, tmp_path: Path) -> None:
    headings = ",".join(f"c{number}" for number in range(count))
    shape = store(f"{headings}\n{',' * (count - 1)}x\n", tmp_path)
    assert len(shape.columns) == count
    padded = store(f"{headings}{',' * 15_000}\n{',' * 15_000}x\n", tmp_path)
    assert len(padded.columns) == max(count, 1_000)


@pytest.mark.reported
def test_a_row_with_too_many_or_too_long_cells_is_no_reason_to_refuse_the_file(
    tmp_path: Path,
) -> None:
    content = "email,name\n" + "," * 5_000 + "x\na@example.com," + "x" * 200_000 + "\n"
    assert store(content, tmp_path).rows == 2


@pytest.mark.reported
def test_a_heading_may_be_a_long_question_and_name_an_address(tmp_path: Path) -> None:
    question = "What do you think? " * 20
    shape = store(f"Email (such as a@example.com),{question}\na,b\n", tmp_path)
    assert shape.columns[0] == "Email (such as a@example.com)"
    assert len(shape.columns[1]) == 200


@pytest.mark.reported
@pytest.mark.parametrize(
    "content",
    [
        "sep=;\nemail;name, first\na@example.com;Anna\n",
        "\ufeffsep=;\r\nemail;name, first\r\na@example.com;Anna\r\n",
        '"sep=;"\nemail;name, first\na@example.com;Anna\n',
        'SEP=,\nemail,"name, first"\na@example.com,Anna\n',
        "sep=\t\nemail\tname, first\na@example.com\tAnna\n",
        "sep=\\t\nemail\tname, first\na@example.com\tAnna\n",
        "sep=^\nemail^name, first\na@example.com^Anna\n",
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_the_line_with_which_excel_names_the_delimiter_is_no_heading(
    content: str, encoding: str, tmp_path: Path
) -> None:
    shape = store(content.encode(encoding), tmp_path)
    assert shape.columns == ["email", "name, first"]
    found = list(
        csv_file.rows(tmp_path / "file.csv", shape.delimiter, offset=shape.offset, line=shape.line)
    )
    assert [(row.line, row.cells) for row in found] == [(3, ["a@example.com", "Anna"])]


@pytest.mark.reported
def test_a_person_may_say_encoding_and_delimiter(tmp_path: Path) -> None:
    content = "email;name,plan\na@example.com;Łódź,x\n".encode("cp1250")
    path = tmp_path / "file.csv"
    store(content, tmp_path)
    shape = csv_file.read_again(path, Reading("cp1252", ","))
    assert (shape.encoding, shape.delimiter) == ("cp1252", ",")
    assert table(tmp_path, shape) == [["a@example.com;£ód\x9f".replace("\x9f", "Ÿ"), "x"]]
    shape = csv_file.read_again(path, Reading("cp1250", ";"))
    assert table(tmp_path, shape) == [["a@example.com", "Łódź,x"]]
    with pytest.raises(BadFile, match="Choose another encoding"):
        csv_file.read_again(path, Reading("utf-8"))
    assert table(tmp_path, shape) == [["a@example.com", "Łódź,x"]]
