"""A webhook is signed as the standard says, its receiver's faults are its own,
and nobody else waits for it.
"""

import base64
import datetime as dt
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks import Webhook as Judge
from standardwebhooks import WebhookVerificationError

from apps.channels.contract import BadSettings, Outcome, Remedy, Result
from apps.channels.https import webhook
from apps.channels.https.webhook import StandardWebhooks, new_secret, sealed, signatures
from apps.channels.messages import WebhookMessage
from apps.lib.crypto import encrypt
from apps.lib.ids import uuid7
from apps.notifications.accounts import breaker
from tests.fake_esp import GARBAGE, LOST, SILENT, Answer, Call, FakeEsp
from tests.patience import PATIENCE, shortly
from tests.receiver import unused_port


class FakeReceiver(FakeEsp):
    """A follower's server: takes what it gets, or breaks where the test says so."""

    dialects = {"hook": lambda fake, call: ([], {"ok": True})}


@pytest.fixture(scope="module")
def server() -> Iterator[FakeReceiver]:
    with FakeReceiver() as server:
        yield server


@pytest.fixture
def fake(server: FakeReceiver) -> FakeReceiver:
    server.calls.clear()
    server.faults = []
    webhook._resting.clear()
    return server


@pytest.fixture
def secret() -> str:
    return new_secret()


def a_message(url: str, secret: str, **fields: Any) -> WebhookMessage:
    values: dict[str, Any] = {
        "delivery": uuid7(),
        "url": url,
        "details": sealed(secret),
        "type": "notification.order_shipped",
        "timestamp": dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC),
        "data": {"title": "Привет & 😀", "data": {"order": 7}},
    }
    return WebhookMessage(**(values | fields))


def sent(*messages: WebhookMessage, **settings: Any) -> list[Outcome]:
    with StandardWebhooks.open(settings) as session:
        return [session.send(each) for each in messages]


def to(fake: FakeReceiver) -> str:
    return f"{fake.url}/hook"


def test_the_standards_own_example_is_signed_as_it_says() -> None:
    given = signatures(
        name="msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp=1614265330,
        body=b'{"test": 2432232314}',
        shared=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"],
    )
    assert given == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def judged(call: Call, secret: str) -> Any:
    return Judge(secret).verify(call.body, call.headers)


def test_the_official_library_believes_what_we_send_and_nothing_that_was_altered(
    fake: FakeReceiver, secret: str
) -> None:
    message = a_message(to(fake), secret)
    [outcome] = sent(message)
    assert outcome.result is Result.ACCEPTED, outcome.detail
    [call] = fake.calls
    assert call.headers["content-type"] == "application/json"
    assert judged(call, secret) == json.loads(call.body)
    assert json.loads(call.body) == {
        "type": "notification.order_shipped",
        "timestamp": "2026-11-21T12:00:00+00:00",
        "data": message.data,
    }
    altered = [
        Call(call.path, call.headers, call.body.replace(b"7", b"8")),
        Call(call.path, call.headers | {"webhook-id": "msg_other"}, call.body),
        Call(call.path, call.headers | {"webhook-timestamp": str(int(time.time()) - 1)}, call.body),
    ]
    for each in altered:
        with pytest.raises(WebhookVerificationError):
            judged(each, secret)
    with pytest.raises(WebhookVerificationError):
        judged(call, new_secret())


def test_a_second_try_has_the_same_id_and_a_time_of_its_own(
    fake: FakeReceiver, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = a_message(to(fake), secret)
    fake.faults = [Answer(500, "")]
    begin = int(time.time())
    sent(message)
    monkeypatch.setattr(webhook.time, "time", lambda: begin + 77.0)
    [outcome] = sent(message)
    assert outcome.result is Result.ACCEPTED
    first, second = fake.calls
    assert (
        first.headers["webhook-id"] == second.headers["webhook-id"] == f"msg_{message.delivery.hex}"
    )
    assert first.body == second.body
    assert second.headers["webhook-timestamp"] == str(begin + 77)


def test_while_a_secret_changes_both_open_it_and_later_only_the_new_one(
    fake: FakeReceiver, secret: str
) -> None:
    old = new_secret()
    now = time.time()
    changing = sealed(secret, old=encrypt(old), old_until=now + 100)
    changed = sealed(secret, old=encrypt(old), old_until=now - 1)
    sent(
        a_message(to(fake), secret, details=changing), a_message(to(fake), secret, details=changed)
    )
    during, after = fake.calls
    assert judged(during, old) == judged(during, secret)
    assert judged(after, secret)
    with pytest.raises(WebhookVerificationError):
        judged(after, old)


def test_with_an_ed25519_key_everybody_who_knows_its_public_half_can_check(
    fake: FakeReceiver, secret: str
) -> None:
    account = StandardWebhooks.completed({}, before={})
    assert StandardWebhooks.completed(account, before=account) == account, "it is made once"
    sent(a_message(to(fake), secret), **account)
    [call] = fake.calls
    assert judged(call, secret)
    v1, v1a = call.headers["webhook-signature"].split()
    assert (v1[:3], v1a[:4]) == ("v1,", "v1a,")
    [shown] = StandardWebhooks.shown(account).values()
    verifier = Ed25519PublicKey.from_public_bytes(base64.b64decode(shown.removeprefix("whpk_")))
    signed = (
        f"{call.headers['webhook-id']}.{call.headers['webhook-timestamp']}.".encode() + call.body
    )
    signature = base64.b64decode(v1a.removeprefix("v1a,"))
    verifier.verify(signature, signed)
    with pytest.raises(InvalidSignature):
        verifier.verify(signature, signed + b" ")


@pytest.mark.parametrize(
    ("fault", "result", "remedy"),
    [
        (Answer(200, {}), Result.ACCEPTED, ""),
        (Answer(204), Result.ACCEPTED, ""),
        (Answer(301, "", {"Location": "http://127.0.0.1:1/"}), Result.TRANSIENT, "failing"),
        (Answer(304), Result.TRANSIENT, "failing"),
        (Answer(400, {"error": "no"}), Result.TRANSIENT, "failing"),
        (Answer(401, ""), Result.TRANSIENT, "failing"),
        (Answer(404, ""), Result.TRANSIENT, "failing"),
        (Answer(410, ""), Result.PERMANENT_RECIPIENT, "gone"),
        (Answer(429, ""), Result.TRANSIENT, "failing"),
        (Answer(500, "oops"), Result.TRANSIENT, "failing"),
        (Answer(502, ""), Result.TRANSIENT, "failing"),
        (Answer(503, ""), Result.TRANSIENT, "failing"),
        (Answer(504, ""), Result.TRANSIENT, "failing"),
        (LOST, Result.TRANSIENT, "failing"),
        (SILENT, Result.TRANSIENT, "failing"),
        (GARBAGE, Result.ACCEPTED, ""),  # what stands behind a 200 is its own affair
    ],
)
def test_each_answer_is_charged_to_the_receiver_and_never_to_the_account(
    fake: FakeReceiver, secret: str, fault: Answer | str, result: Result, remedy: str
) -> None:
    fake.faults = [fault]
    [outcome] = sent(
        a_message(to(fake), secret), timeout=shortly() if fault == SILENT else PATIENCE
    )
    assert (outcome.result, outcome.remedy) == (result, Remedy(remedy)), outcome.detail
    assert not breaker.is_fault(outcome)
    assert len(fake.calls) == 1, "no redirect is followed, nothing is tried again behind our back"


@pytest.mark.parametrize(
    "said",
    [
        b"Retry-After: \xb2\r\n\r\n",
        b"Retry-After: Mon, 99999999999999999999 Jan 2027 00:00:00 GMT\r\n\r\n",
        b"\r\n" + b"[" * 60_000,
        b"Transfer-Encoding: chunked\r\n\r\n-5\r\nnothing",
    ],
    ids=["no number", "no date", "brackets", "less than nothing"],
)
def test_nothing_that_a_receiver_says_breaks_the_connection_that_others_share(
    said: bytes, secret: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"HTTP/1.1 503 Busy\r\nConnection: close\r\n" + said)

        server = threading.Thread(target=answer)
        server.start()
        [outcome] = sent(a_message(f"http://127.0.0.1:{listener.getsockname()[1]}/", secret))
        server.join()
    assert outcome.result is Result.TRANSIENT


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_who_asks_us_to_wait_is_left_alone_and_its_neighbour_is_not(
    fake: FakeReceiver, secret: str, status: int
) -> None:
    fake.faults = [Answer(status, "", {"Retry-After": "30"})]
    busy = to(fake)
    first, second, neighbour = sent(
        a_message(busy, secret), a_message(busy, secret), a_message(f"{busy}/neighbour", secret)
    )
    assert (first.result, first.retry_after) == (Result.TRANSIENT, 30)
    assert second.result is Result.TRANSIENT
    assert 29 < (second.retry_after or 0) <= 30
    assert neighbour.result is Result.ACCEPTED
    assert len(fake.calls) == 2


def test_a_receiver_that_is_away_is_tried_again(secret: str) -> None:
    [outcome] = sent(a_message(f"http://127.0.0.1:{unused_port()}/hook", secret))
    assert (outcome.result, outcome.charged) == (Result.TRANSIENT, True)


def test_an_address_in_a_private_network_is_refused_without_a_call(
    fake: FakeReceiver, secret: str, settings: Any
) -> None:
    settings.ALLOW_LOOPBACK = False
    for url in ("https://127.0.0.1:9/", "https://[::ffff:169.254.169.254]/latest", to(fake)):
        [outcome] = sent(a_message(url, secret))
        assert (outcome.result, outcome.remedy) == (Result.PERMANENT_RECIPIENT, Remedy.FAILING)
    assert fake.calls == []


@pytest.mark.parametrize(
    ("fields", "result"),
    [
        ({"details": {}}, Result.TRANSIENT),  # ours to mend
        ({"details": {"secret": "not encrypted by us"}}, Result.TRANSIENT),
        ({"data": {"x": float("nan")}}, Result.PERMANENT_CONTENT),
        ({"data": {"x": "half \ud83d"}}, Result.PERMANENT_CONTENT),
    ],
)
def test_what_can_not_be_signed_or_written_never_leaves(
    fake: FakeReceiver, secret: str, fields: dict[str, Any], result: Result
) -> None:
    assert [each.result for each in sent(a_message(to(fake), secret, **fields))] == [result]
    assert fake.calls == []


@pytest.mark.parametrize("key", ["abc", "whsk_", "whsk_!!!!", "whsk_AAAA", "whsec_" + "A" * 44])
def test_a_key_that_is_none_is_refused_at_once(key: str) -> None:
    with pytest.raises(BadSettings):
        StandardWebhooks.open({"signing_key": key})
