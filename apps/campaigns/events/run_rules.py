"""Working events off: each rule that names an event is judged on it as it came.

One transaction takes an event off the list and writes what each rule made of it, together with the
notifications. So a worker that dies leaves the event as it was, and a second worker finds it worked
off. Each rule has a savepoint of its own: one that fails never stands in the way of the others.
"""

import datetime as dt
import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.campaigns.audience.sql import rules_to_q
from apps.campaigns.events import conditions
from apps.campaigns.events.rules import applies_to
from apps.campaigns.events.store import WORK_TASK
from apps.campaigns.models import Event, EventOutcome, EventRule, OutcomeResult, RuleTarget
from apps.content.drafts import published_version
from apps.content.models import Version
from apps.followers.models import Follower
from apps.lib import steady_clock
from apps.lib.actor import SYSTEM
from apps.lib.queue.announce import announce, answer_all
from apps.lib.queue.lanes import Lane
from apps.lib.written import grouped
from apps.notifications.models import Notification, Source
from apps.notifications.notify import Intent, NotNotifiable, notify

# a task is short: senders of one-time messages wait for their turn in the same lane
WORK_SECONDS = 0.5
AGAIN = dt.timedelta(minutes=1)  # an event that could not be worked off at all
MOST_TOLD = 1000  # members of a segment; more is a campaign
logger = logging.getLogger("carillon.events")


# ------------------------------------------------------------------ working off
def work_off(**_nothing: object) -> None:
    """Task: work off events for half a second, oldest first, then announce itself again.

    Any number may run at once.
    """
    answer_all(WORK_TASK, lane=Lane.TRANSACTIONAL)
    stop_at = time.monotonic() + WORK_SECONDS
    while _next():
        if time.monotonic() > stop_at:
            announce(WORK_TASK, lane=Lane.TRANSACTIONAL)
            return


def _next() -> bool:
    """Work off the next event; False when there is none."""
    now = steady_clock.now()
    # SQLite has one writer at a time anyway
    skip = connection.features.has_select_for_update_skip_locked
    due = Event.objects.filter(due_at__lte=now).order_by("due_at", "id")
    chosen: Event | None = None
    try:
        with transaction.atomic():
            chosen = due.select_for_update(skip_locked=skip, no_key=True).first()
            if chosen is not None and _still_due(chosen).update(due_at=None):
                _react(chosen, now=now)
    except Exception:
        if chosen is None or connection.needs_rollback or not connection.is_usable():
            raise
        logger.exception(
            "Event %s could not be worked off; it is tried again in a minute.", chosen.uid
        )
        # unless somebody else has worked it off meanwhile
        _still_due(chosen).update(due_at=now + AGAIN)
    return chosen is not None


def _still_due(event: Event) -> QuerySet[Event]:
    return Event.objects.filter(pk=event.pk, due_at=event.due_at)


def _react(event: Event, *, now: dt.datetime) -> None:
    rows = []
    for rule in rules_for(event.name):
        columns = outcome_of(rule, event, now=now).columns()
        rows.append(EventOutcome(event=event, rule=rule, rule_name=rule.name, **columns))
    EventOutcome.objects.bulk_create(rows)


def rules_for(name: str) -> Iterator[EventRule]:
    """Find the rules that are switched on and name this event."""
    rules = EventRule.objects.filter(active=True).select_related(
        "notification_type", "template", "segment"
    )
    return (rule for rule in rules.order_by("pk") if applies_to(rule.event, name))


# ------------------------------------------------------------------ one rule
@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What a rule made of an event, and why, in a sentence."""

    result: OutcomeResult
    because: str
    notification: Notification | None = None

    def columns(self) -> dict[str, Any]:
        return {
            "result": self.result,
            "because": self.because[:500],
            "notification": self.notification,
        }


def outcome_of(rule: EventRule, event: Event, *, now: dt.datetime) -> RuleOutcome:
    """Judge the rule and notify. Never raises, except when the database itself is in trouble."""
    try:
        seen = conditions.document(
            name=event.name, occurred_at=event.occurred_at, data=event.data, follower=event.follower
        )
        judgement = conditions.judge(conditions.parse(rule.conditions), seen)
        if not judgement.matches:
            return RuleOutcome(OutcomeResult.NOT_MATCHED, judgement.because)
        with transaction.atomic():
            notification = _notify(rule, event, seen, now=now)
        return RuleOutcome(OutcomeResult.NOTIFIED, judgement.because, notification)
    except (NotNotifiable, conditions.BadConditions) as error:
        return RuleOutcome(OutcomeResult.FAILED, str(error))
    except DatabaseError:
        raise
    except Exception as error:  # a fault of ours in one rule must not hold up the others
        logger.exception("The rule %s failed for the event %s.", rule.uid, event.uid)
        said = _("Something went wrong here ({kind}); it was logged.")
        return RuleOutcome(OutcomeResult.FAILED, said.format(kind=type(error).__name__))


def _notify(
    rule: EventRule, event: Event, seen: dict[str, Any], *, now: dt.datetime
) -> Notification:
    if not rule.notification_type.active:
        said = _("The message type “{type}” is switched off.")
        raise NotNotifiable(said.format(type=rule.notification_type.name))
    recipients = _told(rule, event, now)
    send_at = None
    if rule.delay:
        send_at = event.occurred_at + dt.timedelta(seconds=rule.delay)
    intent = Intent(
        notification_type=rule.notification_type,
        version=_version(rule),
        channels=rule.channels or None,
        data=data_for(rule, event, seen),
        send_at=send_at,
        dedup_key=f"event:{event.uid}:{rule.uid}",
        throttle_key=throttle_key_of(rule, seen),
        source=Source.EVENT,
    )
    return notify(intent=intent, recipients=recipients, by=SYSTEM, now=now)


def _told(rule: EventRule, event: Event, now: dt.datetime) -> list[Follower]:
    if rule.to == RuleTarget.FOLLOWER:
        if event.follower is None:
            raise NotNotifiable(
                _("The event names nobody, and the rule tells the person it is about.")
            )
        return [event.follower]
    assert rule.segment is not None  # noqa: S101  # the database says so
    meant = rules_to_q(rule.segment.rules, now=now)
    people = list(Follower.objects.filter(meant)[: MOST_TOLD + 1])
    if not people:
        said = _("Nobody is in the segment “{name}”.")
        raise NotNotifiable(said.format(name=rule.segment.name))
    if len(people) > MOST_TOLD:
        said = _("More than {most} followers are in “{name}”. Send them a campaign.")
        most = grouped(MOST_TOLD)
        raise NotNotifiable(said.format(most=most, name=rule.segment.name))
    return people


def _version(rule: EventRule) -> Version | None:
    if rule.template is None:
        return None
    version = published_version(rule.template)
    if version is None:
        said = _("The template {key} is not published. Publish it first.")
        raise NotNotifiable(said.format(key=rule.template.key))
    return version


def data_for(rule: EventRule, event: Event, seen: dict[str, Any]) -> dict[str, Any]:
    """Return the template's variables.

    They are what the rule maps; else all data as it came, and the whole event as `event`.
    """
    if not rule.mapping:
        return {**event.data, "event": {**seen["event"], "id": str(event.uid), "data": event.data}}
    found = {variable: conditions.value_at(seen, path) for variable, path in rule.mapping.items()}
    return {variable: value for variable, value in found.items() if value is not conditions.MISSING}


def throttle_key_of(rule: EventRule, seen: dict[str, Any]) -> str:
    found = ""
    if rule.throttle_key:
        found = conditions.value_at(seen, rule.throttle_key)
    if found is conditions.MISSING:
        return ""
    return str(found)[:120]


# ------------------------------------------------------------------ trying
class SampleMessage(NamedTuple):
    """A message that would be made: for whom (id and name, None and "" for nobody), and how."""

    follower: UUID | None
    who: str
    channel: str
    status: str
    reason: str


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What an event would do, with the first of its messages."""

    outcome: RuleOutcome
    data: dict[str, Any] = field(default_factory=dict)
    send_at: dt.datetime | None = None
    messages: tuple[SampleMessage, ...] = ()


def rehearse(*, rule: EventRule, event: Event, now: dt.datetime, shown: int = 20) -> Rehearsal:
    """Do to a sample event (not stored) exactly what would be done to a real one.

    It is looked at and taken back.
    """
    with transaction.atomic():
        outcome = outcome_of(rule, event, now=now)
        made = outcome.notification
        if made is None:
            found = Rehearsal(outcome)
        else:
            messages = _messages_of(made, shown)
            found = Rehearsal(outcome, made.data, made.send_at, messages)
        transaction.set_rollback(True)
    return found


def _messages_of(made: Notification, shown: int) -> tuple[SampleMessage, ...]:
    rows = []
    for row in made.deliveries.select_related("follower").order_by("pk")[:shown]:
        who = ""
        uid = None
        if row.follower:
            who = row.follower.label
            uid = row.follower.uid
        rows.append(SampleMessage(uid, who, row.channel, row.status, row.reason))
    return tuple(rows)
