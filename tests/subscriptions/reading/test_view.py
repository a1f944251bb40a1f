"""A mail in a browser shows what the mail shows, and gives nobody it is forwarded to any power."""

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.followers.models import Address, Follower, NotificationType
from apps.followers.people.revoke_links import revoke_links
from apps.notifications.messages.links import DEAD, read_viewing, unsubscribe_url
from apps.notifications.models import Delivery
from tests.make import TESTER, make_type
from tests.notifications.world import drain, make_accounts
from tests.receiver import Receiver
from tests.subscriptions.pages import everything_stored, visit
from tests.subscriptions.reading.world import delivery_to, make_letter, view_path

TOKENS = re.compile(r"/p/(preferences|unsubscribe|confirm|view)/")


@pytest.fixture
def news(db: None) -> NotificationType:
    return make_type("news", channels=["email"], default_channels=["email"])


def test_the_link_in_the_mail_shows_the_mail(
    client: Client, anna: Follower, news: NotificationType, receiver: Receiver
) -> None:
    make_accounts(receiver)
    make_letter(news, [anna])
    drain()
    [arrived] = receiver.arrived
    html = arrived.mail.get_body(("html",)).get_content()
    [path] = set(re.findall(r"http://[^/]+(/p/view/[\w-]{75}/)", html))
    assert read_viewing(path.split("/")[3]).follower == anna.uid
    page = visit(client, path)
    assert "Hello Anna" in page.text
    [frame] = page.html.xpath("//iframe")
    shown = client.get(frame.get("src"))
    letter = shown.content.decode()
    assert "For Anna" in letter
    assert "Order A-1: 12 EUR" in letter
    # nothing that is done there is counted as Anna's, and nothing can be done as Anna
    assert 'href="https://shop.example/sale"' in letter
    assert "/o/" not in letter
    assert not TOKENS.search(letter)
    assert not re.search(r"/p/(preferences|unsubscribe)/", page.response.content.decode())


def test_whoever_was_forwarded_a_mail_does_not_learn_the_readers_new_address(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    make_letter(news, [anna], body="<p>To {{ follower.email }}, {{ follower.phone }}</p>")
    path = f"{view_path(delivery_to(anna))}mail/"
    assert "To anna@example.com, <" in client.get(path).content.decode()
    Address.objects.filter(follower=anna).update(primary=False)
    for channel, value in (("email", "hidden@example.com"), ("sms", "+41791234567")):
        Address.objects.create(
            follower=anna, channel=channel, value=value, key=value, created_at=timezone.now()
        )
    shown = client.get(path).content.decode()
    assert "hidden" not in shown
    assert "1234567" not in shown


@pytest.mark.parametrize(
    "link",
    [
        "https://share.example/?u=https%3A%2F%2Fsite.example%2Fp%2Funsubscribe%2F{token}%2F",
        "https://site.before.example/p/preferences/{token}/messages/",
    ],
)
def test_a_readers_token_inside_of_another_link_is_not_shown(
    client: Client, anna: Follower, news: NotificationType, link: str
) -> None:
    token = unsubscribe_url(anna, news).split("/")[-2]
    make_letter(news, [anna], data={"order": link.format(token=token), "sum": "1"})
    letter = client.get(f"{view_path(delivery_to(anna))}mail/").content.decode()
    assert token not in letter
    assert DEAD.managing in letter


def test_what_data_hold_of_the_readers_own_links_is_not_shown(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    leave = unsubscribe_url(anna, news)
    make_letter(news, [anna], data={"order": leave, "sum": leave})
    letter = client.get(f"{view_path(delivery_to(anna))}mail/").content.decode()
    assert not TOKENS.search(letter)
    assert letter.count("/p/link/") == 4


def test_the_mail_can_do_nothing_in_its_frame(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    make_letter(news, [anna], body="<html><head></head><body><p>Hi</p></body></html>")
    answer = client.get(f"{view_path(delivery_to(anna))}mail/")
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'none'" in policy
    assert "sandbox allow-popups allow-popups-to-escape-sandbox" in policy
    assert "script" not in policy
    assert answer["X-Frame-Options"] == "SAMEORIGIN"
    assert answer["Referrer-Policy"] == "no-referrer"
    assert '<head><base target="_blank">' in answer.content.decode()
    page = client.get(view_path(delivery_to(anna)))
    assert page["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("what", ["erased", "forgotten", "revoked"])
def test_a_mail_that_is_no_longer_kept_says_so(
    client: Client, anna: Follower, news: NotificationType, what: str
) -> None:
    make_letter(news, [anna])
    path = view_path(delivery_to(anna))
    assert client.get(path).status_code == 200
    match what:
        case "erased":
            anna.delete()
        case "forgotten":
            Delivery.objects.all().delete()
        case "revoked":
            revoke_links(follower=anna, by=TESTER, now=timezone.now())
    for place in (path, f"{path}mail/"):
        answer = client.get(place)
        assert answer.status_code == 410
        assert "This mail can’t be shown any more" in answer.content.decode()
        assert "Anna" not in answer.content.decode()


def test_no_other_link_of_the_mail_shows_it(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    make_letter(news, [anna])
    path = view_path(delivery_to(anna))
    token = path.split("/")[3]
    for other in ("preferences", "unsubscribe"):
        assert client.get(f"/p/{other}/{token}/").status_code == 404
    assert client.get(f"/p/view/{token[:-1]}x/").status_code == 404
    answer = client.get(f"/p/view/{DEAD.viewing}/")
    assert "Here it belongs to nobody." in answer.content.decode()


def test_a_mail_about_an_account_stays_in_the_mailbox(client: Client, anna: Follower) -> None:
    make_letter(make_type("codes", category="critical", channels=["email"]), [anna])
    assert client.get(view_path(delivery_to(anna))).status_code == 404


def test_posting_there_says_nothing_about_anybody(
    client: Client, anna: Follower, news: NotificationType
) -> None:
    make_letter(news, [anna])
    before: Any = everything_stored()
    path = view_path(delivery_to(anna))
    assert client.post(path, {"what": "all", "List-Unsubscribe": "One-Click"}).status_code == 405
    assert everything_stored() == before
