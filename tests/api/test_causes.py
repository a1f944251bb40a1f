"""A value that has the right form and can't be taken says by its code that its form is right."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from apps.followers.models import Follower, NotificationType
from tests.api.fuzz import what_is_wrong

pytestmark = [pytest.mark.django_db, pytest.mark.reported]
NO_ID = "01a1fede-6a73-7f95-9a65-bc889ea8d46a"
_CAMPAIGN = {"name": "May", "type": "news"}
_OFTEN = {
    "name": "Often",
    "type": "news",
    "audience": {"everyone": True},
    "cadence": {"kind": "daily", "times": ["09:00"]},
}
_RULE = {"name": "Paid", "event": "order.paid", "type": "news"}
_TYPE = {"key": "word", "name": "Word", "channels": ["email"]}
_NO_TAG = {"field": "tag", "op": "is", "value": "none"}
_PREVIEW = {"cadence": _OFTEN["cadence"]}


def codes(answer: Any) -> set[str]:
    assert answer.status_code == 400, answer.content
    return {each["code"] for each in answer.json()["errors"]}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("campaigns", {**_CAMPAIGN, "type": "none"}),
        ("campaigns", {**_CAMPAIGN, "audience": {"tags": ["none"]}}),
        ("campaigns", {**_CAMPAIGN, "audience": {"segments": [NO_ID]}}),
        ("event-rules", {**_RULE, "template": "none"}),
        ("event-rules", {**_RULE, "to": "segment", "segment": NO_ID}),
        ("messages", {"subject": "Hi", "content": "Hello", "tags": ["none"]}),
        ("message-types", {**_TYPE, "template": "none"}),
        ("notify", {"type": "none", "recipients": [{"name": "Anna"}]}),
        ("notify", {"type": "news", "recipients": [{"id": NO_ID}]}),
        ("notify", {"type": "news", "recipients": [{"external_id": "none"}]}),
        ("notify", {"type": "news", "recipients": [{"name": "Anna"}]}),  # it has no template
        ("recurring/preview", {**_PREVIEW, "time_zone": "Europe/Nowhere"}),
        ("recurring/preview", {"cadence": {"kind": "cron", "cron": "0 9 30 2 *"}}),
        (
            "segments",
            {"name": "A", "rules": {"all": [{"field": "tag", "op": "is", "value": "none"}]}},
        ),
        ("followers", {"phone": "+49 1"}),
    ],
)
def test_what_names_something_that_is_not_there_is_not_found(
    api: APIClient, news: NotificationType, path: str, body: dict[str, Any]
) -> None:
    assert codes(api.post(f"/api/v1/{path}", body)) == {"not_found"}


@pytest.mark.parametrize("cursor", ["none", "bm9uZQ"])
def test_a_cursor_that_nobody_was_given_is_not_found(api: APIClient, cursor: str) -> None:
    assert codes(api.get(f"/api/v1/caps?cursor={cursor}")) == {"not_found"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("events", {"name": "order.paid", "occurred_at": "2099-01-01T00:00:00Z"}),
        ("events", {"name": "order.paid", "occurred_at": "2000-01-01T00:00:00Z"}),
        ("recurring/preview", {**_PREVIEW, "after": "2000-01-01T00:00:00Z"}),
    ],
)
def test_a_moment_too_far_from_now_is_not_now(
    api: APIClient, path: str, body: dict[str, Any]
) -> None:
    assert codes(api.post(f"/api/v1/{path}", body)) == {"not_now"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("event-rules", {**_RULE, "channels": ["voice"]}),
        ("message-types", {**_TYPE, "default_channels": ["sms"]}),
        ("message-types", {**_TYPE, "fallback": ["sms", "email"]}),
        ("message-types", {**_TYPE, "schema": {"type": "word"}}),
        ("segments/count", {"rules": {"all": [{"field": "tag", "op": "in", "value": "one"}]}}),
    ],
)
def test_what_does_not_go_with_the_rest_is_unfit(
    api: APIClient, news: NotificationType, path: str, body: dict[str, Any]
) -> None:
    assert codes(api.post(f"/api/v1/{path}", body)) == {"unfit"}


def test_a_name_that_is_taken_is_a_conflict(api: APIClient) -> None:
    cap = {"name": "Few", "channels": ["email"], "limit": 3, "days": 1}
    api.post("/api/v1/caps", cap)
    again = api.post("/api/v1/caps", cap)
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "cap_name_taken")
    api.post("/api/v1/message-types", _TYPE)
    again = api.post("/api/v1/message-types", _TYPE)
    assert (again.status_code, again.json()["errors"][0]["code"]) == (409, "type_key_taken")


def test_days_take_the_place_of_a_caps_seconds(api: APIClient) -> None:
    cap = {"name": "Few", "channels": ["email"], "limit": 3, "seconds": 60}
    made = api.post("/api/v1/caps", cap).json()
    changed = api.patch(f"/api/v1/caps/{made['id']}", {"days": 7})
    assert changed.status_code == 200, changed.json()
    assert (changed.json()["days"], changed.json()["seconds"]) == (7, None)


def test_a_language_without_words_is_left_out_of_a_new_template(api: APIClient) -> None:
    english = {"email": {"subject": "Hello", "text": "Hello"}}
    body = {"key": "hello", "name": "Hello", "translations": {"en": english, "de": None}}
    made = api.post("/api/v1/templates", body)
    assert made.status_code == 201, made.json()


def test_there_is_no_cell_of_a_type_or_a_channel_that_is_not_there(
    api: APIClient, anna: Follower, news: NotificationType
) -> None:
    cells = f"/api/v1/followers/{anna.uid}/preferences"
    assert api.put(f"{cells}/none/email", {"own": True}).status_code == 404
    assert api.put(f"{cells}/news/fax", {"own": True}).status_code == 404
    assert api.put(f"{cells}/news/email", {"own": True}).status_code == 200


def test_the_generator_of_calls_tells_a_gap_from_what_nobody_can_know() -> None:
    fault = {"field": "type", "code": "not_found", "detail": "There is no message type 'x'."}
    assert what_is_wrong(400, {"errors": [fault]}) == []
    assert what_is_wrong(409, {"detail": "It was sent."}) == []
    gap = {**fault, "code": "bad_type", "detail": "Give a number from 1 to 1,000."}
    assert what_is_wrong(400, {"errors": [fault, gap]}) == [
        "400 type bad_type: Give a number from … to …,…."
    ]
    assert what_is_wrong(400, {"detail": "The body is not JSON."}) == [
        "400  : The body is not JSON."
    ]
