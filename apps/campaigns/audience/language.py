"""A segment's rules: a small closed language about followers, checked, turned into SQL,
and said in English.

A group is `{"all": [...]}` or `{"any": [...]}` of rules and groups, with an optional `"not": group`
whose matches are left out; `{"not": group}` alone means everybody else. A rule is
`{"field": ..., "op": ..., "value": ...}`; FIELDS lists what may be asked. Every rule is true or
false, never unknown, so "not" always means the rest. Letter case does not count (SQLite folds it
for ASCII letters only).
"""

import datetime as dt
import math
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db.models import CharField, Exists, F, Func, JSONField, OuterRef, Q, Value
from django.db.models.fields.json import (
    KeyTextTransform,
    KeyTransform,
    KeyTransformExact,
    KeyTransformGt,
    KeyTransformLt,
)
from django.db.models.lookups import Exact, IContains, IExact, IStartsWith
from django.utils.dateparse import parse_date, parse_datetime

from apps.followers.models import (
    Address,
    AddressState,
    Channel,
    NotificationType,
    Preference,
    Tag,
    Tagging,
)
from apps.lib import wallclock
from apps.lib.refusals import Refused

MAX_DEPTH = 5
MAX_RULES = 50
MAX_VALUES = 500
MAX_TEXT = 200
# No quotes or backslashes: the key becomes part of a JSON path on SQLite.
METADATA_KEY = re.compile(r"[^\W\d][\w .:-]{0,63}")


class BadRules(Refused):
    """A rule that can't be asked; the text names the rule and says what to write instead."""

    field = "rules"


@dataclass(frozen=True, slots=True)
class Rule:
    """`key` is the metadata key, "" for the other fields; `value` is already checked."""

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
def _say(value: Any) -> str:
    if isinstance(value, list):
        return " or ".join(_say(one) for one in value)
    if isinstance(value, bool):
        if value:
            return "true"
        return "false"
    if isinstance(value, float):
        return f"“{value:g}”"
    return f"“{value}”"


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
    """The number a value means, None if it means none (true, text, infinity)."""
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
    if number is None or number != int(number) or not 1 <= number <= 36500:
        raise BadRules("needs a whole number of days, 1 or more")
    return int(number)


def _date(value: Any) -> str:
    if isinstance(value, str):
        with suppress(ValueError, OverflowError):
            for end in (False, True):
                _day(value, end=end)
            return value
    raise BadRules("needs a date such as 2026-05-31")


def _day(value: str, *, end: bool) -> dt.datetime:
    """The instant a date (in the site's zone) begins or ends,
    or the very moment if a time was given.

    Raises ValueError for what is no date, OverflowError for one that UTC has no date for.
    """
    zone = wallclock.zone(settings.TIME_ZONE)
    moment = parse_datetime(value)
    if day := parse_date(value):
        moment = dt.datetime.combine(day + dt.timedelta(days=int(end)), dt.time(), zone)
    if moment is None:
        raise ValueError(f"{value!r} is no date.")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(dt.UTC)


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
    if (
        not isinstance(value, dict)
        or set(value) != {"type", "channel", "choice"}
        or value["choice"] not in CHOICES
    ):
        raise BadRules('needs {"type": key, "channel": name, "choice": "on", "off" or "none"}')
    return {
        "type": _text(value["type"]),
        "channel": _channel(value["channel"]),
        "choice": value["choice"],
    }


def _nothing(value: Any) -> None:
    if value not in (None, "", True):
        raise BadRules("takes no value")


CHOICES = {"on": "switched on", "off": "switched off", "none": "never chosen"}


# ------------------------------------------------------------------ SQL
class _Kind(Func):
    """The JSON type of one metadata key: string, number, boolean, array, object;
    null also when it is absent.
    """

    output_field = CharField()

    def __init__(self, key: str) -> None:
        super().__init__(F("metadata"), Value(key))
        self.key = key

    def as_postgresql(
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, _ = compiler.compile(self.source_expressions[0])
        return f"COALESCE(jsonb_typeof({column} -> %s), 'null')", (self.key,)

    def as_sqlite(
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, _ = compiler.compile(self.source_expressions[0])
        return (
            f"CASE json_type({column}, %s) WHEN 'text' THEN 'string' WHEN 'integer' THEN 'number' "
            "WHEN 'real' THEN 'number' WHEN 'true' THEN 'boolean' WHEN 'false' THEN 'boolean' "
            "WHEN 'array' THEN 'array' WHEN 'object' THEN 'object' ELSE 'null' END"
        ), (f'$."{self.key}"',)


def _is_kind(key: str, kind: str) -> Q:
    return Q(Exact(_Kind(key), kind))


def _json(number: float) -> Value:
    return Value(number, output_field=JSONField())


def _any(conditions: Iterator[Q]) -> Q:
    return reduce(or_, conditions)


def _metadata_is(key: str, value: Any) -> Q:
    text = value
    if isinstance(value, bool):
        text = str(value).lower()
    read = KeyTextTransform(key, "metadata")
    found = _is_kind(key, "string") & Q(IExact(read, text))
    if text.lower() in {"true", "false"}:
        found |= _is_kind(key, "boolean") & Q(Exact(read, text.lower()))
    if (number := as_number(value)) is not None:
        found |= _is_kind(key, "number") & Q(
            KeyTransformExact(KeyTransform(key, "metadata"), _json(number))
        )
    return found


def _metadata(rule: Rule, op: str, now: dt.datetime) -> Q:
    key = rule.key
    value = rule.value
    match op:
        case "is":
            return _metadata_is(key, value)
        case "in":
            return _any(_metadata_is(key, one) for one in value)
        case "contains":
            return _is_kind(key, "string") & Q(IContains(KeyTextTransform(key, "metadata"), value))
        case "starts_with":
            return _is_kind(key, "string") & Q(
                IStartsWith(KeyTextTransform(key, "metadata"), value)
            )
        case "gt":
            return _is_kind(key, "number") & Q(
                KeyTransformGt(KeyTransform(key, "metadata"), _json(value))
            )
        case "lt":
            return _is_kind(key, "number") & Q(
                KeyTransformLt(KeyTransform(key, "metadata"), _json(value))
            )
    return ~_is_kind(key, "null")


def _column(rule: Rule, op: str, now: dt.datetime) -> Q:
    name = rule.field
    value = rule.value
    match op:
        case "is":
            return Q(**{f"{name}__iexact": value})
        case "in":
            return _any(Q(**{f"{name}__iexact": one}) for one in value)
        case "contains":
            return Q(**{f"{name}__icontains": value})
        case "starts_with":
            return Q(**{f"{name}__istartswith": value})
    return ~Q(**{name: ""})


def _created(rule: Rule, op: str, now: dt.datetime) -> Q:
    match op:
        case "before":
            return Q(created_at__lt=_day(rule.value, end=False))
        case "after":
            return Q(created_at__gte=_day(rule.value, end=True))
    return Q(created_at__gte=now - dt.timedelta(days=rule.value))


def _email_domain(rule: Rule, op: str, now: dt.datetime) -> Q:
    emails = Address.objects.filter(follower=OuterRef("pk"), channel=Channel.EMAIL)
    if op == "exists":
        return Q(Exists(emails))
    if op == "in":
        domains = rule.value
    else:
        domains = [rule.value]
    return Q(
        Exists(
            emails.filter(
                _any(Q(key__endswith=f"@{domain.lower().lstrip('@')}") for domain in domains)
            )
        )
    )


def _tag(rule: Rule, op: str, now: dt.datetime) -> Q:
    if op == "exists":
        return Q(Exists(Tagging.objects.filter(follower=OuterRef("pk"))))
    return tagged(rule.value if op == "in" else [rule.value])


def tagged(slugs: list[str]) -> Q:
    """Followers with any of the tags, by slug; EXISTS, so that nobody is counted twice.

    The tags are looked up first: joined,
    PostgreSQL looks for them again for each of a million followers.
    """
    tags = list(Tag.objects.filter(slug__in=slugs).values_list("pk", flat=True))
    return Q(Exists(Tagging.objects.filter(follower=OuterRef("pk"), tag__in=tags)))


def _has_channel(rule: Rule, op: str, now: dt.datetime) -> Q:
    channels = set(rule.value if op == "in" else [rule.value])
    if Channel.IN_APP in channels:  # needs no address: everybody has an inbox
        return Q(pk__isnull=False)
    addresses = Address.objects.filter(
        follower=OuterRef("pk"), channel__in=channels, state=AddressState.ACTIVE
    )
    return Q(Exists(addresses))


def _preference(rule: Rule, op: str, now: dt.datetime) -> Q:
    own = Preference.objects.filter(
        follower=OuterRef("pk"),
        notification_type__key=rule.value["type"],
        channel=rule.value["channel"],
    )
    if rule.value["choice"] == "none":
        return ~Q(Exists(own))
    return Q(Exists(own.filter(allowed=rule.value["choice"] == "on")))


# ------------------------------------------------------------------ what may be asked
@dataclass(frozen=True, slots=True)
class Field:
    """`ops` maps each operator to the check of its value;
    `question` makes the SQL of a positive operator.
    """

    label: str
    ops: Mapping[str, Callable[[Any], Any]]
    question: Callable[[Rule, str, dt.datetime], Q]


_TEXT: dict[str, Callable[[Any], Any]] = {
    "is": _text, "is_not": _text, "in": _several(_text), "not_in": _several(_text), "contains": _text,
    "not_contains": _text, "starts_with": _text, "exists": _nothing, "not_exists": _nothing,
}  # fmt: skip
_NAMES: dict[str, Callable[[Any], Any]] = {
    op: _TEXT[op] for op in ("is", "is_not", "in", "not_in", "exists", "not_exists")
}
FIELDS: dict[str, Field] = {
    "tag": Field("tag", _NAMES, _tag),
    "language": Field("language", {op: _TEXT[op] for op in ("is", "is_not", "in", "not_in", "starts_with")}, _column),
    "time_zone": Field("time zone", {op: _TEXT[op] for op in _TEXT if "contains" not in op}, _column),
    "name": Field("name", _TEXT, _column),
    "email_domain": Field("e-mail domain", _NAMES, _email_domain),
    "created_at": Field("sign-up date", {"before": _date, "after": _date, "within_days": _days}, _created),
    "subscribed": Field("subscribed", {"is": _flag}, lambda rule, op, now: Q(subscribed=rule.value)),
    "has_channel": Field(
        "active address for",
        {"is": _channel, "is_not": _channel, "in": _several(_channel), "not_in": _several(_channel)},
        _has_channel,
    ),
    "preference": Field("own choice", {"is": _choice, "is_not": _choice}, _preference),
    "metadata": Field(
        "metadata",
        _TEXT | {"gt": _number, "lt": _number, "is": _scalar, "is_not": _scalar}
        | {"in": _several(_scalar), "not_in": _several(_scalar)},
        _metadata,
    ),
}  # fmt: skip
# An operator that denies another one, so that both are exact opposites.
OPPOSITES = {"is_not": "is", "not_in": "in", "not_contains": "contains", "not_exists": "exists"}
WORDS = {
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


# ------------------------------------------------------------------ reading
def parse(data: Any) -> Group:
    """The rules as they were meant. Raises BadRules, naming the rule by its place ("Rule 2.1")."""
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
    if (
        not isinstance(data, dict)
        or not set(data) <= {"all", "any", "not"}
        or ("all" in data and "any" in data)
    ):
        raise BadRules(
            f'{here} must be {{"all": [rules]}} or {{"any": [rules]}}, with an optional "not".'
        )
    unless = None
    if "not" in data:
        unless = _group(data["not"], place=f"{place}.not".strip("."), depth=depth + 1)
    children = data.get("all", data.get("any", []))
    if not isinstance(children, list) or not (children or (unless and len(data) == 1)):
        raise BadRules(f"{here} has no rule. Add at least one.")
    parts: list[Rule | Group] = []
    for number, child in enumerate(children, start=1):
        where = f"{place}.{number}".strip(".")
        is_rule = isinstance(child, dict) and "field" in child
        parts.append(
            _rule(child, where) if is_rule else _group(child, place=where, depth=depth + 1)
        )
    return Group(every="any" not in data, parts=tuple(parts), unless=unless)


def _rule(data: dict[str, Any], place: str) -> Rule:
    here = f"Rule {place}"
    if not set(data) <= {"field", "op", "value"}:
        raise BadRules(
            f"{here} has unknown parts: {', '.join(sorted(map(str, set(data) - {'field', 'op', 'value'})))}."
        )
    name, dot, key = str(data["field"]).partition(".")
    field = FIELDS.get(name)
    if field is None or bool(dot) != (name == "metadata"):
        known = ", ".join("metadata.<key>" if known == "metadata" else known for known in FIELDS)
        raise BadRules(f"{here} asks about {data['field']!r}. It can ask about: {known}.")
    if name == "metadata" and not METADATA_KEY.fullmatch(key):
        raise BadRules(
            f"{here} asks for the metadata key {key!r}. A key starts with a letter and has up to 64 letters, digits, "
            "spaces, and . : - _ characters."
        )
    op = data.get("op")
    if not isinstance(op, str) or op not in field.ops:
        raise BadRules(
            f"{here}: {field.label} can't be compared by {op!r}. Use one of: {', '.join(field.ops)}."
        )
    try:
        value = field.ops[op](data.get("value"))
    except BadRules as problem:
        raise BadRules(f"{here} ({field.label} {WORDS[op]}) {problem}.") from None
    return Rule(name, op, value, key)


def leaves(group: Group) -> Iterator[Rule]:
    """All rules of a group, those of its "not" included."""
    for part in (*group.parts, *((group.unless,) if group.unless else ())):
        if isinstance(part, Rule):
            yield part
        else:
            yield from leaves(part)


def check_names(group: Group) -> None:
    """Raises BadRules for a tag or notification type that does not exist,
    which would silently match nobody.
    """
    for rule in leaves(group):
        if rule.field == "tag" and rule.value is not None:
            wanted = set(rule.value if isinstance(rule.value, list) else [rule.value])
            for slug in sorted(
                wanted - set(Tag.objects.filter(slug__in=wanted).values_list("slug", flat=True))
            ):
                raise BadRules(
                    f"There is no tag “{slug}”. Choose an existing tag (by its slug) or create it first."
                )
        if (
            rule.field == "preference"
            and not NotificationType.objects.filter(key=rule.value["type"]).exists()
        ):
            raise BadRules(f"There is no notification type “{rule.value['type']}”.")


# ------------------------------------------------------------------ asking and telling
def to_q(part: Rule | Group, *, now: dt.datetime) -> Q:
    """The condition on Follower; subqueries only, so it never multiplies rows."""
    if isinstance(part, Rule):
        positive = OPPOSITES.get(part.op, part.op)
        question = FIELDS[part.field].question(part, positive, now)
        if positive == part.op:
            return question
        return ~question
    condition = Q()
    for child in part.parts:
        if part.every:
            condition = condition & to_q(child, now=now)
        else:
            condition = condition | to_q(child, now=now)
    if part.unless:
        return condition & ~to_q(part.unless, now=now)
    return condition


def sentence(part: Rule | Group) -> str:
    """The rules in plain English, without a full stop: `language is “ru” and has the tag “vip”`."""
    if isinstance(part, Rule):
        return _rule_sentence(part)
    said = [
        f"({sentence(child)})" if isinstance(child, Group) else sentence(child)
        for child in part.parts
    ]
    text = (" and " if part.every else " or ").join(said)
    if part.unless is None:
        return text
    if not text:
        return f"not ({sentence(part.unless)})"
    return f"{text if part.every else f'({text})'}, but not ({sentence(part.unless)})"


def _rule_sentence(rule: Rule) -> str:
    label = FIELDS[rule.field].label
    said = _say(rule.value)
    deny = rule.op in OPPOSITES
    match rule.field:
        case "tag" if rule.value is None:
            if deny:
                return "has no tag"
            return "has a tag"
        case "tag":
            return f"{'does not have' if deny else 'has'} the tag {said}"
        case "subscribed":
            if rule.value:
                return "is subscribed"
            return "is not subscribed"
        case "email_domain" if rule.value is None:
            if deny:
                return "has no e-mail address"
            return "has an e-mail address"
        case "has_channel":
            return f"has {'no ' if deny else 'an '}active address for {said}"
        case "preference":
            own = rule.value
            chose = f"{CHOICES[own['choice']]} “{own['type']}” by {own['channel']}"
            if deny:
                return f"has not {chose}"
            return f"has {chose}"
        case "created_at" if rule.op == "within_days":
            return f"signed up within the last {rule.value} days"
        case "created_at":
            return f"signed up {rule.op} {rule.value}"
        case "metadata":
            label = rule.key
    if rule.value is None:
        return f"{label} {WORDS[rule.op]}"
    return f"{label} {WORDS[rule.op]} {said}"
