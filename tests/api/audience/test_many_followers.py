"""Followers by the caller's own id, and many at once."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.followers.models import Follower
from tests.api.world import make_client
from tests.make import make_follower

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
PATH = "/api/v1/followers"


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.json()
    return [row["name"] for row in answer.json()["results"]]


def test_somebody_is_found_by_exactly_this_id_or_address(
    api: APIClient, anna: Follower, boris: Follower, problem: Any
) -> None:
    make_follower(name="Shop", external_id="c-17", phone="+49 30 901820")
    make_follower(name="Other", external_id="c-170")
    assert names(api.get(PATH, {"external_id": "c-17"})) == ["Shop"]
    assert names(api.get(PATH, {"email": "ANNA@example.com"})) == ["Anna Weber"]
    assert names(api.get(PATH, {"email": "anna@example.co"})) == []
    assert names(api.get(PATH, {"phone": "+4930901820"})) == ["Shop"]
    assert names(api.get(PATH, {"email": "anna@example.com", "external_id": "c-17"})) == []
    problem(api.get(PATH, {"email": "anna"}), 400, "email")
    problem(api.get(PATH, {"email": ""}), 400, "email")
    problem(api.get(PATH, {"external_id": ""}), 400, "external_id")


@pytest.mark.parametrize("id", ["c-17", "shop/17", "Zoë 17", "17?x=1#y"])
def test_a_follower_is_put_under_the_callers_own_id(api: APIClient, id: str) -> None:
    path = f"{PATH}/by-external-id/{quoted(id)}"
    made = api.put(path, {"email": "eve@example.com", "metadata": {"plan": "pro"}})
    assert (made.status_code, made.json()["external_id"]) == (201, id)
    changed = api.put(path, {"name": "Eve", "metadata": {"plan": None, "city": "Rome"}})
    assert (changed.status_code, changed.json()["id"]) == (200, made.json()["id"])
    assert (changed.json()["name"], changed.json()["email"]) == ("Eve", "eve@example.com")
    assert changed.json()["metadata"] == {"city": "Rome"}
    assert api.get(path).json() == changed.json()
    assert Follower.objects.count() == 1


@pytest.mark.reported
@pytest.mark.parametrize(
    "spelling", ["shop%0A17", "shop%0D%0A17%0A", "%E2%80%8B%20shop%2017", "shop%C2%A017"]
)
def test_an_id_is_kept_and_found_with_one_blank_for_any_space(
    api: APIClient, spelling: str, news: Any
) -> None:
    path = f"{PATH}/by-external-id/{spelling}"
    made = api.put(path, {"email": "eve@example.com", "external_id": "shop\n17"})
    assert (made.status_code, made.json()["external_id"]) == (201, "shop 17")
    assert api.put(path, {"external_id": ""}).json() == made.json()
    assert api.get(path).json() == made.json()
    [found] = api.get(f"{PATH}?external_id={spelling}").json()["results"]
    assert found["id"] == made.json()["id"]
    event = {"name": "order.paid", "follower": {"external_id": "shop\t17", "name": "Eve"}}
    assert api.post("/api/v1/events", event).status_code == 202
    assert Follower.objects.get().name == "Eve"


@pytest.mark.reported
@pytest.mark.parametrize("spelling", ["%20", "%E2%80%8B", "a%07"])
def test_nobody_is_put_under_no_id(api: APIClient, problem: Any, spelling: str) -> None:
    path = f"{PATH}/by-external-id/{spelling}"
    problem(api.put(path, {"email": "eve@example.com"}), 400, "external_id")
    problem(api.get(path), 404)
    assert not Follower.objects.exists()


def quoted(id: str) -> str:
    return id.replace("?", "%3F").replace("#", "%23").replace("/", "%2F")


def test_a_put_never_subscribes_again_and_takes_nobodys_address(
    api: APIClient, anna: Follower, problem: Any
) -> None:
    path = f"{PATH}/by-external-id/c-17"
    linked = api.put(path, {"email": "anna@example.com", "subscribed": False})
    assert (linked.status_code, linked.json()["id"]) == (200, str(anna.uid))
    assert linked.json()["subscribed"] is False
    assert api.put(path, {"subscribed": True}).json()["subscribed"] is False
    problem(api.put(f"{PATH}/by-external-id/c-18", {"email": "anna@example.com"}), 409, "email")
    problem(api.put(path, {"external_id": "c-99"}), 400, "external_id")
    problem(api.put(path, {"nmae": "Eve"}), 400, "nmae")
    problem(api.get(f"{PATH}/by-external-id/c-99"), 404)
    problem(make_client("followers:read").put(path, {"name": "Eve"}), 403)


def test_many_followers_are_each_taken_or_refused_for_themselves(
    api: APIClient, anna: Follower, problem: Any
) -> None:
    people = [
        {"external_id": "c-1", "email": "one@example.com", "tags": ["VIP"]},
        {"email": "anna@example.com", "name": "Anna W"},
        {"email": "nobody"},
        {"external_id": "c-1", "name": "One"},
        {"external_id": "c-2", "email": "one@example.com"},
        {"nmae": "Eve"},
        {},
    ]
    answer = api.post(f"{PATH}/bulk", {"followers": people})
    assert answer.status_code == 200, answer.json()
    results = answer.json()["results"]
    assert [each["result"] for each in results] == [
        "created",
        "updated",
        "refused",
        "updated",
        "refused",
        "refused",
        "refused",
    ]
    assert (results[1]["id"], results[3]["id"]) == (str(anna.uid), results[0]["id"])
    assert [(each["errors"] or [{"field": ""}])[0]["field"] for each in results][2:6] == [
        "email",
        "",
        "email",
        "nmae",
    ]
    assert "Anna" not in str(results[4])
    assert Follower.objects.count() == 2
    problem(api.post(f"{PATH}/bulk", {"followers": []}), 400, "followers")
    problem(api.post(f"{PATH}/bulk", {"followers": [{}] * 1001}), 400, "followers")
    assert int(answer.headers["RateLimit-Remaining"]) <= 590
