"""Files of followers by the API: taken in, looked at, started, watched."""

import base64

import pytest

from apps.followers.imports import run
from apps.followers.models import Follower, Import
from tests.api.world import make_client
from tests.make import make_type

PATH = "/api/v1/imports"
FILE = (
    "email,Status,phone\na@x.example,subscribed,0151 12345678\n"
    "b@x.example,gold,\nbroken,subscribed,\n"
)
pytestmark = pytest.mark.django_db


def body(text: str = FILE, **more: object) -> dict[str, object]:
    content = base64.b64encode(text.encode()).decode()
    return {"file_name": "people.csv", "content": content} | more


def test_a_file_comes_in_with_one_call_and_its_problems_can_be_read(api, problem) -> None:
    options = {"values": {"Status": {"gold": "unsubscribed"}}, "country": "DE", "tags": ["fair"]}
    begun = api.post(PATH, body(options=options))
    assert begun.status_code == 202
    path = f"{PATH}/{begun.json()['id']}"
    assert (begun.json()["status"], begun.json()["mapping"]["phone"]) == ("running", "phone")
    run.run(Import.objects.get().pk)
    done = api.get(path).json()
    assert (done["status"], done["created"], done["refused"]) == ("finished", 2, 1)
    rows = Follower.objects.values_list("addresses__key", "subscribed")
    assert {"b@x.example": False, "+4915112345678": True}.items() <= dict(rows).items()
    [faulty] = api.get(f"{path}/problems").json()["results"]
    assert (faulty["line"], faulty["cells"][0], faulty["taken"]) == (4, "broken", False)
    assert [each["id"] for each in api.get(PATH).json()["results"]] == [done["id"]]


def test_a_file_can_wait_be_looked_at_and_be_started_or_forgotten(api, problem) -> None:
    waits = api.post(PATH, body(start=False)).json()
    path = f"{PATH}/{waits['id']}"
    seen = api.post(f"{path}/preview", {"mapping": {"phone": "ignore"}}).json()
    assert (seen["counts"]["create"], seen["counts"]["refused"], seen["complete"]) == (1, 2, True)
    assert {"text": "gold", "count": 1, "meaning": None} in seen["words"][0]["words"]
    assert [each["sort"] for each in seen["problems"]] == ["subscribed", "email"]
    assert "'gold' in the column 'Status'" in problem(api.post(f"{path}/start", {}), 400)["detail"]
    options = {"values": {"Status": {"gold": "bounced"}}}
    assert api.post(f"{path}/start", {"options": options}).status_code == 202
    problem(api.post(f"{path}/preview", {}), 409)
    problem(api.delete(path), 409)
    other = api.post(PATH, body(start=False)).json()
    assert api.delete(f"{PATH}/{other['id']}").status_code == 204
    assert api.get(f"{PATH}/{other['id']}").status_code == 404


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({}, "Choose what it means"),
        ({"content": "%"}, "base64"),
        ({"content": ""}, ""),
        ({"mapping": {"cats": "email"}}, "no column 'cats'"),
        ({"options": {"country": "XX"}}, "not a country"),
    ],
)
def test_what_can_not_be_imported_is_refused_and_nothing_is_kept(api, problem, more, says) -> None:
    assert says in str(problem(api.post(PATH, body() | more), 400))
    assert not Import.objects.exists()


def test_a_key_that_may_only_read_imports_nothing(problem) -> None:
    reader = make_client("followers:read")
    problem(reader.post(PATH, body()), 403)
    assert reader.get(PATH).status_code == 200


def test_greeting_who_is_new_needs_the_scope_of_sending(problem) -> None:
    make_type("welcome")
    greeting = {"options": {"welcome": "welcome"}}
    writer = make_client("followers:write")
    waits = writer.post(PATH, body("email\na@x.example\n", start=False)).json()
    path = f"{PATH}/{waits['id']}/start"
    for refused in (writer.post(PATH, body() | greeting), writer.post(path, greeting)):
        assert "needs the scope notifications:write" in problem(refused, 403)["detail"]
    assert [job.state for job in Import.objects.all()] == ["uploaded"]
    both = make_client("followers:write", "notifications:write")
    assert both.post(path, greeting).status_code == 202
