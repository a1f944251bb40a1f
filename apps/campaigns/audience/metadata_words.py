"""Metadata as words that PostgreSQL has an index of: key, kind and value, letter case gone.

A word is the key, a separator, a letter for the kind (string, number, boolean) and the value as
the function of migration followers/0010 writes it. Asking for a word is the same question as
comparing the value, but an index answers it, and it is counted which words are frequent, so that
PostgreSQL knows how many rows to expect.
"""

import json
from collections.abc import Iterable
from typing import Any

from django.db.models import BooleanField, F, Func, Q

from apps.campaigns.audience.language import as_number

FUNCTION = "carillon_metadata_words"
SEPARATOR = "\x1f"


class _HasAnyWord(Func):
    """Whether the metadata has one of the words; NULL where it has none at all.

    `words`: SQL and parameters of each.
    """

    output_field = BooleanField()

    def __init__(self, words: list[tuple[str, tuple[str, ...]]]) -> None:
        super().__init__(F("metadata"))
        self.words = words

    def as_postgresql(
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, _ = compiler.compile(self.source_expressions[0])
        texts = ", ".join(sql for sql, _ in self.words)
        params = [each for _, some in self.words for each in some]
        return f"{FUNCTION}({column}) && ARRAY[{texts}]", tuple(params)


def has_any(key: str, values: Iterable[Any]) -> Q:
    """Ask whether the metadata has one of these values under the key, as `is` compares them."""
    words = [word for value in values for word in _words(key, value)]
    return Q(_HasAnyWord(words))


def _words(key: str, value: Any) -> list[tuple[str, tuple[str, ...]]]:
    """Write a value in each kind in which it may be stored."""
    start = f"{key}{SEPARATOR}"
    text = value
    if isinstance(value, bool):
        text = str(value).lower()
    found: list[tuple[str, tuple[str, ...]]] = [("%s || upper(%s)", (f"{start}s", text))]
    if text.lower() in ("true", "false"):
        found.append(("%s", (f"{start}b{text.lower()}",)))
    if (number := as_number(value)) is not None:
        written = json.dumps(number)
        found.append(("%s || trim_scale(%s::numeric)::text", (f"{start}n", written)))
    return found
