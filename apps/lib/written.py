"""Dates and numbers as the language of the page writes them."""

import datetime as dt

from babel.dates import format_datetime
from django.utils import formats
from django.utils.translation import get_language

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
