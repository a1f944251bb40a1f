"""A segment's rules: a small closed language about followers, read and checked.

A group is `{"all": [...]}` or `{"any": [...]}` of rules and groups, with an optional `"not": group`
whose matches are left out; `{"not": group}` alone means everybody else. A rule is
`{"field": ..., "op": ..., "value": ...}`; FIELDS lists what may be asked. Every rule is true or
false, never unknown, so "not" always means the rest. Letter case does not count.

sql.py asks the rules, words.py says them.
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils.dateparse import parse_date, parse_datetime

from apps.followers.models import Channel, NotificationType, Tag
from apps.lib import wallclock
from apps.lib.refusals import Refused

MAX_DEPTH = 5
MAX_RULES = 50
MAX_VALUES = 500
MAX_TEXT = 200
MAX_DAYS = 36_500
# No quotes or backslashes: the key becomes part of a JSON path on SQLite.
METADATA_KEY = re.compile(r"[^\W\d][\w .:-]{0,63}")
CHOICES = {"on": "switched on", "off": "switched off", "none": "never chosen"}
# An operator that denies another one, so that both are exact opposites.
OPPOSITES = {"is_not": "is", "not_in": "in", "not_contains": "contains", "not_exists": "exists"}
OPERATORS = {
    "is": "is",
    "is_not": "is not",
    "in": "is one of",
    "not_in": "is none of",
    "contains": "contains",
    "not_contains": "does not contain",
    "starts_with": "starts with",
    "exists": "is known",
    "not_exists": "is not known",
    "before": "is before",
    "after": "is after",
    "within_days": "is within the last days",
    "gt": "is more than",
    "lt": "is less than",
}


class BadRules(Refused):
    """A rule that can't be asked; the text names the rule and says what to write instead."""

    field = "rules"


@dataclass(frozen=True, slots=True)
class Rule:
    """One question. `key` is the metadata key, "" for other fields; `value` is checked already."""

    field: str
    op: str
    value: Any = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """All (or any) of `parts`, and not `unless`."""

    every: bool
    parts: tuple["Rule | Group", ...]
    unless: "Group | None" = None


# ------------------------------------------------------------------ values
def _text(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise BadRules("needs a text to compare with")
    if len(value) > MAX_TEXT:
        raise BadRules(f"has a value of more than {MAX_TEXT} characters")
    return value.strip()


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return _text(value)


def _several(check: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def checked(value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise BadRules("needs a list of at least one value")
        if len(value) > MAX_VALUES:
            raise BadRules(f"has more than {MAX_VALUES} values")
        return [check(one) for one in value]

    return checked


def _number(value: Any) -> float:
    number = as_number(value)
    if number is None:
        raise BadRules("needs a number to compare with")
    return number


def as_number(value: Any) -> float | None:
    """Read the number that a value means; None if it means none (true, text, infinity)."""
    if isinstance(value, bool):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):  # OverflowError: 400 digits
        return None
    if math.isfinite(number):
        return number
    return None


def _days(value: Any) -> int:
    number = as_number(value)
    is_whole = number is not None and number == int(number)
    if number is None or not is_whole or not 1 <= number <= MAX_DAYS:
        raise BadRules("needs a whole number of days, 1 or more")
    return int(number)


def _date(value: Any) -> str:
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            for end in (False, True):
                instant_of(value, end=end)
            return value
    raise BadRules("needs a date such as 2026-05-31")


def instant_of(value: str, *, end: bool) -> dt.datetime:
    """Turn a date (in the site's zone) into the instant of its begin or end.

    A text with a time means that very moment. Raises ValueError for what is no date,
    OverflowError for one that UTC has no date for.
    """
    zone = wallclock.zone(settings.TIME_ZONE)
    moment = parse_datetime(value)
    if day := parse_date(value):
        if end:
            day += dt.timedelta(days=1)
        moment = dt.datetime.combine(day, dt.time(), zone)
    if moment is None:
        raise ValueError(f"{value!r} is no date.")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return moment.astimezone(dt.UTC)


def _flag(value: Any) -> bool:
    words = {"true": True, "yes": True, "false": False, "no": False}
    if isinstance(value, str):
        value = words.get(value.lower(), value)
    if not isinstance(value, bool):
        raise BadRules("needs true or false")
    return value


def _channel(value: Any) -> str:
    if value not in Channel.values:
        raise BadRules(f"needs a channel: {', '.join(Channel.values)}")
    return str(value)


def _choice(value: Any) -> dict[str, str]:
    is_whole = isinstance(value, dict) and set(value) == {"type", "channel", "choice"}
    if not is_whole or value["choice"] not in CHOICES:
        raise BadRules('needs {"type": key, "channel": name, "choice": "on", "off" or "none"}')
    return {
        "type": _text(value["type"]),
        "channel": _channel(value["channel"]),
        "choice": value["choice"],
    }


def _nothing(value: Any) -> None:
    if value not in (None, "", True):
        raise BadRules("takes no value")


# ------------------------------------------------------------------ what may be asked
@dataclass(frozen=True, slots=True)
class Field:
    """Something that a rule may ask about; `ops` maps each operator to the check of its value."""

    label: str
    ops: Mapping[str, Callable[[Any], Any]]


_TEXT: dict[str, Callable[[Any], Any]] = {
    "is": _text,
    "is_not": _text,
    "in": _several(_text),
    "not_in": _several(_text),
    "contains": _text,
    "not_contains": _text,
    "starts_with": _text,
    "exists": _nothing,
    "not_exists": _nothing,
}


def _texts(*ops: str) -> dict[str, Callable[[Any], Any]]:
    return {op: _TEXT[op] for op in ops}


_NAMES = _texts("is", "is_not", "in", "not_in", "exists", "not_exists")
_SCALARS: dict[str, Callable[[Any], Any]] = {
    "is": _scalar,
    "is_not": _scalar,
    "in": _several(_scalar),
    "not_in": _several(_scalar),
}
FIELDS: dict[str, Field] = {
    "tag": Field("tag", _NAMES),
    "language": Field("language", _texts("is", "is_not", "in", "not_in", "starts_with")),
    "time_zone": Field("time zone", {op: _TEXT[op] for op in _TEXT if "contains" not in op}),
    "name": Field("name", _TEXT),
    "email_domain": Field("email domain", _NAMES),
    "created_at": Field("sign-up date", {"before": _date, "after": _date, "within_days": _days}),
    "subscribed": Field("subscribed", {"is": _flag}),
    "has_channel": Field(
        "active address for",
        {
            "is": _channel,
            "is_not": _channel,
            "in": _several(_channel),
            "not_in": _several(_channel),
        },
    ),
    "preference": Field("preference", {"is": _choice, "is_not": _choice}),
    "metadata": Field("metadata", _TEXT | {"gt": _number, "lt": _number} | _SCALARS),
}


# ------------------------------------------------------------------ reading
def parse(data: Any) -> Group:
    """Read rules. Raises BadRules, naming the rule by its place ("Rule 2.1")."""
    group = _group(data, place="", depth=1)
    if sum(1 for _ in leaves(group)) > MAX_RULES:
        raise BadRules(f"These are more than {MAX_RULES} rules. Make two segments of them.")
    return group


def _group(data: Any, *, place: str, depth: int) -> Group:
    here = "The segment"
    if place:
        here = f"Group {place}"
    if depth > MAX_DEPTH:
        raise BadRules(f"{here} is nested more than {MAX_DEPTH} deep.")
    if not _is_group(data):
        raise BadRules(
            f'{here} must be {{"all": [rules]}} or {{"any": [rules]}}, with an optional "not".'
        )
    unless = None
    if "not" in data:
        unless = _group(data["not"], place=_within(place, "not"), depth=depth + 1)
    children = data.get("all", data.get("any", []))
    only_denies = unless is not None and len(data) == 1
    if not isinstance(children, list) or not (children or only_denies):
        raise BadRules(f"{here} has no rule. Add at least one.")
    parts: list[Rule | Group] = []
    for number, child in enumerate(children, start=1):
        where = _within(place, str(number))
        if isinstance(child, dict) and "field" in child:
            parts.append(_rule(child, where))
        else:
            parts.append(_group(child, place=where, depth=depth + 1))
    return Group(every="any" not in data, parts=tuple(parts), unless=unless)


def _is_group(data: Any) -> bool:
    if not isinstance(data, dict) or not set(data) <= {"all", "any", "not"}:
        return False
    return not ("all" in data and "any" in data)


def _within(place: str, step: str) -> str:
    return f"{place}.{step}".strip(".")


def _rule(data: dict[str, Any], place: str) -> Rule:
    here = f"Rule {place}"
    if unknown := set(data) - {"field", "op", "value"}:
        raise BadRules(f"{here} has unknown parts: {', '.join(sorted(map(str, unknown)))}.")
    name, dot, key = str(data["field"]).partition(".")
    field = FIELDS.get(name)
    if field is None or bool(dot) != (name == "metadata"):
        known = ", ".join(FIELDS).replace("metadata", "metadata.<key>")
        raise BadRules(f"{here} asks about {data['field']!r}. It can ask about: {known}.")
    if name == "metadata" and not METADATA_KEY.fullmatch(key):
        raise BadRules(
            f"{here} asks for the metadata key {key!r}. A key starts with a letter and has up to "
            "64 letters, digits, spaces, and . : - _ characters."
        )
    op = data.get("op")
    if not isinstance(op, str) or op not in field.ops:
        known = ", ".join(field.ops)
        raise BadRules(f"{here}: {field.label} can't be compared by {op!r}. Use one of: {known}.")
    try:
        value = field.ops[op](data.get("value"))
    except BadRules as problem:
        raise BadRules(f"{here} ({field.label} {OPERATORS[op]}) {problem}.") from None
    return Rule(name, op, value, key)


def leaves(group: Group) -> Iterator[Rule]:
    """Walk all rules of a group, those of its "not" included."""
    for part in group.parts:
        if isinstance(part, Rule):
            yield part
        else:
            yield from leaves(part)
    if group.unless is not None:
        yield from leaves(group.unless)


def check_names(group: Group) -> None:
    """Refuse a tag or notification type that does not exist, which would silently match nobody.

    Raises BadRules.
    """
    for rule in leaves(group):
        if rule.field == "tag" and rule.value is not None:
            _check_tags(rule.value)
        elif rule.field == "preference":
            _check_type(rule.value["type"])


def _check_tags(value: Any) -> None:
    wanted: set[str] = set()
    if isinstance(value, list):
        wanted.update(value)
    else:
        wanted.add(value)
    known = set(Tag.objects.filter(slug__in=wanted).values_list("slug", flat=True))
    if missing := sorted(wanted - known):
        raise BadRules(
            f"There is no tag “{missing[0]}”. Choose an existing tag (by its slug) "
            "or create it first."
        )


def _check_type(key: str) -> None:
    if not NotificationType.objects.filter(key=key).exists():
        raise BadRules(f"There is no message type “{key}”.")
