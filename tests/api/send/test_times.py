"""When something is sent: moments and times on the wall, and what is scheduled."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.followers.models import Follower
from apps.notifications.models import Notification, TypeTemplate
from tests.make import make_template, make_type

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
NEXT = timezone.now().year + 1
BERLIN = "Europe/Berlin"


@pytest.fixture(autouse=True)
def orders(db: None) -> None:
    kind = make_type("orders", category="informational")
    TypeTemplate.objects.create(notification_type=kind, template=make_template("order"))


def tell(api: APIClient, anna: Follower, **fields: Any) -> Any:
    said = {"type": "orders", "recipients": [{"id": str(anna.uid)}]} | fields
    return api.post("/api/v1/notify", said)


def test_what_is_sent_later_is_scheduled_until_then(api: APIClient, anna: Follower) -> None:
    made = tell(api, anna, send_at=f"{NEXT}-01-01T10:00:00Z").json()
    assert made["status"] == "scheduled"
    path = f"/api/v1/notifications/{made['id']}"
    assert api.get(path).json()["status"] == "scheduled"
    [listed] = api.get("/api/v1/notifications?status=scheduled").json()["results"]
    assert (listed["id"], listed["status"]) == (made["id"], "scheduled")
    assert api.get("/api/v1/notifications?status=sending").json()["results"] == []
    now = tell(api, anna).json()
    assert now["status"] == "sending"
    [going] = api.get("/api/v1/notifications?status=sending").json()["results"]
    assert going["id"] == now["id"]
    assert api.post(f"{path}/pause").json()["status"] == "paused"
    assert api.post(f"{path}/resume").json()["status"] == "scheduled"
    api.post(f"{path}/cancel")
    assert api.get(path).json()["status"] == "cancelled"


@pytest.mark.parametrize(
    "send_at",
    [
        "2020-01-01T10:00:00Z",
        f"{NEXT}-01-01T10:00:00",
        f"{NEXT}-01-01T10:00",
        f"{NEXT}-01-01",
        f"{NEXT}0101",
        "tomorrow",
        1900000000,
        None,
        "9999-12-31T23:59:59Z",
    ],
)
def test_a_moment_that_has_passed_or_has_no_zone_is_refused(
    api: APIClient, anna: Follower, problem: Any, send_at: Any
) -> None:
    problem(tell(api, anna, send_at=send_at), 400)
    assert not Notification.objects.exists()


@pytest.mark.parametrize("ago", [0, 1, 45])
def test_a_clock_that_goes_a_little_slow_is_forgiven(
    api: APIClient, anna: Follower, ago: int
) -> None:
    moment = timezone.now() - dt.timedelta(seconds=ago)
    assert tell(api, anna, send_at=moment.isoformat()).status_code == 202


@pytest.mark.parametrize(
    ("wall", "meant"),
    [
        (f"{NEXT}-07-01T09:00", f"{NEXT}-07-01T07:00:00Z"),
        (f"{NEXT}-01-05T09:00:30", f"{NEXT}-01-05T08:00:30Z"),
        ("2031-10-26T02:30", "2031-10-26T00:30:00Z"),  # twice: the first
    ],
)
def test_a_notification_is_sent_by_the_clock_on_somebodys_wall(
    api: APIClient, anna: Follower, wall: str, meant: str
) -> None:
    made = tell(api, anna, wall=wall, time_zone=BERLIN)
    assert made.status_code == 202, made.json()
    assert api.get(f"/api/v1/notifications/{made.json()['id']}").json()["send_at"] == meant


@pytest.mark.parametrize(
    ("when", "field"),
    [
        ({"wall": "2031-03-30T02:30", "time_zone": BERLIN}, "wall"),  # skipped
        ({"wall": "2020-01-01T09:00", "time_zone": BERLIN}, "wall"),
        ({"wall": f"{NEXT}-01-01T09:00Z", "time_zone": BERLIN}, "wall"),
        ({"wall": f"{NEXT}-01-01", "time_zone": BERLIN}, "wall"),
        ({"wall": f"{NEXT}-01-01T09:00"}, "time_zone"),
        ({"time_zone": BERLIN}, "wall"),
        ({"wall": f"{NEXT}-01-01T09:00", "time_zone": "+02:00"}, "time_zone"),
        (
            {
                "send_at": f"{NEXT}-01-01T09:00:00Z",
                "wall": f"{NEXT}-01-01T09:00",
                "time_zone": BERLIN,
            },
            "send_at",
        ),
    ],
)
def test_a_time_on_the_wall_that_means_nothing_is_refused(
    api: APIClient,
    anna: Follower,
    problem: Any,
    draft: dict[str, Any],
    when: dict[str, str],
    field: str,
) -> None:
    problem(tell(api, anna, **when), 400, field)
    problem(api.post(f"/api/v1/campaigns/{draft['id']}/schedule", when), 400, field)


def test_a_campaign_is_scheduled_for_a_moment(
    api: APIClient, draft: dict[str, Any], problem: Any
) -> None:
    path = f"/api/v1/campaigns/{draft['id']}/schedule"
    problem(api.post(path, {}), 400, "send_at")
    problem(api.post(path, {"send_at": "2020-01-01T10:00:00Z"}), 400, "send_at")
    problem(api.post(path, {"send_at": f"{NEXT}-01-01T10:00:00"}), 400, "send_at")
    said = api.post(path, {"send_at": f"{NEXT}-01-01T10:00:00+02:00"}).json()
    assert (said["status"], said["send_at"], said["time_zone"]) == (
        "scheduled",
        f"{NEXT}-01-01T08:00:00Z",
        "UTC",
    )
    again = api.post(path, {"send_at": f"{NEXT}-01-01T08:00:00Z"})
    assert (again.status_code, again.json()["status"]) == (200, "scheduled")


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("events", {"name": "order.paid", "occurred_at": "2026-01-01T00:00:00"}, "occurred_at"),
        ("recurring/preview", {"cadence": {}, "after": "2026-01-01"}, "after"),
        ("notify", {"type": "orders", "expires_at": f"{NEXT}-01-01"}, "expires_at"),
    ],
)
def test_no_moment_without_its_zone_is_guessed(
    api: APIClient, problem: Any, path: str, body: dict[str, Any], field: str
) -> None:
    problem(api.post(f"/api/v1/{path}", body), 400, field)


def test_the_same_dedup_key_is_said_to_be_a_duplicate(api: APIClient, anna: Follower) -> None:
    first = tell(api, anna, dedup_key="order-17").json()
    assert first["duplicate"] is False
    second = tell(api, anna, dedup_key="order-17", data={"order": "another"}).json()
    assert (second["id"], second["duplicate"]) == (first["id"], True)
