"""Notify over the API, and its result."""

from typing import Any

import pytest
from django.utils import timezone

from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.followers.models import Follower
from apps.followers.people.tagging import set_tags
from apps.notifications.models import Delivery, Notification, TypeTemplate
from apps.notifications.sending.sender import send_lane
from tests.api.world import make_inbox, send_letter
from tests.make import TESTER, make_follower, make_template, make_type, nested

pytestmark = pytest.mark.django_db
STRANGER = "0190a000-0000-7000-8000-000000000000"


@pytest.fixture(autouse=True)
def orders(db: None) -> Any:
    kind = make_type("orders", category="informational")
    variables = [{"name": "order", "type": "string", "required": True}]
    template = make_template("order", title="Order {{ order }}", variables=variables)
    TypeTemplate.objects.create(notification_type=kind, template=template)
    return kind


def tell(api, *recipients: dict[str, Any], **fields: Any):
    return api.post(
        "/api/v1/notify",
        {"type": "orders", "recipients": list(recipients), "data": {"order": "A-17"}} | fields,
    )


def test_people_are_named_by_id_external_id_and_address_or_added(api, anna, boris) -> None:
    crm = make_follower(external_id="crm-7", email="crm@example.com")
    answer = tell(
        api,
        {"id": str(anna.uid)},
        {"external_id": "crm-7"},
        {"email": "BORIS@example.com"},
        {"email": "new@example.com", "name": "New", "tags": ["Buyers"]},
        {"email": "anna@example.com"},
        channels=["email"],
    )
    assert (answer.status_code, answer.json()["status"]) == (202, "sending")
    new = Follower.objects.get(name="New")
    assert not new.subscribed
    assert {row.follower for row in Delivery.objects.all()} == {anna, boris, crm, new}
    seen = api.get(f"/api/v1/notifications/{answer.json()['id']}").json()
    assert (seen["type"], seen["template"], seen["balance"]["waiting"]) == ("orders", "order", 4)


def test_a_known_persons_word_is_never_changed_here(api, anna, boris) -> None:
    tell(
        api,
        {"email": "anna@example.com", "name": "Anna W"},
        {"email": "boris@example.com", "subscribed": True},
    )
    anna.refresh_from_db()
    boris.refresh_from_db()
    assert (anna.name, anna.subscribed, boris.subscribed) == ("Anna W", True, False)


def test_the_tagged_and_those_in_a_segment_are_both_told(api, anna, boris) -> None:
    now = timezone.now()
    set_tags(follower=anna, names=["Buyers"], by=TESTER, now=now)
    rules = {"all": [{"field": "name", "op": "is", "value": boris.name}]}
    segment = create_segment(values=SegmentValues(name="Boris", rules=rules), by=TESTER, now=now)
    answer = tell(api, tags=["buyers"], segment=str(segment.uid), channels=["email"])
    assert answer.status_code == 202
    assert {row.follower for row in Delivery.objects.all()} == {anna, boris}


def test_each_may_have_values_of_their_own(api, anna, boris) -> None:
    make_inbox()
    tell(
        api,
        {"id": str(anna.uid)},
        {"id": str(boris.uid), "data": {"order": "B-2"}},
        channels=["in_app"],
    )
    send_lane(name="transactional")
    assert anna.inbox_items.get().title == "Order A-17"
    assert boris.inbox_items.get().title == "Order B-2"


def test_all_with_a_tag_are_told_once(api, anna, boris) -> None:
    api.post(
        "/api/v1/followers/tags",
        {"action": "add", "tags": ["Buyers"], "followers": [str(anna.uid), str(boris.uid)]},
    )
    tell(api, {"id": str(anna.uid)}, tags=["Buyers"], channels=["in_app"])
    assert Delivery.objects.count() == 2


def test_the_same_key_is_the_same_notification(api, anna) -> None:
    first, again = (
        tell(api, {"id": str(anna.uid)}, dedup_key="order-17-paid").json() for _ in range(2)
    )
    assert first["id"] == again["id"]
    assert Notification.objects.count() == 1


@pytest.mark.parametrize(
    ("recipient", "field"),
    [
        ({"id": STRANGER}, "recipients.1"),
        ({"external_id": "nobody"}, "recipients.1"),
        ({"email": "broken"}, "recipients.1.email"),
        ({"id": STRANGER, "name": "X"}, "recipients.1"),
        ({}, "recipients.1"),
        ({"phone": "12"}, "recipients.1.phone"),
        ({"data": 7}, "recipients.1.data"),
    ],
)
def test_a_recipient_that_cannot_be_is_named_and_nobody_is_told(
    api, problem, recipient: Any, field: str
) -> None:
    problem(tell(api, {"email": "new@example.com"}, recipient), 400, field=field)
    assert not Notification.objects.exists()
    assert not Follower.objects.exists()


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "none"}, "type"),
        ({"template": "none"}, "template"),
        ({"tags": ["none"]}, "tags"),
        ({"segment": "01a1fede-6a73-7f95-9a65-bc889ea8d46a"}, "segment"),
        ({"send_at": "tomorrow"}, "send_at"),
        ({"priority": 1}, "priority"),
        ({"recipients": []}, None),
        ({"channels": ["pigeon"]}, "channels"),
        ({"channels": ["email", "sms"]}, "channels"),
        ({"data": {}}, "data"),
        ({"data": {"order": "A-17", "more": nested(12)}}, "data"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, None),
        ({"expires_at": "9999-12-31T23:59:59Z"}, None),
        ({"send_at": "9999-12-31T23:59:59Z"}, None),
    ],
)
def test_what_cannot_be_sent_is_refused_and_nobody_is_added(
    api, problem, change: Any, field: str | None
) -> None:
    problem(tell(api, {"email": "new@example.com"}, **change), 400, field=field)
    assert not Follower.objects.exists()


def test_a_notification_is_cancelled_once(api, problem, anna) -> None:
    made = tell(api, {"id": str(anna.uid)}, send_at="2031-01-01T00:00:00Z").json()
    path = f"/api/v1/notifications/{made['id']}"
    assert api.post(f"{path}/cancel").json() == {
        "cancelled": 2,
        "handed_off": 0,
        "in_flight": 0,
        "waiting": 0,
        "skipped": 0,
        "failed": 0,
        "total": 2,
    }
    assert {each["status"] for each in api.get(f"{path}/deliveries").json()["results"]} == {
        "cancelled"
    }
    assert (
        api.get("/api/v1/notifications?status=cancelled&type=orders").json()["results"][0]["id"]
        == made["id"]
    )


def test_a_notification_is_paused_and_goes_on(api, problem, anna) -> None:
    path = f"/api/v1/notifications/{tell(api, {'id': str(anna.uid)}).json()['id']}"
    assert api.post(f"{path}/pause").json()["status"] == "paused"
    assert api.post(f"{path}/resume").json()["status"] == "sending"


def test_the_failed_ones_of_a_notification_are_sent_again(api, problem, anna, receiver) -> None:
    receiver.answers["RCPT"] = "550 5.1.1 no such user"
    path = (
        f"/api/v1/notifications/{tell(api, {'id': str(anna.uid)}, channels=['email']).json()['id']}"
    )
    assert api.post(f"{path}/retry").json() == {"retried": 0}
    send_lane(name="transactional")
    assert api.post(f"{path}/retry").json() == {"retried": 1}
    assert api.get(f"{path}/deliveries").json()["results"][0]["status"] == "pending"
    api.post(f"{path}/cancel")
    problem(api.post(f"{path}/retry"), 409)


@pytest.mark.parametrize("act", ["pause", "resume", "cancel", "retry"])
def test_a_campaigns_run_is_steered_on_the_campaign_only(api, problem, anna, act: str) -> None:
    campaign = send_letter("email")
    path = f"/api/v1/notifications/{Notification.objects.get().uid}"
    assert str(campaign.uid) in problem(api.post(f"{path}/{act}"), 409)["detail"]


def test_deliveries_are_found_and_told_in_full(api, problem, anna, boris) -> None:
    made = tell(api, {"id": str(anna.uid)}, {"id": str(boris.uid)}, channels=["email"]).json()
    found = api.get(
        f"/api/v1/deliveries?follower={anna.uid}&notification={made['id']}&status=pending"
    ).json()["results"]
    assert [each["address"] for each in found] == ["anna@example.com"]
    assert api.get(f"/api/v1/deliveries/{found[0]['id']}").json() == found[0] | {"events": []}
    problem(api.get("/api/v1/deliveries?status=lost"), 400, field="status")


def test_a_thousand_known_people_take_a_few_queries(api, django_assert_max_num_queries) -> None:
    people = [make_follower(external_id=f"crm-{number}") for number in range(30)]
    with django_assert_max_num_queries(60):
        assert tell(api, *({"external_id": each.external_id} for each in people)).status_code == 202
    assert Delivery.objects.count() == 30  # in-app alone: nobody has an email


def test_a_notification_says_why_its_messages_wait(api, anna) -> None:
    sent = tell(api, {"id": str(anna.uid)}, channels=["email"]).json()["id"]
    answer = api.get(f"/api/v1/notifications/{sent}/hold-ups")
    assert answer.status_code == 200
    assert answer.json() == {
        "hold_ups": [
            {
                "kind": "no_account",
                "channel": "email",
                "account": "",
                "service": "",
                "said": "",
                "since": None,
                "until": None,
                "explanation": "No account for Email is switched on. "
                "An administrator switches one on under Channels.",
            }
        ]
    }
    api.post(f"/api/v1/notifications/{sent}/cancel")
    assert api.get(f"/api/v1/notifications/{sent}/hold-ups").json() == {"hold_ups": []}
    assert api.get(f"/api/v1/notifications/{STRANGER}/hold-ups").status_code == 404


def test_a_delivery_tells_its_way_and_why_it_waits(api, anna) -> None:
    sent = tell(api, {"id": str(anna.uid)}, channels=["email"]).json()["id"]
    delivery = Delivery.objects.get(notification__uid=sent)
    told = api.get(f"/api/v1/deliveries/{delivery.uid}/timeline").json()
    assert [(step["kind"], step["title"]) for step in told["steps"]] == [
        ("allowed", "Planned"),
        ("pending", "Due"),
    ]
    assert told["steps"][1]["text"] == "It leaves as soon as its turn comes."
    assert [each["kind"] for each in told["hold_ups"]] == ["no_account"]
    api.post(f"/api/v1/notifications/{sent}/cancel")
    told = api.get(f"/api/v1/deliveries/{delivery.uid}/timeline").json()
    assert told["steps"][-1]["text"] == "The notification was cancelled before its turn."
    assert told["hold_ups"] == []
    assert api.get(f"/api/v1/deliveries/{STRANGER}/timeline").status_code == 404
