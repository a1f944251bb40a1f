"""Segment rules said in English."""

from typing import Any

from apps.campaigns.audience import language, words


def say(data: Any) -> str:
    return words.sentence(language.parse(data))


def test_rules_are_said_in_english() -> None:
    russian = {"field": "language", "op": "is", "value": "ru"}
    fresh = {"field": "created_at", "op": "within_days", "value": 30}
    plan = {"field": "metadata.plan", "op": "in", "value": ["pro", "team"]}
    reachable = {"field": "has_channel", "op": "is", "value": "email"}
    gone = {"field": "subscribed", "op": "is", "value": False}
    assert (
        say({"all": [russian, {"field": "tag", "op": "is", "value": "vip"}]})
        == "language is “ru” and has the tag “vip”"
    )
    assert (
        say({"any": [plan, {"all": [fresh, reachable]}], "not": {"all": [gone]}})
        == "(plan is one of “pro” or “team” or (signed up within the last 30 days and has an active"
        " address for “email”)), but not (is not subscribed)"
    )
