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
from django.utils.functional import Promise
from django.utils.translation import gettext, pgettext_lazy

from apps.campaigns.audience import behaviour
from apps.followers.models import Channel, NotificationType, Tag
from apps.lib import wallclock
from apps.lib.refusals import NOT_FOUND, TOO_MUCH, UNFIT, Refused

MAX_DEPTH = 5
MAX_RULES = 50
MAX_VALUES = 500
MAX_TEXT = 200
MAX_DAYS = 36_500
# No quotes or backslashes: the key becomes part of a JSON path on SQLite.
METADATA_KEY = re.compile(r"[^\W\d][\w .:-]{0,63}")
CHOICES = ("on", "off", "none")
# An operator that denies another one, so that both are exact opposites.
OPPOSITES = {"is_not": "is", "not_in": "in", "not_contains": "contains", "not_exists": "exists"}
OPERATORS = {
    "is": pgettext_lazy("comparison", "is"),
    "is_not": pgettext_lazy("comparison", "is not"),
    "in": pgettext_lazy("comparison", "is one of"),
    "not_in": pgettext_lazy("comparison", "is none of"),
    "contains": pgettext_lazy("comparison", "contains"),
    "not_contains": pgettext_lazy("comparison", "does not contain"),
    "starts_with": pgettext_lazy("comparison", "starts with"),
    "exists": pgettext_lazy("comparison", "is known"),
    "not_exists": pgettext_lazy("comparison", "is not known"),
    "before": pgettext_lazy("comparison", "is before"),
    "after": pgettext_lazy("comparison", "is after"),
    "within_days": pgettext_lazy("comparison", "is within the last days"),
    "gt": pgettext_lazy("comparison", "is more than"),
    "lt": pgettext_lazy("comparison", "is less than"),
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
        raise BadRules(gettext("needs a text to compare with"))
    if len(value) > MAX_TEXT:
        said = gettext("has a value of more than {most} characters")
        raise BadRules(said.format(most=MAX_TEXT))
    return value.strip()


def _scalar(value: Any) -> Any:
    if isinstance(value, bool):
        return value
    return _text(value)


def _several(check: Callable[[Any], Any]) -> Callable[[Any], list[Any]]:
    def checked(value: Any) -> list[Any]:
        if not isinstance(value, list) or not value:
            raise BadRules(gettext("needs a list of at least one value"))
        if len(value) > MAX_VALUES:
            raise BadRules(gettext("has more than {most} values").format(most=MAX_VALUES))
        return [check(one) for one in value]

    return checked


def _number(value: Any) -> float:
    number = as_number(value)
    if number is None:
        raise BadRules(gettext("needs a number to compare with"))
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
        raise BadRules(gettext("needs a whole number of days, 1 or more"))
    return int(number)


def _date(value: Any) -> str:
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            for end in (False, True):
                instant_of(value, end=end)
            return value
    raise BadRules(gettext("needs a date such as 2026-05-31"))


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
        raise BadRules(gettext("needs true or false"))
    return value


def _channel(value: Any) -> str:
    if value not in Channel.values:
        said = gettext("needs a channel: {channels}")
        raise BadRules(said.format(channels=", ".join(Channel.values)))
    return str(value)


def _choice(value: Any) -> dict[str, str]:
    is_whole = isinstance(value, dict) and set(value) == {"type", "channel", "choice"}
    if not is_whole or value["choice"] not in CHOICES:
        raise BadRules(
            gettext('needs {"type": key, "channel": name, "choice": "on", "off" or "none"}')
        )
    return {
        "type": _text(value["type"]),
        "channel": _channel(value["channel"]),
        "choice": value["choice"],
    }


def _behaviour(value: Any) -> dict[str, Any]:
    read = behaviour.read(value)
    if read is None:
        raise BadRules(
            gettext(
                'needs {"did": one of {dids}}, with "campaign", "recurring", "notification", '
                '"type" or "last", and "channel", "within_days" or "link" where wanted'
            ).replace("{dids}", ", ".join(behaviour.DIDS))
        )
    return read


def _nothing(value: Any) -> None:
    if value not in (None, "", True):
        raise BadRules(gettext("takes no value"))


# ------------------------------------------------------------------ what may be asked
@dataclass(frozen=True, slots=True)
class Field:
    """Something that a rule may ask about; `ops` maps each operator to the check of its value."""

    label: str | Promise
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
_DATES: dict[str, Callable[[Any], Any]] = {
    "before": _date,
    "after": _date,
    "within_days": _days,
}
FIELDS: dict[str, Field] = {
    "tag": Field(pgettext_lazy("rule", "tag"), _NAMES),
    "language": Field(
        pgettext_lazy("rule", "language"), _texts("is", "is_not", "in", "not_in", "starts_with")
    ),
    "time_zone": Field(
        pgettext_lazy("rule", "time zone"), {op: _TEXT[op] for op in _TEXT if "contains" not in op}
    ),
    "name": Field(pgettext_lazy("rule", "name"), _TEXT),
    "first_name": Field(pgettext_lazy("rule", "first name"), _TEXT),
    "last_name": Field(pgettext_lazy("rule", "last name"), _TEXT),
    "email_domain": Field(pgettext_lazy("rule", "email domain"), _NAMES),
    "created_at": Field(pgettext_lazy("rule", "sign-up date"), _DATES),
    "subscribed": Field(pgettext_lazy("rule", "subscribed"), {"is": _flag}),
    "has_channel": Field(
        pgettext_lazy("rule", "active address for"),
        {
            "is": _channel,
            "is_not": _channel,
            "in": _several(_channel),
            "not_in": _several(_channel),
        },
    ),
    "preference": Field(pgettext_lazy("rule", "preference"), {"is": _choice, "is_not": _choice}),
    "behaviour": Field(
        pgettext_lazy("rule", "what they did"), {"is": _behaviour, "is_not": _behaviour}
    ),
    "metadata": Field(
        pgettext_lazy("rule", "metadata"),
        _TEXT | {"gt": _number, "lt": _number} | _DATES | _SCALARS,
    ),
}


# ------------------------------------------------------------------ reading
def parse(data: Any) -> Group:
    """Read rules. Raises BadRules, naming the rule by its place ("Rule 2.1")."""
    group = _group(data, place="", depth=1)
    if sum(1 for _ in leaves(group)) > MAX_RULES:
        said = gettext("These are more than {most} rules. Make two segments of them.")
        raise BadRules(said.format(most=MAX_RULES), cause=TOO_MUCH)
    return group


def _group(data: Any, *, place: str, depth: int) -> Group:
    here = gettext("The segment")
    if place:
        here = gettext("Group {place}").format(place=place)
    if depth > MAX_DEPTH:
        said = gettext("{group} is nested more than {most} deep.")
        raise BadRules(said.format(group=here, most=MAX_DEPTH), cause=TOO_MUCH)
    if not _is_group(data):
        said = gettext(
            '{group} must be {{"all": [rules]}} or {{"any": [rules]}}, with an optional "not".'
        )
        raise BadRules(said.format(group=here))
    unless = None
    if "not" in data:
        unless = _group(data["not"], place=_within(place, "not"), depth=depth + 1)
    children = data.get("all", data.get("any", []))
    only_denies = unless is not None and len(data) == 1
    if not isinstance(children, list) or not (children or only_denies):
        raise BadRules(gettext("{group} has no rule. Add at least one.").format(group=here))
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
    here = gettext("Rule {place}").format(place=place)
    if unknown := set(data) - {"field", "op", "value"}:
        said = gettext("{rule} has unknown parts: {parts}.")
        parts = ", ".join(sorted(map(str, unknown)))
        raise BadRules(said.format(rule=here, parts=parts))
    name, dot, key = str(data["field"]).partition(".")
    field = FIELDS.get(name)
    if field is None or bool(dot) != (name == "metadata"):
        known = ", ".join(FIELDS).replace("metadata", "metadata.<key>")
        said = gettext("{rule} asks about {field!r}. It can ask about: {known}.")
        raise BadRules(said.format(rule=here, field=data["field"], known=known))
    if name == "metadata" and not METADATA_KEY.fullmatch(key):
        said = gettext(
            "{rule} asks for the metadata key {key!r}. A key starts with a letter and has up to "
            "64 letters, digits, spaces, and . : - _ characters."
        )
        raise BadRules(said.format(rule=here, key=key))
    op = data.get("op")
    if not isinstance(op, str) or op not in field.ops:
        known = ", ".join(field.ops)
        said = gettext("{rule}: {field} can't be compared by {op!r}. Use one of: {known}.")
        raise BadRules(said.format(rule=here, field=field.label, op=op, known=known))
    try:
        value = field.ops[op](data.get("value"))
    except BadRules as problem:
        said = gettext("{rule} ({field} {comparison}) {problem}.")
        words = {"field": field.label, "comparison": OPERATORS[op], "problem": problem}
        raise BadRules(said.format(rule=here, **words), cause=UNFIT) from None
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
        elif rule.field == "behaviour" and (problem := behaviour.missing(rule.value)):
            raise BadRules(problem, cause=NOT_FOUND)


def _check_tags(value: Any) -> None:
    wanted: set[str] = set()
    if isinstance(value, list):
        wanted.update(value)
    else:
        wanted.add(value)
    known = set(Tag.objects.filter(slug__in=wanted).values_list("slug", flat=True))
    if missing := sorted(wanted - known):
        said = gettext(
            "There is no tag “{tag}”. Choose an existing tag (by its slug) or create it first."
        )
        raise BadRules(said.format(tag=missing[0]), cause=NOT_FOUND)


def _check_type(key: str) -> None:
    if not NotificationType.objects.filter(key=key).exists():
        raise BadRules(
            gettext("There is no message type “{key}”.").format(key=key), cause=NOT_FOUND
        )
