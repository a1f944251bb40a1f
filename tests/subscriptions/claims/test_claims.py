"""A second or another email address is a follower's when its mailbox says so, and not before."""

import datetime as dt
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django_q.models import OrmQ

from apps.accounts.models import AuditEntry
from apps.followers.consent import suppression
from apps.followers.consent.record import Proof
from apps.followers.models import AddressClaim, ConsentRecord, Follower
from apps.followers.people import address_claims, further_addresses
from apps.followers.people.revoke_links import revoke_links
from apps.notifications.accounts import edit
from apps.notifications.models import Delivery, ProviderAccount
from apps.subscriptions import new_way
from apps.subscriptions.claims.mail import link, send
from tests.campaigns.test_at_once import at_once
from tests.make import TESTER, make_follower, make_type
from tests.receiver import Receiver
from tests.subscriptions.pages import Page, fresh_path, preferences_path, visit
from tests.subscriptions.world import make_warning, way_back

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
    client: Client, anna: Follower, now: Any
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
    assert not page.has("Forget this address")
    now.shift(dt.timedelta(days=8))
    page = visit(client, fresh_path(anna))
    assert "The address is forgotten." in page.press("Forget this address").notice
    assert [row.value for row in anna.addresses.all()] == [NEW]


def test_a_forwarded_link_asks_no_address_and_uses_none(client: Client, anna: Follower) -> None:
    further_addresses.create_address(follower=anna, channel="email", value=NEW, by=TESTER, now=NOW)
    page = visit(client, preferences_path(anna))
    assert not page.has(INSTEAD)
    assert not page.has("Use this one")
    assert not page.has("Forget this address")
    old = preferences_path(anna)
    assert client.post(f"{old}email/", {"email": NEW, "use": "instead"}).status_code == 200
    other = anna.addresses.get(value=NEW)
    client.post(f"{old}email/use/", {"address": str(other.uid)})
    client.post(f"{old}email/remove/", {"address": str(other.uid)})
    assert anna.addresses.filter(pk=other.pk).exists()
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


def test_an_address_is_asked_once_an_hour_and_nobody_learns_that_others_asked(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    asked(client, anna)
    again = client.post(f"{fresh_path(anna)}email/", {"email": NEW, "use": "also"})
    assert (again.status_code, AddressClaim.objects.count()) == (429, 1)
    for number in range(5):
        other = make_follower(name=f"{number}", email=f"p{number}@example.com")
        assert "waits for your word" in asked(client, other).text
    taken = [send(claim_id=claim.pk) for claim in AddressClaim.objects.order_by("pk")]
    assert taken == [True] * 5 + [False]
    assert receiver.recipients == [NEW] * 5
    last = Follower.objects.get(name="4")
    assert "waits for your word" in visit(client, fresh_path(last)).text
    told = AuditEntry.objects.filter(kind="address.asked").latest("pk")
    assert told.data["result"] == "too_many"


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
    asked(client, anna)
    assert not send(claim_id=AddressClaim.objects.get().pk)  # there is no account
    assert "We could not write to a•••@example.org." in visit(client, fresh_path(anna)).notice


def test_nobody_but_staff_learns_that_an_address_is_suppressed(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    suppression.suppress(channel="email", value=NEW, reason="manual", by=TESTER, now=NOW)
    asked(client, anna)
    assert not send(claim_id=AddressClaim.objects.get().pk)
    page = visit(client, fresh_path(anna))
    assert "a•••@example.org waits for your word" in page.text
    assert (page.notice, receiver.recipients) == ("", [])
    assert AuditEntry.objects.get(kind="address.asked").data["result"] == "suppressed"


def test_an_account_that_can_not_be_opened_leaves_the_mail_to_the_next(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    asked(client, anna)
    first = ProviderAccount.objects.get(provider="smtp")
    edit.create_account(
        enabled=True, name="Second", provider_key="smtp", settings=receiver.settings(),
        position=20, by=TESTER, now=NOW,
    )  # fmt: skip
    ProviderAccount.objects.filter(pk=first.pk).update(settings="nothing that we encrypted")
    assert send(claim_id=AddressClaim.objects.get().pk)
    assert receiver.recipients == [NEW]
    first.refresh_from_db()
    assert first.last_error


# ------------------------------------------------------------------ losing an address, and claims
def lost(client: Client, follower: Follower, value: str = NEW) -> str:
    """Somebody with a fresh link leads the messages away. Gives the way back of who lost them."""
    before = follower.addresses.get(channel="email", primary=True)
    asked(client, follower, value=value)
    confirming(client).press(CONFIRM)
    return way_back(before)


def test_whoever_lost_an_address_takes_it_back_and_the_thief_is_out(
    client: Client, anna: Follower, now: Any
) -> None:
    make_warning()
    path = lost(client, anna)
    thief = fresh_path(anna)
    old = anna.addresses.get(value="anna@example.com")
    gone = client.post(f"{thief}email/remove/", {"address": str(old.uid)})
    assert gone.status_code == 409
    assert "until lately" in Page(client, "", gone).notice
    visit(client, thief)
    client.post(f"{thief}email/", {"email": "third@example.org", "use": "instead"})
    third = confirming(client)
    page = visit(client, path)
    assert "come to a•••@example.com again" in page.text
    page = page.press("Write to me here again")
    assert "come to a•••@example.com." in page.notice
    anna = Follower.objects.get(pk=anna.pk)
    assert anna.email == "anna@example.com"
    assert client.get(thief).status_code == 404
    assert third.press(CONFIRM).response.status_code == 404
    assert [row.task["func"] for row in OrmQ.objects.all()].count(
        "apps.subscriptions.mail_link.send"
    ) == 1
    proof = ConsentRecord.objects.filter(follower=anna).first()
    assert proof is not None
    assert proof.act == "address_taken_back"
    assert "come to a•••@example.com." in visit(client, path).notice  # and again
    now.shift(dt.timedelta(seconds=1))
    own = visit(client, fresh_path(anna)).press("Forget this address")
    assert "The address is forgotten." in own.notice
    assert [row.value for row in anna.addresses.all()] == ["anna@example.com"]


def test_a_thief_with_two_addresses_shuts_nobody_out(client: Client, anna: Follower) -> None:
    make_warning()
    own = lost(client, anna)
    his = lost(client, Follower.objects.get(pk=anna.pk), "second@example.org")
    visit(client, his).press("Write to me here again")
    assert Follower.objects.get(pk=anna.pk).email == NEW
    visit(client, own).press("Write to me here again")
    assert Follower.objects.get(pk=anna.pk).email == "anna@example.com"
    assert not visit(client, his).has("Write to me here again")


def test_a_way_back_ends_after_a_week_and_where_staff_revoke_links(
    client: Client, anna: Follower, now: Any
) -> None:
    make_warning()
    boris = make_follower(name="Boris", email="boris@example.com")
    annas = lost(client, anna)
    boriss = lost(client, boris, "boris@example.org")
    assert visit(client, boriss).has("Write to me here again")
    revoke_links(follower=boris, by=TESTER, now=NOW)
    assert not visit(client, boriss).has("Write to me here again")
    now.shift(dt.timedelta(days=6, hours=23))
    page = visit(client, annas)
    now.shift(dt.timedelta(hours=2))
    assert "for a week" in page.press("Write to me here again").notice
    assert Follower.objects.get(pk=anna.pk).email == NEW


def test_the_link_of_another_mail_takes_no_address_back(client: Client, anna: Follower) -> None:
    make_warning()
    other = f"{fresh_path(anna)}email/back/"
    assert client.get(other).status_code == 404
    lost(client, anna)
    assert client.post(other).status_code == 404
    new = Follower.objects.get(pk=anna.pk).addresses.get(value=NEW)
    assert client.post(way_back(new)).status_code == 404
    assert Follower.objects.get(pk=anna.pk).email == NEW


def test_browsers_without_end_do_not_keep_the_news_of_another_address_back(
    client: Client, anna: Follower
) -> None:
    make_warning()
    said = Proof("test", TESTER, NOW)
    while new_way.tell(anna, "browser", "Chrome", proof=said):
        pass
    lost(client, anna)
    assert written_to(anna)[-2:] == ["anna@example.com", NEW]


def test_a_confirmed_address_ends_what_was_asked_before_and_what_waits_is_forgotten(
    client: Client, anna: Follower
) -> None:
    asked(client, anna, value="first@example.org")
    first = confirming(client)
    asked(client, anna)
    confirming(client).press(CONFIRM)
    assert first.press(CONFIRM).response.status_code == 404
    page = asked(client, anna, value="third@example.org", use="also")
    third = confirming(client)
    assert "third@" not in page.text
    assert "waits for your word" not in page.press("Forget").text
    assert third.press(CONFIRM).response.status_code == 404
    assert Follower.objects.get(pk=anna.pk).email == NEW
    assert anna.addresses.filter(channel="email").count() == 2


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("which", ["confirm", "use"])
def test_two_presses_at_once_are_one_and_neither_waits_for_the_other(which: str) -> None:
    make_warning()
    client = Client()
    anna = make_follower(name="Anna", email="anna@example.com")
    asked(client, anna, use={"confirm": "instead", "use": "also"}[which])
    path = confirming(client).url
    told = ["anna@example.com", NEW]
    fields = {}
    if which == "use":
        confirming(client).press(CONFIRM)
        path = f"{fresh_path(anna)}email/use/"
        fields = {"address": str(anna.addresses.get(value=NEW).uid)}
        told.insert(0, "anna@example.com")
    answers = []
    at_once(lambda: answers.append(Client().post(path, fields).status_code))
    assert set(answers) <= {200, 303}
    assert Follower.objects.get(pk=anna.pk).email == NEW
    assert written_to(anna) == told
