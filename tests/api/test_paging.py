"""Pages of a list: cursors that nobody reads or takes elsewhere, both orders, and times."""

import base64
import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.followers.models import Follower
from tests.make import make_follower

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
PATH = "/api/v1/followers"


@pytest.fixture
def five(db: None) -> list[Follower]:
    """Five people, added a day apart, the last one yesterday."""
    today = timezone.now()
    return [
        make_follower(name=f"Number {number}", now=today - dt.timedelta(days=5 - number))
        for number in range(5)
    ]


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [row["name"] for row in answer.json()["results"]]


def test_a_cursor_does_not_show_how_many_there_are(api: APIClient, five: list[Follower]) -> None:
    cursor = api.get(f"{PATH}?page_size=2").json()["next"]
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    assert str(five[3].pk).encode() not in cursor.encode() or len(str(five[3].pk)) < 3
    assert b"after" not in raw


def test_a_cursor_that_somebody_made_is_refused(api: APIClient, five: Any, problem: Any) -> None:
    made = base64.urlsafe_b64encode(b"after:3").decode().rstrip("=")
    said = problem(api.get(f"{PATH}?cursor={made}"), 400, "cursor")
    assert said["detail"] == "Send a cursor as it was given to you, or none."


@pytest.mark.parametrize(
    "elsewhere",
    [
        "/api/v1/tags?",
        "/api/v1/campaigns?",
        f"{PATH}?subscribed=true&",
        f"{PATH}?sort=created_at&",
    ],
)
def test_a_cursor_is_not_taken_by_another_list(
    api: APIClient, five: Any, problem: Any, elsewhere: str
) -> None:
    cursor = api.get(f"{PATH}?page_size=2").json()["next"]
    said = problem(api.get(f"{elsewhere}cursor={cursor}"), 400, "cursor")
    assert said["detail"].startswith("This cursor belongs to another list.")
    assert names(api.get(f"{PATH}?cursor={cursor}&page_size=3")) == [
        "Number 2",
        "Number 1",
        "Number 0",
    ]


def test_a_list_is_read_oldest_first_and_back_again(api: APIClient, five: Any) -> None:
    first = api.get(f"{PATH}?sort=created_at&page_size=2")
    assert names(first) == ["Number 0", "Number 1"]
    assert first.json()["previous"] is None
    second = api.get(f"{PATH}?sort=created_at&page_size=2&cursor={first.json()['next']}")
    assert names(second) == ["Number 2", "Number 3"]
    last = api.get(f"{PATH}?sort=created_at&page_size=2&cursor={second.json()['next']}")
    assert names(last) == ["Number 4"]
    assert last.json()["next"] is None
    back = api.get(f"{PATH}?sort=created_at&page_size=2&cursor={last.json()['previous']}")
    assert names(back) == ["Number 2", "Number 3"]


def test_only_what_was_created_or_changed_in_a_time_is_listed(
    api: APIClient, five: list[Follower]
) -> None:
    def at(number: int) -> str:
        return five[number].created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    assert names(api.get(PATH, {"created_after": at(3)})) == ["Number 4", "Number 3"]
    assert names(api.get(PATH, {"created_before": at(1)})) == ["Number 0"]
    between = {"created_after": at(1), "created_before": at(3)}
    assert names(api.get(PATH, between)) == ["Number 2", "Number 1"]
    api.patch(f"{PATH}/{five[0].uid}", {"name": "Changed"})
    assert names(api.get(PATH, {"updated_after": five[4].updated_at.isoformat()})) == [
        "Number 4",
        "Changed",
    ]
    assert names(api.get(PATH, {"updated_before": at(1)})) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("created_after=yesterday", "created_after"),
        ("created_after=2026-01-01", "created_after"),
        ("created_after=2026-01-01T00:00:00", "created_after"),
        ("updated_before=", "updated_before"),
        ("sort=name", "sort"),
        ("page_size=0", "page_size"),
        ("page_size=201", "page_size"),
        ("page_size=many", "page_size"),
    ],
)
def test_what_no_list_can_be_asked_is_refused(
    api: APIClient, problem: Any, query: str, field: str
) -> None:
    problem(api.get(f"{PATH}?{query}"), 400, field)


def test_a_list_without_changes_is_not_asked_for_them(api: APIClient, problem: Any) -> None:
    said = problem(api.get("/api/v1/tags?updated_after=2026-01-01T00:00:00Z"), 400, "updated_after")
    assert said["detail"] == "This list can't be asked that."
