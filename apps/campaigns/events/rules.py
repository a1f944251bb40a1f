"""Rules of events: create, change, switch off and delete "when this happens, tell them that"."""

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.campaigns.events import conditions, store
from apps.campaigns.models import EventRule, RuleTarget, Segment
from apps.content.drafts import published_version, wordless
from apps.content.models import Template
from apps.followers.models import NotificationType
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.partial import UNSET, Unset, changes, given
from apps.lib.refusals import UNFIT, RefusalKind, Refused
from apps.notifications.types.edit import template_of

LONGEST_DELAY = 366 * 24 * 3600
MOST_VARIABLES = 100


class BadRule(Refused):
    """Values that can't be a rule; `field` is the one to change."""


class RuleNameTaken(Refused):
    """Another rule has this name."""

    kind = RefusalKind.STATE
    field = "name"


@dataclass(frozen=True, slots=True)
class RuleValues:
    """What people decide about a rule, named as the columns of EventRule.

    A new rule needs its name, event and type; the columns have defaults for the rest.
    """

    name: str | Unset = UNSET
    event: str | Unset = UNSET
    notification_type: NotificationType | Unset = UNSET
    conditions: Mapping[str, Any] | Unset = UNSET
    template: Template | Unset | None = UNSET
    channels: Sequence[str] | Unset = UNSET
    mapping: Mapping[str, str] | Unset = UNSET
    delay: int | Unset = UNSET
    throttle_key: str | Unset = UNSET
    to: str | Unset = UNSET
    segment: Segment | Unset | None = UNSET
    active: bool | Unset = UNSET


# ------------------------------------------------------------------ acts
def create_rule(*, values: RuleValues, by: Actor, now: dt.datetime) -> EventRule:
    """Raises BadRule, conditions.BadConditions, RuleNameTaken."""
    rule = EventRule(**_columns(values), created_at=now, updated_at=now)
    _check(rule)
    _save(rule, {"after": _described(rule)}, by=by, now=now)
    return rule


def change_rule(*, rule: EventRule, values: RuleValues, by: Actor, now: dt.datetime) -> EventRule:
    """Change a rule for events that are worked off from now on, and return it as it is now.

    Writes nothing when nothing differs. Raises as `create_rule`.
    """
    with transaction.atomic():
        row = EventRule.objects.select_for_update(no_key=True).get(pk=rule.pk)
        before = _described(row)
        for name, value in _columns(values).items():
            setattr(row, name, value)
        _check(row)
        if data := changes(before, _described(row)):
            row.updated_at = now
            _save(row, data, by=by, now=now)
    return row


def delete_rule(*, rule: EventRule, by: Actor, now: dt.datetime) -> None:
    """Delete a rule; what it made of events stays, under its name."""
    with transaction.atomic():
        data = {"before": _described(rule)}
        tell(Kind.EVENT_RULE_DELETED, by=by, now=now, about=rule, data=data)
        rule.delete()


def _columns(values: RuleValues) -> dict[str, Any]:
    columns = given(values)
    if "name" in columns:
        columns["name"] = columns["name"].strip()
    if "channels" in columns:
        columns["channels"] = list(columns["channels"])
    return columns


def _described(rule: EventRule) -> dict[str, Any]:
    """Return a rule's values as JSON has them, for the history."""
    described = {each.name: getattr(rule, each.name) for each in fields(RuleValues)}
    described["notification_type"] = rule.notification_type.key
    described["template"] = rule.template and rule.template.key
    described["segment"] = rule.segment and rule.segment.name
    return described


def _save(rule: EventRule, data: dict[str, Any], *, by: Actor, now: dt.datetime) -> None:
    try:
        with transaction.atomic():
            rule.save()
            tell(Kind.EVENT_RULE_CHANGED, by=by, now=now, about=rule, data=data)
    except IntegrityError as error:
        if not EventRule.objects.filter(name=rule.name).exclude(pk=rule.pk).exists():
            raise
        said = _("There is already a rule called “{name}”. Choose another name.")
        raise RuleNameTaken(said.format(name=rule.name)) from error


# ------------------------------------------------------------------ checking
def _check(rule: EventRule) -> None:
    if not rule.name:
        raise BadRule(_("Give the rule a name."), field="name")
    exact = rule.event.removesuffix(".*")
    if len(exact) > store.MAX_NAME or not store.NAME.fullmatch(exact):
        said = _("{event!r} names no events. Write order.created, or order.* for all of order.")
        raise BadRule(said.format(event=rule.event), field="event")
    conditions.parse(rule.conditions)
    _check_channels(rule)
    _check_paths(rule)
    if not 0 <= rule.delay <= LONGEST_DELAY:
        raise BadRule(_("Choose a delay of at most a year, in seconds."), field="delay")
    if rule.to not in RuleTarget.values:
        known = ", ".join(RuleTarget.values)
        raise BadRule(_("Tell one of: {known}.").format(known=known), field="to")
    if (rule.segment is None) == (rule.to == RuleTarget.SEGMENT):
        said = _("Choose the segment that is told, and only if a segment is told.")
        raise BadRule(said, field="segment", cause=UNFIT)


def _check_channels(rule: EventRule) -> None:
    if fault := rule.not_offered():
        raise BadRule(fault, field="channels", cause=UNFIT)
    template = rule.template or template_of(rule.notification_type)
    if template is None:
        return
    # what is not published yet can be told only when it is
    version = published_version(template)
    if version and (fault := wordless(version, rule.channels)):
        raise BadRule(fault, field="channels", cause=UNFIT)


def _check_paths(rule: EventRule) -> None:
    if len(rule.mapping) > MOST_VARIABLES:
        said = _("Map at most {most} variables.").format(most=MOST_VARIABLES)
        raise BadRule(said, field="mapping")
    for variable, path in rule.mapping.items():
        if not variable.isidentifier():
            said = _("{name!r} is no name of a variable: use letters, digits and _.")
            raise BadRule(said.format(name=variable), field="mapping", cause=UNFIT)
        _check_path("mapping", path)
    if rule.throttle_key:
        _check_path("throttle_key", rule.throttle_key)


def _check_path(field: str, path: str) -> None:
    try:
        conditions.path(path, field)
    except conditions.BadConditions as error:
        raise BadRule(str(error), field=field) from error


# ------------------------------------------------------------------ finding
def uses_of(segment: Segment) -> list[str]:
    """Name the rules that tell a segment, as sentences begin."""
    rules = segment.event_rules.all()
    return [_("The rule “{name}”").format(name=rule.name) for rule in rules]


def applies_to(pattern: str, name: str) -> bool:
    """Whether a rule's event names this one.

    `order.*` takes order.created and order.item.added, not order itself.
    """
    if pattern.endswith(".*") and name.startswith(pattern[:-1]):
        return True
    return name == pattern
