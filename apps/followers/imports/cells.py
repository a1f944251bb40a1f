"""CSV cells that a spreadsheet must show and never run."""

import re

# A cell that begins so is a formula for some spreadsheet;
# the wide forms become the plain ones when it is read.
_RUNS = re.compile(r"[\s\"'\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)?")
_QUOTED = re.compile(r"'(?=[\s\"'\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r])")


def inert(cell: str) -> str:
    """The cell with a leading apostrophe when a spreadsheet would run it;
    numbers and phone numbers stay bare.
    """
    if _RUNS.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def original(cell: str) -> str:
    """What `inert` was given: files that we wrote come back as they were."""
    if _QUOTED.match(cell):
        return cell[1:]
    return cell
