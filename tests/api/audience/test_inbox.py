"""The inbox through the API: what is new, what was read, archived or recalled."""

from typing import Any

import pytest

from apps.accounts.permissions import Scope
from apps.notifications.models import Notification
from tests.api.world import make_client, make_inbox
from tests.make import make_type
from tests.notifications.world import drain, make_version, stands, tell


@pytest.fixture
def inbox(db: None, anna: Any) -> str:
    make_inbox()
    return f"/api/v1/followers/{anna.uid}/inbox"


def told(anna: Any, **fields: Any) -> Notification:
    kind = make_type("hint", category="informational", fallback=["in_app", "email"])
    return tell(kind, [anna], version=make_version(), channels=["in_app", "email"], **fields)


def test_items_are_read_and_unread_and_counted(api, anna, inbox) -> None:
    notification = told(anna)
    drain()
    assert api.get(f"{inbox}/count").json() == {"unread": 1}
    item = f"{inbox}/{api.get(inbox).json()['results'][0]['id']}"
    first = api.post(f"{item}/read")
    assert first.status_code == 200
    assert first.json()["read_at"]
    assert api.post(f"{item}/read").json() == first.json(), "the first time stays"
    assert api.get(f"{inbox}/count").json() == {"unread": 0}
    assert stands(notification) == {"delivered": 1, "skipped": 1}, "no mail about what was read"
    assert api.post(f"{item}/unread").json()["read_at"] is None
    assert api.post(f"{inbox}/read-all").json() == {"read": 1}
    assert api.post(f"{inbox}/read-all").json() == {"read": 0}


def test_what_is_archived_is_in_the_archive(api, anna, inbox) -> None:
    told(anna)
    drain()
    item = f"{inbox}/{api.get(inbox).json()['results'][0]['id']}"
    assert api.post(f"{item}/archive").json()["archived_at"]
    assert (
        api.get(inbox).json()["results"],
        len(api.get(f"{inbox}?archived=true").json()["results"]),
    ) == ([], 1)
    assert api.post(f"{item}/unarchive").json()["archived_at"] is None
    assert len(api.get(inbox).json()["results"]) == 1


def test_an_item_of_somebody_else_is_not_there(api, anna, boris, inbox, problem) -> None:
    told(anna)
    drain()
    item = api.get(inbox).json()["results"][0]["id"]
    for act in ("read", "unread", "archive", "unarchive"):
        problem(api.post(f"/api/v1/followers/{boris.uid}/inbox/{item}/{act}"), 404)
    problem(make_client(Scope.FOLLOWERS_READ).post(f"{inbox}/{item}/read"), 403)
    assert api.get(f"{inbox}/count").json() == {"unread": 1}


def test_recalling_says_what_it_could_take_back(api, anna, inbox, problem) -> None:
    notification = told(anna)
    drain()
    path = f"/api/v1/notifications/{notification.uid}/recall"
    problem(make_client(Scope.NOTIFICATIONS_READ).post(path), 403)
    assert api.post(path).json() == {
        "cancelled": 1,
        "handed_off": 1,
        "in_flight": 0,
        "waiting": 0,
        "skipped": 0,
        "failed": 0,
        "total": 2,
        "removed": 1,
    }
    assert api.get(inbox).json()["results"] == []
    assert api.get(f"{inbox}/count").json() == {"unread": 0}
    assert api.post(path).json()["removed"] == 1
