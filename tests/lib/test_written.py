"""Dates and numbers in the language of the page."""

import datetime as dt

import pytest
from django.utils import translation

from apps.lib.written import grouped, written

NOON = dt.datetime(2026, 9, 3, 12, 5, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("language", "moment", "day", "number"),
    [
        ("en", "3 Sep 2026, 12:05", "Thu", "1,234,567"),
        ("ru", "3 сент. 2026, 12:05", "чт", "1\xa0234\xa0567"),
    ],
)
def test_a_page_writes_dates_and_numbers_as_its_language_does(
    language: str, moment: str, day: str, number: str
) -> None:
    with translation.override(language):
        assert written(NOON, "d MMM y, HH:mm") == moment
        assert written(NOON.date(), "EEE") == day
        assert grouped(1234567) == number
        assert grouped(999) == "999"


def test_without_a_language_it_is_english() -> None:
    with translation.override(None):
        assert written(NOON, "d MMMM y") == "3 September 2026"
        assert grouped(66.66, 1) == "66.7"
        assert grouped(0, 1) == "0.0"
