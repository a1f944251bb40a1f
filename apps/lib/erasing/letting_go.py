"""Walking through a table from its oldest row, a few at a time, to let go of what was kept long
enough.
"""

from dataclasses import dataclass

AT_ONCE = 1_000  # rows of one transaction
COUNTED = 10_000  # rows that a page counts; of more it says so


@dataclass(frozen=True, slots=True)
class Reached:
    """The place at which a walk goes on: behind row `row`, or within it behind row `inner`."""

    row: int = 0
    inner: int = 0


@dataclass(frozen=True, slots=True)
class Walked:
    """How far a walk came, how many rows went, and whether there may be more."""

    reached: Reached
    rows: int
    more: bool
