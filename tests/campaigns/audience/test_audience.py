"""Whom a campaign is for: unions, excludes, one copy per person, and why."""

from typing import Any

import pytest

from apps.campaigns.audience.audience import Audience, BadAudience
from apps.campaigns.audience.segments import (
    SegmentValues,
    change_segment,
    create_segment,
)
from apps.followers.models import Follower, Tag
from tests.campaigns.world import NOW, make_world
from tests.make import TESTER

RUSSIAN = {"all": [{"field": "language", "op": "is", "value": "ru"}]}
pytestmark = pytest.mark.django_db


@pytest.fixture
def russians() -> Any:
    return create_segment(values=SegmentValues(name="Russian", rules=RUSSIAN), by=TESTER, now=NOW)


def everyone_in(data: dict[str, Any]) -> list[int]:
    return pks_of(Audience.parse(data))


def pks_of(audience: Audience) -> list[int]:
    return list(audience.followers(now=NOW).values_list("pk", flat=True))


def test_a_person_in_several_tags_segments_and_named_is_in_it_once(russians: Any) -> None:
    people = make_world(80)
    named = [str(person.uid) for person in people[:20]]
    data = {"tags": ["vip", "beta"], "segments": [str(russians.uid)], "followers": named}
    found = everyone_in(data)
    assert len(found) == len(set(found)) == Audience.parse(data).count()
    expected = Follower.objects.filter(tags__slug__in=["vip", "beta"]) | Follower.objects.filter(
        language="ru"
    )
    assert set(found) == {
        *expected.values_list("pk", flat=True),
        *(person.pk for person in people[:20]),
    }


def test_excludes_beat_includes(russians: Any) -> None:
    people = make_world(80)
    out = next(person for person in people if person.language == "en")
    found = everyone_in(
        {
            "everyone": True, "exclude_tags": ["press"], "exclude_segments": [str(russians.uid)],
            "exclude_followers": [str(out.uid)],
        }
    )  # fmt: skip
    expected = (
        Follower.objects.exclude(tags__slug="press").exclude(language="ru").exclude(pk=out.pk)
    )
    assert sorted(found) == sorted(expected.values_list("pk", flat=True))
    assert found


def test_an_audience_of_which_nothing_is_chosen_is_nobody() -> None:
    make_world(5)
    assert everyone_in({}) == []
    assert everyone_in({"exclude_tags": ["vip"]}) == []
    assert Audience.parse({"everyone": False}).is_empty


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "must be an object"),
        ({"rules": {}}, "unknown parts: rules"),
        ({"everyone": "yes"}, "must be true or false"),
        ({"tags": "vip"}, "must be a list"),
        ({"tags": ["no-such"]}, "There is no tag “no-such”"),
        ({"exclude_tags": ["no-such"]}, "There is no tag “no-such”"),
        ({"segments": ["Russian"]}, "named by its id"),
        ({"exclude_segments": ["01981a3e-0000-7000-8000-000000000000"]}, "There is no segment"),
        ({"followers": ["01981a3e-0000-7000-8000-000000000000"]}, "There is no follower"),
    ],
)
def test_an_audience_that_cannot_be_meant_is_refused_with_the_reason(
    data: Any, message: str
) -> None:
    with pytest.raises(BadAudience, match=message):
        Audience.parse(data)


def test_an_id_is_known_however_it_is_written(russians: Any) -> None:
    make_world(40)
    expected = Follower.objects.exclude(language="ru").values_list("pk", flat=True)
    for written in (str(russians.uid).upper(), russians.uid.hex):
        audience = Audience.parse({"everyone": True, "exclude_segments": [written]})
        assert sorted(pks_of(audience)) == sorted(expected)
        assert pks_of(Audience.stored(audience.frozen())) == pks_of(audience)


def test_a_run_keeps_the_rules_it_started_with(russians: Any) -> None:
    make_world(40)
    frozen = Audience.parse({"segments": [str(russians.uid)]}).frozen()
    before = set(pks_of(Audience.stored(frozen)))
    change_segment(
        segment=russians,
        values=SegmentValues(rules={"all": [{"field": "language", "op": "is", "value": "zh"}]}),
        by=TESTER,
        now=NOW,
    )
    assert before == set(pks_of(Audience.stored(frozen)))
    assert before != set(everyone_in({"segments": [str(russians.uid)]}))


def test_it_says_why_a_follower_is_in_or_out(russians: Any) -> None:
    make_world(80)
    vip = Tag.objects.get(slug="vip")
    person = Follower.objects.filter(language="ru", taggings__tag=vip).first()
    other = Follower.objects.exclude(language="ru").exclude(taggings__tag=vip).first()
    assert person
    assert other
    data = {"tags": ["vip"], "segments": [str(russians.uid)]}
    audience = Audience.parse(data)
    assert audience.explain(person, now=NOW).because == (
        "has the tag “Vip”",
        "is in the segment “Russian”: language is “ru”",
    )
    assert not audience.explain(other, now=NOW).matches
    excluded = Audience.parse(data | {"exclude_tags": ["vip"]}).explain(person, now=NOW)
    assert not excluded.matches
    assert excluded.because == ("excluded: has the tag “Vip”",)
