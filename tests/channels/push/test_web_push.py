"""Web push against a push service of ours: the browser reads it,
and a subscription goes when its service says so.
"""

import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from pywebpush import webpush

from apps.channels.contract import BadSettings, Outcome, Remedy, Result
from apps.channels.messages import PushMessage
from apps.channels.push.web_push import WebPush, keys_of, public_key_of
from apps.channels.push.web_push_encryption import LONGEST, new_private_key
from tests.channels.push_messages import a_push, sent
from tests.fake_esp import LOST, Answer
from tests.fake_push import SUBJECT, Browser, FakePush
from tests.lib.network.test_outside_http import lookup
from tests.receiver import unused_port


@pytest.fixture(scope="module")
def server() -> Iterator[FakePush]:
    with FakePush() as fake:
        yield fake


@pytest.fixture
def fake(server: FakePush) -> FakePush:
    server.calls = []
    server.arrived = []
    server.faults = []
    server.bad = {}
    return server


def to(browser: Browser, **fields: Any) -> PushMessage:
    return a_push(
        browser.endpoint, details=browser.keys() | {"server_key": browser.server_key}, **fields
    )


def put(fake: FakePush, *messages: PushMessage, **settings: Any) -> list[Outcome]:
    return sent(WebPush.open(fake.settings("web_push", **settings)), *messages)


def test_the_browser_reads_what_was_written_and_nobody_on_the_way_can(fake: FakePush) -> None:
    browser = fake.browser()
    message = to(
        browser,
        link="https://carillon.example/x",
        image="https://carillon.example/i",
        ttl=60,
        urgent=True,
    )
    [outcome] = put(fake, message)
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert outcome.provider_id.startswith(fake.url)
    [shown] = fake.arrived
    assert shown.sent == {
        "title": message.title,
        "body": message.body,
        "link": message.link,
        "image": message.image,
        "tag": message.collapse,
        "delivery": str(message.delivery),
    }
    assert (shown.headers["ttl"], shown.headers["urgency"], shown.headers["topic"]) == (
        "60",
        "high",
        message.collapse,
    )
    assert b"Anna" not in fake.calls[0].body


def test_a_message_without_an_end_waits_four_weeks_and_one_that_is_not_urgent_may_spare_the_battery(
    fake: FakePush,
) -> None:
    put(fake, to(fake.browser()), to(fake.browser(), ttl=10**9))
    assert [shown.headers["ttl"] for shown in fake.arrived] == ["2419200"] * 2
    assert {shown.headers["urgency"] for shown in fake.arrived} == {"normal"}


@pytest.mark.parametrize(
    ("status", "result", "remedy"),
    [
        (404, Result.PERMANENT_RECIPIENT, Remedy.GONE),
        (410, Result.PERMANENT_RECIPIENT, Remedy.GONE),
        (413, Result.PERMANENT_CONTENT, Remedy.NONE),
        (400, Result.TRANSIENT, Remedy.NONE),
        (401, Result.TRANSIENT, Remedy.NONE),
        (403, Result.TRANSIENT, Remedy.NONE),
        (429, Result.TRANSIENT, Remedy.NONE),
        (500, Result.TRANSIENT, Remedy.NONE),
        (502, Result.TRANSIENT, Remedy.NONE),
        (503, Result.TRANSIENT, Remedy.NONE),
        (301, Result.TRANSIENT, Remedy.NONE),
        (200, Result.ACCEPTED, Remedy.NONE),
        (202, Result.ACCEPTED, Remedy.NONE),
        (204, Result.ACCEPTED, Remedy.NONE),
    ],
)
def test_each_answer_is_charged_to_what_it_is_about_and_only_the_services_word_ends_a_subscription(
    fake: FakePush, status: int, result: Result, remedy: Remedy
) -> None:
    fake.faults = [Answer(status, None, {"Retry-After": "17"} if status in (429, 503) else {})]
    first, then = put(fake, to(fake.browser()), to(fake.browser()))
    assert (first.result, first.remedy) == (result, remedy), first.detail
    assert first.retry_after == (17 if status in (429, 503) else None)
    assert first.key_refused == (status in (400, 401, 403)), (
        "whose fault that is, one answer does not tell"
    )
    assert then.result is Result.ACCEPTED, "a neighbour is not hurt"


def test_a_service_that_is_away_makes_its_own_browsers_wait_and_keeps_them(fake: FakePush) -> None:
    away = Browser(f"http://127.0.0.1:{unused_port()}/push/1")
    fake.faults = [LOST]
    lost, gone, well = put(fake, to(fake.browser()), to(away), to(fake.browser()))
    assert (lost.result, lost.remedy) == (Result.IN_DOUBT, Remedy.NONE)
    assert (gone.result, gone.remedy, gone.charged) == (Result.TRANSIENT, Remedy.NONE, True)
    assert well.result is Result.ACCEPTED


def test_after_a_change_of_keys_each_browser_is_written_to_with_the_key_it_subscribed_with(
    fake: FakePush,
) -> None:
    before = WebPush.completed(fake.settings("web_push"), before={})
    settings = WebPush.completed(before | {"renew": True}, before=before)
    assert settings["previous_key"] == before["private_key"] != settings["private_key"]
    assert not settings["renew"]
    new, old = (key.public for key in keys_of(settings))
    third = public_key_of(fake.settings("web_push"))
    messages = [to(fake.browser(server_key=key)) for key in (new, old, third)]
    outcomes = sent(WebPush.open(settings), *messages)
    assert [each.result for each in outcomes] == [Result.ACCEPTED] * 2 + [
        Result.PERMANENT_RECIPIENT
    ]
    assert outcomes[2].remedy is Remedy.NONE
    assert len(fake.calls) == 2


def test_a_sender_of_other_people_is_understood_by_the_same_browser(fake: FakePush) -> None:
    browser = fake.browser()
    answer = webpush(
        {"endpoint": browser.endpoint, "keys": browser.keys()},
        json.dumps({"title": "Theirs", "delivery": "1"}),
        vapid_private_key=new_private_key(),
        vapid_claims={"sub": SUBJECT},
        headers={"Urgency": "normal"},
    )
    assert answer.status_code == 201
    assert put(fake, to(browser, title="Ours"))[0].result is Result.ACCEPTED
    assert [shown.title for shown in fake.arrived] == ["Theirs", "Ours"]


def test_one_signature_serves_many_messages_to_a_service(fake: FakePush) -> None:
    put(fake, to(fake.browser()), to(fake.browser()))
    assert len({call.headers["authorization"] for call in fake.calls}) == 1


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://10.0.0.1/x",
        "https://169.254.169.254/x.googleapis.com",
        "https://example.com/",
        "file:///x",
    ],
)
def test_an_endpoint_that_is_none_is_never_called(fake: FakePush, endpoint: str) -> None:
    browser = Browser(endpoint)
    assert [each.result for each in put(fake, to(browser))] == [Result.PERMANENT_RECIPIENT]


def test_a_service_whose_name_leads_into_a_private_network_is_not_called(
    fake: FakePush, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUSH_SERVICES = ["push.example"]
    settings.ALLOW_LOOPBACK = False
    lookup(monkeypatch, ["10.0.0.5"])
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("it was called"))
    [outcome] = put(fake, to(Browser("https://eu.push.example/x")))
    assert (outcome.result, outcome.remedy) == (Result.PERMANENT_RECIPIENT, Remedy.NONE)
    assert "not in the open internet" in outcome.detail


def test_the_connection_goes_to_the_address_that_was_judged(
    fake: FakePush, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.PUSH_SERVICES = ["push.example"]
    settings.ALLOW_LOOPBACK = False
    asked = lookup(monkeypatch, ["93.184.215.14"], ["127.0.0.1"])
    called = []

    def refuse(_: socket.socket, address: Any) -> None:
        called.append(address)
        raise ConnectionRefusedError("no")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    [outcome] = put(fake, to(Browser("https://eu.push.example/x")))
    assert (outcome.result, outcome.charged) == (Result.TRANSIENT, True)
    assert (called, asked) == ([("93.184.215.14", 443)], ["eu.push.example"])


def test_a_message_that_is_too_large_or_says_nothing_never_leaves(fake: FakePush) -> None:
    room = LONGEST - len(b'{"body":"","tag":"","delivery":""}') - 32 - 36
    messages = [to(fake.browser(), title="", body="x" * size) for size in (room, room + 1)]
    messages += [to(fake.browser(), title=" ", body=""), to(fake.browser(), body="half \ud83d")]
    outcomes = put(fake, *messages)
    assert [each.result for each in outcomes] == [Result.ACCEPTED] + [Result.PERMANENT_CONTENT] * 3
    assert len(fake.calls) == 1


def test_settings_that_can_not_work_are_refused_at_once(fake: FakePush) -> None:
    for changes in (
        {"subject": ""},
        {"subject": "hello@example.com"},
        {"private_key": "x"},
        {"previous_key": "x"},
    ):
        with pytest.raises(BadSettings):
            WebPush.open(fake.settings("web_push", **changes))
