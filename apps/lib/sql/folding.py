"""One rule by which a search takes spellings for the same, in Python and in both databases.

Case and accents make no difference: "Müller" is found by "muller", "Фёдоров" by "федоров". The rule
is a table from letter to letter, made here and written into PostgreSQL as a function, so that it is
the same whatever the database's locale, and SQLite calls ours.
"""

import sqlite3
import unicodedata
from collections.abc import Iterator
from typing import Any

from django.db.models import CharField, Func, Lookup, TextField

# Letters that many names have come first: PostgreSQL looks through the table from its start.
_RANGES = (
    (0x41, 0x5A),  # A to Z
    (0x410, 0x42F),  # Cyrillic capitals
    (0xC0, 0x17F),  # Latin with marks
    (0x386, 0x3CE),  # Greek
    (0x400, 0x40F),  # further Cyrillic
    (0x430, 0x4FF),
    (0x1E00, 0x1EFF),  # Vietnamese, Welsh
)
_PAIRS = {"ß": "ss", "ẞ": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "þ": "th", "Þ": "th"}
_NO_MARK = {"ł": "l", "đ": "d", "ø": "o", "ħ": "h", "ı": "i"}  # not made of letter and mark
_MARKS = "".join(map(chr, (*range(0x300, 0x30D), 0x327, 0x328)))  # written behind their letter


def _plain(letter: str) -> str:
    """The letter without case and marks; itself where that is more than one."""
    small = letter.casefold()
    base = unicodedata.normalize("NFD", small)[0]
    folded = _NO_MARK.get(base, base)
    if len(small) > 2 or (len(small) == 2 and small[1] not in _MARKS):
        return letter
    return folded


def _table() -> Iterator[tuple[str, str]]:
    for first, last in _RANGES:
        for code in range(first, last + 1):
            letter = chr(code)
            if letter in _PAIRS:
                continue
            if (plain := _plain(letter)) != letter:
                yield letter, plain


_TABLE = dict(_table())
_FOLD = str.maketrans({**_TABLE, **_PAIRS, **dict.fromkeys(_MARKS, "")})


def fold(text: str) -> str:
    """Give the text as searches compare it."""
    return text.translate(_FOLD)


def found_by(*texts: str | None) -> str:
    """Give what somebody is found by: each text on a line, folded, a blank before each word."""
    return "".join(f"\n {fold(text)}" for text in texts if text)


def sql_of_rule(name: str) -> str:
    """SQL that makes the rule a function of PostgreSQL, of two texts: `found_by`.

    A text of ASCII alone takes the short way.
    """
    source = "".join(_TABLE) + _MARKS  # what has no counterpart in the other text is left out
    target = "".join(_TABLE.values())
    lines = [
        f"CASE WHEN {each} <> '' THEN E'\\n ' || {each} ELSE '' END" for each in ("one", "two")
    ]
    told = " || ".join(lines)
    folded = f"({told})"
    for pair, letters in _PAIRS.items():
        folded = f"replace({folded}, '{pair}', '{letters}')"
    # without FROM, so that PostgreSQL puts it in the place of its call
    return (
        f"CREATE OR REPLACE FUNCTION {name}(one text, two text) RETURNS text LANGUAGE sql"
        " IMMUTABLE PARALLEL SAFE AS $rule$"
        f" SELECT CASE WHEN octet_length({told}) = length({told})"
        f" THEN translate({told}, '{_ASCII}', '{_ASCII.lower()}')"
        f" ELSE translate({folded}, '{source}', '{target}') END $rule$"
    )


_ASCII = "".join(map(chr, range(0x41, 0x5B)))


class FoundBy(Func):
    """Call `found_by` with two columns, as a database expression."""

    function = "carillon_found_by"
    arity = 2
    output_field = TextField()


class Holds(Lookup):
    """Lookup `filter(folded__holds="muller")`: the column has this piece of text, letter by letter.

    A LIKE on PostgreSQL, for which trigrams are an index. On SQLite, where LIKE is a function of
    ours that ignores case, it is instr().
    """

    lookup_name = "holds"

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        column, params = self.process_lhs(compiler, connection)
        if connection.vendor == "postgresql":
            pattern = connection.ops.prep_for_like_query(self.rhs)
            return f"{column} LIKE %s", (*params, f"%{pattern}%")
        return f"instr({column}, %s) > 0", (*params, self.rhs)


# Here and not in an AppConfig: a generated column takes over what its type knows when its model is
# made.
CharField.register_lookup(Holds)
TextField.register_lookup(Holds)


def teach_sqlite(connection: Any, **kwargs: Any) -> None:
    """Let SQLite call `found_by`, on each new connection."""
    if isinstance(connection.connection, sqlite3.Connection):
        connection.connection.create_function("carillon_found_by", 2, found_by, deterministic=True)
