"""Pages by the last id seen."""

import pytest
from django.db.models import QuerySet

from apps.followers.models import Follower
from apps.lib.sql import keyset
from tests.make import make_follower

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("oldest_first", [False, True])
def test_rows_that_are_scattered_come_in_the_same_pages(oldest_first: bool) -> None:
    spoken = ["ru", "en", "ru", "ru", "en", "ru"]
    people = [make_follower(name="Ann", language=language) for language in spoken]
    rows: QuerySet[Follower] = Follower.objects.filter(language="ru")
    places = [{}, *({way: each.pk} for way in ("after", "before") for each in people)]
    for place in places:
        told = {"size": 2, "oldest_first": oldest_first, **place}
        assert keyset.page(rows, scattered=True, **told) == keyset.page(rows, **told)
