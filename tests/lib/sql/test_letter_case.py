"""Upper and lower case of all letters are alike, on both databases in the same way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from apps.followers.models import Follower
from apps.lib.sql.letter_case import like
from tests.make import make_follower

LETTERS = "aAzZéÉöÖяЯёЁіІжЖωΩşŞ %_\\'-."


class TestBothDatabases(TestCase):
    """What a lookup finds is what the rule says, whatever the database."""

    @settings(max_examples=60, deadline=None)
    @given(st.text(LETTERS, min_size=1, max_size=6), st.text(LETTERS, min_size=1, max_size=3))
    def test_a_lookup_without_case_is_the_rule(self, name: str, asked: str) -> None:
        Follower.objects.all().delete()
        row = make_follower(email="a@example.com")
        Follower.objects.filter(pk=row.pk).update(name=name)
        same = name.upper() == asked.upper()
        inside = asked.upper() in name.upper()
        found = Follower.objects.filter
        assert found(name__iexact=asked).exists() == same
        assert found(name__icontains=asked).exists() == inside
        assert Follower.objects.exclude(name__iexact=asked).exists() != same


@pytest.mark.reported
@pytest.mark.parametrize(
    ("pattern", "text", "alike"),
    [
        ("москва", "Москва", True),
        ("%ОСК%", "Москва", True),
        ("\\%", "%", True),
        ("\\%", "x", False),
        ("_", "ё", True),
        ("straße", "STRASSE", False),
        ("12", 12, True),
        ("a", None, None),
        (None, "a", None),
    ],
)
def test_like_reads_patterns_as_sqlite_does(
    pattern: object, text: object, alike: bool | None
) -> None:
    assert like(pattern, text, "\\") is alike
