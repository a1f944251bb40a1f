"""LIKE on SQLite that knows the case of all letters, as PostgreSQL does.

SQLite's own folds ASCII letters only: a segment "city is not москва" took people of Москва in, and
the same segment meant other people after a move to PostgreSQL. Each lookup that ignores case
(iexact, icontains, istartswith) is a LIKE there, so one function mends all of them.
"""

import re
import sqlite3
from functools import lru_cache
from typing import Any


def upper(text: str) -> str:
    """Give the text in capitals letter by letter: "ß" stays, as in PostgreSQL's upper()."""
    whole = text.upper()
    if len(whole) == len(text):
        return whole
    return "".join(_capital(char) for char in text)


def _capital(char: str) -> str:
    capital = char.upper()
    if len(capital) == 1:
        return capital
    return char


def like(pattern: Any, text: Any, escape: str = "") -> bool | None:
    """Tell whether the text is like the pattern, in any case; None where one of them is NULL."""
    if pattern is None or text is None:
        return None
    return _compiled(str(pattern), escape)(upper(str(text))) is not None


@lru_cache(maxsize=256)
def _compiled(pattern: str, escape: str) -> Any:
    parts = []
    literal = False
    for char in pattern:
        if literal:
            parts.append(re.escape(upper(char)))
            literal = False
        elif char == escape:
            literal = True
        elif char == "%":
            parts.append(".*")
        elif char == "_":
            parts.append(".")
        else:
            parts.append(re.escape(upper(char)))
    return re.compile("".join(parts), re.DOTALL).fullmatch


def teach_sqlite(connection: Any, **kwargs: Any) -> None:
    """Put the function in the place of SQLite's own, on each new connection."""
    if isinstance(connection.connection, sqlite3.Connection):
        for arguments in (2, 3):
            connection.connection.create_function("like", arguments, like, deterministic=True)
