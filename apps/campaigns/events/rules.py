"""Rules of events: make, change, switch off and delete "when this happens, tell them that"."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction

from apps.campaigns.events import conditions, store
from apps.campaigns.models import EventRule, RuleTarget, Segment
from apps.content.drafts import published_version, wordless
from apps.content.models import Template
from apps.followers.models import Channel, NotificationType
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications.types.edit import template_of

LONGEST_DELAY = 366 * 24 * 3600
MOST_VARIABLES = 100


class BadRule(Refused):
    """These values can't be a rule; `field` is the one to change."""


class RuleNameTaken(Refused):
    """Another rule has this name."""

    kind = RefusalKind.STATE
    field = "name"


@dataclass(frozen=True, slots=True)
class RuleValues:
    """All that people decide about a rule, named as the columns of EventRule."""

    name: str
    event: str
    notification_type: NotificationType
    conditions: Mapping[str, Any] = field(default_factory=dict)
    template: Template | None = None
    channels: Sequence[str] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    delay: int = 0
    throttle_key: str = ""
    to: str = RuleTarget.FOLLOWER
    segment: Segment | None = None
    active: bool = True


def check(values: RuleValues) -> None:
    """Raises BadRule, conditions.BadConditions."""
    if not values.name.strip():
        raise BadRule("Give the rule a name.", field="name")
    exact = values.event.removesuffix(".*")
    if len(exact) > store.MAX_NAME or not store.NAME.fullmatch(exact):
        raise BadRule(
            f"{values.event!r} names no events. Write order.created, or order.* for all of order.",
            field="event",
        )
    conditions.parse(values.conditions)
    if unknown := [
        channel for channel in values.channels if channel not in values.notification_type.channels
    ]:
        labels = ", ".join(
            str(Channel(one).label) if one in Channel.values else one for one in unknown
        )
        raise BadRule(
            f"{values.notification_type.name} is not offered on {labels}.", field="channels"
        )
    template = values.template or template_of(values.notification_type)
    version = template and published_version(
        template
    )  # what is not published yet can be told only then
    if version and (fault := wordless(version, values.channels)):
        raise BadRule(fault, field="channels")
    if len(values.mapping) > MOST_VARIABLES:
        raise BadRule(f"Map at most {MOST_VARIABLES} variables.", field="mapping")
    for variable, path in values.mapping.items():
        if not variable.isidentifier():
            raise BadRule(
                f"{variable!r} is no name of a variable: use letters, digits and _.",
                field="mapping",
            )
        _path("mapping", path)
    if values.throttle_key:
        _path("throttle_key", values.throttle_key)
    if not 0 <= values.delay <= LONGEST_DELAY:
        raise BadRule("Choose a delay of at most a year, in seconds.", field="delay")
    if values.to not in RuleTarget.values:
        raise BadRule(f"Tell one of: {', '.join(RuleTarget.values)}.", field="to")
    if (values.segment is None) == (values.to == RuleTarget.SEGMENT):
        raise BadRule(
            "Choose the segment that is told, and only if a segment is told.", field="segment"
        )


def _path(field: str, path: str) -> None:
    try:
        conditions.path(path, field)
    except conditions.BadConditions as error:
        raise BadRule(str(error), field=field) from error


def make_rule(*, values: RuleValues, by: Actor, now: dt.datetime) -> EventRule:
    """Raises BadRule, conditions.BadConditions, RuleNameTaken."""
    check(values)
    rule = EventRule(**_columns(values), created_at=now, updated_at=now)
    _save(rule, {"after": _described(rule)}, by=by, now=now)
    return rule


def change_rule(*, rule: EventRule, values: RuleValues, by: Actor, now: dt.datetime) -> EventRule:
    """Counts for events that are worked off from now on.

    Raises as `make_rule`; writes nothing when nothing differs.
    """
    check(values)
    before = _described(rule)
    for name, value in _columns(values).items():
        setattr(rule, name, value)
    after = _described(rule)
    if changed := [name for name in after if before[name] != after[name]]:
        rule.updated_at = now
        data = {
            "before": {name: before[name] for name in changed},
            "after": {name: after[name] for name in changed},
        }
        _save(rule, data, by=by, now=now)
    return rule


def delete_rule(*, rule: EventRule, by: Actor, now: dt.datetime) -> None:
    """What it made of events stays, under its name."""
    with transaction.atomic():
        data = {"before": _described(rule)}
        tell(Kind.EVENT_RULE_DELETED, by=by, now=now, about=rule, data=data)
        rule.delete()


def values_of(rule: EventRule) -> RuleValues:
    return RuleValues(**{name: getattr(rule, name) for name in RuleValues.__dataclass_fields__})


def applies_to(pattern: str, name: str) -> bool:
    """`order.*` takes order.created and order.item.added, not order itself."""
    return name == pattern or (pattern.endswith(".*") and name.startswith(pattern[:-1]))


def _columns(values: RuleValues) -> dict[str, Any]:
    columns = {name: getattr(values, name) for name in RuleValues.__dataclass_fields__}
    kinds: dict[str, Any] = {
        "channels": list,
        "mapping": dict,
        "conditions": dict,
        "name": str.strip,
    }
    return {name: kinds[name](value) if name in kinds else value for name, value in columns.items()}


def _described(rule: EventRule) -> dict[str, Any]:
    """Its values as JSON has them, for the history."""
    plain = {name: getattr(rule, name) for name in RuleValues.__dataclass_fields__}
    return plain | {
        "notification_type": rule.notification_type.key,
        "template": rule.template and rule.template.key,
        "segment": rule.segment and rule.segment.name,
    }


def _save(rule: EventRule, data: dict[str, Any], *, by: Actor, now: dt.datetime) -> None:
    try:
        with transaction.atomic():
            rule.save()
            tell(Kind.EVENT_RULE_CHANGED, by=by, now=now, about=rule, data=data)
    except IntegrityError as error:
        if not EventRule.objects.filter(name=rule.name).exclude(pk=rule.pk).exists():
            raise
        raise RuleNameTaken(
            f"There is already a rule called “{rule.name}”. Choose another name."
        ) from error
