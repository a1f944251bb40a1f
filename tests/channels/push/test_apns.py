"""APNs against a server that speaks HTTP/2 over TLS: its reasons, its tokens,
and connections that end.
"""

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from apps.channels.contract import BadSettings, Outcome, Remedy, Result
from apps.channels.messages import PushMessage
from apps.channels.push import apns
from apps.channels.push.apns import Apns
from apps.channels.push.payload import LARGEST
from tests.channels.push_messages import a_push, sent
from tests.fake_apns import FAREWELL, GOAWAY, TOPIC, FakeApns, says
from tests.fake_esp import LOST, SILENT, Answer
from tests.fake_push import pem
from tests.patience import PATIENCE, shortly
from tests.receiver import unused_port

DEVICE = "ab" * 32


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeApns]:
    with FakeApns(tmp_path_factory.mktemp("apns")) as fake:
        yield fake


@pytest.fixture
def fake(server: FakeApns, monkeypatch: pytest.MonkeyPatch) -> FakeApns:
    monkeypatch.setenv("SSL_CERT_FILE", server.authority)
    monkeypatch.setattr(apns, "_tokens", {})
    server.arrived = []
    server.faults = []
    server.tokens = []
    server.bad = {}
    server.refused_tokens = set()
    server.connections = 0
    return server


def to(device: str = DEVICE, **fields: Any) -> PushMessage:
    return a_push(device, **fields)


def put(fake: FakeApns, *messages: PushMessage, **settings: Any) -> list[Outcome]:
    return sent(Apns.open(fake.settings(**settings)), *messages)


def test_a_message_arrives_as_it_was_written_and_apples_id_is_ours(fake: FakeApns) -> None:
    message = to(
        link="https://carillon.example/x",
        image="https://carillon.example/i.png",
        ttl=600,
        urgent=True,
    )
    began = time.time()
    [outcome] = put(fake, message)
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert outcome.provider_id == str(message.delivery)
    [shown] = fake.arrived
    assert (shown.token, shown.title, shown.body) == (DEVICE, message.title, message.body)
    assert (shown.link, shown.image, shown.delivery) == (
        message.link,
        message.image,
        str(message.delivery),
    )
    headers = shown.headers
    assert (headers["apns-topic"], headers["apns-priority"], headers["apns-collapse-id"]) == (
        TOPIC,
        "10",
        "a" * 32,
    )
    assert began + 599 <= int(headers["apns-expiration"]) <= time.time() + 601


def test_a_device_may_name_its_app_and_its_environment(fake: FakeApns) -> None:
    here = fake.settings()
    elsewhere = f"https://127.0.0.1:{unused_port()}"
    sandbox = to(details={"environment": "sandbox", "topic": "com.example.beta"})
    for settings in (here | {"api_url": elsewhere}, here | {"sandbox_url": elsewhere}):
        outcomes = sent(
            Apns.open(settings), sandbox, to(details={"environment": "production", "topic": ""})
        )
        assert {each.result for each in outcomes} == {Result.ACCEPTED, Result.ACCOUNT}
    assert [shown.headers["apns-topic"] for shown in fake.arrived] == ["com.example.beta", TOPIC]


@pytest.mark.parametrize(
    ("answer", "result", "remedy"),
    [
        (
            says(410, "Unregistered", timestamp=1_700_000_000_123),
            Result.PERMANENT_RECIPIENT,
            Remedy.GONE,
        ),
        (
            says(410, "ExpiredToken", timestamp=1_700_000_000_123),
            Result.PERMANENT_RECIPIENT,
            Remedy.GONE,
        ),
        (says(400, "BadDeviceToken"), Result.PERMANENT_RECIPIENT, Remedy.NONE),
        (says(400, "DeviceTokenNotForTopic"), Result.PERMANENT_RECIPIENT, Remedy.NONE),
        (says(403, "Forbidden"), Result.PERMANENT_CONTENT, Remedy.NONE),
        (says(413, "PayloadTooLarge"), Result.PERMANENT_CONTENT, Remedy.NONE),
        (says(400, "BadCollapseId"), Result.PERMANENT_CONTENT, Remedy.NONE),
        (says(400, "PayloadEmpty"), Result.PERMANENT_CONTENT, Remedy.NONE),
        (says(400, "BadTopic"), Result.ACCOUNT, Remedy.NONE),
        (says(400, "TopicDisallowed"), Result.ACCOUNT, Remedy.NONE),
        (says(403, "InvalidProviderToken"), Result.ACCOUNT, Remedy.NONE),
        (says(403, "MissingProviderToken"), Result.ACCOUNT, Remedy.NONE),
        (says(429, "TooManyProviderTokenUpdates"), Result.ACCOUNT, Remedy.NONE),
        (says(429, "TooManyRequests"), Result.TRANSIENT, Remedy.NONE),
        (says(500, "InternalServerError"), Result.TRANSIENT, Remedy.NONE),
        (says(503, "ServiceUnavailable"), Result.TRANSIENT, Remedy.NONE),
        (says(503, "Shutdown"), Result.TRANSIENT, Remedy.NONE),
        (says(404, "BadPath"), Result.ACCOUNT, Remedy.NONE),
        (Answer(502, None), Result.IN_DOUBT, Remedy.NONE),
    ],
)
def test_each_of_apples_reasons_is_charged_to_what_it_is_about_and_only_dead_tokens_go(
    fake: FakeApns, answer: Answer, result: Result, remedy: Remedy
) -> None:
    fake.faults = [answer]
    first, then = put(fake, to(), to())
    assert (first.result, first.remedy) == (result, remedy), first.detail
    assert first.charged == (result is not Result.ACCOUNT and answer.status != 503)
    assert first.gone_since == (1_700_000_000.123 if answer.status == 410 else None)
    assert then.result is Result.ACCEPTED, "a neighbour is not hurt"
    assert len(fake.arrived) == 1, "nothing is tried again behind our back"
    assert fake.connections == (2 if answer.status >= 500 else 1)


@pytest.mark.parametrize(
    ("details", "status", "reason"),
    [
        ({"topic": "com.example.other"}, 400, "TopicDisallowed"),
        ({"environment": "sandbox"}, 403, "BadEnvironmentKeyInToken"),
    ],
)
def test_what_a_device_says_of_itself_is_not_charged_to_the_account(
    fake: FakeApns, details: dict[str, str], status: int, reason: str
) -> None:
    fake.faults = [says(status, reason), says(status, reason)]
    theirs, ours = put(fake, to(details=details), to())
    assert (theirs.result, theirs.remedy) == (Result.PERMANENT_RECIPIENT, Remedy.NONE)
    assert ours.result is Result.ACCOUNT


def test_a_provider_token_that_is_too_old_is_made_anew_once(fake: FakeApns) -> None:
    with Apns.open(fake.settings()) as session:
        assert session.send(to()).result is Result.ACCEPTED
        fake.refused_tokens = set(fake.tokens)
        assert [session.send(to()).result for _ in range(2)] == [Result.ACCEPTED] * 2
    assert len(set(fake.tokens)) == 2
    assert len(fake.tokens) == 4
    fake.faults = [says(403, "ExpiredProviderToken")] * 2
    [outcome] = put(fake, to())
    assert (outcome.result, outcome.charged, fake.faults) == (Result.ACCOUNT, False, [])


def test_all_connections_use_one_provider_token_for_half_an_hour(fake: FakeApns) -> None:
    token = Apns.open(fake.settings()).token
    assert Apns.open(fake.settings()).token is token
    begun = int(time.time()) // 1800 * 1800
    first, *others, next_one = [token.current(begun + seconds) for seconds in (0, 60, 1799, 1800)]
    assert set(others) == {first}
    assert next_one != first
    assert token.renewed(first) == next_one, "somebody else has renewed it"
    assert token.renewed(next_one) != next_one


def test_a_connection_that_apple_ends_unused_costs_nobody_anything(fake: FakeApns) -> None:
    fake.faults = [GOAWAY, FAREWELL]
    outcomes = put(fake, to(), to(), to())
    assert [each.result for each in outcomes] == [Result.ACCEPTED] * 3, outcomes
    assert (len(fake.arrived), fake.connections) == (3, 3)


@pytest.mark.parametrize("fault", [LOST, SILENT])
def test_a_message_that_left_and_got_no_answer_is_in_doubt(fake: FakeApns, fault: str) -> None:
    fake.faults = [fault]
    first, then = put(fake, to(), to(), timeout=shortly() if fault == SILENT else PATIENCE)
    assert (first.result, then.result) == (Result.IN_DOUBT, Result.ACCEPTED), first.detail


def test_apple_that_can_not_be_reached_is_the_accounts_fault(
    fake: FakeApns, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = f"https://127.0.0.1:{unused_port()}"
    [outcome] = put(fake, to(), api_url=nowhere)
    assert (outcome.result, outcome.charged) == (Result.ACCOUNT, False)
    monkeypatch.delenv("SSL_CERT_FILE")
    [stranger] = put(fake, to())
    assert (stranger.result, fake.tokens) == (Result.ACCOUNT, []), (
        "a server without a good certificate gets no token"
    )


def test_many_messages_take_one_connection(fake: FakeApns) -> None:
    assert {each.result for each in put(fake, *[to() for _ in range(20)])} == {Result.ACCEPTED}
    assert fake.connections == 1


def test_a_message_that_is_too_large_or_says_nothing_never_leaves(fake: FakeApns) -> None:
    empty = len(b'{"aps":{"alert":{"body":""},"sound":"default"},"delivery":""}') + 36
    messages = [to(title="", body="x" * (LARGEST - empty + more)) for more in (0, 1)]
    messages += [to(title=" ", body=""), to(body="half \ud83d")]
    outcomes = put(fake, *messages)
    assert [each.result for each in outcomes] == [Result.ACCEPTED] + [Result.PERMANENT_CONTENT] * 3
    assert len(fake.tokens) == 1


def test_settings_that_can_not_work_are_refused_at_once(fake: FakeApns) -> None:
    other = pem(ec.generate_private_key(ec.SECP384R1()))
    for changes in (
        {"team_id": ""},
        {"topic": ""},
        {"private_key": "x"},
        {"private_key": other},
        {"api_url": "http://x"},
    ):
        with pytest.raises(BadSettings):
            Apns.open(fake.settings(**changes))
    one_line = fake.settings()["private_key"].replace("\n", " ")
    assert Apns.open(fake.settings(private_key=one_line))


def test_what_speaks_to_apple_logs_no_device_token(
    fake: FakeApns, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)  # of the root, as LOG_LEVEL=DEBUG does
    put(fake, to())
    names = logging.root.manager.loggerDict
    spoke = [name for name in names if name.startswith(("http", "h2", "hpack"))]
    loud = [name for name in spoke if logging.getLogger(name).isEnabledFor(logging.INFO)]
    assert {"httpx2", "httpcore2.http2", "hpack.hpack"} <= set(spoke)
    assert loud == []
