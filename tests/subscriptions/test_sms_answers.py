"""A phone answers STOP or START: signed by the provider it changes consent at once,
forged it changes nothing.
"""

import hashlib
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from twilio.request_validator import RequestValidator

from apps.accounts.models import AuditEntry
from apps.channels.https.posted import Forged, Posted
from apps.channels.sms.answers import SmsReply, Word, word_of
from apps.channels.sms.twilio import Twilio
from apps.followers.consent import suppression
from apps.followers.models import Address, Follower, Suppression
from apps.notifications.accounts.edit import create_account
from apps.notifications.models import ProviderAccount
from tests.dashboard.pages import as_role, page_of
from tests.fake_sms import FakeSms
from tests.make import TESTER, make_follower
from tests.subscriptions.phone import PHONE, SECRET, SETTINGS, Phone, signature


@pytest.fixture(params=SETTINGS)
def account(request: pytest.FixtureRequest, db: None) -> ProviderAccount:
    key = str(request.param)
    return create_account(
        enabled=True,
        name=key,
        provider_key=key,
        settings=SETTINGS[key],
        by=TESTER,
        now=timezone.now(),
    )


@pytest.fixture
def anna(db: None) -> Follower:
    return make_follower(name="Anna", phone=PHONE)


@pytest.fixture
def phone(client: Client, account: ProviderAccount, settings: Any) -> Phone:
    return Phone(client, account, settings.SITE_URL)


def stopped() -> list[tuple[str, str]]:
    return list(Suppression.objects.values_list("key", "reason"))


def test_stop_and_start_change_consent_at_once_and_twice_is_once(
    phone: Phone, anna: Follower
) -> None:
    for _ in range(2):
        assert phone.says("Stop.") == 200
        assert stopped() == [(PHONE, "stop")]
    assert Address.objects.get(follower=anna).state == "suppressed"
    for _ in range(2):
        assert phone.says("СТАРТ!") == 200
        assert stopped() == []
    assert Address.objects.get(follower=anna).state == "active"


def test_a_number_that_nobody_here_has_is_stopped_too(phone: Phone) -> None:
    assert phone.says("ARRÊT") == 200
    assert stopped() == [(PHONE, "stop")]


@pytest.mark.parametrize(
    "account", ["vonage", "sinch"], indirect=True
)  # a form can't say such a thing
def test_stop_counts_with_half_an_emoji_and_a_nul_behind_it(phone: Phone) -> None:
    assert phone.says("STOP \ud83d\0") == 200
    assert stopped() == [(PHONE, "stop")]


@pytest.mark.parametrize("text", ["Hello", "HELP", "please don't stop", "", "\ud7ff"])
def test_what_is_no_known_word_changes_nothing_and_is_kept_for_staff_once(
    phone: Phone, anna: Follower, text: str
) -> None:
    for _ in range(2):
        assert phone.says(text) == 200
    assert stopped() == []
    kept = AuditEntry.objects.get(kind="sms.answered")
    assert (kept.subject_label, kept.data["text"]) == (PHONE, text)
    phone.says(text, name="SM2")
    assert AuditEntry.objects.filter(kind="sms.answered").count() == 2


@pytest.fixture(scope="module")
def server() -> Iterator[FakeSms]:
    with FakeSms() as server:
        yield server


@pytest.mark.parametrize("kind", SETTINGS)
def test_help_is_answered_once_even_for_who_has_stopped(
    kind: str, client: Client, db: None, settings: Any, server: FakeSms
) -> None:
    values = {
        **server.settings(kind),
        **{n: v for n, v in SETTINGS[kind].items() if v == SECRET},
        "help_text": "A & B",
    }
    if kind == "twilio":
        values["auth_token"] = SECRET
    account = create_account(
        enabled=True, name=kind, provider_key=kind, settings=values, by=TESTER, now=timezone.now()
    )
    phone = Phone(client, account, settings.SITE_URL)
    server.arrived.clear()
    phone.says("STOP", name="SM0")
    assert "Message" not in phone.text, "the carrier confirms"
    said = []
    for _ in range(2):
        assert phone.says("Hilfe!") == 200
        said += re.findall("<Message>(.*)</Message>", phone.text)
    if kind == "twilio":
        assert (said, server.arrived) == (["A &amp; B"], [])
    else:
        assert said == []
        assert [(each.to, each.body) for each in server.arrived] == [(PHONE, "A & B")]


def test_start_does_not_undo_what_staff_decided(phone: Phone, anna: Follower) -> None:
    suppression.suppress(channel="sms", value=PHONE, reason="manual", by=TESTER, now=timezone.now())
    assert phone.says("START") == 200
    assert stopped() == [(PHONE, "manual")]


@pytest.mark.parametrize("change", [{"altered": True}, {"secret": "another"}])
def test_what_the_provider_did_not_sign_is_refused(
    phone: Phone, anna: Follower, change: dict[str, Any]
) -> None:
    assert phone.says("STOP", **change) == 403
    assert stopped() == []


@pytest.mark.parametrize("account", ["vonage", "sinch"], indirect=True)  # Twilio signs no time
@pytest.mark.parametrize("age", [400, -400])
def test_what_was_not_signed_just_now_is_refused(phone: Phone, anna: Follower, age: int) -> None:
    assert phone.says("STOP", age=age) == 403
    assert stopped() == []


@pytest.mark.parametrize("kind", ["vonage", "sinch"])
def test_an_account_without_a_secret_believes_nobody(
    kind: str, client: Client, db: None, settings: Any
) -> None:
    values = {name: value for name, value in SETTINGS[kind].items() if value != SECRET}
    account = create_account(
        enabled=True, name=kind, provider_key=kind, settings=values, by=TESTER, now=timezone.now()
    )
    assert Phone(client, account, settings.SITE_URL).says("STOP", secret="") == 403
    assert stopped() == []


def test_looking_at_the_address_changes_nothing(client: Client, phone: Phone) -> None:
    assert client.get(phone.path).status_code == 405
    assert client.post(phone.path).status_code == 403


def test_twilios_own_example_is_believed_and_with_one_letter_changed_it_is_not() -> None:
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675309",
        "Digits": "1234",
        "From": "+14158675309",
        "To": "+18005551212",
    }
    headers = {"X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="}
    posted = Posted(
        "https://mycompany.com/myapp.php?foo=1&bar=2", headers, urlencode(form).encode()
    )
    assert Twilio.heard({"auth_token": "12345"}, posted, now=timezone.now()) is None, (
        "it is a call, not a text"
    )
    with_port = Posted(
        "https://mycompany.com:443/myapp.php?foo=1&bar=2", headers, urlencode(form).encode()
    )
    assert Twilio.heard({"auth_token": "12345"}, with_port, now=timezone.now()) is None
    altered = Posted(posted.url, headers, urlencode(form | {"Digits": "1235"}).encode())
    with pytest.raises(Forged):
        Twilio.heard({"auth_token": "12345"}, altered, now=timezone.now())


def test_twilios_key_for_webhooks_is_used_where_the_request_says_so() -> None:
    url = "https://x.example/y?delivery=1"
    form = {"From": PHONE, "Body": "Hi", "MessageSid": "SM1"}
    given = RequestValidator("shared").compute_signature(url, form, "HMAC_SHA256")
    headers = {
        "X-Twilio-Signature": given,
        "X-Twilio-Webhooks-Signature-Settings": "key=k1,algorithm=HMAC_SHA256",
    }
    posted = Posted(url, headers, urlencode(form).encode())
    values = {"auth_token": SECRET, "shared_key": "shared"}
    assert Twilio.heard(values, posted, now=timezone.now()) == SmsReply(PHONE, "Hi", "SM1")
    for wrong in ({"auth_token": "shared"}, {"auth_token": "shared", "shared_key": "other"}):
        with pytest.raises(Forged):
            Twilio.heard(wrong, posted, now=timezone.now())


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("STOP", Word.STOP),
        (" stop!! ", Word.STOP),
        ("Opt-Out", Word.STOP),
        ("arret", Word.STOP),
        ("Стоп", Word.STOP),
        ("StopAll", Word.STOP),
        ("REVOKE", Word.STOP),
        ("unstop", Word.START),
        ("Yes", Word.START),
        ("info?", Word.HELP),
        ("stop it please", None),
        ("", None),
        ("nonstop", None),
    ],
)
def test_a_word_is_known_in_any_case_and_with_any_punctuation_but_only_alone(
    text: str, word: Word | None
) -> None:
    assert word_of(text) is word


def test_the_accounts_page_tells_where_answers_go(
    client: Client, admin: Any, account: ProviderAccount
) -> None:
    page = page_of(
        as_role(client, admin).get(reverse("dashboard:channel-account", args=[account.uid]))
    )
    assert f"/p/sms/{account.uid}/" in page.text


def test_an_answer_is_a_number_and_a_text() -> None:
    body = urlencode({"From": PHONE, "Body": "Hi"}).encode()
    given = signature(f"https://x.example/yBodyHiFrom{PHONE}".encode(), hashlib.sha1)
    posted = Posted("https://x.example/y", {"X-Twilio-Signature": given}, body)
    assert Twilio.heard({"auth_token": SECRET}, posted, now=timezone.now()) == SmsReply(PHONE, "Hi")
