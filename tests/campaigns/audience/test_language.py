"""Segment rules refused by their place."""

from typing import Any

import pytest

from apps.campaigns.audience import language
from apps.campaigns.audience.language import BadRules


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
