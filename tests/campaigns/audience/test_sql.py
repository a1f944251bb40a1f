"""Segment rules as SQL that a plain reading agrees with."""

import json
import random
from typing import Any

import pytest
from django.utils import timezone

from apps.campaigns.audience import language
from apps.campaigns.audience.questions import QUESTIONS
from apps.campaigns.audience.sql import rules_to_q
from apps.followers.models import Follower
from apps.followers.people.search import find
from tests.campaigns.world import NOW, facts_of, make_world, matches, random_rules
from tests.make import make_follower

pytestmark = pytest.mark.django_db


def test_each_field_of_the_language_has_its_question() -> None:
    assert list(QUESTIONS) == list(language.FIELDS)


def test_sql_and_a_plain_reading_agree_on_random_rule_trees() -> None:
    make_world()
    people = Follower.objects.prefetch_related(
        "addresses", "taggings__tag", "preferences__notification_type"
    )
    facts = {person.pk: facts_of(person) for person in people}
    dice = random.Random(2026)
    answers = set()
    for _ in range(300):
        data = random_rules(dice)
        by_sql = sorted(
            Follower.objects.filter(rules_to_q(data, now=NOW)).values_list("pk", flat=True)
        )
        by_hand = sorted(pk for pk, known in facts.items() if matches(known, data))
        assert by_sql == by_hand, json.dumps(data, ensure_ascii=False)
        answers.add(len(by_sql))
    assert len(answers) > 50  # the questions really divided the people


def test_nobody_is_found_twice_however_many_tags_and_addresses_match() -> None:
    make_world(50)
    data = {"any": [{"field": "tag", "op": "exists"}, {"field": "email_domain", "op": "exists"}]}
    found = list(Follower.objects.filter(rules_to_q(data)).values_list("pk", flat=True))
    assert found
    assert len(found) == len(set(found))


@pytest.mark.parametrize("field", ["name", "email_domain", "metadata.n"])
def test_as_many_values_as_a_rule_takes_are_asked_at_once(field: str) -> None:
    make_follower(name="499", email="anna@499.example", metadata={"n": 499})
    make_follower(name="500", email="boris@500.example", metadata={"n": 500})
    values = [str(number) for number in range(language.MAX_VALUES)]
    if field == "email_domain":
        values = [f"{number}.example" for number in values]
    found = {}
    for op in ("in", "not_in"):
        rules = {"all": [{"any": [{"field": field, "op": op, "value": values}] * 2}]}
        found[op] = Follower.objects.get(rules_to_q(rules)).name
    assert found == {"in": "499", "not_in": "500"}


def test_days_begin_and_end_in_the_zone_of_the_site(settings: Any) -> None:
    settings.TIME_ZONE = "America/New_York"
    make_world(1)
    moment = timezone.datetime(
        2026, 5, 11, 3, 59, tzinfo=timezone.get_fixed_timezone(0)
    )  # 10 May, 23:59 in New York
    Follower.objects.update(created_at=moment)
    asked = {
        op: {"all": [{"field": "created_at", "op": op, "value": "2026-05-10"}]}
        for op in ("before", "after")
    }
    assert not Follower.objects.filter(rules_to_q(asked["before"])).exists()
    assert not Follower.objects.filter(rules_to_q(asked["after"])).exists()
    Follower.objects.update(created_at=moment + timezone.timedelta(minutes=1))
    assert Follower.objects.filter(rules_to_q(asked["after"])).exists()


@pytest.mark.reported
@pytest.mark.parametrize(
    ("city", "asked"),
    [("Москва", "москва"), ("москва", "МОСКВА"), ("Berlin", "berlin"), ("Łódź", "ŁÓDŹ")],
)
def test_letter_case_makes_no_difference_in_any_script(city: str, asked: str) -> None:
    make_follower(name=f"Из {city}", metadata={"city": city})

    def found(field: str, op: str) -> bool:
        rule = {"field": field, "op": op, "value": asked}
        return Follower.objects.filter(rules_to_q({"all": [rule]})).exists()

    for op in ("is", "contains", "starts_with"):
        assert found("metadata.city", op)
    for op in ("is_not", "not_contains"):
        assert not found("metadata.city", op)
    assert found("name", "contains")
    assert find(asked).exists()
