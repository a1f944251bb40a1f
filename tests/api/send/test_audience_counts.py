"""Who would get a campaign, over the API: at once, or as a count that is asked for again."""

import threading
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.api.v1.send import campaigns
from apps.campaigns.review import counting, one_pass
from apps.lib.ids import uuid7
from tests.api.world import make_client
from tests.patience import PATIENCE, until


@pytest.fixture
def many(transactional_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "FEW", 0)


def test_what_takes_longer_is_answered_later(
    many: None, api: APIClient, draft: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()
    real = one_pass.count

    def held(*args: Any, **kwargs: Any) -> Any:
        go.wait(PATIENCE)
        return real(*args, **kwargs)

    monkeypatch.setattr(one_pass, "count", held)
    monkeypatch.setattr(campaigns, "AT_ONCE", 0.01)
    path = f"/api/v1/campaigns/{draft['id']}/audience"
    answer = api.get(path)
    assert (answer.status_code, answer["Retry-After"]) == (202, "1")
    told = answer.json()
    assert (told["status"], told["review"]) == ("counting", None)
    assert answer["Location"] == f"{path}/{told['id']}"
    assert api.get(answer["Location"]).json() == told
    go.set()
    until(lambda: api.get(answer["Location"]).json()["status"] == "done", "the count is done")
    done = api.get(answer["Location"]).json()
    assert (done["review"]["total"], done["review"]["reached"]) == (1, 1)
    assert done["review"]["counted_at"]


def test_what_is_counted_soon_is_answered_at_once_and_kept(
    many: None, api: APIClient, draft: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaigns, "AT_ONCE", PATIENCE)
    path = f"/api/v1/campaigns/{draft['id']}/audience"
    first = api.get(path)
    assert (first.status_code, first.json()["total"]) == (200, 1)
    assert api.get(path).json()["counted_at"] == first.json()["counted_at"]
    anew = api.get(path, {"again": "true"})
    assert anew.json()["counted_at"] > first.json()["counted_at"]


def test_a_count_is_of_its_campaign_and_needs_both_scopes(
    api: APIClient, draft: dict[str, Any], problem: Any
) -> None:
    path = f"/api/v1/campaigns/{draft['id']}/audience"
    problem(api.get(f"{path}/{uuid7()}"), 404)
    problem(make_client("campaigns:read").get(f"{path}/{uuid7()}"), 403)
    problem(api.get(path, {"again": "perhaps"}), 400, field="again")
