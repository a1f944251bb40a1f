"""What is done already is answered with 200 and how it stands; and counts add up."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.followers.models import Follower
from apps.notifications.models import TypeTemplate
from tests.api.world import make_inbox, send_letter
from tests.make import make_template, make_type

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
PARTS = ("cancelled", "handed_off", "in_flight", "waiting", "skipped", "failed")


@pytest.fixture
def notification(api: APIClient, anna: Follower, boris: Follower) -> str:
    """The path of one that waits, on channels of which some are skipped."""
    kind = make_type("orders", channels=["email", "in_app", "sms"], default_channels=["email"])
    TypeTemplate.objects.create(notification_type=kind, template=make_template("order"))
    people = [{"id": str(anna.uid)}, {"id": str(boris.uid)}]
    said = {"type": "orders", "recipients": people, "channels": ["email", "in_app"]}
    made = api.post("/api/v1/notify", said).json()
    return f"/api/v1/notifications/{made['id']}"


@pytest.mark.parametrize("act", ["cancel", "recall"])
def test_the_counts_of_what_was_stopped_add_up(api: APIClient, notification: str, act: str) -> None:
    said = api.post(f"{notification}/{act}").json()
    assert said["skipped"] > 0
    assert said["total"] == sum(said[part] for part in PARTS) == 4


@pytest.mark.parametrize("act", ["cancel", "recall", "pause"])
def test_an_act_on_a_notification_may_be_repeated(
    api: APIClient, notification: str, act: str
) -> None:
    first = api.post(f"{notification}/{act}")
    second = api.post(f"{notification}/{act}")
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.json() == first.json()


def test_what_goes_on_already_may_be_resumed(api: APIClient, notification: str) -> None:
    api.post(f"{notification}/pause")
    for _ in range(2):
        assert api.post(f"{notification}/resume").json()["status"] == "sending"


def test_acts_on_a_campaign_may_be_repeated(api: APIClient, anna: Follower, problem: Any) -> None:
    make_inbox()
    path = f"/api/v1/campaigns/{send_letter().uid}"
    for act in ("pause", "resume", "cancel", "archive"):
        first = api.post(f"{path}/{act}")
        second = api.post(f"{path}/{act}")
        assert (first.status_code, second.status_code) == (200, 200), act
        assert second.json() == first.json(), act
    problem(api.post(f"{path}/resume"), 409)


def test_what_is_sent_already_is_answered_with_200(
    api: APIClient, draft: dict[str, Any], anna: Follower
) -> None:
    path = f"/api/v1/campaigns/{draft['id']}/send"
    assert [api.post(path).status_code for _ in range(3)] == [202, 200, 200]
    made = api.post("/api/v1/messages", {"subject": "Hi", "content": "Hello"}).json()
    path = f"/api/v1/messages/{made['id']}/send"
    assert [api.post(path).status_code for _ in range(3)] == [202, 200, 200]


def test_a_campaign_that_was_cancelled_before_it_began_is_cancelled_again(
    api: APIClient, draft: dict[str, Any]
) -> None:
    path = f"/api/v1/campaigns/{draft['id']}"
    api.post(f"{path}/schedule", {"wall": "2031-07-01T09:00", "time_zone": "UTC"})
    assert api.post(f"{path}/unschedule").status_code == 200
    assert api.post(f"{path}/unschedule").json()["status"] == "draft"
    api.post(f"{path}/schedule", {"wall": "2031-07-01T09:00", "time_zone": "UTC"})
    for _ in range(2):
        said = api.post(f"{path}/cancel")
        assert (said.status_code, said.json()["total"]) == (200, 0)


def test_a_template_may_be_published_and_archived_twice(api: APIClient) -> None:
    template = make_template("letter-2", publish=False)
    path = f"/api/v1/templates/{template.uid}"
    for act in ("publish", "archive"):
        first = api.post(f"{path}/{act}")
        second = api.post(f"{path}/{act}")
        assert (first.status_code, second.status_code) == (200, 200), act
        assert second.json() == first.json(), act
