"""What a type's rules do to a call: schema, lifetime, priority, throttle key;
and caps over the API.
"""

import datetime as dt
from typing import Any

import pytest

from apps.accounts.models import AuditEntry
from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.followers.models import NotificationType
from apps.notifications.models import Cap, Delivery, Notification, TypeTemplate
from tests.make import TESTER, make_template, make_type

pytestmark = pytest.mark.django_db
TYPE = "/api/v1/message-types/orders"
VARIABLES = [{"name": "order", "type": "string", "required": False}]
SCHEMA = {"type": "object", "required": ["order"], "properties": {"total": {"type": "number"}}}


@pytest.fixture(autouse=True)
def orders(db: None) -> NotificationType:
    kind = make_type("orders", category="informational")
    TypeTemplate.objects.create(
        notification_type=kind,
        template=make_template("order", title="{{ order }}", variables=VARIABLES),
    )
    return kind


def tell(api, *people: Any, **fields: Any):
    named = [{"id": str(person.uid)} for person in people]
    asked = {
        "type": "orders",
        "recipients": named,
        "data": {"order": "A-17"},
        "channels": ["email"],
    }
    return api.post("/api/v1/notify", asked | fields)


def test_a_program_sets_the_rules_of_a_type_and_reads_them(api) -> None:
    rules = {
        "schema": SCHEMA,
        "lifetime": 3600,
        "digest": True,
        "throttle_count": 2,
        "throttle_seconds": 60,
        "fallback": ["in_app", "email"],
        "fallback_after": 120,
    }
    answer = api.patch(TYPE, rules)
    assert answer.status_code == 200, answer.json()
    assert {name: api.get(TYPE).json()[name] for name in rules} == rules
    assert set(AuditEntry.objects.get(kind="notification_type.changed").data["after"]) == {*rules}
    cleared = api.patch(
        TYPE, {"schema": None, "throttle_count": None, "throttle_seconds": None}
    ).json()
    assert (cleared["schema"], cleared["throttle_count"], cleared["lifetime"]) == (None, None, 3600)


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"schema": {"type": "objekt"}}, "schema"),
        ({"lifetime": 0}, "lifetime"),
        ({"throttle_count": 2}, "throttle_seconds"),
        ({"throttle_seconds": 2}, "throttle_count"),
        ({"fallback": ["email"]}, "fallback"),
        ({"fallback": ["email", "email"]}, "fallback"),
        ({"fallback": ["email", "sms"]}, "fallback"),
        ({"fallback_after": 0}, "fallback_after"),
        ({"category": "critical"}, "category"),
    ],
)
def test_rules_that_can_not_be_are_refused(api, problem, rules: dict[str, Any], field: str) -> None:
    problem(api.patch(TYPE, rules), 400, field)


def test_critical_messages_wait_for_no_digest(api, problem) -> None:
    NotificationType.objects.update(category="critical")
    problem(api.patch(TYPE, {"digest": True}), 400, "digest")


def test_data_is_checked_by_the_schema_with_each_persons_own_over_it(
    api, anna, boris, problem
) -> None:
    api.patch(TYPE, {"schema": SCHEMA})
    assert tell(api, anna, data={"order": "A-17", "total": 49.5}).status_code == 202
    refused = problem(tell(api, anna, data={"order": "A-17", "total": "much"}), 400, "data.total")
    assert "'much' is not of type 'number'" in refused["detail"]
    problem(tell(api, anna, data={}), 400, "data")
    people = [{"id": str(anna.uid)}, {"id": str(boris.uid), "data": {"total": "much"}}]
    own = problem(
        tell(api, recipients=people, data={"order": "A-17", "total": 1}), 400, "data.total"
    )
    assert str(boris.uid) in own["detail"]
    assert Notification.objects.count() == 1


def test_a_type_s_lifetime_ends_a_message_unless_the_caller_says_when(api, anna) -> None:
    api.patch(TYPE, {"lifetime": 3600})
    tell(api, anna)
    own = dt.datetime(2030, 1, 1, tzinfo=dt.UTC)
    NotificationType.objects.update(lifetime=None)
    tell(api, anna)
    NotificationType.objects.update(lifetime=60)
    tell(api, anna, expires_at=own.isoformat())
    first, second, third = Notification.objects.order_by("pk")
    assert first.expires_at == first.send_at + dt.timedelta(hours=1)
    assert (second.expires_at, third.expires_at) == (None, own)


@pytest.mark.parametrize(
    ("category", "priority", "lane"),
    [
        ("informational", "normal", "transactional"),
        ("informational", "low", "bulk"),
        ("marketing", "normal", "bulk"),
        ("marketing", "high", "transactional"),
        ("critical", "low", "critical"),
        ("critical", "high", "critical"),
    ],
)
def test_priority_moves_a_message_between_lanes_and_never_into_the_critical_one(
    api, anna, category: str, priority: str, lane: str
) -> None:
    NotificationType.objects.update(category=category, commercial=category == "marketing")
    id = tell(api, anna, priority=priority).json()["id"]
    assert api.get(f"/api/v1/notifications/{id}").json()["lane"] == lane


def test_another_priority_is_refused_and_a_throttle_key_is_kept(api, anna, problem) -> None:
    problem(tell(api, anna, priority="critical"), 400, "priority")
    tell(api, anna, throttle_key="order-A-17")
    assert Notification.objects.get().throttle_key == "order-A-17"


def test_everybody_in_a_segment_is_told_once(api, anna, boris, chen, problem) -> None:
    rules = {"all": [{"field": "language", "op": "is", "value": "ru"}]}
    russian = create_segment(
        values=SegmentValues(name="Russian", rules=rules), by=TESTER, now=dt.datetime.now(dt.UTC)
    )
    assert tell(api, anna, boris, segment=str(russian.uid)).status_code == 202
    assert {row.follower for row in Delivery.objects.all()} == {anna, boris}
    assert Delivery.objects.count() == 2
    problem(tell(api, segment=str(anna.uid)), 400)


def test_a_cap_is_made_changed_and_removed_and_all_of_it_is_on_record(api, problem) -> None:
    weekly = {"name": "Weekly", "channels": ["sms", "email"], "limit": 3, "days": 7}
    made = api.post("/api/v1/caps", weekly)
    assert made.status_code == 201, made.json()
    assert made.json()["channels"] == ["email", "sms"]
    assert (made.json()["commercial"], made.json()["outcome"], made.json()["enabled"]) == (
        True,
        "defer",
        True,
    )
    problem(api.post("/api/v1/caps", weekly), 409, "name")
    one = f"/api/v1/caps/{made.json()['id']}"
    assert (
        api.patch(one, {"days": None, "seconds": 3600, "outcome": "drop"}).json()["seconds"] == 3600
    )
    assert [row["id"] for row in api.get("/api/v1/caps").json()["results"]] == [made.json()["id"]]
    assert api.delete(one).status_code == 204
    problem(api.get(one), 404)
    kinds = (
        AuditEntry.objects.filter(kind__startswith="cap.")
        .order_by("pk")
        .values_list("kind", flat=True)
    )
    assert list(kinds) == ["cap.changed", "cap.changed", "cap.removed"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"channels": []}, "channels"),
        ({"limit": 0}, "limit"),
        ({"days": None}, "days"),
        ({"days": 1, "seconds": 60}, "days"),
        ({"days": 1000}, "days"),
        ({"days": None, "seconds": 10**9}, "seconds"),
        ({"outcome": "shout"}, "outcome"),
    ],
)
def test_a_cap_that_can_not_be_is_refused(
    api, problem, changes: dict[str, Any], field: str
) -> None:
    problem(
        api.post(
            "/api/v1/caps", {"name": "C", "channels": ["email"], "limit": 1, "days": 1} | changes
        ),
        400,
        field,
    )
    assert not Cap.objects.exists()
