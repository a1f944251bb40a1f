"""A second or another email address is a follower's when its mailbox says so, and not before."""

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.test import Client
from django_q.models import OrmQ

from apps.accounts.models import AuditEntry
from apps.followers.consent import suppression
from apps.followers.models import AddressClaim, ConsentRecord, Follower
from apps.followers.people import address_claims, further_addresses
from apps.followers.people.revoke_links import revoke_links
from apps.notifications.models import Delivery
from apps.subscriptions.claims.mail import link, send
from tests.make import TESTER, make_follower, make_type
from tests.receiver import Receiver
from tests.subscriptions.pages import Page, fresh_path, preferences_path, visit
from tests.subscriptions.world import make_warning

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
NEW = "anna.weber@example.org"
INSTEAD = "Write to me there"
CONFIRM = "Yes, this is my address"


@pytest.fixture(autouse=True)
def now(db: None) -> Any:
    make_type("news")
    with time_machine.travel(NOW, tick=False) as clock:
        yield clock


def asked(client: Client, follower: Follower, *, use: str = "instead", value: str = NEW) -> Page:
    path = f"{fresh_path(follower)}email/"
    return visit(client, client.post(path, {"email": value, "use": use})["Location"])


def confirming(client: Client) -> Page:
    """The page behind the mail to the latest address."""
    return visit(client, "/p/" + link(AddressClaim.objects.latest("pk")).partition("/p/")[2])


def written_to(follower: Follower) -> list[str]:
    """Where warnings went, in the order."""
    warnings = Delivery.objects.filter(
        follower=follower, notification__notification_type__key="security_alert"
    )
    return [row.address.value for row in warnings.order_by("pk") if row.address]


def test_another_address_is_used_when_its_mailbox_says_so_and_both_are_told(
    client: Client, anna: Follower
) -> None:
    make_warning()
    page = asked(client, anna)
    assert "A mail is on its way to a•••@example.org." in page.notice
    assert "a•••@example.org waits for your word" in page.text
    assert anna.email == "anna@example.com"
    first = confirming(client)
    assert "are to come to a•••@example.org from now on" in first.text
    done = first.press(CONFIRM)
    assert "Your address is confirmed." in done.notice
    anna = Follower.objects.get(pk=anna.pk)
    new = anna.addresses.get(value=NEW)
    assert (anna.email, new.state, new.confirmed_at) == (NEW, "active", NOW)
    assert written_to(anna) == ["anna@example.com", NEW]
    proof = ConsentRecord.objects.filter(follower=anna).first()
    assert proof is not None
    assert (proof.act, proof.source) == ("address_confirmed", "address_page")
    assert "Your address is confirmed." in confirming(client).notice  # and again
    assert "Your address is confirmed." in first.press(CONFIRM).notice
    assert len(written_to(anna)) == 2


def test_a_second_address_is_kept_and_the_first_one_told_and_used(
    client: Client, anna: Follower
) -> None:
    make_warning()
    asked(client, anna, use="also")
    confirming(client).press(CONFIRM)
    anna = Follower.objects.get(pk=anna.pk)
    assert (anna.email, written_to(anna)) == ("anna@example.com", ["anna@example.com"])
    page = visit(client, fresh_path(anna)).press("Use this one")
    assert "We write to a•••@example.org." in page.notice
    assert Follower.objects.get(pk=anna.pk).email == NEW
    assert written_to(anna)[1:] == ["anna@example.com", NEW]
    assert "The address is forgotten." in page.press("Forget this address").notice
    assert [row.value for row in anna.addresses.all()] == [NEW]


def test_a_forwarded_link_asks_no_address_and_uses_none(client: Client, anna: Follower) -> None:
    further_addresses.create_address(follower=anna, channel="email", value=NEW, by=TESTER, now=NOW)
    page = visit(client, preferences_path(anna))
    assert not page.has(INSTEAD)
    assert not page.has("Use this one")
    old = preferences_path(anna)
    assert client.post(f"{old}email/", {"email": NEW, "use": "instead"}).status_code == 200
    other = anna.addresses.get(value=NEW)
    client.post(f"{old}email/use/", {"address": str(other.uid)})
    assert not AddressClaim.objects.exists()
    assert Follower.objects.get(pk=anna.pk).email == "anna@example.com"


def test_an_address_of_somebody_else_stays_with_them_and_only_its_owner_learns_it(
    client: Client, anna: Follower
) -> None:
    make_warning()
    holder = make_follower(name="Holder", email=NEW)
    stranger = make_follower(name="Stranger", email="stranger@example.com")
    known = asked(client, anna)
    unknown = asked(client, stranger, value="nobody@example.org")
    assert known.notice.replace("a•••", "•••") == unknown.notice.replace("n•••", "•••")
    page = Page(client, "", client.get("/p/" + link(anna.address_claims.get()).partition("/p/")[2]))
    taken = page.press(CONFIRM)
    assert (taken.response.status_code, "under other settings" in taken.notice) == (409, True)
    assert (holder.email, written_to(anna)) == (NEW, [])


@pytest.mark.parametrize("value", ["", "anna", "a@b@c"])
def test_what_is_no_address_is_refused_with_help(
    client: Client, anna: Follower, value: str
) -> None:
    refused = client.post(f"{fresh_path(anna)}email/", {"email": value, "use": "also"})
    assert refused.status_code == 400
    assert "It needs an @" in Page(client, "", refused).notice


def test_a_link_of_long_ago_sends_a_new_one_and_a_revoked_one_is_dead(
    client: Client, anna: Follower, now: Any
) -> None:
    asked(client, anna)
    now.shift(dt.timedelta(days=15))
    old = confirming(client)
    assert not old.has(CONFIRM)
    assert "A fresh link is on its way." in old.press("Mail me a fresh link").notice
    assert AddressClaim.objects.count() == 2
    assert "A fresh link is on its way." in old.press("Mail me a fresh link").notice
    assert AddressClaim.objects.count() == 2  # one an hour
    assert confirming(client).has(CONFIRM)
    revoke_links(follower=anna, by=TESTER, now=NOW + dt.timedelta(days=15))
    assert confirming(client).response.status_code == 404
    address_claims.forget_old(now=NOW + dt.timedelta(days=100))
    assert AddressClaim.objects.count() == 1


def test_an_address_is_asked_once_an_hour_whoever_asks(client: Client, anna: Follower) -> None:
    asked(client, anna)
    boris = make_follower(name="Boris", email="boris@example.com")
    again = client.post(f"{fresh_path(boris)}email/", {"email": NEW, "use": "also"})
    assert (again.status_code, AddressClaim.objects.count()) == (429, 1)


def test_the_mail_is_sent_to_the_new_address_alone_in_the_followers_language(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    Follower.objects.filter(pk=anna.pk).update(language="ru")
    client.post(f"{fresh_path(anna)}email/", {"email": NEW, "use": "also"})
    [call] = [row.task["kwargs"] for row in OrmQ.objects.all() if "claim_id" in row.task["kwargs"]]
    assert send(**call)
    assert not send(**call)
    assert receiver.recipients == [NEW]
    mail = receiver.arrived[0].mail
    assert "Подтвердите" in mail["Subject"]
    assert link(AddressClaim.objects.get()) in mail.get_content().replace("=\n", "")
    told = AuditEntry.objects.get(kind="address.asked")
    assert (told.data["to"], told.data["result"]) == ("a•••@example.org", "accepted")


def test_the_page_says_when_the_address_could_not_be_asked(client: Client, anna: Follower) -> None:
    suppression.suppress(channel="email", value=NEW, reason="manual", by=TESTER, now=NOW)
    asked(client, anna)
    assert not send(claim_id=AddressClaim.objects.get().pk)
    assert "We could not write to a•••@example.org." in visit(client, fresh_path(anna)).notice
