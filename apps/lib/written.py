"""Dates, numbers, and sentences that came in English, as the language of the page writes them."""

import datetime as dt
import re
from collections.abc import Iterable, Mapping

from babel.dates import format_datetime
from django.utils import formats
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext

ENGLISH = "en"


def written(when: dt.datetime | dt.date, pattern: str) -> str:
    """Write a day or a moment by a pattern of CLDR: "d MMM y, HH:mm", "EEE", "d MMMM".

    A moment is written as it is: in its own zone.
    """
    if not isinstance(when, dt.datetime):
        when = dt.datetime.combine(when, dt.time())
    language = get_language() or ENGLISH
    return format_datetime(when, pattern, locale=language.replace("-", "_"))


def grouped(number: float, decimals: int | None = None) -> str:
    """Write 1234567 as 1,234,567 or as 1 234 567; with `decimals` so many behind the point."""
    if decimals is not None:
        number = round(number, decimals)  # Django only cuts off
    return str(formats.number_format(number, decimals, force_grouping=True))


def patterns(sentences: Iterable[str], *, value: str) -> dict[str, re.Pattern[str]]:
    """Write what finds each of these sentences again, with `value`, a regular expression, for what
    stands in braces.
    """
    found = {}
    for sentence in sentences:
        places = re.sub(r"\\{(\w+)\\}", lambda name: f"(?P<{name[1]}>{value})", re.escape(sentence))
        found[sentence] = re.compile(places)
    return found


def retold(
    text: str,
    known: Mapping[str, re.Pattern[str]],
    *,
    words: Mapping[str, str | Promise] | None = None,
) -> str:
    """Say a sentence that is stored, or that a library says, in the language of the page; one that
    is not known stays as it is. `words` are for values that are no names or numbers.
    """
    words = words or {}
    for sentence, pattern in known.items():
        if found := pattern.fullmatch(text):
            values = {name: words.get(value, value) for name, value in found.groupdict().items()}
            return gettext(sentence).format(**values)
    return text
