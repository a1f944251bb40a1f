"""Two who edit one thing: a stale reader changes nothing; and answers that are shortened."""

import gzip
import json
from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.followers.models import Follower
from tests.make import make_follower, make_template

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
V1 = "/api/v1"


@pytest.fixture
def things(api: APIClient, draft: dict[str, Any], anna: Follower) -> dict[str, dict[str, Any]]:
    """Address of what people edit, and a change of it."""
    rules = {"all": [{"field": "language", "op": "is", "value": "en"}]}
    segment = api.post(f"{V1}/segments", {"name": "English", "rules": rules}).json()
    cap = api.post(f"{V1}/caps", {"name": "Week", "channels": ["email"], "limit": 3, "days": 7})
    event_rule = {"name": "Paid", "event": "order.paid", "type": "news", "template": "letter"}
    rule = api.post(f"{V1}/event-rules", event_rule).json()
    weekly = {
        "name": "Weekly",
        "type": "news",
        "template": "letter",
        "audience": {"everyone": True},
        "cadence": {"kind": "daily", "times": ["09:00"]},
    }
    recurring = api.post(f"{V1}/recurring", weekly).json()
    return {
        f"{V1}/followers/{anna.uid}": {"name": "Anna W"},
        f"{V1}/followers/{anna.uid}/preferences": {"channels": {"sms": False}},
        f"{V1}/followers/{anna.uid}/delivery-preferences": {"digest_at": "18:30"},
        f"{V1}/segments/{segment['id']}": {"name": "English readers"},
        f"{V1}/caps/{cap.json()['id']}": {"limit": 5},
        f"{V1}/campaigns/{draft['id']}": {"name": "June"},
        f"{V1}/event-rules/{rule['id']}": {"name": "Paid orders"},
        f"{V1}/recurring/{recurring['id']}": {"name": "Every day"},
        f"{V1}/message-types/news": {"lifetime": 3600},
    }


def test_a_change_of_what_somebody_else_changed_is_refused(
    api: APIClient, problem: Any, things: dict[str, dict[str, Any]]
) -> None:
    for path, change in things.items():
        read = api.get(path).headers["ETag"]
        assert api.get(path).headers["ETag"] == read, path
        changed = api.patch(path, change, headers={"If-Match": read})
        assert changed.status_code == 200, (path, changed.json())
        assert changed.headers["ETag"] != read, path
        refused = api.patch(path, change, headers={"If-Match": read})
        said = problem(refused, 412)
        assert said["type"] == "urn:carillon:problem:changed"
        assert "Read it again" in said["detail"]
        for spelling in ("{}", "W/{}", '"x", {}', "*"):
            fresh = spelling.format(api.get(path).headers["ETag"])
            again = api.patch(path, change, headers={"If-Match": fresh})
            assert again.status_code == 200, (path, fresh, again.json())


def test_what_was_deleted_unread_is_there_still(
    api: APIClient, problem: Any, things: dict[str, dict[str, Any]]
) -> None:
    [path] = [each for each in things if "/caps/" in each]
    problem(api.delete(path, headers={"If-Match": '"x"'}), 412)
    etag = api.get(path).headers["ETag"]
    assert api.delete(path, headers={"If-Match": etag}).status_code == 204


def test_a_draft_of_a_template_is_compared_with_the_version_that_was_read(
    api: APIClient, problem: Any
) -> None:
    template = make_template("letter-2")
    path = f"{V1}/templates/{template.uid}"
    read = api.get(f"{path}/versions/1").headers["ETag"]
    words = {"translations": {"de": {"in_app": {"title": "Hallo", "body": "Da", "link": ""}}}}
    assert api.patch(f"{path}/draft", words, headers={"If-Match": read}).status_code == 200
    problem(api.patch(f"{path}/draft", words, headers={"If-Match": read}), 412)


def test_an_act_that_compares_nothing_says_so(api: APIClient, problem: Any) -> None:
    made = api.post(f"{V1}/followers", {"name": "Eve"}, headers={"If-Match": '"x"'})
    problem(made, 412)
    assert not Follower.objects.exists()


def test_a_change_that_is_repeated_with_its_key_is_answered_and_not_compared(
    api: APIClient, anna: Follower
) -> None:
    path = f"{V1}/followers/{anna.uid}"
    headers = {"If-Match": api.get(path).headers["ETag"], "Idempotency-Key": "once"}
    first = api.patch(path, {"name": "A"}, headers=headers)
    second = api.patch(path, {"name": "A"}, headers=headers)
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["Idempotency-Replayed"] == "true"


def test_what_has_not_changed_is_not_sent_again(api: APIClient, anna: Follower) -> None:
    path = f"{V1}/followers/{anna.uid}"
    etag = api.get(path).headers["ETag"]
    answer = api.get(path, headers={"If-None-Match": etag})
    assert (answer.status_code, answer.content) == (304, b"")
    api.patch(path, {"name": "Anna W"})
    assert api.get(path, headers={"If-None-Match": etag}).status_code == 200


def test_a_long_list_is_compressed_for_who_can_read_it(api: APIClient) -> None:
    for number in range(20):
        make_follower(name=f"Number {number}")
    plain = api.get(f"{V1}/followers")
    short = api.get(f"{V1}/followers", headers={"Accept-Encoding": "gzip"})
    assert short.headers["Content-Encoding"] == "gzip"
    assert len(short.content) < len(plain.content) / 3
    read = json.loads(gzip.decompress(short.content))
    assert read["results"] == plain.json()["results"]
