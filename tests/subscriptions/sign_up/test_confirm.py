"""The mailbox says yes: nothing happens before, and everything that was typed after."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ

from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import suppress
from apps.followers.models import ConsentRecord, Follower, SignUp
from apps.followers.sign_up import forget
from apps.followers.sign_up.begin import Before, mail_moment
from apps.followers.sign_up.confirm import approve, decline
from apps.lib.refusals import WrongState
from apps.notifications.models import Delivery, TypeTemplate
from apps.subscriptions.sign_up import mail
from tests.make import TESTER, make_template, make_type
from tests.subscriptions.pages import everything_stored, visit
from tests.subscriptions.sign_up.world import asked, fill_in, link_of, make_form

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def said(follower: Follower) -> dict[str, Any]:
    """What holds for a follower that a sign-up may change."""
    return {
        "subscribed": follower.subscribed,
        "name": follower.first_name,
        "city": follower.metadata.get("city"),
        "tags": sorted(tag.name for tag in follower.tags.all()),
        "cells": sorted(
            (cell.notification_type.key, cell.channel, cell.allowed)
            for cell in follower.preferences.all()
        ),
        "address": follower.addresses.get(channel="email").state,
    }


NOBODY_YET = {
    "subscribed": False,
    "name": "",
    "city": None,
    "tags": [],
    "cells": [],
    "address": "unconfirmed",
}
JOINED = {
    "subscribed": True,
    "name": "Ida",
    "city": "Oslo",
    "tags": ["from the site"],
    "cells": [("letters_news", "email", True)],
    "address": "active",
}


def test_nothing_of_it_holds_before_the_mailbox_confirms_and_all_of_it_after(
    client: Client, db: None
) -> None:
    make_form()
    row = asked(client, email="ida@example.com", first_name="Ida", city="Oslo")
    ida = Follower.objects.get()
    assert said(ida) == NOBODY_YET
    delivery = Delivery.objects.get()
    assert (delivery.follower, delivery.status) == (ida, "pending")  # to an unconfirmed address
    page = visit(client, link_of(row))
    assert "Send me the letters." in page.text
    assert "You are signed up: Letters from the workshop" in page.press("Yes, I want this").notice
    ida.refresh_from_db()
    assert said(ida) == JOINED
    proofs = ConsentRecord.objects.filter(follower=ida).order_by("pk")
    assert {proof.wording for proof in proofs} == {f"form-{row.form_id}/1/en"}
    assert "signed_up" in {proof.act for proof in proofs}


def test_a_scanner_that_opens_the_link_spends_nothing_and_pressing_twice_is_no_harm(
    client: Client, db: None
) -> None:
    make_form()
    row = asked(client, email="ida@example.com")
    link = link_of(row)
    before = everything_stored()
    for method in (client.get, client.head, client.options):
        method(link)
    assert everything_stored() == before
    client.post(link)
    after = everything_stored()
    assert "signed up" in visit(client, link).notice
    assert client.post(link).status_code == 200
    assert everything_stored() == after


def test_a_second_sign_up_lowers_no_state_and_revives_no_opt_out_before_it_is_confirmed(
    client: Client, anna: Follower, boris: Follower
) -> None:
    form = make_form()
    [kind] = form.types.all()
    proof = Proof(source="test", by=TESTER, now=timezone.now())
    acts.set_preferences(follower=anna, cells={(kind.key, "email"): False}, mutes={}, proof=proof)
    before = [said(each) for each in (anna, boris)]
    for email in ("anna@example.com", "boris@example.com"):
        asked(client, email=email, first_name="Mallory")
    for each in (anna, boris):
        each.refresh_from_db()
    assert [said(each) for each in (anna, boris)] == before
    assert before[1]["subscribed"] is False
    client.post(link_of(SignUp.objects.latest("pk")))
    boris.refresh_from_db()
    assert boris.subscribed


def test_an_address_gets_one_mail_an_hour_whatever_is_typed(client: Client, db: None) -> None:
    make_form()
    make_form("offers", types=[make_type("offers", default_channels=[])])
    asked(client, email="ida@example.com")
    assert asked(client, email="ida@example.com").state == "held"  # the same form: it has its mail
    other = asked(client, "offers", email="ida@example.com")
    assert other.mail_at
    assert other.mail_at > timezone.now() + HOUR / 2  # comes when the hour is over
    third = asked(client, email="IDA@example.com")
    assert (third.state, third.held_because) == ("held", "lately")
    assert Delivery.objects.count() == 2


@pytest.mark.parametrize(
    ("before", "at"),
    [
        (None, NOW),
        (Before(NOW - HOUR, True), NOW),
        (Before(NOW - HOUR / 2, True), None),
        (Before(NOW - HOUR / 2, False), NOW + HOUR / 2),
        (Before(NOW + HOUR / 2, False), None),
    ],
)
def test_when_a_mail_may_go(before: Before | None, at: dt.datetime | None) -> None:
    assert mail_moment(before, now=NOW) == at


def test_a_suppressed_address_gets_no_mail_and_staff_see_why(
    client: Client, anna: Follower
) -> None:
    suppress(
        channel="email", value="anna@example.com", reason="complaint", by=TESTER,
        now=timezone.now(),
    )  # fmt: skip
    make_form()
    row = asked(client, email="anna@example.com")
    assert (row.state, row.held_because) == ("held", "suppressed")
    assert not Delivery.objects.exists()


def test_an_old_link_sends_a_new_mail_and_what_was_typed_still_counts(
    client: Client, db: None
) -> None:
    make_form()
    row = asked(client, email="ida@example.com", first_name="Ida", city="Oslo")
    month = dt.timedelta(days=30)
    SignUp.objects.update(created_at=row.created_at - month, mail_at=row.created_at - month)
    page = visit(client, link_of(row))
    assert "too old" in page.text
    assert "on its way" in page.press("Mail me a fresh link").notice
    fresh = SignUp.objects.latest("pk")
    mail.send(sign_up_id=fresh.pk)
    client.post(link_of(fresh))
    ida = Follower.objects.get()
    assert said(ida) == JOINED


def test_what_nobody_confirmed_is_forgotten_with_whom_it_made_and_nobody_else(
    client: Client, anna: Follower
) -> None:
    make_form()
    late = timezone.now() - dt.timedelta(days=91)
    ida = asked(client, email="ida@example.com")
    link = link_of(ida)
    asked(client, email="anna@example.com")
    otto = asked(client, email="otto@example.com")
    client.post(link_of(otto))
    SignUp.objects.update(created_at=late)
    assert forget.forget_unconfirmed(before=timezone.now() - dt.timedelta(days=90)) == 2
    people = {each.email for each in Follower.objects.prefetch_related("addresses")}
    assert people == {"anna@example.com", "otto@example.com"}
    page = visit(client, link)
    assert page.response.status_code == 404
    assert "Letters from the workshop" in page.text  # and where to sign up anew


def test_where_staff_approve_nobody_joins_before_they_do(client: Client, db: None) -> None:
    make_form(approval=True)
    row = asked(client, email="ida@example.com", first_name="Ida", city="Oslo")
    with pytest.raises(WrongState):
        approve(sign_up=row, by=TESTER, now=timezone.now())
    client.post(link_of(row))
    ida = Follower.objects.get()
    assert said(ida) == {**NOBODY_YET, "address": "active"}
    approve(sign_up=row, by=TESTER, now=timezone.now())
    ida.refresh_from_db()
    assert said(ida) == JOINED
    with pytest.raises(WrongState):
        decline(sign_up=row, by=TESTER, now=timezone.now())


def test_who_is_declined_stays_out_and_is_told_so_on_the_page(client: Client, db: None) -> None:
    make_form(approval=True)
    row = asked(client, email="ida@example.com")
    client.post(link_of(row))
    decline(sign_up=row, by=TESTER, now=timezone.now())
    assert not Follower.objects.get().subscribed
    assert "not accepted" in visit(client, link_of(row)).notice


def test_a_welcome_goes_once_to_whoever_joined(client: Client, db: None) -> None:
    welcome = make_type(
        "welcome", category="informational", channels=["email"], default_channels=["email"]
    )
    TypeTemplate.objects.create(notification_type=welcome, template=make_template("hello"))
    make_form(welcome=welcome)
    make_form("offers", types=[make_type("offers", default_channels=[])], welcome=welcome)
    row = asked(client, email="ida@example.com")
    client.post(link_of(row))
    client.post(link_of(row))
    SignUp.objects.update(mail_at=timezone.now() - 2 * HOUR)
    client.post(link_of(asked(client, "offers", email="ida@example.com")))
    greeted = Delivery.objects.filter(notification__notification_type=welcome)
    assert greeted.count() == 1


def test_a_lost_call_is_made_again(client: Client, db: None) -> None:
    make_form()
    fill_in(client, email="ida@example.com")
    OrmQ.objects.all().delete()
    mail.announce_forgotten(now=timezone.now())
    assert not OrmQ.objects.exists()
    mail.announce_forgotten(now=timezone.now() + dt.timedelta(minutes=3))
    assert OrmQ.objects.count() == 1
