"""A mail's links lead where its author said and nowhere else;
opening them is counted and opens nothing.
"""

import datetime as dt
import re
from html import unescape
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings
from django.utils import timezone

from apps.content.links import forget
from apps.content.models import Link
from apps.followers.models import Follower
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from apps.lib.buffer import Buffer
from apps.notifications.engagement import store
from apps.notifications.engagement.counts import engagement
from apps.notifications.messages import links
from apps.notifications.models import Delivery, Notification
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, tell
from tests.receiver import Receiver
from tests.subscriptions.pages import everything_stored

ODD = "https://user@example.com:8443/a%2Fb/%zz;x=1?q=%D0%B0+b&amp;c=[1]|{2}&amp;d='ä'#§"
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
SENT_TO = "https://user@example.com:8443/a%2Fb/%zz;x=1?q=%D0%B0+b&c=[1]|{2}&d='%C3%A4'#%C2%A7"
BODY = f'<p><a href="https://example.com/shop?a=1&amp;b=%20">Shop</a> <a href="{ODD}">Odd</a></p>'


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> list[store.Event]:
    """What would be stored."""

    class Kept(list[store.Event]):
        add = list.append

    events = Kept()
    monkeypatch.setattr(store, "events", events)
    forget()
    return events


@pytest.fixture
def letter(anna: Follower) -> Notification:
    return tell(make_type("news"), [anna], version=make_version(body=BODY), tracking=True)


@pytest.fixture
def token(letter: Notification) -> str:
    return stamp_of(letter.deliveries.get()).tracking


def stamp_of(delivery: Delivery, **fields: Any) -> links.Stamp:
    values = {
        "delivery": delivery.uid,
        "follower": delivery.follower.uid,
        "notification_type": delivery.notification.notification_type_id,
        "version": delivery.notification.version_id,
    }
    return links.stamp(**(values | fields))


def test_a_click_leads_on_and_is_taken_down(
    client: Client, letter: Notification, token: str, kept: list[store.Event]
) -> None:
    answer = client.get(f"/c/{token}/1", headers={"user-agent": "Mozilla/5.0"})
    assert (answer.status_code, answer["Location"]) == (302, "https://example.com/shop?a=1&b=%20")
    assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "no-store")
    assert not answer.cookies
    assert [(each.delivery, each.link, each.user_agent) for each in kept] == [
        (letter.deliveries.get().uid, 1, "Mozilla/5.0")
    ]


@pytest.mark.django_db(transaction=True)
def test_a_mail_that_was_really_sent_counts_what_its_reader_does(
    client: Client, receiver: Receiver, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    buffer = Buffer(store.store, every=0.01)
    monkeypatch.setattr(store, "events", buffer)
    forget()
    silent = make_follower(email="silent@example.com")
    change_follower(follower=silent, values=Profile(measured=False), by=TESTER, now=timezone.now())
    sent = tell(make_type("news"), [anna, silent], version=make_version(body=BODY), tracking=True)
    drain()
    addresses = {}
    for mail in receiver.arrived:
        html = mail.mail.get_body(("html",)).get_content()
        addresses[mail.recipient] = [
            unescape(url) for url in re.findall(r'(?:href|src)="([^"]+)"', html)
        ]
    shop, _, image = (url.removeprefix(settings.SITE_URL) for url in addresses["anna@example.com"])
    sent.deliveries.update(finished_at=timezone.now() - dt.timedelta(minutes=1))
    reader = {"user-agent": BROWSER}
    assert client.get(image, headers=reader).content.startswith(b"GIF89a")
    for _ in range(2):
        answer = client.get(shop, headers=reader)
        assert answer["Location"] == "https://example.com/shop?a=1&b=%20"
    assert client.head(shop, headers=reader).status_code == 302
    buffer.close()
    told = engagement(sent)
    assert (told.opened, told.opens, told.clicked, told.clicks) == (1, 1, 1, 2)
    assert told.machine_clicks == 1  # the one that only asked
    assert [link.people for link in told.links] == [1, 0]
    # the other one's mail has the author's own links and no image
    assert addresses["silent@example.com"][0] == "https://example.com/shop?a=1&b=%20"
    assert not [url for url in addresses["silent@example.com"] if url.startswith(settings.SITE_URL)]


def test_an_odd_address_arrives_as_its_author_wrote_it(
    client: Client, token: str, kept: Any
) -> None:
    assert client.get(f"/c/{token}/2")["Location"] == SENT_TO


def test_the_image_is_an_image_and_is_never_kept(
    client: Client, letter: Notification, token: str, kept: list[store.Event]
) -> None:
    answer = client.get(f"/o/{token}.gif")
    assert (answer.status_code, answer["Content-Type"], answer["Cache-Control"]) == (
        200,
        "image/gif",
        "no-store",
    )
    assert len(answer.content) == 43
    assert answer.content.startswith(b"GIF89a")
    assert [(each.delivery, each.link) for each in kept] == [(letter.deliveries.get().uid, 0)]
    for bad in ("nothing", token[:-1], token + "A", "", "%00", "ä" * 75):
        answer = client.get(f"/o/{bad}.gif")
        assert (answer.status_code, len(answer.content), answer["Cache-Control"]) == (
            200,
            43,
            "no-store",
        )
    assert len(kept) == 1


def test_looking_without_opening_is_answered_and_is_a_machines(
    client: Client, token: str, kept: list[store.Event]
) -> None:
    answer = client.head(f"/c/{token}/1")
    assert (answer.status_code, answer["Location"]) == (302, "https://example.com/shop?a=1&b=%20")
    assert client.head(f"/o/{token}.gif").status_code == 200
    assert [(each.link, each.sign) for each in kept] == [(1, "looked"), (0, "looked")]
    for method in ("post", "put", "delete", "options"):
        for path in (f"/c/{token}/1", f"/o/{token}.gif"):
            assert getattr(client, method)(path).status_code == 405
    assert len(kept) == 2


def test_no_address_leads_anywhere_else(
    client: Client, letter: Notification, token: str, kept: Any
) -> None:
    other = tell(
        make_type("offers"),
        [letter.deliveries.get().follower],
        version=make_version("other", body=BODY),
    )
    Link.objects.filter(version=other.version, number=2).delete()
    Link.objects.filter(version=other.version).update(number=7)
    delivery = letter.deliveries.get()
    alien = stamp_of(delivery, version=other.version_id)
    half = len(token) // 2
    mixed = token[:half] + stamp_of(other.deliveries.get()).tracking[half:]
    bad = [
        f"/c/{token}/{number}"
        for number in ("0", "3", "7", "99999", "-1", "1/", "1x", "", "١", "1%00", "+1", " 1")
    ]
    bad += [
        f"/c/{changed}/1"
        for changed in (token[:-1], token + "A", "A" * 75, mixed, token.swapcase(), f"{token}=")
    ]
    bad += [
        f"/c/{token}/{target}"
        for target in (
            "https://evil.example",
            "//evil.example",
            "javascript:alert(1)",
            "\\\\evil.example",
            "%5Cevil.example",
            "1?url=https://evil.example&next=//evil.example/".replace("1?", "9?"),
            "1%0d%0aLocation:%20//evil.example",
            "..//evil.example",
            "@evil.example",
        )
    ]
    bad += [
        f"/c/{alien.tracking}/1",
        "/c/",
        "/o/",
        "/o/x",
        f"/o/{token}",
        f"/c/{token}",
        "/c//evil.example/1",
    ]
    for path in bad:
        answer = client.get(path)
        assert answer.status_code == 404, path
        assert "Location" not in answer
        assert not answer.cookies
    assert kept == []
    # what stands behind a good address is not looked at
    answer = client.get(f"/c/{token}/1?url=//evil.example")
    assert answer["Location"] == "https://example.com/shop?a=1&b=%20"


def test_a_refused_link_says_so_in_plain_words_in_the_readers_language(
    client: Client, token: str, kept: Any
) -> None:
    answer = client.get(f"/c/{token}/9")
    assert "This link does not work" in answer.content.decode()
    assert (answer["Referrer-Policy"], answer["Cache-Control"]) == ("no-referrer", "no-store")
    assert "Content-Security-Policy" in answer
    answer = client.get(f"/c/{token}/9", headers={"accept-language": "ru"})
    assert "Откройте её ещё раз из письма" in answer.content.decode()


def test_whoever_is_forwarded_a_link_can_not_reach_the_readers_settings(
    client: Client, letter: Notification, kept: Any
) -> None:
    stamp = stamp_of(letter.deliveries.get())
    before = everything_stored()
    for page in ("preferences", "unsubscribe"):
        assert client.get(f"/p/{page}/{stamp.tracking}/").status_code == 404
        assert (
            client.post(
                f"/p/{page}/{stamp.tracking}/", {"List-Unsubscribe": "One-Click"}
            ).status_code
            == 404
        )
        assert client.get(f"/p/{page}/{stamp.managing}/").status_code == 200
    assert everything_stored() == before
    # nor does the other half count anything
    assert client.get(f"/c/{stamp.managing}/1").status_code == 404
    assert client.get(f"/o/{stamp.managing}.gif").status_code == 200
    assert kept == []


def test_links_in_old_mail_work_after_the_secret_key_changed(
    client: Client, letter: Notification, kept: Any, settings: Any
) -> None:
    stamp = stamp_of(letter.deliveries.get())
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "a-new-key" * 6
    assert client.get(f"/c/{stamp.tracking}/1").status_code == 302
    assert client.get(f"/p/unsubscribe/{stamp.managing}/").status_code == 200
    settings.SECRET_KEY_FALLBACKS = []
    assert client.get(f"/c/{stamp.tracking}/1").status_code == 404


def test_a_click_costs_no_query_once_its_version_is_known(
    client: Client, token: str, kept: Any, django_assert_num_queries: Any
) -> None:
    client.get(f"/c/{token}/1")
    with django_assert_num_queries(0):
        client.get(f"/c/{token}/2")
        client.get(f"/o/{token}.gif")


@override_settings(SECURE_SSL_REDIRECT=True)
def test_a_click_over_plain_http_goes_to_https_first(client: Client, token: str, kept: Any) -> None:
    answer = client.get(f"/c/{token}/1")
    assert (answer.status_code, answer["Location"]) == (301, f"https://testserver/c/{token}/1")
    assert kept == []


@pytest.mark.reported
def test_a_link_leads_to_the_host_that_was_written(client: Client, anna: Follower) -> None:
    version = make_version(body='<p><a href="https://faß.example/straße?a=ß">Shop</a></p>')
    letter = tell(make_type("news"), [anna], version=version, tracking=True)
    token = stamp_of(letter.deliveries.get()).tracking
    assert (
        client.get(f"/c/{token}/1")["Location"] == "https://xn--fa-hia.example/stra%C3%9Fe?a=%C3%9F"
    )
