"""What ESPs post is believed with their proof, kept, and booked once, in any order."""

import base64
import datetime as dt
import json
from itertools import permutations
from random import Random
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.channels.esp import sns
from apps.channels.esp.told import Unreadable
from apps.channels.https.posted import Posted
from apps.followers.consent.opt_out import is_out
from apps.followers.models import Address, Follower, Suppression
from apps.lib import steady_clock
from apps.notifications.accounts.edit import create_account
from apps.notifications.messages import links
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    HeardEvent,
    Notification,
    ProviderAccount,
)
from apps.notifications.sending.heard import store
from tests import esp_events
from tests.dashboard.pages import as_role, page_of
from tests.fake_esp import FakeEsp
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell

TO = "anna@example.org"
SIGNED = ("amazon_ses", "sendgrid")  # to the last byte; others sign a part of it or nothing


def book_all() -> None:
    """What the task does, as often as it announces itself."""
    while HeardEvent.objects.filter(due_at__lte=steady_clock.now()).exists():
        store.work_off()


class Mailed:
    """A mail to Anna that an ESP took, and what the ESP posts about it."""

    def __init__(self, esp: str, fake: FakeEsp) -> None:
        self.esp = esp
        self.anna = make_follower(name="Anna", email=TO)
        self.account = create_account(
            enabled=True,
            name="ESP",
            provider_key=esp,
            settings=fake.settings(esp, **esp_events.settings_for(esp)),
            by=TESTER,
            now=timezone.now(),
        )
        self.notification: Notification = tell(
            make_type("news"), [self.anna], version=make_version()
        )
        drain()
        self.delivery = Delivery.objects.get(channel="email")
        self.url = links.events_url(self.account.uid, password=True)

    def request(self, what: str, *, named: bool = True, number: int = 1) -> esp_events.Request:
        uid = None
        if named:
            uid = self.delivery.uid
        name = self.delivery.provider_id.strip("<>")
        return esp_events.request(self.esp, what, delivery=uid, name=name, to=TO, number=number)

    def post(self, sent: esp_events.Request, *, url: str = "") -> int:
        parts = urlsplit(url or self.url)
        pair = base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
        headers = {**sent.headers, "Authorization": f"Basic {pair}"}
        answer = Client(enforce_csrf_checks=True).post(
            parts.path, sent.body, content_type="application/json", headers=headers
        )
        assert not answer.cookies
        return int(answer.status_code)

    def tell(self, *whats: str) -> None:
        for what in whats:
            assert self.post(self.request(what)) == 200
        book_all()

    def state(self) -> tuple[Any, ...]:
        address = Address.objects.get(key=TO)
        return (
            stands(self.notification),
            list(Suppression.objects.values_list("key", "reason")),
            address.state,
        )


@pytest.fixture(autouse=True)
def amazon(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Amazon's own servers: its certificate, and whatever else is asked of them."""
    asked: list[str] = []

    def get(url: str, **_: Any) -> Any:
        asked.append(url)
        status = 404
        if url == esp_events.CERTIFICATE_URL or "ConfirmSubscription" in url:
            status = 200
        return SimpleNamespace(status_code=status, content=esp_events.amazons_certificate())

    sns.key_of.cache_clear()
    monkeypatch.setattr(sns.requests, "get", get)
    return asked


@pytest.fixture(params=esp_events.ESPS)
def mailed(request: pytest.FixtureRequest, db: None) -> Any:
    with FakeEsp() as fake:
        yield Mailed(request.param, fake)


def test_each_word_of_each_esp_is_heard(mailed: Mailed) -> None:
    mailed.tell("deferred")
    assert mailed.state() == ({"sent": 1}, [], "active")
    assert DeliveryEvent.objects.get(kind="deferred")
    mailed.tell("soft_bounce")
    assert mailed.state() == ({"failed": 1}, [], "active")
    mailed.tell("delivered")
    assert mailed.state() == ({"delivered": 1}, [], "active")
    mailed.tell("hard_bounce")
    assert mailed.state() == ({"failed": 1}, [(TO, "hard_bounce")], "bounced")
    mailed.tell("opened")
    assert mailed.state() == ({"delivered": 1}, [], "active")
    mailed.tell("complained")
    assert mailed.state() == ({"delivered": 1}, [(TO, "complaint")], "suppressed")
    mailed.tell("delivered", "hard_bounce", "soft_bounce")
    assert mailed.state() == ({"delivered": 1}, [(TO, "complaint")], "suppressed")
    account = ProviderAccount.objects.get(pk=mailed.account.pk)
    assert (account.heard_what, HeardEvent.objects.count()) == ("deferred", 0)


TOLD = ("deferred", "soft_bounce", "delivered", "hard_bounce", "complained")


def test_five_copies_in_any_order_and_before_the_booking_come_to_the_same(mailed: Mailed) -> None:
    copies = [what for what in TOLD for _ in range(5)]
    Random(7).shuffle(copies)
    # nobody has booked the hand-over yet, and the ESP names the mail by its own name alone
    name = mailed.delivery.provider_id
    Delivery.objects.filter(pk=mailed.delivery.pk).update(provider_id="")
    for what in copies:
        assert mailed.post(mailed.request(what, named=False)) == 200
        book_all()
    assert (mailed.state()[1:], HeardEvent.objects.count()) == (([], "active"), len(TOLD))
    Delivery.objects.filter(pk=mailed.delivery.pk).update(provider_id=name)
    HeardEvent.objects.update(due_at=timezone.now() - dt.timedelta(seconds=1))
    book_all()
    assert mailed.state()[0] == {"delivered": 1}
    assert mailed.state()[1:] == ([(TO, "complaint")], "suppressed")
    assert HeardEvent.objects.count() == 0
    assert DeliveryEvent.objects.filter(delivery=mailed.delivery).count() == len(TOLD)


def test_the_order_of_reports_changes_no_end(db: None) -> None:
    ends = set()
    with FakeEsp() as fake:
        mailed = Mailed("postmark", fake)
        before = Delivery.objects.get(pk=mailed.delivery.pk)
        for order in permutations(("soft_bounce", "delivered", "hard_bounce", "deferred")):
            mailed.tell(*order)
            ends.add(str(mailed.state()))
            DeliveryEvent.objects.all().delete()
            Suppression.objects.all().delete()
            Address.objects.update(state="active")
            mailed.notification.tallies.all().delete()
            before.save()
            mailed.notification.tallies.create(
                channel="email", status="sent", reason=before.reason, count=1
            )
    assert len(ends) == 1


def test_what_was_changed_on_the_way_is_refused_and_leaves_nothing(mailed: Mailed) -> None:
    sent = mailed.request("hard_bounce")
    other = mailed.url.replace("/p/events/", "/p/events/0")
    assert mailed.post(sent, url=other) == 404
    digit = mailed.url.rstrip("/")[-1]
    swapped = mailed.url.rstrip("/")[:-1] + "01"[digit == "0"] + "/"
    assert mailed.post(sent, url=swapped) == 404
    if mailed.esp in SIGNED:
        random = Random(3)
        for at in random.sample(range(len(sent.body)), 40):
            changed = sent.body[:at] + bytes([sent.body[at] ^ 1]) + sent.body[at + 1 :]
            answer = mailed.post(esp_events.Request(changed, sent.headers))
            assert answer in (400, 403), changed[at - 9 : at + 9]
    elif mailed.esp == "mailgun":
        for field in (b'"token":"', b'"timestamp":"', b'"signature":"'):
            at = sent.body.index(field) + len(field) + 3
            changed = sent.body[:at] + bytes([sent.body[at] ^ 1]) + sent.body[at + 1 :]
            assert mailed.post(esp_events.Request(changed, sent.headers)) == 403
    else:
        wrong = mailed.url.replace("carillon:", "carillon:0")
        assert mailed.post(sent, url=wrong) == 403
    assert mailed.post(esp_events.Request(sent.body[:-1], sent.headers)) in (400, 403)
    assert mailed.post(esp_events.Request(b"x" * 2_000_001, sent.headers)) == 413
    client = Client()
    assert client.get(urlsplit(mailed.url).path).status_code == 405
    assert HeardEvent.objects.count() == 0
    book_all()
    assert mailed.state() == ({"sent": 1}, [], "active")


def test_another_mails_address_is_not_touched_by_a_report_that_names_it(mailed: Mailed) -> None:
    make_follower(name="Boris", email="boris@example.org")
    wrong = esp_events.request(
        mailed.esp, "hard_bounce", delivery=mailed.delivery.uid, name="x", to="boris@example.org"
    )
    assert mailed.post(wrong) == 200
    book_all()
    assert mailed.state() == ({"sent": 1}, [], "active")


def test_an_opt_out_at_the_esp_is_one_here(mailed: Mailed) -> None:
    if mailed.esp == "amazon_ses":  # it has none
        return
    mailed.tell("unsubscribed")
    anna = Follower.objects.get(pk=mailed.anna.pk)
    assert (is_out(anna, "news"), anna.subscribed) == (True, True)
    assert DeliveryEvent.objects.get(kind="unsubscribed").delivery_id == mailed.delivery.pk


def test_what_the_esp_did_not_send_fails_and_says_on_whose_word(mailed: Mailed) -> None:
    mailed.tell("rejected")
    listed = [(TO, "hard_bounce")]
    if mailed.esp not in ("mailgun", "sendgrid"):  # the others do not say why
        listed = []
    assert mailed.state()[:2] == ({"failed": 1}, listed)


@pytest.fixture
def ses(db: None) -> Any:
    with FakeEsp() as fake:
        yield Mailed("amazon_ses", fake)


@pytest.mark.parametrize("kind", [[], {}, None, "Odd"])
def test_what_only_looks_like_a_message_of_sns_is_called_so(kind: Any) -> None:
    posted = Posted("", {}, json.dumps({"Type": kind, "TopicArn": "arn:aws:sns:x"}).encode())
    with pytest.raises(Unreadable):
        sns.SesHearing().check({"topic": "arn:aws:sns:x"}, posted, knows=lambda _: False)


def test_a_topic_is_confirmed_at_amazon_and_nowhere_else(ses: Mailed, amazon: list[str]) -> None:
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=2336"
    asks = {"Type": "SubscriptionConfirmation", "Token": "2336"}
    good = esp_events.signed_by_sns("Confirm", number="1", SubscribeURL=url, **asks)
    assert ses.post(good) == 200
    assert amazon == [esp_events.CERTIFICATE_URL, url]
    evil = "https://sns.eu-west-1.amazonaws.com.example.com/?Action=ConfirmSubscription&Token=1"
    bad = esp_events.signed_by_sns("Confirm", number="2", SubscribeURL=evil, **asks)
    foreign = esp_events.signed_by_sns("x", number="3", TopicArn="arn:aws:sns:eu-west-1:1:theirs")
    assert (ses.post(bad), ses.post(foreign), len(amazon)) == (403, 403, 2)


def test_the_accounts_page_says_what_to_paste_where_and_what_was_heard(
    client: Client, admin: Any, mailed: Mailed
) -> None:
    as_role(client, admin)
    path = reverse("dashboard:channel-account", args=[mailed.account.uid])
    fresh = page_of(client.get(path)).text
    assert "Nothing was heard yet." in fresh
    address = links.events_url(mailed.account.uid, password=mailed.esp in ("brevo", "postmark"))
    assert address in fresh
    mailed.tell("complained")
    assert "Last heard: marked as spam" in page_of(client.get(path)).text
