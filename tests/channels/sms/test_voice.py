"""A call is made once, says what the template says in its language,
and its end is believed only with a signature.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.channels.contract import BadSettings, Outcome, Remedy, Result
from apps.channels.messages import VoiceMessage
from apps.channels.sms.voice import LONGEST, TwilioVoice
from apps.content import drafts
from apps.lib.ids import uuid7
from apps.notifications.accounts.edit import create_account
from tests.fake_esp import KEY, LOST, SILENT, Answer
from tests.fake_sms import SENDER, FakeSms
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, stands, tell
from tests.patience import PATIENCE, shortly
from tests.subscriptions.phone import PHONE, Phone


@pytest.fixture(scope="module")
def server() -> Iterator[FakeSms]:
    with FakeSms() as server:
        yield server


@pytest.fixture
def fake(server: FakeSms) -> FakeSms:
    server.calls.clear()
    server.arrived.clear()
    server.faults = []
    server.bad = {}
    return server


def called(
    fake: FakeSms, body: str = "Hello Anna", language: str = "en", **settings: Any
) -> Outcome:
    message = VoiceMessage(delivery=uuid7(), to=PHONE, body=body, language=language)
    with TwilioVoice.open(fake.settings("twilio_voice", **settings)) as session:
        return session.send(message)


@pytest.mark.parametrize(
    ("language", "spoken"),
    [
        ("en", "en-US"),
        ("en-GB", "en-GB"),
        ("ru", "ru-RU"),
        ("zh", "cmn-CN"),
        ('x"><Hangup/>', 'x"><Hangup/>'),
    ],
)
def test_what_is_said_is_spoken_as_it_was_written(
    fake: FakeSms, language: str, spoken: str
) -> None:
    body = "Tom & Anna: 5 < 6 </Say><Dial>900</Dial>"
    outcome = called(fake, body, language)
    assert (outcome.result, outcome.provider_id) == (Result.ACCEPTED, "CA1"), outcome.detail
    [arrived] = fake.arrived
    assert (arrived.to, arrived.sender, arrived.body, arrived.media) == (
        PHONE,
        SENDER,
        body,
        [spoken],
    )


@pytest.mark.parametrize("body", ["", " ", "a" * LONGEST])
def test_nothing_and_too_much_are_not_spoken(fake: FakeSms, body: str) -> None:
    assert called(fake, body).result is Result.PERMANENT_CONTENT
    assert fake.calls == []


@pytest.mark.parametrize(
    ("code", "result", "remedy"),
    [
        ("21211", Result.PERMANENT_RECIPIENT, "bounced"),
        ("13224", Result.PERMANENT_RECIPIENT, "bounced"),
        ("21214", Result.PERMANENT_RECIPIENT, ""),
        ("21614", Result.PERMANENT_RECIPIENT, ""),  # a landline can be called
        ("21215", Result.PERMANENT_CONTENT, ""),
        ("20003", Result.ACCOUNT, ""),
        ("21210", Result.ACCOUNT, ""),
        ("21220", Result.THROTTLED, ""),
    ],
)
def test_twilios_codes_tell_whom_a_refusal_is_about(
    fake: FakeSms, code: str, result: Result, remedy: str
) -> None:
    fake.faults = [Answer(400, {"code": int(code), "message": "no"})]
    outcome = called(fake)
    assert (outcome.result, outcome.remedy) == (result, Remedy(remedy)), outcome.detail


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        (Answer(429, {}), Result.THROTTLED),
        (Answer(500, "oops"), Result.IN_DOUBT),
        (Answer(503, ""), Result.TRANSIENT),
        (LOST, Result.IN_DOUBT),
        (SILENT, Result.IN_DOUBT),
    ],
)
def test_a_lost_answer_may_have_been_a_call(fake: FakeSms, fault: Any, result: Result) -> None:
    fake.faults = [fault]
    assert called(fake, timeout=shortly() if fault == SILENT else PATIENCE).result is result


def test_settings_that_can_not_work_are_refused(fake: FakeSms) -> None:
    for changes in ({"sender": ""}, {"auth_token": ""}, {"account_sid": "../x"}):
        with pytest.raises(BadSettings):
            TwilioVoice.open(fake.settings("twilio_voice", **changes))


def test_a_call_rings_the_number_that_texts_go_to_and_twilio_tells_how_it_ended(
    fake: FakeSms, db: None, client: Client, settings: Any
) -> None:
    now = timezone.now()
    values = fake.settings("twilio_voice", status_url="https://carillon.example/p/sms/x/")
    account = create_account(
        enabled=True, name="Calls", provider_key="twilio_voice", settings=values, by=TESTER, now=now
    )
    words = {"en": {"voice": {"body": "Hello {{ follower.name }}"}}}
    template = drafts.create_template(
        key="call", name="Call", translations=words, by=TESTER, now=now
    )
    version = drafts.publish(template=template, by=TESTER, now=now)
    phone = Phone(client, account, settings.SITE_URL)
    for key, word, status in [("a", "completed", "delivered"), ("b", "no-answer", "failed")]:
        anna = make_follower(name="Anna", phone=f"{PHONE[:-1]}{ord(key) % 10}")
        kind = make_type(key=key, channels=["voice"], default_channels=["voice"])
        notification = tell(kind, [anna], version=version, channels=["voice"])
        drain()
        row = notification.deliveries.get()
        assert (row.status, fake.arrived[-1].body, fake.arrived[-1].delivery) == (
            "sent",
            "Hello Anna",
            str(row.uid),
        )
        said = {
            "CallSid": row.provider_id,
            "CallStatus": "ringing",
            "From": SENDER,
            "To": anna.phone,
        }
        where = {"query": f"?delivery={row.uid}", "secret": KEY}
        assert phone.posts(said, **where) == 200
        assert phone.posts(said | {"CallStatus": word}, query=where["query"], secret="wrong") == 403
        assert stands(notification) == {"sent": 1}
        assert phone.posts(said | {"CallStatus": word}, **where) == 200
        assert stands(notification) == {status: 1}
