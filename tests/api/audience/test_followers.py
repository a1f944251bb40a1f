"""Followers over the API: add, find, change, unsubscribe, tag, and page through many."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.followers.models import ConsentRecord, Follower, Tag
from apps.notifications.sending.sender import send_lane
from tests.api.world import make_inbox, send_letter
from tests.make import make_follower, make_type

PATH = "/api/v1/followers"
pytestmark = pytest.mark.django_db


def test_a_follower_is_added_and_read_back(api) -> None:
    sent = {
        "email": "Eve@Example.com",
        "phone": "+49 30 901820",
        "name": "Eve",
        "external_id": "crm-7",
        "language": "pt-br",
        "time_zone": "Europe/Lisbon",
        "tags": ["VIP", "Beta"],
        "metadata": {"plan": "pro"},
    }
    added = api.post(PATH, sent)
    assert added.status_code == 201
    body = added.json()
    assert body == api.get(f"{PATH}/{body['id']}").json()
    assert body["email"] == "Eve@example.com"
    assert body["phone"] == "+4930901820"
    assert body["language"] == "pt-BR"
    assert sorted(body["tags"]) == ["Beta", "VIP"]
    assert body["metadata"] == {"plan": "pro"}
    assert body["subscribed"] is True
    assert {(each["channel"], each["status"]) for each in body["addresses"]} == {
        ("email", "active"),
        ("sms", "active"),
    }
    assert ConsentRecord.objects.get().source == "api"


def test_a_follower_without_an_address_is_welcome(api) -> None:
    assert api.post(PATH, {"name": "Inbox only"}).json()["email"] == ""


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({"email": "not an address"}, 400, "email"),
        ({"phone": "12"}, 400, "phone"),
        ({"time_zone": "+03:00"}, 400, "time_zone"),
        ({"language": "???"}, 400, "language"),
        ({"metadata": "x"}, 400, "metadata"),
        ({"tags": "vip"}, 400, "tags"),
        ({"name": 7, "subscribed": "perhaps"}, 400, "subscribed"),
        ({"email": "anna@example.com"}, 409, "email"),
        ({"id": "x"}, 400, "id"),
    ],
)
def test_what_cannot_be_a_follower_is_refused(
    api, problem, anna, sent: dict[str, Any], status: int, field: str
) -> None:
    problem(api.post(PATH, sent), status, field=field)
    assert Follower.objects.count() == 1


def test_only_what_is_sent_changes(api, problem, anna, boris) -> None:
    path = f"{PATH}/{anna.uid}"
    before = api.get(path).json()
    changed = api.patch(path, {"name": "Anna Maria"}).json()
    assert changed == before | {"name": "Anna Maria", "updated_at": changed["updated_at"]}
    problem(api.patch(path, {"email": "boris@example.com"}), 409, field="email")
    problem(api.patch(path, {"subscribed": False}), 400, field="subscribed")


def test_unsubscribing_counts_once_and_resubscribing_is_a_word_of_its_own(api, anna) -> None:
    path = f"{PATH}/{anna.uid}"
    answer = api.post(f"{path}/unsubscribe", {"reason": "Too many"})
    assert answer.status_code == 200
    assert answer.json()["subscribed"] is False
    assert api.post(f"{path}/unsubscribe").json() == answer.json()
    assert ConsentRecord.objects.filter(act="unsubscribed").get().reason == "Too many"
    assert api.post(f"{path}/resubscribe", {"wording": "2026-01"}).json()["subscribed"] is True


def test_the_list_is_filtered(api, anna, boris, chen) -> None:
    api.post(f"{PATH}/{anna.uid}/tags", {"tags": ["Very Important", "Beta"]})
    api.post(f"{PATH}/{boris.uid}/tags", {"tags": ["Beta"]})

    def names(query: str) -> list[str]:
        return [each["name"] for each in api.get(f"{PATH}?{query}").json()["results"]]

    assert names("") == ["Chen Li", "Борис Иванов", "Anna Weber"]
    assert names("subscribed=false") == ["Борис Иванов"]
    assert names("subscribed=true") == ["Chen Li", "Anna Weber"]
    assert names("tags=beta&tags=very-important") == ["Anna Weber"]
    assert names("tags=Very Important") == ["Anna Weber"]
    assert names("search=boris@") == ["Борис Иванов"]
    assert names("language=zh") == ["Chen Li"]


def test_tags_come_and_go(api, problem, anna) -> None:
    path = f"{PATH}/{anna.uid}/tags"
    assert api.post(path, {"tags": ["VIP"]}).json()["tags"] == ["VIP"]
    assert api.delete(f"{path}/vip").json()["tags"] == []
    assert api.delete(f"{path}/vip").status_code == 200
    problem(api.delete(f"{path}/vpi"), 404)  # there is no such tag
    problem(api.post(path, {"tags": []}), 400, field="tags")
    tag = api.post("/api/v1/tags", {"name": "Press"})
    assert (tag.status_code, tag.json()["slug"]) == (201, "press")
    problem(api.post("/api/v1/tags", {"name": "PRESS"}), 409)
    assert api.delete("/api/v1/tags/press").status_code == 204
    problem(api.delete("/api/v1/tags/press"), 404)
    assert list(Tag.objects.values_list("slug", flat=True)) == ["vip"]


def test_addresses_are_added_used_and_forgotten(api, problem, anna, boris) -> None:
    path = f"{PATH}/{anna.uid}/addresses"
    body = api.post(path, {"channel": "email", "value": "anna@work.example"}).json()
    assert body["email"] == "anna@example.com"
    first, second = (each["id"] for each in body["addresses"])
    assert api.post(f"{path}/{second}/primary").json()["email"] == "anna@work.example"
    assert len(api.delete(f"{path}/{first}").json()["addresses"]) == 1
    problem(api.delete(f"{path}/{first}"), 404)
    problem(api.post(f"{PATH}/{boris.uid}/addresses/{second}/primary"), 404)
    problem(api.post(path, {"channel": "email", "value": "boris@example.com"}), 409)
    problem(api.post(path, {"channel": "email", "value": "nowhere"}), 400)
    problem(api.post(path, {"channel": "in_app", "value": "x"}), 400, "channel")


def test_many_are_tagged_in_one_call_with_a_result_for_each(api, problem, anna, boris) -> None:
    stranger = "0190a000-0000-7000-8000-000000000000"
    sent = {
        "action": "add",
        "tags": ["VIP"],
        "followers": [str(anna.uid), stranger, "x", str(boris.uid)],
    }
    answer = api.post(f"{PATH}/tags", sent)
    assert answer.status_code == 200
    assert answer.json() == {
        "changed": 2,
        "results": [
            {"follower": str(anna.uid), "status": "done"},
            {"follower": stranger, "status": "not_found"},
            {"follower": "x", "status": "not_found"},
            {"follower": str(boris.uid), "status": "done"},
        ],
    }
    assert api.post(f"{PATH}/tags", sent | {"action": "remove"}).json()["changed"] == 2
    problem(api.post(f"{PATH}/tags", sent | {"action": "wipe"}), 400, field="action")
    assert int(answer.headers["RateLimit-Remaining"]) == 590


# ---------------------------------------------------------------- pages
def test_pages_are_stable_while_followers_are_added(api) -> None:
    for number in range(25):
        make_follower(name=f"F{number}")
    seen: list[str] = []
    first = page = api.get(f"{PATH}?page_size=10").json()
    while True:
        seen += [each["name"] for each in page["results"]]
        make_follower(name="New")
        if page["next"] is None:
            break
        page = api.get(f"{PATH}?page_size=10&cursor={page['next']}").json()
    assert seen == [f"F{number}" for number in range(24, -1, -1)]
    back = api.get(f"{PATH}?page_size=10&cursor={page['previous']}").json()
    assert [each["name"] for each in back["results"]] == seen[10:20]
    assert first["previous"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("page_size=0", "page_size"),
        ("page_size=201", "page_size"),
        ("page_size=ten", "page_size"),
        ("cursor=zzz", "cursor"),
        ("cursor=", "cursor"),
        ("cursor=YWZ0ZXI6OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk", "cursor"),
    ],
)
def test_a_page_that_cannot_be_is_refused(api, problem, query: str, field: str) -> None:
    problem(api.get(f"{PATH}?{query}"), 400, field=field)


@pytest.mark.parametrize(
    "path", ["followers", "campaigns", "messages", "templates", "notifications", "deliveries"]
)
def test_a_longer_list_takes_no_more_queries(api, anna, path: str) -> None:
    make_follower(name="Eve")
    send_letter()
    queries = []
    for more in (False, True):
        if more:
            send_letter()
        api.get(f"/api/v1/{path}")
        with CaptureQueriesContext(connection) as seen:
            assert api.get(f"/api/v1/{path}").json()["results"]
        queries.append(len(seen))
        assert not any("COUNT(" in each["sql"] for each in seen)
    assert queries[0] == queries[1] <= 9


# ---------------------------------------------------------------- preferences
def test_each_cell_says_what_happens_and_why(api, anna) -> None:
    make_type("news")
    path = f"{PATH}/{anna.uid}/preferences"
    cells = api.get(path).json()["types"][0]["cells"]
    email = next(each for each in cells if each["channel"] == "email")
    assert (email["on"], email["own"], email["reason"], email["source"]) == (
        True,
        None,
        "default_on",
        "default",
    )
    assert email["explanation"]
    changed = api.put(f"{path}/news/email", {"own": False}).json()["types"][0]["cells"]
    email = next(each for each in changed if each["channel"] == "email")
    assert (email["on"], email["own"], email["reason"]) == (False, False, "preference_off")
    assert api.put(f"{path}/news/email", {"own": None}).json()["types"][0]["cells"] == cells


def test_several_cells_and_switches_at_once_all_or_nothing(api, problem, anna) -> None:
    make_type("news")
    make_type("alert", category="critical")
    path = f"{PATH}/{anna.uid}/preferences"
    off = [{"type": "news", "cells": [{"channel": "in_app", "own": False}]}]
    locked = [*off, {"type": "alert", "cells": [{"channel": "email", "own": False}]}]
    assert "alert" in problem(api.patch(path, {"types": locked}), 409)["detail"]
    assert not anna.preferences.exists()
    unknown = [{"type": "none", "cells": [{"channel": "email", "own": True}]}]
    problem(api.patch(path, {"types": unknown}), 400)
    problem(api.patch(path, {"channels": {"pigeon": True}}), 400)
    bare = [{"type": "news", "cells": [{"own": True}]}]
    problem(api.patch(path, {"types": bare}), 400, field="types.0.cells.0.channel")
    done = api.patch(path, {"types": off, "channels": {"email": False}}).json()
    assert [channel for channel, on in done["channels"].items() if not on] == ["email"]


@pytest.mark.reported
def test_what_was_read_of_preferences_can_be_written_back(api, anna) -> None:
    make_type("news")
    make_type("alert", category="critical", channels=["email"])
    path = f"{PATH}/{anna.uid}/preferences"
    read = api.get(path).json()
    assert api.patch(path, read).json() == read
    assert not anna.preferences.exists()
    row = next(each for each in read["types"] if each["type"] == "news")
    next(each for each in row["cells"] if each["channel"] == "email")["own"] = False
    read["channels"]["sms"] = False
    read["subscribed"] = False
    written = api.patch(path, read).json()
    assert (written["subscribed"], written["channels"]["sms"]) == (False, False)
    row = next(each for each in written["types"] if each["type"] == "news")
    assert {each["channel"]: each["own"] for each in row["cells"]}["email"] is False


@pytest.mark.reported
def test_metadata_is_merged_by_key_and_null_removes_one(api, problem, anna) -> None:
    path = f"{PATH}/{anna.uid}"
    api.patch(path, {"metadata": {"plan": "pro", "orders": 3}})
    changed = api.patch(path, {"metadata": {"plan": None, "city": "Bonn"}}).json()
    assert changed["metadata"] == {"orders": 3, "city": "Bonn"}
    assert api.patch(path, {"metadata": {}}).json()["metadata"] == changed["metadata"]
    problem(api.patch(path, {"metadata": None}), 400, field="metadata")
    made = api.post(PATH, {"name": "Eve", "metadata": {"plan": None, "city": "Rome"}})
    assert made.json()["metadata"] == {"city": "Rome"}


def test_the_inbox_is_listed(api, anna) -> None:
    make_inbox()
    send_letter("in_app")
    send_lane(name="bulk")
    path = f"{PATH}/{anna.uid}/inbox"
    assert [each["title"] for each in api.get(path).json()["results"]] == ["Hello"]
    assert api.get(f"{path}?unread=false").json()["results"] == []


@pytest.mark.reported
def test_an_email_address_can_be_asked_before_it_is_added(api, problem, anna) -> None:
    path = f"{PATH}/{anna.uid}/addresses"
    new = {"channel": "email", "value": "anna@example.org"}
    asked = api.post(path, {**new, "confirm": True, "primary": True})
    assert (asked.status_code, asked.json()["email"]) == (202, "anna@example.com")
    claim = anna.address_claims.get()
    assert (claim.value, claim.primary) == ("anna@example.org", True)
    problem(api.post(path, {**new, "confirm": True}), 409)
    problem(api.post(path, {"channel": "sms", "value": "+4930901820", "confirm": True}), 400)
    added = api.post(path, {**new, "primary": True})
    assert (added.status_code, added.json()["email"]) == (200, "anna@example.org")
    assert api.post(path, {**new, "value": "anna@example.com"}).json()["email"] == new["value"]
