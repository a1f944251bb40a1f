"""CSV cells that a spreadsheet must show and never run."""

import re
import unicodedata

_RUNS = frozenset("=+-@")  # a cell that begins so is a formula for some spreadsheet
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
# Letters and signs that nobody sees, though Unicode counts them among the others.
_FILLERS = frozenset("\u115f\u1160\u3164\uffa0\"'")
# control, format and unassigned characters, all kinds of blanks, marks on nothing
_UNSEEN = frozenset(["Cc", "Cf", "Cn", "Co", "Cs", "Zs", "Zl", "Zp", "Mn", "Me"])


def inert(cell: str) -> str:
    """The cell with a leading apostrophe when a spreadsheet would run it;
    numbers and phone numbers stay bare.
    """
    if _would_run(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def original(cell: str) -> str:
    """What `inert` was given: files that we wrote come back as they were."""
    if cell.startswith("'") and _would_run(cell[1:]):
        return cell[1:]
    return cell


def _would_run(cell: str) -> bool:
    """Tell whether the cell begins as a formula, once what nobody sees is dropped.

    Wide and small forms of the signs become the plain ones when they are read.
    """
    if cell.startswith(("\t", "\r")):
        return True
    first = next((char for char in cell if not _is_unseen(char)), "")
    return unicodedata.normalize("NFKC", first)[:1] in _RUNS


def _is_unseen(char: str) -> bool:
    return char in _FILLERS or unicodedata.category(char) in _UNSEEN
