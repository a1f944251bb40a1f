"""Refusals all look the same and say what to do."""

import logging

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.api import errors
from apps.followers.people import contacts, tagging
from apps.notifications.models import Notification
from tests.make import TESTER
from tests.notifications.world import make_version, tell

pytestmark = pytest.mark.django_db
SOMEONE = "0190a000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "path",
    [
        f"followers/{SOMEONE}",
        f"followers/{SOMEONE}/preferences",
        f"segments/{SOMEONE}",
        f"templates/{SOMEONE}",
        f"templates/{SOMEONE}/versions/1",
        f"campaigns/{SOMEONE}",
        f"campaigns/{SOMEONE}/balance",
        f"messages/{SOMEONE}/deliveries",
        f"notifications/{SOMEONE}",
        f"deliveries/{SOMEONE}",
        "tags/none",
        "message-types/none",
        "followers/17",
        "no-such-thing",
    ],
)
def test_an_unknown_id_is_not_found(api, problem, path: str) -> None:
    problem(api.get(f"/api/v1/{path}"), 404)


def test_an_address_with_a_slash_too_many_is_told_so(api, problem) -> None:
    assert "slash" in problem(api.get("/api/v1/followers/"), 404)["detail"]


def test_a_misspelt_field_is_refused_with_the_right_ones(api, problem) -> None:
    body = problem(api.post("/api/v1/followers", {"emial": "a@example.com"}), 400, field="emial")
    assert "email" in body["errors"][0]["detail"]


@pytest.mark.parametrize("act", ["pause", "cancel", "recall", "retry", "resume"])
def test_what_takes_no_body_refuses_one_and_does_nothing(
    api, problem, news, anna, act: str
) -> None:
    one = tell(news, [anna], version=make_version(), channels=["in_app"])
    path = f"/api/v1/notifications/{one.uid}/{act}"
    for key in ({}, {"Idempotency-Key": "once"}):
        body = problem(api.post(path, {"why": "x"}, headers=key), 400, field="why")
        assert "Fields are: none" in body["detail"]
    problem(api.post(path, "[]", content_type="application/json"), 400)
    assert Notification.objects.get().state == one.state


def test_what_takes_no_body_takes_an_empty_one_and_none(api, anna) -> None:
    path = f"/api/v1/followers/{anna.uid}/tags/vip"
    for sent in ("", "{}", None):
        tagging.tag(followers=[anna], tags=["vip"], by=TESTER, now=timezone.now())
        assert api.delete(path, sent, content_type="application/json").status_code == 200
    assert api.delete(path, {"why": "x"}).status_code == 400


def test_a_misspelt_filter_is_refused(api, problem) -> None:
    problem(api.get("/api/v1/followers?subscribd=true"), 400, field="subscribd")
    problem(api.get("/api/v1/tags?name=x"), 400, field="name")
    problem(api.get("/api/v1/followers?tags=nobody-has-this"), 400, field="tags")


@pytest.mark.parametrize(("sent", "status"), [("{", 400), ("[]", 400), ('"x"', 400), ("null", 400)])
def test_a_body_that_is_no_object_is_refused(api, problem, sent: str, status: int) -> None:
    problem(api.post("/api/v1/followers", sent, content_type="application/json"), status)


def test_another_media_type_and_another_method_are_refused(api, problem) -> None:
    problem(
        api.post("/api/v1/followers", "name=Eve", content_type="application/x-www-form-urlencoded"),
        415,
    )
    answer = api.put("/api/v1/followers", {})
    problem(answer, 405)
    assert "POST" in answer.headers["Allow"]
    problem(api.get("/api/v1/followers", headers={"Accept": "text/html"}), 406)


def test_the_place_in_a_list_is_named(api, problem) -> None:
    body = {"type": "news", "recipients": [{"email": "a@example.com"}, {"emial": "b@example.com"}]}
    problem(api.post("/api/v1/notify", body), 400, field="recipients.1.emial")


def test_what_nobody_expected_is_recorded_and_answered_without_its_words(
    api, problem, monkeypatch, caplog
) -> None:
    def break_(**_: object) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr(contacts, "add_follower", break_)
    quiet = APIClient(raise_request_exception=False)
    quiet.credentials(**api._credentials)
    with caplog.at_level(logging.ERROR, logger="carillon.api"):
        body = problem(quiet.post("/api/v1/followers", {"name": "Eve"}), 500)
    assert "secret" not in str(body)
    assert "secret words" in caplog.text
    with pytest.raises(ZeroDivisionError):
        api.post("/api/v1/followers", {"name": "Eve"})


def test_every_status_has_a_title() -> None:
    assert set(errors.STATUS.values()) <= set(errors.TITLES)


@pytest.mark.parametrize(
    ("sent", "says"),
    [
        ('{"name": "Eve", "metadata": {"a": "\\u0000"}}', "NUL"),
        ('{"metadata": {"\\u0000": 1}}', "NUL"),
        ('{"name": "\\ud800"}', "surrogate"),
        ('{"metadata": ' + '{"a":' * 5000 + "1" + "}" * 5001, "nested"),
        ('{"metadata": {"a": NaN}}', "JSON"),
        ('{"metadata": {"a": 1e999}}', "too large"),
        (b'{"name": "\xff"}', "JSON"),
    ],
)
def test_what_no_database_can_keep_is_refused(api, problem, sent: str | bytes, says: str) -> None:
    body = problem(api.post("/api/v1/followers", sent, content_type="application/json"), 400)
    assert says in body["detail"]


def test_text_of_a_backslash_and_u0000_is_only_text(api) -> None:
    assert (
        api.post("/api/v1/followers", {"name": "Eve", "metadata": {"a": "\\u0000"}}).status_code
        == 201
    )


def test_a_body_that_is_too_large_is_refused_before_it_is_read(api, problem, settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 20
    problem(api.post("/api/v1/followers", {"name": "Eve" * 10}), 413)


@pytest.mark.parametrize(
    "path", ["tags/%00", "followers?search=%00", f"templates/{SOMEONE}/versions/{10**30}"]
)
def test_strange_characters_and_numbers_in_the_address_do_no_harm(api, path: str) -> None:
    assert api.get(f"/api/v1/{path}").status_code in (400, 404)


def test_strange_characters_in_the_address_of_a_write_do_no_harm(api, problem, anna) -> None:
    problem(api.put(f"/api/v1/followers/{anna.uid}/preferences/%00/email", {"allowed": True}), 404)
    problem(api.delete(f"/api/v1/followers/{anna.uid}/tags/%00"), 404)


def test_a_wrong_address_with_a_body_is_told_in_a_problem_document_too(api, problem) -> None:
    strict = APIClient(enforce_csrf_checks=True)
    strict.credentials(**api._credentials)
    problem(strict.post("/api/v1/folowers", {"name": "Eve"}), 404)


def test_what_to_send_instead_is_said(api, problem) -> None:
    assert "GET, POST" in problem(api.delete("/api/v1/followers"), 405)["detail"]
    assert "OPTIONS" not in api.options("/api/v1/followers").headers["Allow"]
    assert (
        "application/json"
        in problem(api.get("/api/v1/followers", headers={"Accept": "text/html"}), 406)["detail"]
    )
    assert (
        "application/json"
        in problem(api.post("/api/v1/followers", "a", content_type="text/xml"), 415)["detail"]
    )
    problem(api.get("/api/v1/followers?format=xml"), 400, field="format")


def test_nobody_at_all_is_not_added(api, problem) -> None:
    problem(api.post("/api/v1/followers", {}), 400, field="email")
    problem(api.post("/api/v1/followers", {"tags": ["vip"], "name": " "}), 400, field="email")


def test_data_too_deep_for_a_template_is_refused(api, problem) -> None:
    deep: object = 1
    for _ in range(8):
        deep = {"a": deep}
    assert api.post("/api/v1/followers", {"name": "Eve", "metadata": deep}).status_code == 201
    problem(
        api.post("/api/v1/followers", {"name": "Eve", "metadata": {"a": deep}}),
        400,
        field="metadata",
    )


@pytest.mark.parametrize("path", ["", "followers/a%0Ab", "messages/%0A"])
def test_no_address_below_the_api_is_answered_with_a_page(api, problem, path: str) -> None:
    problem(api.get(f"/api/v1/{path}"), 404)


MANY = "?" + "&".join(f"a{number}=1" for number in range(2001))


@pytest.mark.reported
@pytest.mark.parametrize("path", ["followers", "campaigns", "tags", f"followers/{SOMEONE}"])
def test_too_many_parameters_are_refused_and_no_error_of_ours(
    api, problem, caplog, path: str
) -> None:
    body = problem(api.get(f"/api/v1/{path}{MANY}"), 400)
    assert body["detail"] == "An address may have 2,000 parameters at most."
    assert "failed" not in caplog.text


@pytest.mark.reported
def test_too_many_parameters_without_a_key_are_no_error_of_ours(db, client) -> None:
    for path in ("/api/v1/followers", "/api/v1/no-such-thing", "/api/schema/", "/login/", "/"):
        assert client.get(path + MANY).status_code < 500
        assert client.post(path + MANY).status_code < 500


@pytest.mark.reported
def test_a_form_that_staff_post_to_the_api_is_no_error_of_ours(client, sender) -> None:
    client.force_login(sender)
    answer = client.generic("POST", "/api/v1/tags", b"--x", content_type="multipart/form-data")
    assert answer.status_code in (400, 403, 415)
