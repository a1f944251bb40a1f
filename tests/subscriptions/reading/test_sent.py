"""What did you send me, and why? And what did I agree to?"""

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.followers.consent.acts import unsubscribe
from apps.followers.consent.record import Proof
from apps.followers.models import Follower, NotificationType
from apps.lib.actor import Actor, ActorKind
from apps.notifications.messages.links import stamp
from apps.notifications.models import Delivery, Notification
from tests.make import make_type
from tests.subscriptions.pages import fresh_path, preferences_path, visit
from tests.subscriptions.reading.world import delivery_to, make_letter
from tests.subscriptions.sign_up.world import asked, link_of, make_form


def sent(notification: Notification) -> None:
    """Let it have been handed over."""
    Delivery.objects.filter(notification=notification).update(status="sent")


@pytest.fixture
def news(db: None) -> NotificationType:
    return make_type("news", channels=["email"], default_channels=["email"])


@pytest.fixture
def told(anna: Follower, news: NotificationType) -> None:
    """A newsletter, and a code."""
    sent(make_letter(news, [anna]))
    codes = make_type("codes", category="critical", channels=["email"], default_channels=["email"])
    sent(make_letter(codes, [anna], body="<p>Your code is 123456</p>"))


def test_each_message_says_why_it_came_and_how_to_get_less(
    client: Client, anna: Follower, told: None
) -> None:
    page = visit(client, f"{fresh_path(anna)}messages/")
    _the_link, codes, news = page.html.find_class("sent")
    text = " ".join(news.text_content().split())
    assert "Hello Anna" in text
    assert "come until somebody switches them off, and you had not." in text
    links = {each.text_content().strip(): each.get("href") for each in news.iter("a")}
    leave = visit(client, links["Get no more “News”"])
    assert leave.has("Stop these emails")
    assert "For Anna" in client.get(f"{links['Read it again']}mail/").content.decode()
    # a code is for the mailbox, or the phone, that it went to
    text = " ".join(codes.text_content().split())
    assert text.startswith("Codes ")
    assert "Such messages always come" in text
    assert "It can’t be switched off." in text
    assert not list(codes.iter("a"))


def test_a_mails_own_link_tells_of_that_mail_alone(
    client: Client, anna: Follower, news: NotificationType, told: None
) -> None:
    delivery = Delivery.objects.get(notification__notification_type=news)
    token = stamp(
        delivery=delivery.uid, follower=anna.uid, notification_type=news.pk, version=0
    ).managing
    page = visit(client, f"/p/preferences/{token}/messages/")
    [only] = page.html.find_class("sent")
    assert "Hello Anna" in only.text_content()
    assert "Codes" not in page.text
    assert page.has("Mail me a fresh link")
    assert not visit(client, f"{preferences_path(anna)}messages/").html.find_class("sent")


def test_messages_come_a_page_at_a_time(
    client: Client, anna: Follower, news: NotificationType, monkeypatch: Any
) -> None:
    monkeypatch.setattr("apps.subscriptions.reading.sent.AT_ONCE", 2)
    first = make_letter(news, [anna])
    sent(first)
    for _ in range(2):
        row = delivery_to(anna)
        again = Notification.objects.get(pk=first.pk)
        again.pk = None
        again.uid = type(again)().uid
        again.save(force_insert=True)
        row.pk = None
        row.uid = Delivery().uid
        row.notification = again
        row.status = "sent"
        row.save(force_insert=True)
    path = f"{fresh_path(anna)}messages/"
    page = visit(client, path)
    # the mail with the fresh link is one of them
    assert len(page.html.find_class("sent")) == 2
    [older] = page.html.xpath("//a[@rel='next']")
    assert len(visit(client, path + older.get("href")).html.find_class("sent")) == 2


# ------------------------------------------------------------------ the receipt
def test_the_receipt_has_when_where_and_which_words(client: Client, db: None) -> None:
    form = make_form()
    client.post(link_of(asked(client, email="erik@example.com")))
    erik = Follower.objects.get(addresses__key="erik@example.com")
    path = f"{fresh_path(erik)}receipt/"
    page = visit(client, path)
    assert "You signed up" in page.text
    assert "with a sign-up form" in page.text
    assert form.texts["en"]["consent"] in page.text
    file = client.get(f"{path}file/")
    assert file["Content-Disposition"] == 'attachment; filename="consent-receipt.json"'
    records = file.json()["records"]
    assert {each["act"] for each in records} >= {"signed_up", "address_confirmed"}
    [signed_up] = [each for each in records if each["act"] == "signed_up"]
    assert signed_up["words"] == form.texts["en"]["consent"]
    assert signed_up["ip"] == "127.0.0.1"


def test_the_receipt_tells_nothing_of_the_staff_who_acted_for_somebody(
    client: Client, anna: Follower
) -> None:
    ada = Actor(ActorKind.STAFF, label="ada", ip="203.0.113.7")
    proof = Proof(source="staff", by=ada, now=timezone.now())
    unsubscribe(follower=anna, proof=proof, reason="threatens us")
    for place in ("receipt/", "receipt/file/"):
        said = client.get(fresh_path(anna) + place).content.decode()
        assert "203.0.113.7" not in said
        assert "threatens" not in said
        assert "nsubscribed" in said


def test_a_link_that_was_passed_on_shows_no_receipt(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    path = preferences_path(anna)
    visit(client, path).flip("cell", "news:email").press("Save my choices")
    for place in ("receipt/", "receipt/file/"):
        answer = client.get(path + place)
        assert "Content-Disposition" not in answer
        assert "127.0.0.1" not in answer.content.decode()
        assert "Mail me a fresh link" in answer.content.decode()
    own = visit(client, f"{fresh_path(anna)}receipt/")
    assert "Your choices changed" in own.text
    assert "News (Email): off" in own.text
