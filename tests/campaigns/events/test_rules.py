"""Rules of events are created, changed, checked and deleted."""

from typing import Any

import pytest

from apps.accounts.models import AuditEntry
from apps.campaigns.events import rules as events_rules
from apps.campaigns.events import run_rules
from apps.campaigns.events.rules import BadRule, RuleNameTaken, RuleValues
from apps.followers.models import Follower
from tests.campaigns.events.world import NOW, happen, make_rule, told
from tests.make import TESTER, make_template, make_type


@pytest.mark.django_db
def test_a_rule_is_made_changed_and_deleted_and_the_history_says_so(anna: Follower) -> None:
    rule = make_rule()
    same = RuleValues(name=rule.name, event=rule.event, channels=rule.channels)
    events_rules.change_rule(rule=rule, values=same, by=TESTER, now=NOW)
    changed = RuleValues(active=False)
    events_rules.change_rule(rule=rule, values=changed, by=TESTER, now=NOW)
    event = happen(follower=anna)
    run_rules.work_off()
    assert told(event) == []
    with pytest.raises(RuleNameTaken):
        make_rule(name=rule.name)
    events_rules.delete_rule(rule=rule, by=TESTER, now=NOW)
    kinds = AuditEntry.objects.filter(subject_type="event_rule").order_by("pk")
    assert [entry.kind for entry in kinds] == [
        "event_rule.changed",
        "event_rule.changed",
        "event_rule.deleted",
    ]
    assert kinds[1].data == {"before": {"active": True}, "after": {"active": False}}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"event": "*"}, "event"),
        ({"event": "order.*.x"}, "event"),
        ({"channels": ["sms"]}, "channels"),
        ({"mapping": {"a b": "data.x"}}, "mapping"),
        ({"mapping": {"a": "x"}}, "mapping"),
        ({"throttle_key": "x"}, "throttle_key"),
        ({"delay": 10**9}, "delay"),
        ({"to": "segment"}, "segment"),
        ({"name": ""}, "name"),
    ],
)
def test_a_rule_that_can_not_be_is_refused_beside_its_field(
    fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRule) as refused:
        make_rule(**fields)
    assert refused.value.field == field


@pytest.mark.django_db
def test_a_rule_names_no_channel_that_its_template_has_no_words_for(anna: Follower) -> None:
    kind = make_type("alarms", channels=["in_app", "sms"])
    silent = make_template("silent")
    unknown = make_template("unknown", publish=False)
    make_rule(notification_type=kind, template=unknown, channels=["in_app", "sms"])
    make_rule(notification_type=kind, template=silent, channels=["in_app"])
    make_rule(notification_type=kind, template=silent)
    with pytest.raises(
        BadRule, match="silent has no words for SMS, only for Email, In-app"
    ) as refused:
        make_rule(notification_type=kind, template=silent, channels=["in_app", "sms"])
    assert refused.value.field == "channels"


@pytest.mark.django_db
def test_events_of_a_prefix_are_those_below_it() -> None:
    assert events_rules.applies_to("order.*", "order.item.added")
    assert not events_rules.applies_to("order.*", "order")
    assert not events_rules.applies_to("order.*", "orders.created")
