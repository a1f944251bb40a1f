"""Rows as the driver gives them, for loops over a million:
Django's iteration and converters took half of the time.
"""

import json
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from apps.lib.sql.undocumented import statement_of

_decode = json.JSONDecoder().raw_decode


def fetch(rows: QuerySet[Any, Any]) -> list[tuple[Any, ...]]:
    """All rows of a `values_list`.

    What the driver does not know is left to `uuid`, `parsed` and bool().
    """
    return run(*statement_of(rows))


def run(sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
    """The rows of a statement of ours; none of one that gives none."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        found: list[tuple[Any, ...]] = []
        if cursor.description:
            found = cursor.fetchall()
    return found


def uuid(value: Any) -> UUID:
    """SQLite keeps 32 hexadecimal digits."""
    if type(value) is UUID:
        return value
    return UUID(value)


def parsed(text: str | None) -> Any:
    """Value of a JSON column, which has no blanks around it: what json.loads does about those takes
    as long as the rest.
    """
    if text is not None:
        return _decode(text)[0]
    return None
