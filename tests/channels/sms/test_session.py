"""What every SMS provider promises, against a server that speaks its language and breaks in every
way.
"""

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from apps.channels.contract import BadSettings, Outcome, Result
from apps.channels.messages import SmsMessage
from apps.channels.sms.session import Sms
from apps.channels.sms.sinch import Sinch
from apps.channels.sms.twilio import Twilio
from apps.channels.sms.vonage import Vonage
from apps.lib.ids import uuid7
from tests.channels.flow import Handed
from tests.fake_esp import GARBAGE, HALF, KEY, LOST, SILENT, Answer, Deaf
from tests.fake_sms import SAYS, SENDER, FakeSms
from tests.patience import PATIENCE, shortly, until
from tests.receiver import unused_port

KINDS: list[type[Sms]] = [Twilio, Vonage, Sinch]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.key)
def kind(request: pytest.FixtureRequest) -> type[Sms]:
    found: type[Sms] = request.param
    return found


@pytest.fixture
def fake() -> Iterator[FakeSms]:
    with FakeSms() as fake:
        yield fake


def a_text(to: str = "+4915112340001", body: str = "Hello Anna", **fields: Any) -> SmsMessage:
    return SmsMessage(delivery=uuid7(), to=to, body=body, **fields)


def sent(fake: FakeSms, kind: type[Sms], *texts: SmsMessage, **settings: Any) -> list[Outcome]:
    with kind.open(fake.settings(kind.key, **settings)) as session:
        return [session.send(text) for text in texts]


@pytest.mark.parametrize("body", ["Hello Anna", "Привет & ‘hi’ + 100% 😀\nsecond line", "a" * 1600])
def test_a_text_arrives_as_it_was_written_and_the_providers_id_is_kept(
    kind: type[Sms], fake: FakeSms, body: str
) -> None:
    text = a_text(body=body)
    [outcome] = sent(fake, kind, text, status_url="https://carillon.example/hooks/sms?site=1")
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert outcome.provider_id
    [arrived] = fake.arrived
    assert (arrived.to, arrived.sender, arrived.body, arrived.media) == (text.to, SENDER, body, [])
    assert arrived.delivery == str(text.delivery)
    assert (
        arrived.report_to == f"https://carillon.example/hooks/sms?site=1&delivery={text.delivery}"
    )


def test_no_delivery_report_is_asked_for_where_nobody_would_hear_it(
    kind: type[Sms], fake: FakeSms
) -> None:
    [outcome] = sent(fake, kind, a_text())
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert fake.arrived[0].report_to == ""


def test_a_picture_goes_out_as_mms_with_its_text_or_without(kind: type[Sms], fake: FakeSms) -> None:
    picture = "https://carillon.example/m/cat.png"
    texts = [a_text(media=(picture,)), a_text(body="", media=(picture,))]
    assert [each.result for each in sent(fake, kind, *texts)] == [Result.ACCEPTED] * 2
    assert [(each.body, each.media) for each in fake.arrived] == [
        ("Hello Anna", [picture]),
        ("", [picture]),
    ]


@pytest.mark.parametrize(("kind", "most"), [(Twilio, 10), (Vonage, 1), (Sinch, 1)])
def test_more_pictures_than_the_provider_takes_never_leave(
    kind: type[Sms], most: int, fake: FakeSms
) -> None:
    pictures = tuple(f"https://carillon.example/m/{number}.png" for number in range(most + 1))
    as_many, too_many = sent(fake, kind, a_text(media=pictures[:most]), a_text(media=pictures))
    assert as_many.result is Result.ACCEPTED, as_many.detail
    assert fake.arrived[0].media == list(pictures[:most])
    assert (too_many.result, len(fake.calls)) == (Result.PERMANENT_CONTENT, 1)


@pytest.mark.parametrize(
    ("fault", "result", "charged"),
    [
        (Answer(429, {}), Result.THROTTLED, False),
        (Answer(500, {"message": "oops"}), Result.IN_DOUBT, True),
        (Answer(502, "<html>Bad Gateway</html>"), Result.IN_DOUBT, True),
        (Answer(504, "<html>Gateway Time-out</html>"), Result.IN_DOUBT, True),
        (Answer(503, "maintenance"), Result.TRANSIENT, False),
        (Answer(503, "maintenance", {"Retry-After": "30"}), Result.THROTTLED, False),
        (Answer(408, ""), Result.TRANSIENT, False),
        (Answer(404, {"message": "no such page"}), Result.ACCOUNT, False),
        (Answer(302, "", {"Location": "http://127.0.0.1:1/elsewhere"}), Result.ACCOUNT, False),
        (Answer(400, "<html>"), Result.PERMANENT_CONTENT, True),
        (LOST, Result.IN_DOUBT, True),
        (HALF, Result.IN_DOUBT, True),
        (SILENT, Result.IN_DOUBT, True),
        (GARBAGE, Result.IN_DOUBT, True),
        (Answer(200, {"status": "fine"}), Result.IN_DOUBT, True),
        (Answer(200, ["fine"]), Result.IN_DOUBT, True),
    ],
)
def test_each_way_a_call_can_end_is_charged_to_what_it_was_about(
    kind: type[Sms], fake: FakeSms, fault: Answer | str, result: Result, charged: bool
) -> None:
    fake.faults = [fault]
    first, then = sent(
        fake,
        kind,
        a_text(),
        a_text("+4915112340002"),
        timeout=shortly() if fault == SILENT else PATIENCE,
    )
    assert (first.result, first.charged) == (result, charged), first.detail
    assert then.result is Result.ACCEPTED, "a neighbour is not hurt"
    assert len(fake.calls) == 2, "nothing is tried again behind our back"


@pytest.mark.reported
def test_a_code_nobody_has_listed_is_read_by_its_words(fake: FakeSms) -> None:
    words = "Your account has exceeded its daily limit of messages"
    fake.faults = [Answer(400, {"code": 99_999, "message": words, "status": 400})]
    [outcome] = sent(fake, Twilio, a_text())
    assert outcome == Outcome(Result.ACCOUNT, f"400 {words}")


@pytest.mark.parametrize(
    ("about", "result", "charged"),
    [
        ("recipient", Result.PERMANENT_RECIPIENT, True),
        ("opted_out", Result.PERMANENT_RECIPIENT, True),
        ("content", Result.PERMANENT_CONTENT, True),
        (
            "pair",
            Result.PERMANENT_CONTENT,
            True,
        ),  # the number may be fine, and so are other messages
        ("sender", Result.ACCOUNT, False),
        ("account", Result.ACCOUNT, False),
        ("throttled", Result.THROTTLED, False),
    ],
)
def test_a_refusal_is_understood_in_the_providers_own_words(
    kind: type[Sms], fake: FakeSms, about: str, result: Result, charged: bool
) -> None:
    fake.faults = [SAYS[kind.key][about]]
    [outcome] = sent(fake, kind, a_text())
    assert (outcome.result, outcome.charged) == (result, charged), outcome.detail
    assert fake.arrived == []


@pytest.mark.parametrize(
    ("code", "result", "remedy"),
    [
        (21610, Result.PERMANENT_RECIPIENT, "stopped"),
        (21211, Result.PERMANENT_RECIPIENT, "bounced"),
        (21614, Result.PERMANENT_RECIPIENT, "bounced"),
        (21635, Result.PERMANENT_RECIPIENT, "bounced"),
        (21214, Result.PERMANENT_RECIPIENT, ""),  # can't be reached: today
        (21612, Result.PERMANENT_CONTENT, ""),
        (21620, Result.PERMANENT_CONTENT, ""),
        (21659, Result.ACCOUNT, ""),
        (20005, Result.ACCOUNT, ""),
        (63038, Result.THROTTLED, ""),
        (99999, Result.PERMANENT_CONTENT, ""),
    ],
)
def test_twilios_codes_tell_whom_a_refusal_is_about(
    fake: FakeSms, code: int, result: Result, remedy: str
) -> None:
    fake.faults = [Answer(400, {"code": code, "message": "no", "status": 400})]
    [outcome] = sent(fake, Twilio, a_text())
    assert (outcome.result, outcome.remedy) == (result, remedy)


@pytest.mark.parametrize(
    ("code", "remedy"),
    [(1050, "stopped"), (1170, "bounced"), (1250, "bounced"), (1430, "bounced"), (1040, "")],
)
def test_vonages_codes_tell_what_is_with_a_number(fake: FakeSms, code: int, remedy: str) -> None:
    fake.faults = [
        Answer(
            422, {"type": f"https://developer.vonage.com/api-errors/messages#{code}", "title": "x"}
        )
    ]
    assert [each.remedy for each in sent(fake, Vonage, a_text())] == [remedy]


@pytest.mark.parametrize(
    ("names", "result"),
    [
        (["to"], Result.PERMANENT_RECIPIENT),
        (["from"], Result.ACCOUNT),
        (["text"], Result.PERMANENT_CONTENT),
        (["to", "text"], Result.PERMANENT_CONTENT),
    ],
)
def test_vonage_names_the_fields_it_does_not_take(
    fake: FakeSms, names: list[str], result: Result
) -> None:
    wrong = [{"name": name, "reason": "no"} for name in names]
    said = {
        "type": "https://developer.vonage.com/api-errors/messages#1020",
        "invalid_parameters": wrong,
    }
    fake.faults = [Answer(422, said)]
    assert [each.result for each in sent(fake, Vonage, a_text())] == [result]


def test_when_to_come_back_is_kept(kind: type[Sms], fake: FakeSms) -> None:
    fake.faults = [Answer(429, {}, {"Retry-After": "17"})]
    [outcome] = sent(fake, kind, a_text())
    assert (outcome.result, outcome.retry_after) == (Result.THROTTLED, 17)


def test_a_provider_that_is_down_is_the_accounts_fault_and_says_why(
    kind: type[Sms], fake: FakeSms
) -> None:
    [outcome] = sent(fake, kind, a_text(), api_url=f"http://127.0.0.1:{unused_port()}")
    assert (outcome.result, outcome.charged) == (Result.ACCOUNT, False)
    assert "refused" in outcome.detail.lower()


def test_a_call_that_breaks_off_before_its_last_byte_was_not_accepted(
    kind: type[Sms], fake: FakeSms
) -> None:
    with Deaf() as deaf:
        [outcome] = sent(fake, kind, a_text(body="x" * 20_000_000), api_url=deaf.url)
    assert (outcome.result, outcome.charged) == (Result.TRANSIENT, False), outcome.detail


@pytest.mark.parametrize(
    "to", ["", "4915112340001", "+", "+49151 1234", "+0151123456", "anna@example.com", "+49" * 9]
)
def test_what_is_no_number_with_a_country_code_never_leaves(
    kind: type[Sms], fake: FakeSms, to: str
) -> None:
    assert [each.result for each in sent(fake, kind, a_text(to))] == [Result.PERMANENT_RECIPIENT]
    assert fake.calls == []


@pytest.mark.parametrize("body", ["", " \n", "half \ud83d"])
def test_a_text_that_says_nothing_never_leaves(kind: type[Sms], fake: FakeSms, body: str) -> None:
    assert [each.result for each in sent(fake, kind, a_text(body=body))] == [
        Result.PERMANENT_CONTENT
    ]
    assert fake.calls == []


def test_no_key_is_in_any_outcome_or_log(
    kind: type[Sms], fake: FakeSms, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.faults = [
        Answer(400, {"message": KEY}),
        SAYS[kind.key]["account"],
        LOST,
        Answer(500, KEY),
        Answer(200, KEY),
    ]
    outcomes = sent(fake, kind, *[a_text() for _ in range(6)])
    assert outcomes[-1].result is Result.ACCEPTED
    assert KEY not in str(outcomes)
    assert KEY not in caplog.text


def test_one_connection_carries_many_calls_and_one_that_was_closed_costs_nobody_anything(
    kind: type[Sms], fake: FakeSms
) -> None:
    with kind.open(fake.settings(kind.key)) as session:
        assert [session.send(a_text()).result for _ in range(3)] == [Result.ACCEPTED] * 3
        assert fake.connections == 1
        fake.impatient = True
        for number in range(1, 4):
            assert session.send(a_text()).result is Result.ACCEPTED
            until(lambda n=number: fake.closed == n, "the fake has closed it")  # type: ignore[misc]
    assert len(fake.arrived) == 6


def test_after_an_account_fault_the_rest_stays_untouched(kind: type[Sms], fake: FakeSms) -> None:
    fake.faults = [SAYS[kind.key]["account"]]
    flow = Handed([a_text() for _ in range(4)])
    with kind.open(fake.settings(kind.key)) as session:
        session.work(flow)
    assert [outcome.result for outcome in flow.outcomes] == [Result.ACCOUNT]
    assert (fake.arrived, len(fake.calls)) == ([], 1)
    assert flow.kept_the_rules()


def test_settings_that_can_not_work_are_refused_at_once(kind: type[Sms], fake: FakeSms) -> None:
    [secret] = [each.name for each in kind.settings if each.kind == "secret" and each.required]
    for changes, says in [
        ({secret: ""}, "has no"),
        ({secret: f"{KEY}\n"}, "blank"),
        ({kind.in_path: ""}, "has no"),
        ({kind.in_path: "AC/../x"}, "letters and digits"),
        ({"sender": ""}, "[Ss]ender"),
        ({"api_url": "http://api.example.com/"}, "https://"),
    ]:
        with pytest.raises(BadSettings, match=says):
            kind.open(fake.settings(kind.key, **changes))


def test_an_account_without_an_address_of_the_api_uses_the_usual_one(
    kind: type[Sms], fake: FakeSms
) -> None:
    values = fake.settings(kind.key)
    del values["api_url"]
    for settings in (values, values | {"api_url": ""}):
        assert kind.open(settings).url.startswith("https://")


def test_twilio_may_choose_the_sender_itself(fake: FakeSms) -> None:
    [outcome] = sent(fake, Twilio, a_text(), sender="", messaging_service="MG01")
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert fake.arrived[0].sender == "MG01"
