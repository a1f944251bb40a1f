"""Events that happened, rules that answer them, and what they told."""

import datetime as dt
from typing import Any

from django.utils import timezone

from apps.campaigns.events import rules as events_rules
from apps.campaigns.events import store
from apps.campaigns.events.rules import RuleValues
from apps.campaigns.events.store import NewEvent
from apps.campaigns.models import Event, EventRule
from apps.followers.models import Follower
from apps.notifications.models import TypeTemplate
from tests.make import TESTER, make_template, make_type

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
PAID = {
    "number": "A-17",
    "total": 120.5,
    "gift": True,
    "items": [{"sku": "lamp"}],
    "status": "Paid",
}


def make_rule(**fields: Any) -> EventRule:
    known: dict[str, Any] = {"name": f"Rule {EventRule.objects.count() + 1}", "event": "order.paid"}
    if "notification_type" not in fields:
        kind = make_type(f"orders{EventRule.objects.count()}", category="informational")
        TypeTemplate.objects.create(notification_type=kind, template=make_template(f"t-{kind.key}"))
        known |= {"notification_type": kind, "channels": ["in_app"]}
    return events_rules.create_rule(values=RuleValues(**known | fields), by=TESTER, now=NOW)


def happen(name: str = "order.paid", follower: Follower | None = None, **fields: Any) -> Event:
    [(event, _)] = store.record(events=[NewEvent(name, follower, **fields)], now=timezone.now())
    return event


def told(event: Event) -> list[tuple[str, str]]:
    return [(outcome.rule_name, outcome.result) for outcome in event.outcomes.all()]
