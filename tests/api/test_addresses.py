"""Addresses below /api/ that lead nowhere, ids in other spellings, and one language for all."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.followers.models import Follower
from apps.lib.network.utf8 import utf8_only

pytestmark = [pytest.mark.django_db, pytest.mark.reported]


@pytest.mark.parametrize(
    "path",
    [
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nothing",
        "/api/v1/followers/",
        "/api/v2/followers",
        "/api/nothing/at/all",
        "/api/schema/more",
    ],
)
@pytest.mark.parametrize("method", ["get", "post", "delete", "options"])
def test_an_address_that_is_not_there_is_a_problem_with_a_request_id(
    api: APIClient, problem: Any, path: str, method: str
) -> None:
    answer = getattr(api, method)(path)
    said = problem(answer, 404)
    assert said["detail"].startswith("There is no such address in this API.")
    assert len(answer.headers["X-Request-Id"]) == 36
    assert int(answer.headers["RateLimit-Remaining"]) > 0


def test_a_stranger_is_told_the_same_of_it(problem: Any) -> None:
    answer = APIClient().get("/api/v2/followers")
    problem(answer, 404)
    assert answer.headers["X-Request-Id"]


def test_an_id_is_known_in_capitals_and_without_dashes(api: APIClient, anna: Follower) -> None:
    for spelling in (str(anna.uid).upper(), anna.uid.hex, anna.uid.hex.upper()):
        assert api.get(f"/api/v1/followers/{spelling}").json()["name"] == "Anna Weber"
        assert api.get(f"/api/v1/followers/{spelling}/preferences").status_code == 200


@pytest.mark.parametrize("id", ["c-17", "17", "{id}", "%20", "anna@example.com"])
def test_what_is_no_id_is_not_taken_for_a_wrong_address(
    api: APIClient, problem: Any, id: str
) -> None:
    for path in (f"/api/v1/followers/{id}", f"/api/v1/followers/{id}/inbox"):
        said = problem(api.get(path), 404)
        assert said["detail"] == (
            "This is no id: ours are UUIDs. To find a follower by your own id, ask "
            "/followers?external_id=…."
        )


@pytest.mark.parametrize("language", ["ru", "de-DE,de;q=0.9", "ru-RU;q=0.8", "*", "nonsense"])
def test_answers_are_english_whatever_the_caller_reads(
    api: APIClient, problem: Any, anna: Follower, language: str
) -> None:
    path = f"/api/v1/followers/{anna.uid}"
    answer = api.patch(path, {"name": None}, headers={"Accept-Language": language})
    said = problem(answer, 400, "name")
    assert said["detail"] == "This field may not be null."
    assert answer.headers["Content-Language"] == "en"
    kept = api.get(f"{path}/preferences", headers={"Accept-Language": language})
    assert kept.json() == api.get(f"{path}/preferences").json()


@pytest.mark.parametrize(
    ("body", "field", "code"),
    [
        ({"name": None}, "name", "null"),
        ({"name": "x" * 201}, "name", "max_length"),
        ({"nmae": "Anna"}, "nmae", "unknown_field"),
        ({"subscribed": "perhaps"}, "subscribed", "invalid"),
        ({"time_zone": "Mars"}, "time_zone", "unknown_zone"),
        ({"email": "anna@example.com"}, "email", "address_taken"),
    ],
)
def test_each_fault_of_a_field_has_a_code(
    api: APIClient, anna: Follower, body: dict[str, Any], field: str, code: str
) -> None:
    [fault] = api.post("/api/v1/followers", body).json()["errors"]
    assert (fault["field"], fault["code"]) == (field, code)


def test_a_body_in_another_encoding_is_refused(api: APIClient, problem: Any) -> None:
    body = '{"name": "Zo\u00eb"}'.encode("latin-1")
    latin = "application/json; charset=latin-1"
    problem(api.post("/api/v1/followers", body, content_type=latin), 415)
    # as the web server hands it over (notifications_project/wsgi.py)
    environ = {"CONTENT_TYPE": latin}
    utf8_only(lambda seen, start_response: [])(environ, None)
    plain = environ.pop("CONTENT_TYPE")
    problem(api.generic("POST", "/api/v1/followers", body, plain, **environ), 415)
    utf8 = 'application/json; charset="UTF-8"'
    made = api.post("/api/v1/followers", '{"name": "Zo\u00eb"}'.encode(), content_type=utf8)
    assert made.json()["name"] == "Zo\u00eb"


@pytest.mark.parametrize(
    "body", ['{"name": "A", "name": "B"}', '{"name": "A", "metadata": {"plan": 1, "plan": 2}}']
)
def test_a_name_that_is_said_twice_in_an_object_is_refused(
    api: APIClient, problem: Any, body: str
) -> None:
    answer = api.post("/api/v1/followers", body, content_type="application/json")
    said = problem(answer, 400)
    assert "twice in one object" in said["detail"]


def test_a_tag_that_is_there_is_refused_by_the_field_that_was_sent(
    api: APIClient, problem: Any
) -> None:
    api.post("/api/v1/tags", {"name": "VIP"})
    problem(api.post("/api/v1/tags", {"name": "vip"}), 409, "name")
    problem(api.post("/api/v1/tags", {"name": "x" * 80 + "y"}), 400, "name")
