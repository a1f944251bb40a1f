"""Events, their rules and recurring notifications over the API."""

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.campaigns.events import run_rules
from apps.campaigns.models import Event, RecurringZone
from apps.campaigns.recurring import occurrences
from apps.followers.models import Follower
from apps.notifications.models import Notification, TypeTemplate
from tests.api.world import make_client, make_inbox
from tests.make import make_template, make_type

pytestmark = pytest.mark.django_db
V1 = "/api/v1"
Problem = Callable[..., dict[str, Any]]
NINE = {"kind": "daily", "times": ["09:00"]}


@pytest.fixture(autouse=True)
def spoken() -> None:
    make_inbox()
    kind = make_type("orders", category="informational")
    TypeTemplate.objects.create(notification_type=kind, template=make_template("paid"))


@pytest.fixture
def rule(api: APIClient) -> dict[str, Any]:
    conditions = {"all": [{"field": "data.total", "op": "greater", "value": 100}]}
    fields = {
        "name": "Paid",
        "event": "order.*",
        "type": "orders",
        "channels": ["in_app"],
        "conditions": conditions,
    }
    made = api.post(f"{V1}/event-rules", fields)
    assert made.status_code == 201, made.json()
    body: dict[str, Any] = made.json()
    return body


def test_an_event_about_somebody_new_adds_them_and_its_outcome_can_be_read(
    api: APIClient, rule: dict[str, Any]
) -> None:
    sent = {
        "name": "order.paid",
        "follower": {"email": "new@example.com"},
        "data": {"total": 120},
        "dedup_key": "17",
    }
    first = api.post(f"{V1}/events", sent)
    again = api.post(f"{V1}/events", sent)
    assert (first.status_code, again.status_code) == (202, 202)
    assert again.json() == {"id": first.json()["id"], "duplicate": True}
    assert api.get(f"{V1}/events/{first.json()['id']}").json()["worked_off"] is False
    run_rules.work_off()
    event = api.get(f"{V1}/events/{first.json()['id']}").json()
    assert event["worked_off"] is True
    [outcome] = event["outcomes"]
    assert (outcome["rule"], outcome["result"]) == (rule["id"], "notified")
    assert outcome["notification"] == str(Notification.objects.get().uid)
    found = api.get(f"{V1}/events", {"name": "order.paid", "follower": event["follower"]}).json()[
        "results"
    ]
    assert [each["id"] for each in found] == [event["id"]]
    assert api.get(f"{V1}/events", {"name": "order.sent"}).json()["results"] == []


def test_of_many_events_each_is_taken_or_refused_for_itself(api: APIClient, anna: Follower) -> None:
    given = [
        {"name": "order.paid", "follower": {"id": str(anna.uid)}, "dedup_key": "1"},
        {"name": "order paid"},
        {"name": "order.paid", "dedup_key": "1"},
        {"name": "order.paid", "follower": {"external_id": "nobody"}},
        {"name": "order.paid", "follower": {"email": "extra@example.com"}, "nmae": 1},
        {"name": "server.down"},
    ]
    answer = api.post(f"{V1}/events/bulk", {"events": given})
    assert answer.status_code == 202, answer.json()
    results = answer.json()["results"]
    assert [each["result"] for each in results] == [
        "accepted", "refused", "duplicate", "refused", "refused", "accepted",
    ]  # fmt: skip
    assert [each["errors"][0]["field"] for each in results if each["errors"]] == [
        "name",
        "follower",
        "nmae",
    ]
    assert Event.objects.count() == 2
    assert not Follower.objects.filter(addresses__value="extra@example.com").exists()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"name": "a..b"}, "name"),
        ({"name": "order.paid", "follower": {"external_id": "nobody"}}, "follower"),
        ({"name": "order.paid", "follower": {"email": "nobody"}}, "follower.email"),
        ({"name": "order.paid", "occurred_at": "2999-01-01T00:00:00Z"}, "occurred_at"),
        ({"name": "order.paid", "data": []}, "data"),
    ],
)
def test_a_wrong_event_is_refused_beside_its_field(
    api: APIClient, problem: Problem, body: dict[str, Any], field: str
) -> None:
    problem(api.post(f"{V1}/events", body), 400, field)
    assert not Event.objects.exists()


def test_a_rule_is_tried_changed_and_deleted(
    api: APIClient, anna: Follower, rule: dict[str, Any], problem: Problem
) -> None:
    address = f"{V1}/event-rules/{rule['id']}"
    tried = api.post(f"{address}/test", {"data": {"total": 120}, "follower": str(anna.uid)}).json()
    assert tried["result"] == "notified"
    assert tried["messages"] == [
        {
            "follower": str(anna.uid),
            "who": "Anna Weber",
            "channel": "in_app",
            "status": "pending",
            "reason": "default_on",
        }
    ]
    assert api.post(f"{address}/test", {"data": {"total": 20}}).json()["result"] == "not_matched"
    problem(make_client("campaigns:read").post(f"{address}/test", {"follower": str(anna.uid)}), 403)
    assert not Notification.objects.exists()
    assert api.patch(address, {"active": False, "event": "order.paid"}).json()["active"] is False
    problem(api.patch(address, {"event": "*"}), 400, "event")
    problem(api.patch(address, {"conditions": {"all": [{}]}}), 400, "conditions")
    problem(api.patch(address, {"template": "nothing"}), 400, "template")
    problem(
        api.post(f"{V1}/event-rules", {"name": "Paid", "event": "x.y", "type": "orders"}),
        409,
        "name",
    )
    assert [each["id"] for each in api.get(f"{V1}/event-rules").json()["results"]] == [rule["id"]]
    assert api.delete(address).status_code == 204
    problem(api.get(address), 404)


def test_a_recurring_notification_is_made_paused_resumed_and_says_what_it_sent(
    api: APIClient, anna: Follower, problem: Problem
) -> None:
    fields = {
        "name": "Morning",
        "type": "orders",
        "channels": ["in_app"],
        "audience": {"everyone": True},
    }
    made = api.post(
        f"{V1}/recurring",
        {**fields, "cadence": NINE, "time_zone_mode": "named", "time_zone": "Europe/Berlin"},
    )
    assert made.status_code == 201, made.json()
    body = made.json()
    address = f"{V1}/recurring/{made.json()['id']}"
    assert body["next_at"] == body["coming"][0]
    assert len(body["coming"]) == 5
    problem(api.post(f"{V1}/recurring", {**fields, "cadence": NINE}), 409, "name")
    problem(api.patch(address, {"cadence": {"kind": "cron", "cron": "x"}}), 400, "cadence")
    problem(api.patch(address, {"time_zone": "Berlin"}), 400, "time_zone")
    assert api.post(f"{address}/pause").json()["next_at"] is None
    assert api.post(f"{address}/resume").json()["next_at"] == body["next_at"]
    clock = RecurringZone.objects.get()
    assert clock.next_at
    occurrences.start_due(now=clock.next_at)
    [sent] = api.get(f"{address}/occurrences").json()["results"]
    assert (sent["at"], sent["time_zone"]) == (body["next_at"], "Europe/Berlin")
    assert sent["notification"] == str(Notification.objects.get().uid)
    assert api.post(f"{V1}/notifications/{sent['notification']}/cancel").status_code == 200
    assert api.patch(address, {"name": "Evening"}).json()["name"] == "Evening"
    assert api.delete(address).status_code == 204
    assert api.get(f"{V1}/recurring").json()["results"] == []
    assert Notification.objects.count() == 1


def test_a_cadence_can_be_looked_at_before_it_is_used(api: APIClient, problem: Problem) -> None:
    asked = {"cadence": {"kind": "cron", "cron": "30 2 * * *"}, "time_zone": "America/New_York"}
    answer = api.post(f"{V1}/recurring/preview", {**asked, "after": "2026-03-07T12:00:00Z"}).json()
    assert answer["coming"][:2] == ["2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"]
    problem(api.post(f"{V1}/recurring/preview", {"cadence": {}}), 400, "cadence")
    problem(api.post(f"{V1}/recurring/preview", {**asked, "time_zone": "Mars"}), 400, "time_zone")
    problem(
        api.post(f"{V1}/recurring/preview", {**asked, "after": "9999-12-31T00:00:00Z"}),
        400,
        "after",
    )
