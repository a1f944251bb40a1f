"""A value that has the right form and can't be taken says by its code that its form is right."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.followers.devices import webhooks
from apps.followers.models import Follower, NotificationType
from tests.api.fuzz import trimmed, what_is_wrong
from tests.make import make_follower, make_template

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
_ANNA = {"recipients": [{"email": "anna@example.com"}]}
_BROWSER = {"channel": "web_push", "keys": {"p256dh": "none", "auth": "none"}}
_WALL = {"wall": "2035-05-31T09:00", "time_zone": "Europe/Berlin"}
_LONG_AGO = "2000-01-01T00:00:00Z"
_MORE_THAN_WORDS = {"all": [{"field": "data.total", "op": "greater", "value": "much"}]}


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
        ("campaigns", {**_CAMPAIGN, "template": NO_ID}),
        ("campaigns", {**_CAMPAIGN, "copy_of": NO_ID}),
        ("notify", {"type": "news", **_ANNA, **_WALL, "wall": "2035-02-30T09:00"}),
        ("followers/{id}/webhooks", {"url": "https://hooks.partner.example:81/"}),
        ("followers/{id}/webhooks", {"url": "https://hooks..example/"}),
        ("followers/{id}/webhooks", {"url": "https://hooks.example:65536/"}),
        ("followers/{id}/webhooks", {"url": "https://[::::]/"}),
        ("followers/{id}/webhooks", {"url": "https://[1.2.3.4]/"}),
        ("followers/{id}/webhooks", {"url": "https://hooks\u2100.example/"}),
        ("followers/{id}/webhooks", {"url": "https://hooks\u00a0.example/"}),
        ("followers/{id}/webhooks", {"url": "https://hooks\\.example/"}),
        ("followers/{id}/devices", {**_BROWSER, "endpoint": "https://[::::]/"}),
        ("followers/{id}/devices", {**_BROWSER, "endpoint": "https://push.example:65536/"}),
    ],
)
def test_what_names_something_that_is_not_there_is_not_found(
    api: APIClient, news: NotificationType, anna: Follower, path: str, body: dict[str, Any]
) -> None:
    assert codes(api.post(f"/api/v1/{path.format(id=anna.uid)}", body)) == {"not_found"}


def test_a_phone_that_nobody_can_have_is_not_found(api: APIClient) -> None:
    assert codes(api.get("/api/v1/followers", {"phone": "+999 1234567"})) == {"not_found"}


@pytest.mark.parametrize("days", [-1, 0, 400])
def test_a_pause_ends_within_the_next_year_or_not_now(
    api: APIClient, anna: Follower, days: int
) -> None:
    until = timezone.now() + dt.timedelta(days=days)
    address = f"/api/v1/followers/{anna.uid}/delivery-preferences"
    assert codes(api.patch(address, {"paused_until": until.isoformat()})) == {"not_now"}


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
        ("event-rules", {**_RULE, "conditions": _MORE_THAN_WORDS}),
    ],
)
def test_what_does_not_go_with_the_rest_is_unfit(
    api: APIClient, news: NotificationType, path: str, body: dict[str, Any]
) -> None:
    assert codes(api.post(f"/api/v1/{path}", body)) == {"unfit"}


def test_no_device_goes_before_the_others(api: APIClient, anna: Follower) -> None:
    device = {"channel": "push", "service": "fcm", "token": "abc"}
    made = api.post(f"/api/v1/followers/{anna.uid}/devices", device).json()
    address = f"/api/v1/followers/{anna.uid}/addresses/{made['id']}/primary"
    assert codes(api.post(address)) == {"unfit"}


def test_a_version_without_words_for_a_channel_does_not_go_with_it(
    api: APIClient, news: NotificationType
) -> None:
    template = make_template()
    address = f"/api/v1/templates/{template.uid}/versions/1"
    assert codes(api.post(f"{address}/preview", {"type": "news", "channel": "sms"})) == {"unfit"}


def test_what_is_right_in_each_part_and_too_much_says_so(api: APIClient, anna: Follower) -> None:
    rule: dict[str, Any] = {"field": "language", "op": "is", "value": "en"}
    deep = rule
    for _ in range(6):
        deep = {"all": [deep]}
    count = "/api/v1/segments/count"
    assert codes(api.post(count, {"rules": deep})) == {"too_much"}
    several = {"all": [{"all": [rule] * 30}, {"all": [rule] * 30}]}
    assert codes(api.post(count, {"rules": several})) == {"too_much"}
    address = f"/api/v1/followers/{anna.uid}"
    assert codes(api.patch(address, {"metadata": {"text": "x" * 17_000}})) == {"too_much"}
    event = {"name": "order.paid", "data": {"text": "x" * 300_000}}
    assert codes(api.post("/api/v1/events", event)) == {"too_much"}


def test_a_follower_has_so_many_webhooks_and_no_more(
    api: APIClient, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhooks, "MOST", 1)
    address = f"/api/v1/followers/{anna.uid}/webhooks"
    assert api.post(address, {"url": "https://hooks.partner.example/1"}).status_code == 201
    second = api.post(address, {"url": "https://hooks.partner.example/2"})
    assert (second.status_code, second.json()["errors"][0]["code"]) == (409, "too_many_webhooks")


# ---- of people inside a call
_MARS = {"email": "new@example.com", "time_zone": "Mars/Olympus"}


def test_a_person_in_a_call_is_refused_as_one_alone_would_be(
    api: APIClient, anna: Follower, news: NotificationType
) -> None:
    make_template()
    to = {"type": "news", "template": "letter"}
    [fault] = api.post("/api/v1/notify", {**to, "recipients": [_MARS]}).json()["errors"]
    assert (fault["field"], fault["code"]) == ("recipients.0.time_zone", "unknown_zone")
    [fault] = api.post("/api/v1/events", {"name": "a", "follower": _MARS}).json()["errors"]
    assert (fault["field"], fault["code"]) == ("follower.time_zone", "unknown_zone")
    [fault] = api.post("/api/v1/events", {"name": "a", "follower": {"id": NO_ID}}).json()["errors"]
    assert (fault["field"], fault["code"]) == ("follower", "not_found")
    bulk = {"events": [{"name": "a", "follower": _MARS}, {"name": "b", "occurred_at": _LONG_AGO}]}
    told = api.post("/api/v1/events/bulk", bulk).json()["results"]
    assert [each["errors"][0]["code"] for each in told] == ["unknown_zone", "not_now"]


def test_an_address_of_another_follower_is_a_conflict_that_names_who_has_it(
    api: APIClient, anna: Follower, news: NotificationType
) -> None:
    make_template()
    make_follower(email="boris@example.com", external_id="c-17")
    twice = {"external_id": "c-17", "email": "anna@example.com"}
    to = {"type": "news", "template": "letter"}
    told = api.post("/api/v1/notify", {**to, "recipients": [{"id": str(anna.uid)}, twice]})
    [fault] = told.json()["errors"]
    assert (told.status_code, told.json()["follower"]) == (409, str(anna.uid))
    assert (fault["field"], fault["code"]) == ("recipients.1.email", "address_taken")
    assert fault["detail"].startswith("This email belongs to another follower already")
    said = api.post("/api/v1/events", {"name": "a", "follower": twice})
    assert (said.status_code, said.json()["errors"][0]["field"]) == (409, "follower.email")
    bulk = api.post("/api/v1/events/bulk", {"events": [{"name": "a", "follower": twice}]})
    [result] = bulk.json()["results"]
    assert (result["result"], result["errors"][0]["code"]) == ("refused", "address_taken")


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


@pytest.mark.parametrize("words", [{"de": None}, {"en": {"sms": {"body": "Hi"}}, "de": None}])
def test_a_language_without_words_is_left_out_of_a_new_campaign(
    api: APIClient, news: NotificationType, words: dict[str, Any]
) -> None:
    made = api.post("/api/v1/campaigns", {**_CAMPAIGN, "translations": words})
    assert made.status_code == 201, made.json()


def test_there_is_no_cell_of_a_type_or_a_channel_that_is_not_there(
    api: APIClient, anna: Follower, news: NotificationType
) -> None:
    cells = f"/api/v1/followers/{anna.uid}/preferences"
    assert api.put(f"{cells}/none/email", {"own": True}).status_code == 404
    assert api.put(f"{cells}/news/fax", {"own": True}).status_code == 404
    assert api.put(f"{cells}/news/email", {"own": True}).status_code == 200


def test_a_tag_that_is_longer_as_we_keep_it_is_too_much(api: APIClient) -> None:
    assert codes(api.post("/api/v1/tags", {"name": "\u0958" * 80})) == {"too_much"}


def test_the_generator_of_calls_reads_texts_without_the_blanks_around_them() -> None:
    body = {"reason": " moved\n", "tags": ["\tvip ", 7], "more": {"wording": "v1\u00a0"}}
    assert trimmed(body) == {"reason": "moved", "tags": ["vip", 7], "more": {"wording": "v1"}}


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
