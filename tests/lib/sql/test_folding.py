"""One rule for spellings, in Python and in both databases."""

import random

import pytest
from django.db import connection

from apps.lib.sql.folding import fold, found_by


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Müller", "muller"),
        ("ФЁДОРОВ Йод", "федоров иод"),
        ("Straße", "strasse"),
        ("ŁUKASZ Wójcik", "lukasz wojcik"),
        ("Íñigo", "inigo"),
        ("Nguyễn", "nguyen"),
        ("e\N{COMBINING ACUTE ACCENT}", "e"),
        ("Ελλάδα", "ελλαδα"),
        ("王芳", "王芳"),
        ("100% 'a\\b_", "100% 'a\\b_"),
    ],
)
def test_case_and_accents_make_no_difference(text: str, folded: str) -> None:
    assert fold(text) == folded
    assert fold(folded) == folded


@pytest.mark.django_db
def test_the_database_folds_as_python_does() -> None:
    chance = random.Random(3)
    names = ["", "Anna", "ẞß Ææ", "Ÿ'\"%_\\", "\N{COMBINING DIAERESIS}"]
    for _ in range(200):
        codes = chance.choices(range(0x20, 0x2000), k=8)
        names.append("".join(map(chr, codes)))
    with connection.cursor() as cursor:
        for name in names:
            cursor.execute(
                "SELECT carillon_found_by(%s, %s), carillon_found_by(%s, NULL)", [name] * 3
            )
            assert cursor.fetchone() == (found_by(name, name), found_by(name))
