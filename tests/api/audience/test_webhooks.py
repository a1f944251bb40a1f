"""A follower's webhooks over the API."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.followers.devices.webhook_calls import CallResult, heard
from apps.followers.models import Follower
from tests.make import make_follower

pytestmark = pytest.mark.django_db
URL = "https://hooks.example/carillon"


def test_a_webhook_is_added_listed_without_its_secret_changed_and_removed(
    api: Any, anna: Follower
) -> None:
    path = f"/api/v1/followers/{anna.uid}/webhooks"
    added = api.post(path, {"url": URL})
    assert added.status_code == 201
    made = added.json()
    assert made["secret"].startswith("whsec_")
    [listed] = api.get(path).json()["results"]
    assert listed == {name: value for name, value in made.items() if name != "secret"}
    assert (listed["url"], listed["follower"], listed["status"]) == (URL, str(anna.uid), "untried")
    changed = api.post(f"{path}/{made['id']}/secret").json()
    assert changed["secret"] not in ("", made["secret"])
    assert api.delete(f"{path}/{made['id']}").status_code == 204
    assert api.get(path).json()["results"] == []
    assert api.delete(f"{path}/{made['id']}").status_code == 404


def test_one_that_can_not_be_called_or_is_taken_is_refused(
    api: Any, problem: Any, anna: Follower
) -> None:
    path = f"/api/v1/followers/{anna.uid}/webhooks"
    refused = problem(api.post(path, {"url": "http://10.0.0.1/"}), 400)
    assert refused["errors"][0]["field"] == "url"
    made = api.post(path, {"url": URL}).json()
    again = problem(api.post(path, {"url": URL}), 409, "url")
    assert "another follower" not in again["detail"]
    boris = make_follower(name="Boris")
    problem(api.post(f"/api/v1/followers/{boris.uid}/webhooks", {"url": URL}), 409)
    problem(api.delete(f"/api/v1/followers/{boris.uid}/webhooks/{made['id']}"), 404)
    problem(api.post(f"/api/v1/followers/{boris.uid}/webhooks/{made['id']}/secret"), 404)


def test_one_that_failed_for_days_is_found_and_switched_on_again(
    api: Any, problem: Any, anna: Follower
) -> None:
    path = f"/api/v1/followers/{anna.uid}/webhooks"
    made = api.post(path, {"url": URL}).json()
    api.post(path, {"url": f"{URL}/other"})
    now = timezone.now()
    for days in range(6, 0, -1):
        heard(
            [CallResult(URL, good=False, gone=False, said="500 oops")],
            now=now - dt.timedelta(days=days),
        )
    [off] = api.get("/api/v1/webhooks?status=off").json()["results"]
    assert (off["id"], off["off_reason"], off["answer"]) == (made["id"], "failing", "500 oops")
    assert off["failing_since"]
    assert len(api.get("/api/v1/webhooks").json()["results"]) == 2
    problem(api.get("/api/v1/webhooks?status=broken"), 400, "status")
    for _ in range(2):
        on = api.post(f"{path}/{made['id']}/switch-on").json()
        assert (on["status"], on["failing_since"], on["off_at"], on["off_reason"]) == (
            "untried",
            None,
            None,
            "",
        )
    off = api.post(f"{path}/{made['id']}/switch-off").json()
    assert (off["status"], off["off_reason"]) == ("off", "person")
    problem(
        api.post(
            f"/api/v1/followers/{make_follower(name='Dana').uid}/webhooks/{made['id']}/switch-on"
        ),
        404,
    )
