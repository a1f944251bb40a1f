"""A scheduled notification gets another time."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.followers.models import Follower, NotificationType
from apps.notifications.models import Delivery, TypeTemplate
from tests.api.world import send_letter
from tests.make import make_template, make_type

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
NEXT = timezone.now().year + 1


@pytest.fixture
def kind(db: None) -> NotificationType:
    kind = make_type("orders", category="informational")
    TypeTemplate.objects.create(notification_type=kind, template=make_template("order"))
    return kind


def scheduled(api: APIClient, anna: Follower, **fields: Any) -> str:
    said = {
        "type": "orders",
        "recipients": [{"id": str(anna.uid)}],
        "send_at": f"{NEXT}-01-01T10:00:00Z",
    }
    made = api.post("/api/v1/notify", said | fields)
    assert made.status_code == 202, made.json()
    return f"/api/v1/notifications/{made.json()['id']}"


def due() -> set[dt.datetime]:
    return set(Delivery.objects.values_list("due_at", flat=True))


def test_it_is_sent_at_the_other_time(
    api: APIClient, anna: Follower, kind: NotificationType
) -> None:
    path = scheduled(api, anna)
    said = api.patch(path, {"wall": f"{NEXT}-06-01T10:00", "time_zone": "Europe/Berlin"})
    assert said.status_code == 200, said.json()
    assert (said.json()["status"], said.json()["send_at"]) == (
        "scheduled",
        f"{NEXT}-06-01T08:00:00Z",
    )
    assert due() == {dt.datetime(NEXT, 6, 1, 8, tzinfo=dt.UTC)}
    again = api.patch(path, {"send_at": f"{NEXT}-06-01T08:00:00Z"})
    assert (again.status_code, again.json()["send_at"]) == (200, f"{NEXT}-06-01T08:00:00Z")
    now = timezone.now()
    sooner = api.patch(path, {"send_at": now.isoformat()}).json()
    assert sooner["status"] == "sending"
    assert all(abs(moment - now) < dt.timedelta(minutes=1) for moment in due())


def test_a_lifetime_moves_along_and_an_expiry_that_was_given_stays(
    api: APIClient, anna: Follower, kind: NotificationType, problem: Any
) -> None:
    kind.lifetime = 3600
    kind.save()
    path = scheduled(api, anna)
    moved = api.patch(path, {"send_at": f"{NEXT}-02-01T10:00:00Z"}).json()
    assert moved["expires_at"] == f"{NEXT}-02-01T11:00:00Z"
    path = scheduled(api, anna, expires_at=f"{NEXT}-01-02T10:00:00Z")
    problem(api.patch(path, {"send_at": f"{NEXT}-02-01T10:00:00Z"}), 400, "send_at")
    assert api.get(path).json()["send_at"] == f"{NEXT}-01-01T10:00:00Z"


def test_what_has_begun_or_is_over_keeps_its_time(
    api: APIClient, anna: Follower, kind: NotificationType, problem: Any
) -> None:
    later = {"send_at": f"{NEXT}-02-01T10:00:00Z"}
    begun = scheduled(api, anna, send_at=timezone.now().isoformat())
    problem(api.patch(begun, later), 409)
    cancelled = scheduled(api, anna)
    api.post(f"{cancelled}/cancel")
    problem(api.patch(cancelled, later), 409)
    paused = scheduled(api, anna)
    api.post(f"{paused}/pause")
    assert api.patch(paused, later).json()["status"] == "paused"
    for wrong in ({}, {"send_at": "2020-01-01T10:00:00Z"}, {"send_at": f"{NEXT}-02-01"}):
        problem(api.patch(paused, wrong), 400, "send_at")
    campaign = send_letter("email")
    run = campaign.runs.get().notification
    problem(api.patch(f"/api/v1/notifications/{run.uid}", later), 409)
