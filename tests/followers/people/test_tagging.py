"""Tags: made once in any case, put on and taken off set-wise."""

from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import AuditEntry
from apps.followers.models import Follower, Tag, Tagging
from apps.followers.people import tagging
from apps.followers.people.tagging import TagTaken
from apps.followers.profile_fields import BadFollower
from tests.followers.people.test_contacts import BY, facts, tags_of
from tests.make import make_follower

pytestmark = pytest.mark.django_db


def test_a_tag_is_unique_in_any_case_and_its_slug_keeps_its_alphabet() -> None:
    tag = tagging.create_tag(name=" Друзья  дома ", **BY)
    assert (tag.name, tag.slug) == ("Друзья дома", "друзья-дома")
    with pytest.raises(TagTaken) as caught:
        tagging.create_tag(name="ДРУЗЬЯ ДОМА", **BY)
    assert caught.value.tag == tag
    with pytest.raises(BadFollower, match="needs a name"):
        tagging.create_tag(name=" \u00a0", **BY)


def test_tags_that_differ_only_in_signs_are_different_tags() -> None:
    slugs = [tagging.create_tag(name=name, **BY).slug for name in ("C", "C++", "C#", "🔥")]
    assert slugs == ["c", "c-2", "c-3", "tag"]
    assert Tag.objects.count() == 4


@pytest.mark.reported
def test_the_longest_tag_there_may_be_is_made_and_told_of() -> None:
    """PostgreSQL refused to write it into the history; SQLite counts no letters."""
    made = [tagging.create_tag(name=sign * 80, **BY) for sign in "0ж"]
    told = AuditEntry.objects.filter(subject_type="tag").order_by("pk")
    assert [row.subject_id for row in told] == [tag.slug for tag in made]


def test_tagging_many_is_set_wise_and_repeating_it_changes_nothing(
    django_assert_max_num_queries: Any,
) -> None:
    for number in range(30):
        make_follower(name=f"Person {number}")
    with django_assert_max_num_queries(20):
        assert tagging.tag(followers=Follower.objects.all(), tags=["beta", "news"], **BY) == 60
    assert tagging.tag(followers=Follower.objects.all(), tags=["BETA"], **BY) == 0
    assert facts("follower.tagged") == [{"followers": 30}, {"followers": 30}]
    assert tagging.untag(followers=Follower.objects.all(), tags=["beta", "unknown"], **BY) == 30
    assert Tagging.objects.count() == 30


def test_a_deleted_tag_leaves_its_followers(anna: Follower) -> None:
    tagging.tag(followers=[anna], tags=["gone"], **BY)
    tagging.delete_tag(tag=Tag.objects.get(), **BY)
    assert facts("tag.deleted") == [{"followers": 1}]
    anna.refresh_from_db()
    assert tags_of(anna) == []


@pytest.mark.reported
def test_many_new_tags_are_made_in_a_few_statements(django_assert_max_num_queries: Any) -> None:
    names = [f"label {number}" for number in range(400)] + ["C++", "C#", "!?", "?!"]
    with transaction.atomic(), django_assert_max_num_queries(40):
        made = tagging.ensure_tags(names, **BY)
    assert [tag.name for tag in made] == names
    assert [tag.slug for tag in made[-4:]] == ["c", "c-2", "tag", "tag-2"]
    assert Tag.objects.count() == 404
    again = tagging.ensure_tags(["LABEL 7", "c+"], **BY)
    assert again[0] == made[7]
    assert again[1].slug == "c-3"


@pytest.mark.reported
def test_a_follower_gets_no_more_tags_than_one_hundred_at_once() -> None:
    with pytest.raises(BadFollower, match="more than 100 tags"):
        make_follower(email="a@example.com", tags=[f"t{number}" for number in range(50_000)])
    assert not Tag.objects.exists()
