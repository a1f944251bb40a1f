"""Events, their rules and recurring notifications as staff see them, without JavaScript."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.campaigns.events import run_rules, store
from apps.campaigns.events.rules import RuleValues, create_rule
from apps.campaigns.events.store import NewEvent
from apps.campaigns.models import Event, EventRule, Recurring
from apps.campaigns.recurring import occurrences
from apps.followers.models import Follower
from apps.notifications.accounts import edit as accounts_edit
from apps.notifications.models import Notification, TypeTemplate
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_template, make_type

pytestmark = pytest.mark.django_db
RULE_ADD = "dashboard:event-rule-add"
RECURRING_ADD = "dashboard:recurring-add"


@pytest.fixture(autouse=True)
def spoken() -> None:
    accounts_edit.create_account(
        enabled=True,
        name="Inbox",
        provider_key="in_app",
        settings={},
        by=TESTER,
        now=timezone.now(),
    )
    kind = make_type("orders", category="informational")
    TypeTemplate.objects.create(notification_type=kind, template=make_template("paid"))


def rule_form(*rows: tuple[str, str, str], **fields: Any) -> dict[str, Any]:
    typed = {"rows-TOTAL_FORMS": str(len(rows)), "rows-INITIAL_FORMS": "0"}
    for number, row in enumerate(rows):
        typed |= {
            f"rows-{number}-{name}": text
            for name, text in zip(("field", "op", "value"), row, strict=True)
        }
    known = {
        "name": "Paid",
        "event": "order.*",
        "notification_type": "orders",
        "channels": ["in_app"],
    }
    return (
        known
        | {"to": "follower", "match": "all", "delay": "0", "unit": "minutes", "active": "on"}
        | typed
        | fields
    )


def test_a_rule_is_built_row_by_row_tried_and_its_answer_read(
    client: Client, sender: Any, anna: Follower
) -> None:
    as_role(client, sender)
    row = ("data.total", "greater", "100")
    more = client.post(reverse(RULE_ADD), rule_form(row, add="rows"))
    assert b'name="rows-1-field"' in more.content
    assert not EventRule.objects.exists()
    form = rule_form(
        row,
        ("", "is", ""),
        delay="2",
        unit="hours",
        mapping="order = data.number\nwho=follower.name",
    )
    answer = client.post(reverse(RULE_ADD), form)
    rule = EventRule.objects.get()
    assert answer.url == reverse("dashboard:event-rule", args=[rule.uid])
    assert rule.conditions == {"all": [{"field": "data.total", "op": "greater", "value": "100"}]}
    assert (rule.delay, rule.mapping) == (7200, {"order": "data.number", "who": "follower.name"})
    shown = client.get(answer.url).content.decode()
    assert "order = data.number" in shown
    assert 'value="2"' in shown

    sample = {
        "happened": "order.paid",
        "follower": "anna@example.com",
        "data": '{"total": 120, "number": "A-17"}',
    }
    tried = page_of(client.post(reverse("dashboard:event-rule-test", args=[rule.uid]), sample))
    assert "Notified" in tried.text
    assert "Anna Weber, In-app: waiting" in tried.text
    assert not Notification.objects.exists()
    wrong = client.post(
        reverse("dashboard:event-rule-test", args=[rule.uid]),
        sample | {"data": "[", "follower": "x"},
    )
    assert "This is not JSON" in page_of(wrong).text
    for evil, said in (
        ('{"total": Infinity}', "Infinity is no number"),
        ('{"a":' * 5000, "nested too deeply"),
    ):
        answer = client.post(
            reverse("dashboard:event-rule-test", args=[rule.uid]), sample | {"data": evil}
        )
        assert said in page_of(answer).text

    store.record(events=[NewEvent("order.paid", anna, {"total": 20})], now=timezone.now())
    run_rules.work_off()
    event = Event.objects.get()
    listed, told = (
        page_of(client.get(url))
        for url in (reverse("dashboard:events"), reverse("dashboard:event", args=[event.uid]))
    )
    assert "Did not match" in listed.text
    assert "data.total is “20”, and this asks: data.total is more than “100”" in told.text
    assert [*listed.inline, *told.inline, *tried.inline] == []
    assert "No such event" in page_of(client.get(reverse("dashboard:events"), {"name": "x"})).text
    client.post(reverse("dashboard:event-rule-delete", args=[rule.uid]))
    assert "Paid deleted" in page_of(client.get(reverse("dashboard:event", args=[event.uid]))).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"event": "*"}, "names no events"),
        ({"mapping": "order"}, "has no ="),
        ({"to": "segment"}, "Choose the segment"),
        ({"rows-0-op": "greater"}, "needs a number"),
    ],
)
def test_a_rule_that_can_not_be_is_refused_with_what_was_typed_still_there(
    client: Client, sender: Any, fields: dict[str, str], said: str
) -> None:
    as_role(client, sender)
    answer = client.post(reverse(RULE_ADD), rule_form(("data.status", "is", "paid"), **fields))
    assert said in page_of(answer).text
    assert 'value="data.status"' in answer.content.decode()
    assert not EventRule.objects.exists()


def test_whoever_may_not_send_looks_at_rules_and_tries_them_but_changes_none(
    client: Client, viewer: Any
) -> None:
    kind = make_type("other", category="informational")
    rule = create_rule(
        values=RuleValues(name="R", event="a.b", notification_type=kind),
        by=TESTER,
        now=timezone.now(),
    )
    as_role(client, viewer)
    url = reverse("dashboard:event-rule", args=[rule.uid])
    assert "Save" not in page_of(client.get(url)).text
    assert client.post(url, rule_form()).status_code == 403
    tried = client.post(reverse("dashboard:event-rule-test", args=[rule.uid]), {"data": "{}"})
    assert "names nobody" in page_of(tried).text


def recurring_form(**fields: Any) -> dict[str, Any]:
    known = {
        "name": "Morning",
        "notification_type": "orders",
        "channels": ["in_app"],
        "everyone": "on",
    }
    known |= {
        "kind": "weekly",
        "times": "09:00, 18:00",
        "weekdays": ["monday"],
        "zone_mode": "named",
    }
    return known | {"zone": "Europe/Berlin", "missed": "skip", "tolerance": "15"} | fields


def test_something_recurring_is_looked_at_made_paused_and_changed(
    client: Client, sender: Any, anna: Follower
) -> None:
    as_role(client, sender)
    looked = page_of(client.post(reverse(RECURRING_ADD), recurring_form(name="", show="1")))
    assert looked.text.count("Monday, ") == 5
    assert not Recurring.objects.exists()
    answer = client.post(reverse(RECURRING_ADD), recurring_form(starts="2026-01-01T00:00"))
    row = Recurring.objects.get()
    assert answer.url == reverse("dashboard:recurring-one", args=[row.uid])
    assert row.cadence == {"kind": "weekly", "times": ["09:00", "18:00"], "weekdays": ["monday"]}
    assert row.starts_at == dt.datetime(2025, 12, 31, 23, tzinfo=dt.UTC)
    due = row.zones.get().next_at
    assert due
    occurrences.start_due(now=due)
    shown = page_of(client.get(answer.url))
    assert "Every Monday at 09:00 and 18:00, in Europe/Berlin" in shown.text
    notification = reverse("dashboard:notification", args=[Notification.objects.get().uid])
    assert notification in shown.links
    assert answer.url in page_of(client.get(notification)).links
    assert "every Monday at 09:00" in page_of(client.get(reverse("dashboard:recurring"))).text
    client.post(reverse("dashboard:recurring-pause", args=[row.uid]))
    assert "It is paused" in page_of(client.get(answer.url)).text
    client.post(reverse("dashboard:recurring-resume", args=[row.uid]))
    edit = reverse("dashboard:recurring-edit", args=[row.uid])
    assert 'value="09:00, 18:00"' in client.get(edit).content.decode()
    client.post(edit, recurring_form(kind="cron", cron="0 9 * * 1-5", zone_mode="follower"))
    row.refresh_from_db()
    assert (row.cadence["cron"], row.zone_mode, row.zone) == ("0 9 * * 1-5", "follower", "")
    assert "each follower's own clock" in page_of(client.get(answer.url)).text
    client.post(reverse("dashboard:recurring-delete", args=[row.uid]))
    assert not Recurring.objects.exists()
    assert "Nothing recurs yet" in page_of(client.get(reverse("dashboard:recurring"))).text


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"times": "9"}, "is not a time of the day"),
        ({"everyone": ""}, "Choose who gets it"),
        ({"kind": "monthly", "days": "x"}, "not a day of the month"),
        ({"zone": "Berlin"}, "is not a time zone"),
        ({"data": "["}, "This is not JSON"),
        ({"data": '{"offer": NaN}'}, "NaN is no number"),
        ({"data": '{"offer": 1e999}'}, "number that is too large"),
        ({"data": '{"offer": "\\u0000"}'}, "NUL"),
        ({"data": "[" * 5000}, "nested too deeply"),
        ({"data": "[1]"}, "Write an object"),
    ],
)
def test_what_can_not_recur_is_refused_in_words(
    client: Client, sender: Any, fields: dict[str, str], said: str
) -> None:
    as_role(client, sender)
    assert said in page_of(client.post(reverse(RECURRING_ADD), recurring_form(**fields))).text
    assert not Recurring.objects.exists()
