"""What the first page tells a new site to do next."""

import datetime as dt

from apps.campaigns import lifecycle
from apps.dashboard.shell.first_steps import first_steps
from apps.notifications.accounts import edit
from apps.notifications.accounts.edit import AccountValues
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_follower

NOON = dt.datetime(2026, 3, 2, 12, tzinfo=dt.UTC)


def undone(viewer):
    return [step.title for step in first_steps(viewer=viewer) if not step.done]


def make_account(host):
    settings = {"host": host, "port": 25, "from_address": "news@example.com"}
    return edit.create_account(
        name=host, provider_key="smtp", settings=settings, by=TESTER, now=NOON
    )


def switch_on(account):
    values = AccountValues(enabled=True)
    edit.change_account(account=account, values=values, by=TESTER, now=NOON)


def test_a_new_site_is_told_the_four_things_to_do_first(client, admin):
    page = page_of(as_role(client, admin).get("/"))
    assert "First steps" in page.text
    assert undone(admin) == [
        "Connect an email account",
        "Sign your mail",
        "Bring your people",
        "Send a first campaign",
    ]
    assert {"/channels/", "/imports/", "/campaigns/add/", "/help/use/"} <= page.links


def test_who_may_not_do_a_step_is_not_sent_there(client, viewer):
    page = page_of(as_role(client, viewer).get("/"))
    assert "Connect an email account" in page.text
    assert "Somebody with more rights does this." in page.text
    assert "/channels/" not in page.links


def test_an_account_that_is_still_off_is_not_connected(admin):
    account = make_account("mail.example.com")
    assert undone(admin)[0] == "Connect an email account"
    switch_on(account)
    assert undone(admin)[0] == "Sign your mail"


def test_mail_counts_as_signed_where_another_server_on_this_machine_may_do_it(admin):
    account = make_account("localhost")
    switch_on(account)
    assert "Sign your mail" not in undone(admin)


def test_the_list_goes_when_all_is_done(client, admin, receiver):
    account = make_account("localhost")
    switch_on(account)
    make_follower(email="anna@example.com")
    campaign = make_campaign("First")
    assert undone(admin) == ["Send a first campaign"]
    lifecycle.send_now(campaign=campaign, by=TESTER, now=NOON)
    assert first_steps(viewer=admin) == []
    assert "First steps" not in page_of(as_role(client, admin).get("/")).text
