"""A phone is added on the preference page by the code that was sent there, and by nothing else."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.test import Client
from django_q.models import OrmQ

from apps.accounts.models import AuditEntry
from apps.followers.addresses import BadAddress
from apps.followers.consent import suppression
from apps.followers.devices import phone_codes
from apps.followers.models import ConsentRecord, Follower, PhoneCode
from apps.notifications.accounts import edit
from apps.notifications.models import Delivery
from apps.subscriptions.center.phone_code import send
from tests.fake_esp import Answer
from tests.fake_sms import FakeSms
from tests.make import TESTER, make_follower, make_type
from tests.subscriptions.pages import Page, fresh_path, visit
from tests.subscriptions.world import make_warning

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
NUMBER = "+4915112345678"
ASK = "Send me a code"
CONFIRM = "Confirm"
FORGET = "Forget this number"


@pytest.fixture(scope="module")
def texts() -> Iterator[FakeSms]:
    with FakeSms() as fake:
        yield fake


@pytest.fixture
def fake(texts: FakeSms, db: None) -> FakeSms:
    texts.arrived.clear()
    make_type("news", channels=["email", "sms"])
    add_account(texts, "twilio")
    return texts


@pytest.fixture(autouse=True)
def now() -> Any:
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def add_account(fake: FakeSms, provider: str) -> None:
    values = fake.settings(provider)
    edit.create_account(
        enabled=True, name=provider, provider_key=provider, settings=values, by=TESTER, now=NOW
    )


def work_off() -> None:
    """The task that the page announced."""
    for row in OrmQ.objects.all():
        send(**row.task["kwargs"])
        row.delete()


def code_in(text: str) -> str:
    found = re.search(r"\d{6}", text)
    assert found
    return found[0]


def asked(client: Client, follower: Follower, number: str = NUMBER) -> Page:
    return visit(client, fresh_path(follower)).press(ASK, number=number)


def test_a_number_is_confirmed_by_its_code_and_forgotten_again(
    client: Client, anna: Follower, fake: FakeSms
) -> None:
    first = visit(client, fresh_path(anna))
    assert "SMS: no phone yet – add one below." in first.text
    page = first.press(ASK, number="+49 151 12345678")
    assert "A code is on its way to ••• 78." in page.notice
    work_off()
    [text] = fake.arrived
    assert (text.to, anna.phone) == (NUMBER, "")
    assert "is your Carillon code." in text.body
    assert code_in(text.body) not in str(list(PhoneCode.objects.values()))
    make_warning()
    done = page.press(CONFIRM, code=f" {code_in(text.body)} ")
    assert "Your phone number is confirmed." in done.notice
    address = anna.addresses.get(channel="sms")
    assert (address.value, address.primary, address.state, address.confirmed_at) == (
        NUMBER,
        True,
        "active",
        NOW,
    )
    proof = ConsentRecord.objects.filter(follower=anna).first()
    assert proof is not None
    assert (proof.act, proof.scope) == ("phone_confirmed", {"channel": "sms", "address": NUMBER})
    assert proof.ip == "127.0.0.1"
    told = AuditEntry.objects.get(kind="phone_code.sent")
    assert (told.data["to"], told.data["result"]) == ("••• 78", "accepted")
    # who has the link of a forwarded mail can't do that unnoticed
    mail = Delivery.objects.get(notification__notification_type__key="security_alert")
    assert (mail.channel, mail.notification.notification_type.key) == ("email", "security_alert")
    assert (mail.notification.data["what"], mail.notification.data["label"]) == ("phone", "••• 78")
    gone = done.press(FORGET)
    assert "Your phone number is forgotten." in gone.notice
    assert not anna.addresses.filter(channel="sms").exists()
    assert done.press(FORGET).response.status_code == 200


def test_the_text_speaks_the_followers_language(
    client: Client, boris: Follower, fake: FakeSms
) -> None:
    client.post(f"{fresh_path(boris)}phone/", {"number": NUMBER})
    work_off()
    assert "ваш код Carillon" in fake.arrived[0].body


def test_a_task_that_runs_twice_sends_one_text(anna: Follower, fake: FakeSms) -> None:
    code = phone_codes.ask(follower=anna, number=NUMBER, now=NOW)
    assert send(code_id=code.pk)
    assert not send(code_id=code.pk)
    assert len(fake.arrived) == 1


def test_a_wrong_code_is_told_and_after_five_none_is_good(
    client: Client, anna: Follower, fake: FakeSms
) -> None:
    page = asked(client, anna)
    work_off()
    right = code_in(fake.arrived[0].body)
    wrong = f"{(int(right) + 1) % 1_000_000:06}"
    for _ in range(4):
        page = page.press(CONFIRM, code=wrong)
        assert (page.response.status_code, page.notice) == (
            400,
            "This is not the code we sent. Look again.",
        )
    last = page.press(CONFIRM, code=wrong)
    assert "This code is not good any more." in last.notice
    assert not last.has(CONFIRM)
    late = client.post(f"{fresh_path(anna)}phone/confirm/", {"code": right})
    assert late.status_code == 400
    assert not anna.addresses.filter(channel="sms").exists()


def test_a_code_is_over_after_ten_minutes(
    client: Client, anna: Follower, fake: FakeSms, now: Any
) -> None:
    page = asked(client, anna)
    work_off()
    now.shift(dt.timedelta(minutes=10, seconds=1))
    assert (
        "This code is not good any more."
        in page.press(CONFIRM, code=code_in(fake.arrived[0].body)).notice
    )


def test_nobody_confirms_with_another_persons_code(
    client: Client, anna: Follower, boris: Follower, fake: Any
) -> None:
    asked(client, anna)
    work_off()
    code = code_in(fake.arrived[0].body)
    assert client.post(f"{fresh_path(boris)}phone/confirm/", {"code": code}).status_code == 400
    assert not boris.addresses.filter(channel="sms").exists()


def test_a_number_of_somebody_else_stays_with_them_and_only_its_owner_learns_it(
    client: Client, anna: Follower, fake: FakeSms
) -> None:
    page = asked(client, anna)
    work_off()
    holder = make_follower(name="Holder", phone=NUMBER)
    refused = page.press(CONFIRM, code=code_in(fake.arrived[0].body))
    assert "This number belongs to somebody else here." in refused.notice
    assert holder.addresses.filter(channel="sms").exists()
    assert not anna.addresses.filter(channel="sms").exists()


def test_a_number_that_is_none_is_refused_with_help(
    client: Client, anna: Follower, fake: FakeSms
) -> None:
    page = asked(client, anna, "030 12")
    assert page.response.status_code == 400
    assert "Write it with + and the country code" in page.notice
    assert not PhoneCode.objects.exists()


def test_a_number_that_said_stop_gets_no_text(
    client: Client, anna: Follower, fake: FakeSms
) -> None:
    suppression.suppress(channel="sms", value=NUMBER, reason="stop", by=TESTER, now=NOW)
    asked(client, anna)
    work_off()
    assert fake.arrived == []
    assert (
        "If you once answered STOP there, answer START first."
        in visit(client, fresh_path(anna)).notice
    )


def test_another_account_sends_it_when_the_first_one_can_not(
    client: Client, anna: Follower, fake: FakeSms
) -> None:
    add_account(fake, "sinch")
    fake.faults = [Answer(503, {})]
    asked(client, anna)
    work_off()
    assert len(fake.arrived) == 1
    assert AuditEntry.objects.get(kind="phone_code.sent").data["account"] == "sinch"


def test_staff_read_no_code_in_what_a_provider_quotes(
    anna: Follower, fake: FakeSms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(phone_codes.secrets, "randbelow", lambda _: 123_456)
    fake.faults = [Answer(200, {"quoted": "123456 is your code."})]
    send(code_id=phone_codes.ask(follower=anna, number=NUMBER, now=NOW).pk)
    detail = AuditEntry.objects.get(kind="phone_code.sent").data["detail"]
    assert "quoted" in detail
    assert "123456" not in detail


def test_the_page_says_when_no_text_could_be_sent(
    client: Client, anna: Follower, fake: FakeSms
) -> None:
    fake.bad = {NUMBER: "recipient"}
    asked(client, anna)
    work_off()
    fake.bad = {}
    page = visit(client, fresh_path(anna))
    assert "We could not send a code to ••• 78." in page.notice
    assert not page.has(CONFIRM)


def test_texts_are_few_for_a_person_for_a_number_and_from_a_place(anna: Follower, now: Any) -> None:
    def ask(follower: Follower, number: str = NUMBER, ip: str = "") -> None:
        phone_codes.ask(follower=follower, number=number, ip=ip, now=dt.datetime.now(dt.UTC))

    people = [make_follower(name=f"Person {each}") for each in range(phone_codes.PER_PLACE + 1)]
    with pytest.raises(BadAddress):
        ask(anna, "12")
    ask(anna)
    with pytest.raises(phone_codes.TooManyCodes):  # within a minute
        ask(anna)
    for _ in range(4):
        now.shift(dt.timedelta(minutes=2))
        ask(anna)
    now.shift(dt.timedelta(minutes=2))
    with pytest.raises(phone_codes.TooManyCodes):  # the sixth of that day
        ask(anna, "+4915112345679")
    with pytest.raises(phone_codes.TooManyCodes):  # others' sixth to that number
        ask(people[0])
    for each, person in enumerate(people[:-1]):
        ask(person, f"+49151234567{each:02}", ip="192.0.2.1")
    with pytest.raises(phone_codes.TooManyCodes):
        ask(people[-1], "+4915123456799", ip="192.0.2.1")
    now.shift(dt.timedelta(hours=25))
    ask(anna)
    phone_codes.forget_old(now=dt.datetime.now(dt.UTC))
    assert PhoneCode.objects.count() == 1


def test_sites_without_texts_ask_for_no_phone(client: Client, anna: Follower) -> None:
    make_type("news")
    assert not visit(client, fresh_path(anna)).has(ASK)
