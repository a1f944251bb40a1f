"""FCM against a server that speaks its language: each row of Google's table of errors,
and one token for all.
"""

import json
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from apps.channels.contract import BadSettings, Outcome, Remedy, Result
from apps.channels.messages import PushMessage
from apps.channels.push import fcm_token
from apps.channels.push.fcm import Fcm
from apps.channels.push.payload import LARGEST
from tests.channels.flow import Handed
from tests.channels.push_messages import PHONE, a_push, sent
from tests.fake_esp import GARBAGE, HALF, LOST, SILENT, Answer
from tests.fake_push import PROJECT, SAYS, FakePush, google_key, pem
from tests.patience import PATIENCE, shortly
from tests.receiver import unused_port


@pytest.fixture(scope="module")
def server() -> Iterator[FakePush]:
    with FakePush() as fake:
        yield fake


@pytest.fixture
def fake(server: FakePush, monkeypatch: pytest.MonkeyPatch) -> FakePush:
    server.calls = []
    server.arrived = []
    server.faults = []
    server.bad = {}
    server.oauth.calls = []
    server.oauth.faults = []
    server.oauth.seconds = 3599
    monkeypatch.setattr(fcm_token, "_held", {})
    return server


def put(fake: FakePush, *messages: PushMessage, **settings: Any) -> list[Outcome]:
    return sent(Fcm.open(fake.settings("fcm", **settings)), *messages)


def test_a_message_arrives_as_it_was_written_and_googles_id_is_kept(fake: FakePush) -> None:
    message = a_push(
        link="https://carillon.example/x",
        image="https://carillon.example/i.png",
        ttl=600,
        urgent=True,
    )
    [outcome] = put(fake, message)
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert outcome.provider_id == f"projects/{PROJECT}/messages/0:1"
    [shown] = fake.arrived
    assert (shown.token, shown.title, shown.body) == (PHONE, message.title, message.body)
    assert (shown.link, shown.image, shown.delivery) == (
        message.link,
        message.image,
        str(message.delivery),
    )
    android = {
        "priority": "HIGH",
        "ttl": "600s",
        "collapse_key": "a" * 32,
        "notification": {"tag": "a" * 32},
    }
    assert shown.sent["android"] == android
    assert shown.sent["apns"]["headers"]["apns-collapse-id"] == "a" * 32


def test_a_message_without_an_end_waits_four_weeks_and_may_spare_the_battery(
    fake: FakePush,
) -> None:
    put(fake, a_push(title="", collapse=""))
    [shown] = fake.arrived
    assert shown.sent["android"] == {"priority": "NORMAL", "ttl": "2419200s"}
    assert shown.sent["notification"] == {"body": shown.body}


@pytest.mark.parametrize(
    ("said", "result", "remedy", "charged"),
    [
        ("unregistered", Result.PERMANENT_RECIPIENT, Remedy.GONE, True),
        ("mismatch", Result.PERMANENT_RECIPIENT, Remedy.GONE, True),
        ("no_token", Result.PERMANENT_RECIPIENT, Remedy.GONE, True),
        ("content", Result.PERMANENT_CONTENT, Remedy.NONE, True),
        ("too_big", Result.PERMANENT_CONTENT, Remedy.NONE, True),
        ("apple_key", Result.ACCOUNT, Remedy.NONE, False),
        ("denied", Result.ACCOUNT, Remedy.NONE, False),
        ("no_project", Result.ACCOUNT, Remedy.NONE, False),
        ("quota", Result.THROTTLED, Remedy.NONE, False),
        ("quota_17", Result.THROTTLED, Remedy.NONE, False),
        ("internal", Result.TRANSIENT, Remedy.NONE, True),
        ("unavailable", Result.TRANSIENT, Remedy.NONE, False),
    ],
)
def test_each_row_of_googles_table_is_read_by_its_code_and_only_dead_tokens_go(
    fake: FakePush, said: str, result: Result, remedy: Remedy, charged: bool
) -> None:
    fake.faults = [SAYS[said]]
    [outcome] = put(fake, a_push())
    assert (outcome.result, outcome.remedy, outcome.charged) == (result, remedy, charged), (
        outcome.detail
    )
    assert outcome.retry_after == {"quota": 60, "quota_17": 17}.get(said)
    assert len(fake.calls) == 1, "nothing is tried again behind our back"


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (LOST, Result.IN_DOUBT),
        (HALF, Result.IN_DOUBT),
        (SILENT, Result.IN_DOUBT),
        (GARBAGE, Result.IN_DOUBT),
        (Answer(502, "<html>"), Result.IN_DOUBT),
        (Answer(404, "<html>"), Result.ACCOUNT),
        (Answer(400, ["no"]), Result.PERMANENT_CONTENT),
    ],
)
def test_a_call_without_an_answer_we_can_read_is_in_doubt_and_no_token_goes(
    fake: FakePush, fault: Any, result: Result
) -> None:
    fake.faults = [fault]
    first, then = put(fake, a_push(), a_push(), timeout=shortly() if fault == SILENT else PATIENCE)
    assert (first.result, first.remedy) == (result, Remedy.NONE), first.detail
    assert then.result is Result.ACCEPTED


def test_google_that_can_not_be_reached_is_the_accounts_fault(fake: FakePush) -> None:
    nowhere = f"http://127.0.0.1:{unused_port()}"
    assert [each.result for each in put(fake, a_push(), api_url=nowhere)] == [Result.ACCOUNT]


def test_one_access_token_serves_all_connections_until_shortly_before_its_end(
    fake: FakePush,
) -> None:
    threads = [threading.Thread(target=put, args=(fake, a_push())) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(fake.arrived), len(fake.oauth.calls)) == (4, 1)
    fcm_token._held.clear()
    fake.oauth.seconds = 200  # less than the rest that a call may need
    assert [each.result for each in put(fake, a_push(), a_push())] == [Result.ACCEPTED] * 2
    assert len(fake.oauth.calls) == 3


def test_a_token_that_was_taken_back_is_replaced_by_the_next_try(fake: FakePush) -> None:
    put(fake, a_push())
    fake.oauth.token = "another"
    refused, taken = put(fake, a_push(), a_push())
    assert (refused.result, taken.result) == (Result.ACCOUNT, Result.ACCEPTED)
    assert len(fake.oauth.calls) == 2


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (
            Answer(400, {"error": "invalid_grant", "error_description": "Invalid JWT Signature."}),
            Result.ACCOUNT,
        ),
        (Answer(503, "busy"), Result.ACCOUNT),
        (Answer(200, "<html>"), Result.ACCOUNT),
        (LOST, Result.ACCOUNT),
        (Answer(429, "", {"Retry-After": "9"}), Result.THROTTLED),
    ],
)
def test_without_an_access_token_nothing_leaves_and_no_message_is_charged(
    fake: FakePush, fault: Any, result: Result
) -> None:
    fake.oauth.faults = [fault]
    [outcome] = put(fake, a_push())
    assert (outcome.result, outcome.charged) == (result, False)
    assert outcome.retry_after == (9 if result is Result.THROTTLED else None)
    assert fake.calls == []


def test_a_message_that_is_too_large_or_says_nothing_never_leaves(fake: FakePush) -> None:
    empty = len(b'{"notification":{"body":""},"data":{"delivery":""}}') + 36
    messages = [a_push(title="", body="x" * (LARGEST - empty + more)) for more in (0, 1)]
    messages += [a_push(title=" ", body=""), a_push(body="half \ud83d")]
    outcomes = put(fake, *messages)
    assert [each.result for each in outcomes] == [Result.ACCEPTED] + [Result.PERMANENT_CONTENT] * 3
    assert len(fake.calls) == 1


def test_after_an_account_fault_the_rest_stays_untouched(fake: FakePush) -> None:
    fake.faults = [SAYS["denied"]]
    flow = Handed([a_push() for _ in range(3)])
    with Fcm.open(fake.settings("fcm")) as session:
        session.work(flow)
    assert [outcome.result for outcome in flow.outcomes] == [Result.ACCOUNT]
    assert flow.kept_the_rules()


def test_no_key_is_in_any_outcome_or_log(fake: FakePush, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.faults = [SAYS["denied"], LOST, Answer(500, "oops")]
    outcomes = put(fake, *[a_push() for _ in range(4)])
    assert outcomes[-1].result is Result.ACCEPTED
    for secret in (fake.oauth.token, pem(google_key()).splitlines()[1]):
        assert secret not in str(outcomes) + caplog.text


def test_settings_that_can_not_work_are_refused_at_once(fake: FakePush) -> None:
    account = json.loads(fake.settings("fcm")["service_account"])
    for changes in (
        {"service_account": ""},
        {"service_account": "not json"},
        {"service_account": "[" * 5000},
        {"service_account": json.dumps(account | {"private_key": "x"})},
        {"service_account": json.dumps(account | {"token_uri": "http://oauth.example/"})},
        {"service_account": json.dumps({"type": "service_account"})},
        {"api_url": "http://fcm.example/"},
    ):
        with pytest.raises(BadSettings):
            Fcm.open(fake.settings("fcm", **changes))
