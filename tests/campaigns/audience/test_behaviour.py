"""What people did with messages, asked by segments: a plain reading of the rows agrees."""

import datetime as dt
import json
import random
from typing import Any

import pytest

from apps.campaigns.audience import behaviour, language, words
from apps.campaigns.audience.sql import rules_to_q
from apps.followers.models import Follower
from apps.notifications.models import Delivery
from tests.dashboard.send.results.world import AT, World, make_world

pytestmark = pytest.mark.django_db
NOW = AT + dt.timedelta(days=3)
BOUNCES = ("refused_recipient", "undelivered")


def facts() -> dict[int, list[dict[str, Any]]]:
    """What was done with each message, by follower."""
    found: dict[int, list[dict[str, Any]]] = {
        pk: [] for pk in Follower.objects.values_list("pk", flat=True)
    }
    rows = Delivery.objects.filter(follower__isnull=False).select_related("notification")
    for row in rows.prefetch_related("engagements", "events"):
        people = [look for look in row.engagements.all() if not look.machine]
        clicks = [look for look in people if look.link]
        kinds = {event.kind for event in row.events.all()}
        dids = {
            "got": row.status in ("sent", "delivered") and row.finished_at,
            "opened": min((look.at for look in people), default=None),
            "clicked": min((look.at for look in clicks), default=None),
            "bounced": row.status == "failed" and row.reason in BOUNCES and row.finished_at,
            "complained": "complained" in kinds and row.finished_at,
            "unsubscribed": "unsubscribed" in kinds and row.finished_at,
        }
        links = {each.link for each in clicks}
        what = {"notification": str(row.notification.uid), "links": links, "by": row.channel}
        found[row.follower_id or 0].append(what | {"dids": dids})
    return found


def matches(done: list[dict[str, Any]], data: dict[str, Any], world: World) -> bool:
    if "field" in data:
        return _did(done, data["value"], world) == (data["op"] == "is")
    said = [matches(done, child, world) for child in data.get("all", data.get("any", []))]
    together = any(said) if "any" in data else all(said)
    return together and not ("not" in data and matches(done, data["not"], world))


def _did(done: list[dict[str, Any]], value: dict[str, Any], world: World) -> bool:
    first, second, _ = (str(each.uid) for each in world.notifications)
    campaigns = dict(zip((str(each.uid) for each in world.campaigns), (first, second), strict=True))
    meant = {str(each.uid) for each in world.notifications}
    if "campaign" in value:
        meant = {campaigns[value["campaign"]]}
    elif "notification" in value:
        meant = {value["notification"]}
    elif "last" in value:
        meant = {second} if value["last"] == 1 else {first, second}
    elif "type" in value and value["type"] != "news":
        meant = set()
    since = NOW - dt.timedelta(days=value.get("within_days", 10_000))
    for one in done:
        at = one["dids"][value["did"]]
        linked = "link" not in value or value["link"] in one["links"]
        on = value.get("channel", one["by"]) == one["by"]
        if one["notification"] in meant and at and at >= since and linked and on:
            return True
    return False


def random_rules(dice: random.Random, world: World, depth: int = 3) -> dict[str, Any]:
    children = [
        random_rules(dice, world, depth - 1)
        if depth > 1 and dice.random() < 0.4
        else random_rule(dice, world)
        for _ in range(dice.randint(1, 3))
    ]
    group: dict[str, Any] = {dice.choice(["all", "any"]): children}
    if depth > 1 and dice.random() < 0.3:
        group["not"] = random_rules(dice, world, depth - 1)
    return group


def random_rule(dice: random.Random, world: World) -> dict[str, Any]:
    value: dict[str, Any] = {"did": dice.choice(behaviour.DIDS)}
    value |= dice.choice(
        [
            {},
            {"campaign": str(dice.choice(world.campaigns).uid)},
            {"notification": str(dice.choice(world.notifications).uid)},
            {"last": dice.choice([1, 2, 5])},
            {"type": "news"},
        ]
    )
    if value["did"] == "clicked" and dice.random() < 0.5:
        value["link"] = dice.randint(1, 3)
    if dice.random() < 0.2:
        value["channel"] = dice.choice(["email", "in_app"])
    if dice.random() < 0.3:
        value["within_days"] = dice.choice([1, 2, 3])
    return {"field": "behaviour", "op": dice.choice(["is", "is_not"]), "value": value}


def test_sql_and_a_plain_reading_agree_on_random_trees() -> None:
    world = make_world(11, people=40)
    known = facts()
    dice = random.Random(2026)
    answers = set()
    for _ in range(120):
        data = random_rules(dice, world)
        language.check_names(language.parse(data))
        rows = Follower.objects.filter(rules_to_q(data, now=NOW))
        by_sql = sorted(rows.values_list("pk", flat=True))
        by_hand = sorted(pk for pk, done in known.items() if matches(done, data, world))
        assert by_sql == by_hand, json.dumps(data)
        answers.add(len(by_sql))
        assert words.sentence(language.parse(data))
    assert len(answers) > 15  # the questions really divided the people


@pytest.mark.parametrize(
    "value",
    [
        "opened",
        {"did": "read"},
        {"did": "opened", "last": 0},
        {"did": "opened", "last": True},
        {"did": "opened", "last": 3, "type": "news"},
        {"did": "opened", "campaign": "spring"},
        {"did": "opened", "link": 2},
        {"did": "opened", "channel": "pigeon"},
        {"did": "got", "within_days": "7"},
        {"did": "got", "since": "2026-01-01"},
    ],
)
def test_what_can_not_be_asked_is_refused_in_words(value: Any) -> None:
    with pytest.raises(language.BadRules, match=r'Rule 1 .*needs \{"did": one of got, opened'):
        language.parse({"all": [{"field": "behaviour", "op": "is", "value": value}]})


def test_what_does_not_exist_is_refused() -> None:
    uid = "0190b6a4-7e1c-7aaa-8aaa-0123456789ab"
    for value, said in (
        ({"campaign": uid}, "What was sent, and this asks about, does not exist."),
        ({"type": "nothing"}, "There is no message type “nothing”."),
    ):
        rule = {"field": "behaviour", "op": "is", "value": {"did": "opened"} | value}
        with pytest.raises(language.BadRules, match=said):
            language.check_names(language.parse({"all": [rule]}))


def test_behaviour_is_said_in_words() -> None:
    world = make_world(1, people=2)
    campaign = {"did": "clicked", "campaign": str(world.campaigns[0].uid), "link": 2}
    rules = [
        {"field": "behaviour", "op": "is_not", "value": {"did": "opened", "last": 5}},
        {"field": "behaviour", "op": "is", "value": campaign},
        {"field": "behaviour", "op": "is_not", "value": {"did": "opened", "within_days": 90}},
    ]
    assert words.sentence(language.parse({"all": rules})) == (
        "did not open any of the last 5 campaigns and clicked in “First”, link 2 and did not open "
        "any message, within the last 90 days"
    )


def test_a_value_is_the_same_as_text() -> None:
    value = {"did": "clicked", "campaign": "0190b6a4-7e1c-7aaa-8aaa-0123456789ab", "link": 2}
    assert behaviour.from_text("clicked", behaviour.as_text(value)) == value
