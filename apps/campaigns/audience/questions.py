"""What each field of the rules asks, as a condition on Follower."""

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from operator import or_
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import (
    BooleanField,
    CharField,
    Exists,
    F,
    Func,
    JSONField,
    OuterRef,
    Q,
    Value,
)
from django.db.models.fields.json import (
    KeyTextTransform,
    KeyTransform,
    KeyTransformExact,
    KeyTransformGt,
    KeyTransformLt,
)
from django.db.models.lookups import (
    Exact,
    GreaterThanOrEqual,
    IContains,
    IExact,
    In,
    IsNull,
    IStartsWith,
    LessThan,
)

from apps.campaigns.audience import behaviour, metadata_words
from apps.campaigns.audience.language import OPPOSITES, Group, Rule, as_number, instant_of
from apps.followers.models import (
    Address,
    AddressState,
    Channel,
    Preference,
    Tag,
    Tagging,
)
from apps.lib import wallclock
from apps.lib.sql.undocumented import comparable_in_json

_FEW = 20  # conditions that are asked in one row
_KINDS = ("string", "number", "boolean", "array", "object", "null")


def ask(rule: Rule, *, now: dt.datetime, denied: bool, alone: bool) -> Q:
    """Ask one rule, or its opposite. `alone`: whoever does not meet it is out."""
    positive = OPPOSITES.get(rule.op, rule.op)
    if denied == (positive == rule.op):
        return ~QUESTIONS[rule.field](rule, positive, now)
    if alone and has_words(rule):
        return metadata_words.has_any(rule.key, _values(rule, positive))
    return QUESTIONS[rule.field](rule, positive, now)


def has_words(part: Rule | Group) -> bool:
    """Whether the index of metadata's words answers it."""
    if not isinstance(part, Rule) or connection.vendor != "postgresql":
        return False
    return part.field == "metadata" and part.op in ("is", "in")


def _values(rule: Rule, op: str) -> Sequence[Any]:
    """The values of which one must be there."""
    if op == "in":
        values: Sequence[Any] = rule.value
        return values
    return [rule.value]


class _Kind(Func):
    """The JSON type of one metadata key: string, number, boolean, array, object or null.

    An absent key is null.
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
    """Ask that it is none of the other kinds.

    PostgreSQL, which knows nothing of the values, takes "is one of these" for rare and "is none of
    those" for frequent; the latter is true of most metadata, or nobody would ask.
    """
    others = [each for each in _KINDS if each != kind]
    return ~Q(In(_Kind(key), others))


def _json(number: float) -> Value:
    return Value(number, output_field=JSONField())


class _Either(Func):
    """One condition or the other. A Q forgets its brackets; these stay in the statement."""

    template = "(%(expressions)s)"
    arg_joiner = " OR "
    output_field = BooleanField()


def _any(conditions: Iterable[Q]) -> Q:
    """Join conditions by OR, in halves of halves: SQLite takes a thousand levels of brackets, and a
    plain row of 500 conditions has as many.
    """
    several = list(conditions)
    if len(several) <= _FEW:
        return reduce(or_, several)
    half = len(several) // 2
    return Q(_Either(_any(several[:half]), _any(several[half:])))


def _metadata_is(key: str, value: Any) -> Q:
    text = value
    if isinstance(value, bool):
        text = str(value).lower()
    read = KeyTextTransform(key, "metadata")
    found = Q(IsNull(read, False)) & Q(IExact(read, text))
    number = as_number(value)
    is_word = text.lower() in {"true", "false"}
    if number is None and not is_word and text[:1] not in "[{":
        return found  # nothing but a string reads so
    found = _is_kind(key, "string") & Q(IExact(read, text))
    if is_word:
        found |= _is_kind(key, "boolean") & Q(Exact(read, text.lower()))
    if number is not None:
        same = KeyTransformExact(KeyTransform(key, "metadata"), _json(number))
        found |= _is_kind(key, "number") & Q(same)
    return found


class _HasElement(Func):
    """Whether the list under a metadata key has this text among its elements, in any case."""

    output_field = BooleanField()

    def __init__(self, key: str, value: str) -> None:
        super().__init__(F("metadata"), Value(key), Value(value))
        self.key = key
        self.value = value

    def as_postgresql(
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, _ = compiler.compile(self.source_expressions[0])
        return (
            "EXISTS (SELECT 1 FROM jsonb_array_elements_text("  # noqa: S608  # a column of ours
            f"CASE jsonb_typeof({column} -> %s) WHEN 'array' THEN {column} -> %s ELSE '[]' END)"
            " AS element WHERE UPPER(element) = UPPER(%s))"
        ), (self.key, self.key, self.value)

    def as_sqlite(
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        column, _ = compiler.compile(self.source_expressions[0])
        text = connection.ops.prep_for_iexact_query(self.value)
        return (
            f"EXISTS (SELECT 1 FROM json_each({column}, %s)"  # noqa: S608  # a column of ours
            " WHERE value LIKE %s ESCAPE '\\')"
        ), (f'$."{self.key}"', text)


class _IsDay(Func):
    """Whether a text begins with a day, as 2026-05-31."""

    output_field = BooleanField()

    def as_postgresql(
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        text, params = compiler.compile(self.source_expressions[0])
        return rf"{text} ~ '^\d{{4}}-\d\d-\d\d'", tuple(params)

    def as_sqlite(
        self, compiler: Any, connection: Any, **context: Any
    ) -> tuple[str, tuple[Any, ...]]:
        text, params = compiler.compile(self.source_expressions[0])
        figures = "[0-9]"
        pattern = f"{figures * 4}-{figures * 2}-{figures * 2}*"
        return f"{text} GLOB '{pattern}'", tuple(params)


def _on_days(text: KeyTextTransform, op: str, value: Any, now: dt.datetime) -> Q:
    """Compare a day that is kept as text, in which earlier is less."""
    zone = wallclock.zone(settings.TIME_ZONE)
    if op == "within_days":
        today = now.astimezone(zone).date()
        first = today - dt.timedelta(days=value)
        last = today + dt.timedelta(days=1)
        return Q(GreaterThanOrEqual(text, str(first))) & Q(LessThan(text, str(last)))
    day = instant_of(value, end=False).astimezone(zone).date()
    if op == "before":
        return Q(LessThan(text, str(day)))
    return Q(GreaterThanOrEqual(text, str(day + dt.timedelta(days=1))))


def _metadata(rule: Rule, op: str, now: dt.datetime) -> Q:
    key = rule.key
    value = rule.value
    found = KeyTransform(key, "metadata")
    text = KeyTextTransform(key, "metadata")
    match op:
        case "is" | "in":
            return _any(_metadata_is(key, one) for one in _values(rule, op))
        case "contains":
            in_text = _is_kind(key, "string") & Q(IContains(text, value))
            return in_text | (_is_kind(key, "array") & Q(_HasElement(key, value)))
        case "starts_with":
            return _is_kind(key, "string") & Q(IStartsWith(text, value))
        case "before" | "after" | "within_days":
            return _is_kind(key, "string") & Q(_IsDay(text)) & _on_days(text, op, value, now)
        case "gt":
            return _is_kind(key, "number") & Q(KeyTransformGt(found, comparable_in_json(value)))
        case "lt":
            return _is_kind(key, "number") & Q(KeyTransformLt(found, comparable_in_json(value)))
    return ~_is_kind(key, "null")


def _column(rule: Rule, op: str, now: dt.datetime) -> Q:
    name = rule.field
    value = rule.value
    match op:
        case "is" | "in":
            return _any(Q(**{f"{name}__iexact": one}) for one in _values(rule, op))
        case "contains":
            return Q(**{f"{name}__icontains": value})
        case "starts_with":
            return Q(**{f"{name}__istartswith": value})
    return ~Q(**{name: ""})


def _created(rule: Rule, op: str, now: dt.datetime) -> Q:
    match op:
        case "before":
            return Q(created_at__lt=instant_of(rule.value, end=False))
        case "after":
            return Q(created_at__gte=instant_of(rule.value, end=True))
    return Q(created_at__gte=now - dt.timedelta(days=rule.value))


def _email_domain(rule: Rule, op: str, now: dt.datetime) -> Q:
    emails = Address.objects.filter(follower=OuterRef("pk"), channel=Channel.EMAIL)
    if op == "exists":
        return Q(Exists(emails))
    if op == "in":
        domains = rule.value
    else:
        domains = [rule.value]
    ends = [f"@{domain.lower().lstrip('@')}" for domain in domains]
    return Q(Exists(emails.filter(_any(Q(key__endswith=end) for end in ends))))


def _tag(rule: Rule, op: str, now: dt.datetime) -> Q:
    if op == "exists":
        return Q(Exists(Tagging.objects.filter(follower=OuterRef("pk"))))
    if op == "in":
        return tagged(rule.value)
    return tagged([rule.value])


def tagged(slugs: Sequence[str]) -> Q:
    """Ask for followers with any of the tags (slugs), by EXISTS, so that nobody is counted twice.

    The tags are looked up first: joined, PostgreSQL looks for them again for each follower.
    """
    tags = list(Tag.objects.filter(slug__in=slugs).values_list("pk", flat=True))
    return Q(Exists(Tagging.objects.filter(follower=OuterRef("pk"), tag__in=tags)))


def _has_channel(rule: Rule, op: str, now: dt.datetime) -> Q:
    channels = [rule.value]
    if op == "in":
        channels = rule.value
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


def _behaviour(rule: Rule, op: str, now: dt.datetime) -> Q:
    return behaviour.asked(rule.value, now=now)


def _subscribed(rule: Rule, op: str, now: dt.datetime) -> Q:
    return Q(subscribed=rule.value)


# How each field of the language asks a positive operator.
QUESTIONS: dict[str, Callable[[Rule, str, dt.datetime], Q]] = {
    "tag": _tag,
    "language": _column,
    "time_zone": _column,
    "name": _column,
    "first_name": _column,
    "last_name": _column,
    "email_domain": _email_domain,
    "created_at": _created,
    "subscribed": _subscribed,
    "has_channel": _has_channel,
    "preference": _preference,
    "behaviour": _behaviour,
    "metadata": _metadata,
}
