"""Cells of our CSV files: shown by a spreadsheet, never run, and read back as they were."""

import pytest

from apps.followers.imports.cells import inert, original


@pytest.mark.parametrize(
    "cell",
    [
        "=1+1",
        "+SUM(A1)",
        "-cmd|' /C calc'!A0",
        "@import",
        "\tx",
        "\rx",
        " =1+1",
        '"=1+1',
        "'=1+1",
        "\ufeff=1+1",
        "\uff1d1+1",
        "\uff20x",
        *(
            pytest.param(f"{unseen}{sign}1", marks=pytest.mark.reported)
            for unseen in (
                "\u200b",
                "\x00",
                "\u2060",
                "\u180e",
                "\u202e",
                "\ufeff",
                "\xad",
                "\xa0",
                "\u3000",
                "\u3164",
                "\ufe0f",
                "\t",
                "\r\n",
                "\u200b \u2060",
            )
            for sign in "=+-@\uff1d\uff0b\uff0d\uff20\ufe66\ufe62\ufe63\ufe6b"
        ),
    ],
)
def test_what_a_spreadsheet_would_run_is_made_inert_and_read_back(cell: str) -> None:
    assert inert(cell) == f"'{cell}"
    assert original(inert(cell)) == cell


@pytest.mark.parametrize(
    "cell", ["", "Anna", "a=b", "+49301234567", "-5", "-1.5", "3,14", "'quoted", "O'Neill"]
)
def test_everything_else_stays_as_it_is(cell: str) -> None:
    assert inert(cell) == cell
    assert original(cell) == cell
