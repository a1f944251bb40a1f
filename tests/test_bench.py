"""What the benchmark takes its figures on fits the tables of today."""

import pytest
from django.db import connection

from apps.followers.models import ConsentRecord, Follower
from bench import site
from tests.make import make_follower


@pytest.mark.django_db(transaction=True)
def test_the_benchmark_fills_its_site_with_people_who_can_be_written_to() -> None:
    if connection.vendor != "postgresql":
        pytest.skip("the benchmark is on PostgreSQL")
    site.fill(10, sizes=[4])
    people = Follower.objects.filter(addresses__channel="email", addresses__primary=True)
    assert people.count() == ConsentRecord.objects.count() == 10
    assert Follower.objects.filter(tags__name=site.NEWSLETTER).count() == 6
    assert Follower.objects.filter(tags__name=site.LARGE.format(4)).count() == 4
    assert make_follower(name="Ada").pk == 11, "the next one comes after them"
