"""How many queries each page and each call of the API may ask: tests/query_budgets.txt.

`UPDATE_QUERY_BUDGETS=1 python -m pytest tests/ops/seed` writes the table anew on SQLite; on
PostgreSQL, afterwards, it puts the larger number where a page asks more there. Look at the
difference before you commit it: each line that grew is a page that became slower.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from django.db import connection

TABLE = Path(__file__).with_suffix(".txt")
UPDATE = "UPDATE_QUERY_BUDGETS"


def budgets() -> dict[str, int]:
    """The table, by the name of the page."""
    found = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        number, name = line.split(maxsplit=1)
        found[name] = int(number)
    return found


def beyond(asked: Mapping[str, int]) -> list[str]:
    """What is not as the table says: too many queries, a page that is new, one that is no more."""
    if os.environ.get(UPDATE):
        _write(asked)
    allowed = budgets()
    found = [
        f"{name}: {number} queries, allowed are {allowed[name]}"
        for name, number in asked.items()
        if name in allowed and number > allowed[name]
    ]
    found += [f"{name}: not in {TABLE.name}" for name in asked.keys() - allowed.keys()]
    found += [f"{name}: no such page any more" for name in allowed.keys() - asked.keys()]
    return sorted(found)


def _write(asked: Mapping[str, int]) -> None:
    before = {}
    if connection.vendor == "postgresql":
        before = budgets()
    largest = {name: max(number, before.get(name, 0)) for name, number in asked.items()}
    lines = [f"{number:>3} {name}\n" for name, number in largest.items()]
    TABLE.write_text("".join(lines), encoding="utf-8")
