"""Whom a message greets: a name that is right, or a whole one."""

import pytest

from apps.followers.people.greeting import greeted_as

pytestmark = pytest.mark.reported


@pytest.mark.parametrize(
    ("name", "greeted"),
    [
        ("Anna", "Anna"),
        ("Anna Weber", "Anna"),
        ("  Anna   Maria Weber ", "Anna"),
        ("Jean-Pierre Martin", "Jean-Pierre"),
        ("Smith, Anna", "Anna"),
        ("Smith, Dr. Anna", "Anna"),
        ("Smith, Anna, PhD", "Anna"),
        ("Anna Smith, PhD", "Anna"),
        ("John Smith Jr.", "John"),
        ("Martin Luther King, Jr.", "Martin"),
        ("Dr. Hans Müller", "Hans"),
        ("Prof. Dr. Hans Müller", "Hans"),
        ("Herr Hans Müller", "Hans"),
        ("Frau Dr. Anna Weber", "Anna"),
        ("Mr John Smith", "John"),
        ("г-н Иван Петров", "Иван"),
        ("Mr Smith", "Mr Smith"),
        ("Herr Müller", "Herr Müller"),
        ("г-н Иванов", "г-н Иванов"),
        ("DUPONT Jean", "Jean"),
        ("DUPONT Jean Paul", "Jean"),
        ("ANNA WEBER", "ANNA"),
        ("J. Smith", "J. Smith"),
        ("J.R. Smith", "J.R. Smith"),
        ("Smith, J.", "Smith, J."),
        ("van der Berg", "van der Berg"),
        ("Abdul Rahman Khan", "Abdul Rahman Khan"),
        ("Anna & Bob Weber", "Anna & Bob Weber"),
        ("Anna and Bob Weber", "Anna and Bob Weber"),
        ("Acme GmbH", "Acme GmbH"),
        ("Smith, Wesson, Colt", "Smith, Wesson, Colt"),
        ("ООО «Ромашка»", "ООО «Ромашка»"),
        ("ИП Иванов Иван", "ИП Иванов Иван"),
        ("Анна Иванова", "Анна"),
        ("Марина Иванова", "Марина"),
        ("Иванов Иван", "Иванов Иван"),
        ("Иванов, Иван", "Иван"),
        ("Иванов Иван Иванович", "Иван"),
        ("Иван Иванович Иванов", "Иван"),
        ("Анна Петровна", "Анна Петровна"),
        ("Иванов И. И.", "Иванов И. И."),
        ("Тарас Шевченко", "Тарас"),
        ("Kovács Győző", "Kovács Győző"),
        ("Nguyễn Văn An", "Nguyễn Văn An"),
        ("Familie Müller", "Familie Müller"),
        ("The Smiths", "The Smiths"),
        ("Doktor Müller", "Doktor Müller"),
        ("Ma. Teresa Cruz", "Ma. Teresa Cruz"),
        ("St. John Smith", "St. John Smith"),
        ("王小明", "王小明"),
        ("山田 太郎", "山田 太郎"),
        ("김 민수", "김 민수"),
        ("anna@example.com", ""),
        ("Dr.", ""),
        ("", ""),
        ("   ", ""),
    ],
)
def test_a_guess_is_right_or_the_whole_name(name: str, greeted: str) -> None:
    assert greeted_as(name) == greeted


def test_what_is_known_needs_no_guess() -> None:
    assert greeted_as("Smith, Anna Maria", first_name="Anna Maria") == "Anna Maria"
    assert greeted_as("Smith", last_name="Smith") == ""
    assert greeted_as("Nagy Anna", language="hu-HU") == "Nagy Anna"
