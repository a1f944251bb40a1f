"""Two hundred followers of every kind,
and a plain Python reading of segment rules to judge the SQL by.
"""

import datetime as dt
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_date

from apps.followers.models import Address, Follower, Preference, Tag, Tagging
from apps.lib import wallclock
from tests.make import make_type

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
LANGUAGES = ["en", "en-GB", "ru", "pt-BR", "zh"]
ZONES = ["", "Europe/Berlin", "Europe/Moscow", "America/New_York"]
NAMES = ["", "Anna Weber", "anna", "O'Hara", "100% Bob", "back_slash", "Chen Li", "Борис Иванов"]
DOMAINS = ["example.com", "example.org", "mail.example.com"]
TAGS = ["vip", "beta", "press"]
VALUES: list[Any] = [
    "pro",
    "Free",
    "42",
    42,
    42.5,
    -1,
    0,
    True,
    False,
    None,
    ["pro"],
    ["Free", "50%", 42],
    "2026-05-10",
    "2026-05-31T10:00:00Z",
    {"a": 1},
    "",
    "true",
]


def make_world(count: int = 200, seed: int = 7) -> list[Follower]:
    """Rows written straight away: two hundred calls of the domain would take longer than all the
    questions.
    """
    dice = random.Random(seed)
    news = make_type("news")
    tags = [Tag.objects.create(name=slug.title(), slug=slug, created_at=NOW) for slug in TAGS]
    rows = []
    for _ in range(count):
        subscribed = dice.random() < 0.7
        born = NOW - dt.timedelta(hours=dice.randint(0, 24 * 60))
        rows.append(
            Follower(
                name=dice.choice(NAMES),
                language=dice.choice(LANGUAGES),
                time_zone=dice.choice(ZONES),
                subscribed=subscribed,
                subscribed_at=born if subscribed else None,
                created_at=born,
                updated_at=born,
                metadata={
                    key: dice.choice(VALUES) for key in ("plan", "a b.c") if dice.random() < 0.8
                },
            )
        )
    followers = Follower.objects.bulk_create(rows)
    taggings = []
    addresses = []
    preferences = []
    for number, follower in enumerate(followers):
        for tag in dice.sample(tags, dice.randint(0, 3)):
            taggings.append(Tagging(follower=follower, tag=tag, created_at=NOW))
        for nth in range(dice.randint(0, 2)):
            address = f"p{number}-{nth}@{dice.choice(DOMAINS)}"
            state = dice.choice(["active", "active", "bounced"])
            addresses.append(
                Address(
                    follower=follower,
                    channel="email",
                    value=address,
                    key=address,
                    state=state,
                    primary=nth == 0,
                    created_at=NOW,
                )
            )
        if dice.random() < 0.4:
            cell = {"follower": follower, "notification_type": news, "channel": "email"}
            preferences.append(Preference(**cell, allowed=dice.random() < 0.5, updated_at=NOW))
    Tagging.objects.bulk_create(taggings)
    Address.objects.bulk_create(addresses)
    Preference.objects.bulk_create(preferences)
    return followers


# ------------------------------------------------------------------ the oracle
def facts_of(follower: Follower) -> dict[str, Any]:
    addresses = list(follower.addresses.all())
    emails = [address for address in addresses if address.channel == "email"]
    return {
        "name": follower.name,
        "language": follower.language,
        "time_zone": follower.time_zone,
        "subscribed": follower.subscribed,
        "created_at": follower.created_at,
        "metadata": follower.metadata,
        "tags": {tagging.tag.slug for tagging in follower.taggings.all()},
        "domains": {address.key.rpartition("@")[2] for address in emails},
        "channels": {"in_app"} | {each.channel for each in addresses if each.state == "active"},
        "own": {
            (p.notification_type.key, p.channel): p.allowed for p in follower.preferences.all()
        },
    }


def matches(facts: dict[str, Any], data: dict[str, Any]) -> bool:
    """What a segment means, said once more without SQL."""
    if "field" in data:
        return _rule_matches(facts, data)
    said = [matches(facts, child) for child in data.get("all", data.get("any", []))]
    if "any" in data:
        together = any(said)
    else:
        together = all(said)
    return together and not ("not" in data and matches(facts, data["not"]))


def _rule_matches(facts: dict[str, Any], rule: dict[str, Any]) -> bool:
    op = rule["op"]
    value = rule.get("value")
    for denied, positive in {
        "is_not": "is",
        "not_in": "in",
        "not_contains": "contains",
        "not_exists": "exists",
    }.items():
        if op == denied:
            return not _rule_matches(facts, rule | {"op": positive})
    field, _, key = rule["field"].partition(".")
    if op == "in":
        wanted = value
    else:
        wanted = [value]
    match field:
        case "tag":
            if op == "exists":
                return bool(facts["tags"])
            return bool(facts["tags"] & set(wanted))
        case "email_domain":
            if op == "exists":
                return bool(facts["domains"])
            return bool(facts["domains"] & set(wanted))
        case "has_channel":
            return bool(facts["channels"] & set(wanted))
        case "subscribed":
            return bool(facts["subscribed"] == value)
        case "preference":
            own = facts["own"].get((value["type"], value["channel"]))
            return own is {"on": True, "off": False, "none": None}[value["choice"]]
        case "created_at" if op == "within_days":
            return bool(facts["created_at"] >= NOW - dt.timedelta(days=value))
        case "created_at":
            day = facts["created_at"].astimezone(wallclock.zone(settings.TIME_ZONE)).date()
            return bool(day < parse_date(value) if op == "before" else day > parse_date(value))
        case "metadata":
            return _metadata_matches(facts["metadata"].get(key), op, value)
    return _text_matches(facts[field], op, value)


def _text_matches(text: str, op: str, value: Any) -> bool:
    folded = text.casefold()
    match op:
        case "is":
            return folded == value.casefold()
        case "in":
            return folded in {one.casefold() for one in value}
        case "contains":
            return value.casefold() in folded
        case "starts_with":
            return folded.startswith(value.casefold())
    return text != ""


def _metadata_matches(stored: Any, op: str, value: Any) -> bool:
    is_number = isinstance(stored, int | float) and not isinstance(stored, bool)
    if op == "exists":
        return stored is not None
    if op == "in":
        return any(_metadata_matches(stored, "is", one) for one in value)
    if op in {"gt", "lt"}:
        return is_number and (stored > value if op == "gt" else stored < value)
    if op == "is":
        text = str(value)
        if isinstance(stored, bool):
            return str(stored).lower() == text.lower()
        if is_number:
            return text.replace(".", "").lstrip("-").isdigit() and float(text) == stored
        return isinstance(stored, str) and stored.lower() == text.lower()
    if op in {"before", "after", "within_days"}:
        return isinstance(stored, str) and _day_matches(stored, op, value)
    if isinstance(stored, list) and op == "contains":
        return value.casefold() in {str(each).casefold() for each in stored}
    return isinstance(stored, str) and _text_matches(stored, op, value)


def _day_matches(stored: str, op: str, value: Any) -> bool:
    try:
        day = dt.date.fromisoformat(stored[:10])
    except ValueError:
        return False
    if op == "within_days":
        return NOW.date() - dt.timedelta(days=value) <= day <= NOW.date()
    return bool(day < parse_date(value) if op == "before" else day > parse_date(value))


# ------------------------------------------------------------------ random questions
@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What may be asked with a chance of an answer: by field the values; of days and numbers
    those to compare with; the message type whose choices are asked for.
    """

    pools: dict[str, list[Any]]
    days: list[str]
    spans: list[int]  # days before NOW
    numbers: list[float]
    kind: str

    @property
    def fields(self) -> list[str]:
        return [*self.pools, "created_at", "subscribed", "has_channel", "preference"]


_LOOSE = ["pro", "PRO", "42", "42.5", "true", "fr", "-1"]
WORLD = Vocabulary(
    pools={
        "name": ["anna", "AN", "%", "_", "O'", "Борис", "Chen Li"],
        "language": ["en", "EN", "pt-br", "ru"],
        "time_zone": ["Europe/Berlin", "Europe/", "America"],
        "email_domain": DOMAINS,
        "tag": TAGS,
        "metadata.plan": _LOOSE,
        "metadata.a b.c": _LOOSE,
        "metadata.none": _LOOSE,
    },
    days=["2026-05-10", "2026-05-31"],
    spans=[1, 20, 30],
    numbers=[0, 42, -5.5],
    kind="news",
)


def random_rules(dice: random.Random, depth: int = 3, words: Vocabulary = WORLD) -> dict[str, Any]:
    group: dict[str, Any] = {}
    children = [
        random_rules(dice, depth - 1, words)
        if depth > 1 and dice.random() < 0.35
        else random_rule(dice, words)
        for _ in range(dice.randint(1, 3))
    ]
    group[dice.choice(["all", "any"])] = children
    if depth > 1 and dice.random() < 0.3:
        group["not"] = random_rules(dice, depth - 1, words)
    return group


def random_rule(dice: random.Random, words: Vocabulary = WORLD) -> dict[str, Any]:
    field = dice.choice(words.fields)
    if field == "created_at":
        op = dice.choice(["before", "after", "within_days"])
        value: Any = dice.choice(words.days)
        if op == "within_days":
            value = dice.choice(words.spans)
        return {"field": field, "op": op, "value": value}
    if field == "subscribed":
        return {"field": field, "op": "is", "value": dice.random() < 0.5}
    if field == "preference":
        value = {
            "type": words.kind,
            "channel": "email",
            "choice": dice.choice(["on", "off", "none"]),
        }
        return {"field": field, "op": dice.choice(["is", "is_not"]), "value": value}
    if field == "has_channel":
        op = dice.choice(["is", "is_not", "in", "not_in"])
        return {"field": field, "op": op} | _of(
            dice, op, ["email", "sms"] + ["in_app"] * (dice.random() < 0.2)
        )
    op = dice.choice(_operators(field))
    if op.endswith("exists"):
        return {"field": field, "op": op}
    pool = {
        "gt": words.numbers,
        "lt": words.numbers,
        "within_days": words.spans,
        "before": words.days,
        "after": words.days,
    }.get(op, words.pools[field])
    return {"field": field, "op": op} | _of(dice, op, pool)


def _of(dice: random.Random, op: str, pool: Sequence[Any]) -> dict[str, Any]:
    if op in {"in", "not_in"}:
        return {"value": dice.sample(pool, 2)}
    return {"value": dice.choice(pool)}


def _operators(field: str) -> list[str]:
    ops = ["is", "is_not", "in", "not_in"]
    if field != "language":
        ops += ["exists", "not_exists"]
    if field == "name" or field.startswith("metadata"):
        ops += ["contains", "not_contains"]
    if field not in {"tag", "email_domain"}:
        ops.append("starts_with")
    if field.startswith("metadata"):
        ops += ["gt", "lt", "before", "after", "within_days"]
    return ops
