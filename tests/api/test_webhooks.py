"""A follower's webhooks over the API."""

from typing import Any

import pytest

from apps.followers.models import Follower
from tests.make import make_follower

pytestmark = pytest.mark.django_db
URL = "https://hooks.example/carillon"


def test_a_webhook_is_added_listed_without_its_secret_changed_and_removed(api: Any, anna: Follower) -> None:
    path = f"/api/v1/followers/{anna.uid}/webhooks"
    added = api.post(path, {"url": URL})
    assert added.status_code == 201
    made = added.json()
    assert made["secret"].startswith("whsec_")
    [listed] = api.get(path).json()["results"]
    assert listed == {name: made[name] for name in ("id", "url", "created_at")}
    changed = api.post(f"{path}/{made['id']}/secret").json()
    assert changed["secret"] not in ("", made["secret"])
    assert api.delete(f"{path}/{made['id']}").status_code == 204
    assert api.get(path).json()["results"] == []
    assert api.delete(f"{path}/{made['id']}").status_code == 404


def test_one_that_can_not_be_called_or_is_taken_is_refused(api: Any, problem: Any, anna: Follower) -> None:
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
