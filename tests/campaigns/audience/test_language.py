"""Segment rules: refused by their place, turned into SQL that a plain reading agrees with,
said in English.
"""

import json
import random
from typing import Any

import pytest
from django.utils import timezone

from apps.campaigns.audience import language
from apps.campaigns.audience.audience import rules_to_q
from apps.campaigns.audience.language import BadRules
from apps.followers.models import Follower
from tests.campaigns.world import NOW, facts_of, make_world, matches, random_rules


def say(data: Any) -> str:
    return language.sentence(language.parse(data))


@pytest.mark.django_db
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


@pytest.mark.django_db
def test_nobody_is_found_twice_however_many_tags_and_addresses_match() -> None:
    make_world(50)
    data = {"any": [{"field": "tag", "op": "exists"}, {"field": "email_domain", "op": "exists"}]}
    found = list(Follower.objects.filter(rules_to_q(data)).values_list("pk", flat=True))
    assert found
    assert len(found) == len(set(found))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "The segment must be"),
        ({}, "The segment has no rule"),
        ({"all": []}, "The segment has no rule"),
        (
            {"all": [], "not": {"all": [{"field": "tag", "op": "exists"}]}},
            "The segment has no rule",
        ),
        ({"all": [{"field": "tag", "op": "exists"}], "any": []}, "The segment must be"),
        ({"all": ["tag"]}, "Group 1 must be"),
        (
            {"all": [{"field": "password", "op": "is", "value": "x"}]},
            "Rule 1 asks about 'password'",
        ),
        (
            {"all": [{"field": "metadata", "op": "is", "value": "x"}]},
            "Rule 1 asks about 'metadata'",
        ),
        ({"all": [{"field": "tag.x", "op": "is", "value": "x"}]}, "Rule 1 asks about 'tag.x'"),
        (
            {"all": [{"field": 'metadata.a"b', "op": "is", "value": "x"}]},
            "Rule 1 asks for the metadata key",
        ),
        (
            {"all": [{"field": "metadata.7", "op": "is", "value": "x"}]},
            "Rule 1 asks for the metadata key",
        ),
        (
            {"all": [{"field": "tag", "op": "exists"}, {"field": "name", "op": "gt", "value": 1}]},
            "Rule 2: name can't",
        ),
        ({"any": [{"all": [{"field": "name", "op": "is"}]}]}, "Rule 1.1 (name is) needs a text"),
        (
            {"not": {"all": [{"field": "name", "op": "in", "value": "x"}]}},
            "Rule not.1 (name is one of) needs a list",
        ),
        (
            {"all": [{"field": "metadata.age", "op": "gt", "value": "old"}]},
            "Rule 1 (metadata is more than) needs a number",
        ),
        (
            {"all": [{"field": "created_at", "op": "before", "value": "31.5.2026"}]},
            "needs a date such as 2026-05-31",
        ),
        (
            {"all": [{"field": "created_at", "op": "before", "value": "2026-02-31"}]},
            "needs a date such as 2026-05-31",
        ),
        (
            {"all": [{"field": "created_at", "op": "after", "value": "9999-12-31"}]},
            "needs a date such as 2026-05-31",
        ),
        (
            {"all": [{"field": "created_at", "op": "before", "value": "0001-01-01T00:00+12:00"}]},
            "needs a date such as 2026-05-31",
        ),
        (
            {"all": [{"field": "created_at", "op": "within_days", "value": 0}]},
            "needs a whole number of days",
        ),
        (
            {"all": [{"field": "has_channel", "op": "is", "value": "fax"}]},
            "needs a channel: email, sms",
        ),
        ({"all": [{"field": "preference", "op": "is", "value": "on"}]}, 'needs {"type": key'),
        ({"all": [{"field": "subscribed", "op": "is", "value": "maybe"}]}, "needs true or false"),
        ({"all": [{"field": "tag", "op": "exists", "value": "vip"}]}, "takes no value"),
        (
            {"all": [{"field": "tag", "op": "exists", "weight": 2}]},
            "Rule 1 has unknown parts: weight",
        ),
        ({"all": [{"field": "tag", "op": "exists"}] * 51}, "more than 50 rules"),
    ],
)
def test_a_rule_that_cannot_be_asked_is_refused_by_its_place(data: Any, message: str) -> None:
    with pytest.raises(BadRules) as refusal:
        language.parse(data)
    assert message in str(refusal.value)


def test_rules_nested_too_deep_are_refused() -> None:
    data: Any = {"field": "tag", "op": "exists"}
    for _ in range(6):
        data = {"all": [data]}
    with pytest.raises(BadRules, match="nested more than 5 deep"):
        language.parse(data)


@pytest.mark.django_db
def test_a_tag_that_does_not_exist_is_named_instead_of_matching_nobody() -> None:
    with pytest.raises(BadRules, match="There is no tag “vip”"):
        language.check_names(
            language.parse({"all": [{"field": "tag", "op": "in", "value": ["vip"]}]})
        )


def test_rules_are_said_in_english() -> None:
    russian = {"field": "language", "op": "is", "value": "ru"}
    fresh = {"field": "created_at", "op": "within_days", "value": 30}
    plan = {"field": "metadata.plan", "op": "in", "value": ["pro", "team"]}
    reachable = {"field": "has_channel", "op": "is", "value": "email"}
    gone = {"field": "subscribed", "op": "is", "value": False}
    assert say({"all": [russian, {"field": "tag", "op": "is", "value": "vip"}]}) == (
        "language is “ru” and has the tag “vip”"
    )
    assert say({"any": [plan, {"all": [fresh, reachable]}], "not": {"all": [gone]}}) == (
        "(plan is one of “pro” or “team” or (signed up within the last 30 days and has an active address for “email”))"
        ", but not (is not subscribed)"
    )


@pytest.mark.django_db
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
