"""What every ESP's provider promises,
against a server that speaks that ESP's language and breaks in every way.
"""

import datetime as dt
import logging
import sys
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from apps.channels.contract import BadSettings, Outcome, Result
from apps.channels.messages import Mail, Sender
from apps.channels.registry import provider
from tests.channels.basket import a_mail
from tests.channels.flow import Handed
from tests.fake_esp import GARBAGE, HALF, KEY, LOST, SAYS, SILENT, Answer, Deaf, FakeEsp
from tests.patience import PATIENCE, shortly, until
from tests.receiver import unused_port

LIST = {
    "List-Id": "<news.carillon.example>",
    "List-Unsubscribe": f"<https://carillon.example/p/unsubscribe/{'t' * 75}/>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    "Feedback-ID": "1:news:carillon",
}
WRITES_ITS_OWN_ID = {"brevo", "amazon_ses"}


def sent(fake: FakeEsp, esp: str, *mails: Mail, **settings: Any) -> list[Outcome]:
    with provider(esp).open(fake.settings(esp, **settings)) as session:
        return [session.send(mail) for mail in mails]


def test_a_mail_arrives_with_its_headers_and_the_esps_id_is_kept(esp: str, fake: FakeEsp) -> None:
    mail = a_mail(
        headers=LIST, subject="Grüße 🎉", text="Привет\n\n  Anna", html="<p>Привет &amp; hi</p>"
    )
    [outcome] = sent(fake, esp, mail)
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert outcome.provider_id
    [arrived] = fake.arrived
    assert (arrived.to, arrived.name, arrived.subject) == ("anna@example.com", "Anna", "Grüße 🎉")
    assert (arrived.text.rstrip("\n"), arrived.html.rstrip("\n")) == (
        "Привет\n\n  Anna",
        "<p>Привет &amp; hi</p>",
    )
    assert arrived.delivery == str(mail.delivery)
    assert {name: arrived.headers[name.lower()] for name in LIST} == LIST
    assert arrived.sender == ("Carillon", "hello@carillon.example")
    if esp not in WRITES_ITS_OWN_ID:
        assert arrived.headers["message-id"] == mail.message_id


def test_a_mail_with_text_only_arrives(esp: str, fake: FakeEsp) -> None:
    [outcome] = sent(fake, esp, a_mail(html="", text="1 < 2"))
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert fake.arrived[0].text.strip() == "1 < 2"


def test_one_connection_carries_many_calls_and_one_that_was_closed_costs_nobody_anything(
    esp: str, fake: FakeEsp
) -> None:
    with provider(esp).open(fake.settings(esp)) as session:
        assert [session.send(a_mail()).result for _ in range(3)] == [Result.ACCEPTED] * 3
        assert fake.connections == 1
        fake.impatient = True
        for number in range(1, 4):
            assert session.send(a_mail()).result is Result.ACCEPTED
            until(lambda n=number: fake.closed == n, "the fake has closed it")  # type: ignore[misc]
    assert len(fake.arrived) == 6


@pytest.mark.parametrize(
    ("fault", "result", "charged"),
    [
        (Answer(429, {}), Result.THROTTLED, False),
        (Answer(500, {"message": "oops"}), Result.TRANSIENT, True),
        (Answer(503, "maintenance"), Result.TRANSIENT, False),
        (Answer(503, "maintenance", {"Retry-After": "30"}), Result.THROTTLED, False),
        (Answer(502, "<html>Bad Gateway</html>"), Result.IN_DOUBT, True),
        (Answer(504, "<html>Gateway Time-out</html>"), Result.IN_DOUBT, True),
        (Answer(408, ""), Result.TRANSIENT, False),
        (Answer(404, {"message": "no such page"}), Result.ACCOUNT, False),
        (Answer(302, "", {"Location": "http://127.0.0.1:1/elsewhere"}), Result.ACCOUNT, False),
        (LOST, Result.IN_DOUBT, True),
        (HALF, Result.IN_DOUBT, True),
        (SILENT, Result.IN_DOUBT, True),
        (GARBAGE, Result.IN_DOUBT, True),
    ],
)
def test_each_way_a_call_can_end_is_charged_to_what_it_was_about(
    esp: str, fake: FakeEsp, fault: Answer | str, result: Result, charged: bool
) -> None:
    fake.faults = [fault]
    mails = [a_mail(), a_mail("next@example.com")]
    first, then = sent(fake, esp, *mails, timeout=shortly() if fault == SILENT else PATIENCE)
    assert (first.result, first.charged) == (result, charged), first.detail
    assert then.result is Result.ACCEPTED, "a neighbour is not hurt"
    assert [call for call in fake.calls if "elsewhere" in call.path] == []
    assert len(fake.calls) == 2, "nothing is tried again behind our back"


@pytest.mark.parametrize(
    ("kind", "result", "charged"),
    [
        ("recipient", Result.PERMANENT_RECIPIENT, True),
        ("content", Result.PERMANENT_CONTENT, True),
        ("sender", Result.ACCOUNT, False),
        ("account", Result.ACCOUNT, False),
    ],
)
def test_a_refusal_is_understood_in_the_esps_own_words(
    esp: str, fake: FakeEsp, kind: str, result: Result, charged: bool
) -> None:
    said = SAYS[esp][kind]
    fake.faults = [said]
    [outcome] = sent(fake, esp, a_mail())
    assert (outcome.result, outcome.charged) == (result, charged), outcome.detail
    assert fake.arrived == []


def test_retry_after_is_kept_in_seconds_whether_said_as_such_or_as_a_date(
    esp: str, fake: FakeEsp
) -> None:
    began = dt.datetime.now(dt.UTC)
    date = format_datetime(began + dt.timedelta(seconds=90), usegmt=True)
    fake.faults = [Answer(429, {}, {"Retry-After": said}) for said in ("17", date, "soon")]
    seconds, moment, unclear = sent(fake, esp, a_mail(), a_mail(), a_mail())
    assert seconds.retry_after == 17
    passed = (dt.datetime.now(dt.UTC) - began).total_seconds()
    assert moment.retry_after is not None
    assert 88 - passed < moment.retry_after <= 90
    assert (unclear.result, unclear.retry_after) == (Result.THROTTLED, None)


def test_an_esp_that_is_down_is_the_accounts_fault_and_says_why(esp: str, fake: FakeEsp) -> None:
    [outcome] = sent(fake, esp, a_mail(), api_url=f"http://127.0.0.1:{unused_port()}/")
    assert (outcome.result, outcome.charged) == (Result.ACCOUNT, False)
    assert "can't be reached" in outcome.detail
    assert "refused" in outcome.detail.lower()


def test_a_server_without_tls_gets_nothing_of_a_call_meant_for_https(
    esp: str, fake: FakeEsp
) -> None:
    settings = fake.settings(esp)
    settings["api_url"] = settings["api_url"].replace("http://", "https://")
    with provider(esp).open(settings) as session:
        outcome = session.send(a_mail())
    assert (outcome.result, outcome.charged) == (Result.ACCOUNT, False)
    assert "SSL" in outcome.detail
    assert fake.calls == []


def test_no_key_is_in_any_outcome_or_log(
    esp: str, fake: FakeEsp, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    if (
        esp == "amazon_ses"
    ):  # it is never told the key, so it can't quote it, and boto3 logs what it says
        caplog.set_level(logging.INFO, "botocore")
    fake.faults = [
        Answer(400, {"message": f"key {KEY} is bad"}),
        Answer(401, f"{KEY}?"),
        SAYS[esp]["account"],
        LOST,
        None,
        Answer(500, KEY),
        Answer(422, {"ErrorCode": 300, "Message": KEY}),
    ]
    outcomes = sent(fake, esp, *[a_mail() for _ in range(7)])
    assert len(outcomes) == 7
    assert KEY not in str(outcomes)
    assert KEY not in caplog.text
    assert KEY not in "".join(capfd.readouterr())


def test_passwords_of_this_machine_for_other_things_stay_here(
    esp: str, fake: FakeEsp, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("default login somebody password else\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    [outcome] = sent(fake, esp, a_mail())
    assert outcome.result is Result.ACCEPTED, outcome.detail


@pytest.mark.parametrize("field", ["subject", "to_name", "from_name", "to", "message_id"])
@pytest.mark.parametrize("break_", ["\r\n", "\n", "\x00", "\u2028"])
def test_a_line_break_in_a_header_never_leaves(
    esp: str, fake: FakeEsp, field: str, break_: str
) -> None:
    value = f"x{break_}Bcc: victim@example.com a@example.com"
    if field == "from_name":
        mail = a_mail(sender=Sender(value, "a@example.com"))
    else:
        mail = a_mail(**{field: value})
    [outcome] = sent(fake, esp, mail)
    assert outcome.result is Result.PERMANENT_CONTENT
    [outcome] = sent(fake, esp, a_mail(headers={"List-Id": f"x{break_}Bcc: victim@example.com"}))
    assert outcome.result is Result.PERMANENT_CONTENT
    assert fake.calls == []


ODD = [
    "O'Brien, Anna",
    'quotes "in" it',
    "back\\slash",
    "comma, dot. (comment)",
    "@ <x@y.z>",
    "Борис Иванов",
    "🎉 party",
    "מרים",
    "semi;colon: x",
    "[list]",
    "Иванов, Борис (младший)",
    "a" * 200,
]


@pytest.mark.parametrize("name", ODD)
def test_odd_names_and_subjects_arrive_as_they_are(esp: str, fake: FakeEsp, name: str) -> None:
    [outcome] = sent(fake, esp, a_mail(to_name=name, subject=name))
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert (fake.arrived[0].name, fake.arrived[0].subject) == (name, name)
    assert fake.arrived[0].to == "anna@example.com"


@pytest.mark.reported
@pytest.mark.parametrize("name", ["John@Home", "News: weekly", "a@b.example, c@d.example", *ODD])
def test_a_mail_is_from_exactly_the_name_and_the_address_of_the_account(
    esp: str, fake: FakeEsp, name: str
) -> None:
    [outcome] = sent(fake, esp, a_mail(sender=Sender(name, "hello@carillon.example")))
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert fake.arrived[0].sender == (name, "hello@carillon.example")


def test_a_domain_outside_ascii_goes_out_in_its_ascii_form(esp: str, fake: FakeEsp) -> None:
    [outcome] = sent(fake, esp, a_mail("anna@münchen.example"))
    assert outcome.result is Result.ACCEPTED, outcome.detail
    assert fake.arrived[0].to == "anna@xn--mnchen-3ya.example"


@pytest.mark.parametrize("strict", ["postmark", "amazon_ses"])
def test_an_address_the_esp_can_not_write_to_is_refused_with_the_reason(
    fake: FakeEsp, strict: str
) -> None:
    [outcome] = sent(fake, strict, a_mail("дмитрий@example.com"))
    assert outcome.result is Result.PERMANENT_RECIPIENT
    assert "outside ASCII" in outcome.detail
    assert fake.calls == []


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"from_address": "News"}, "The From address “News” can't be used"),
        ({"from_address": "né@example.com"}, "The From address “né@example.com” can't be used"),
        ({"from_address": "a@example.com\nBcc: b@example.com"}, "Write each in one line"),
        ({"from_name": "News\nBcc: b@example.com"}, "Write each in one line"),
        ({"api_url": "http://api.example.com/"}, "https://"),
    ],
)
def test_settings_that_can_not_work_are_refused_at_once(
    esp: str, fake: FakeEsp, changes: dict[str, str], says: str
) -> None:
    with pytest.raises(BadSettings, match=says):
        provider(esp).open(fake.settings(esp, **changes))


def test_a_missing_or_broken_key_is_named(esp: str, fake: FakeEsp) -> None:
    secrets = [each for each in provider(esp).settings if each.kind == "secret"]
    secret = secrets[0]  # what sends; another may prove what is heard
    with pytest.raises(BadSettings, match=secret.label if secret.required else "both"):
        provider(esp).open(fake.settings(esp, **{secret.name: ""}))
    with pytest.raises(BadSettings, match="blank"):
        provider(esp).open(fake.settings(esp, **{secret.name: f"{KEY}\n"}))


def test_a_mailgun_domain_can_not_lead_elsewhere(fake: FakeEsp) -> None:
    with pytest.raises(BadSettings, match="no domain"):
        provider("mailgun").open(fake.settings("mailgun", domain="a.example/../../v4"))


def test_mailgun_at_a_wrong_address_greets_and_takes_nothing(fake: FakeEsp) -> None:
    fake.faults = [Answer(200, "Mailgun Magnificent API")]
    [outcome] = sent(fake, "mailgun", a_mail())
    assert outcome.result is Result.ACCOUNT


def test_amazon_ses_without_boto3_says_what_to_install(
    fake: FakeEsp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "boto3", None)
    monkeypatch.delitem(sys.modules, "anymail.backends.amazon_ses", raising=False)
    with pytest.raises(BadSettings, match=r"pip install -r requirements-ses\.txt"):
        provider("amazon_ses").open(fake.settings("amazon_ses"))


def test_a_call_that_breaks_off_before_its_last_byte_was_not_accepted(
    esp: str, fake: FakeEsp
) -> None:
    """Nobody reads: the kernel takes what its buffers hold, and the rest never leaves."""
    with Deaf() as deaf:
        [outcome] = sent(fake, esp, a_mail(html="x" * 20_000_000), api_url=deaf.url)
    assert (outcome.result, outcome.charged) == (Result.TRANSIENT, False), outcome.detail


def test_after_an_account_fault_the_rest_goes_back_untouched(esp: str, fake: FakeEsp) -> None:
    fake.faults = [SAYS[esp]["account"]]
    mails = [a_mail(f"reader{number}@example.com") for number in range(4)]
    flow = Handed(mails)
    with provider(esp).open(fake.settings(esp, batch=1)) as session:
        session.work(flow)
    assert [outcome.result for outcome in flow.outcomes] == [Result.ACCOUNT]
    assert fake.arrived == []
    assert len(fake.calls) == 1
