"""Lookups `filter(pk__among=ids)` and `filter(key__among=keys)`: many values as one parameter of
a statement, where `__in` makes a parameter of each. Registered in `apps/lib/apps.py`.
"""

import json
from collections.abc import Iterable
from typing import Any

from django.db.models import Lookup


class Among(Lookup):
    """Membership of integers; give a set, for a list is looked through value by value."""

    lookup_name = "among"
    prepare_rhs = False
    kind = "bigint"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        if connection.vendor == "postgresql":
            return f"{column} = ANY(%s::{self.kind}[])", (*params, self.as_array())
        among = f"{column} IN (SELECT value FROM json_each(%s))"  # noqa: S608  # a name of ours
        return among, (*params, json.dumps(list(self.rhs)))

    def as_array(self) -> str:
        return as_array(self.rhs)


class AmongTexts(Among):
    """Membership of texts, none of them NULL."""

    kind = "text"

    def as_array(self) -> str:
        marked = [text.replace("\\", r"\\").replace('"', r"\"") for text in self.rhs]
        if not marked:
            return "{}"
        return '{"' + '","'.join(marked) + '"}'


def as_array(numbers: Iterable[int | None]) -> str:
    """Array of numbers as PostgreSQL writes it: psycopg would turn each into text, more slowly."""
    # "None" is the one text that is no number
    return "{" + ",".join(map(str, numbers)).replace("None", "NULL") + "}"
