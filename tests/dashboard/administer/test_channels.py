"""Provider accounts: forms made from what providers declare, secrets that are never shown,
and a real test.
"""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.channels.contract import Outcome, Result
from apps.channels.push import web_push
from apps.channels.registry import providers
from apps.followers.devices import push_devices
from apps.followers.models import Follower, Suppression
from apps.inbox.models import InboxItem
from apps.notifications.accounts import health
from apps.notifications.accounts.edit import create_account
from apps.notifications.accounts.routing import settings_of
from apps.notifications.limits import domains
from apps.notifications.models import Delivery, DomainLimit, ProviderAccount
from tests.channels.https.test_webhook import FakeReceiver
from tests.dashboard.pages import as_role, page_of
from tests.fake_push import FakePush
from tests.fake_sms import FakeSms
from tests.make import TESTER
from tests.receiver import Receiver

VALUES = {
    "name": "Main server",
    "position": "10",
    "s_host": "smtp.example.com",
    "s_port": "587",
    "s_security": "starttls",
    "s_username": "carillon",
    "s_password": "very-secret-word",
    "s_from_name": "News",
    "s_from_address": "news@example.com",
    "s_timeout": "30",
    "s_per_connection": "100",
}


@pytest.fixture
def account(db: None) -> ProviderAccount:
    settings = {
        key.removeprefix("s_"): value for key, value in VALUES.items() if key.startswith("s_")
    }
    return create_account(
        enabled=True,
        name="Main server",
        provider_key="smtp",
        settings=settings | {"port": 587},
        by=TESTER,
        now=timezone.now(),
    )


@pytest.mark.parametrize("role", ["viewer", "editor", "sender"])
def test_only_an_administrator_comes_in(
    client: Client, request: pytest.FixtureRequest, account: ProviderAccount, role: str
) -> None:
    as_role(client, request.getfixturevalue(role))
    assert client.get(reverse("dashboard:channels")).status_code == 403
    for name in ("account", "account-switch", "account-test"):
        assert (
            client.post(reverse(f"dashboard:channel-{name}", args=[account.uid])).status_code == 403
        )
    account.refresh_from_db()
    assert account.enabled


def test_every_wired_provider_has_a_form_with_its_own_settings(client: Client, admin: Any) -> None:
    as_role(client, admin)
    for kind in providers():
        form = client.get(reverse("dashboard:channel-account-add", args=[kind.key])).context["form"]
        assert [name for name in form.fields if name.startswith("s_")] == [
            f"s_{each.name}" for each in kind.settings
        ]


def test_an_account_is_added_and_its_secret_is_stored_but_never_shown(
    client: Client, admin: Any
) -> None:
    as_role(client, admin).post(reverse("dashboard:channel-account-add", args=["smtp"]), VALUES)
    made = ProviderAccount.objects.get(provider="smtp")
    assert settings_of(made)["password"] == "very-secret-word"
    assert "very-secret-word" not in made.settings
    assert (
        "very-secret-word"
        not in client.get(reverse("dashboard:channel-account", args=[made.uid])).content.decode()
    )
    assert "very-secret-word" not in str(list(AuditEntry.objects.values_list("data", flat=True)))


def test_an_empty_secret_keeps_the_stored_one_and_a_new_one_replaces_it(
    client: Client, admin: Any, account: ProviderAccount
) -> None:
    url = reverse("dashboard:channel-account", args=[account.uid])
    as_role(client, admin).post(url, VALUES | {"s_password": "", "s_host": "mail.example.com"})
    account.refresh_from_db()
    assert settings_of(account)["password"] == "very-secret-word"
    assert settings_of(account)["host"] == "mail.example.com"
    client.post(url, VALUES | {"s_password": "another-word"})
    account.refresh_from_db()
    assert settings_of(account)["password"] == "another-word"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"s_host": ""}, "This field is required"),
        ({"s_port": "many"}, "Enter a whole number"),
        ({"s_security": "hope"}, "Select a valid choice"),
    ],
)
def test_settings_that_can_not_work_are_refused_and_nothing_is_saved(
    client: Client, admin: Any, changes: dict[str, str], message: str
) -> None:
    answer = as_role(client, admin).post(
        reverse("dashboard:channel-account-add", args=["smtp"]), VALUES | changes
    )
    assert message in page_of(answer).text
    assert not ProviderAccount.objects.exists()


def test_an_account_is_switched_off_and_on(
    client: Client, admin: Any, account: ProviderAccount
) -> None:
    url = reverse("dashboard:channel-account-switch", args=[account.uid])
    as_role(client, admin).post(url, {"enabled": "0"})
    account.refresh_from_db()
    assert not account.enabled
    client.post(url, {"enabled": "1"})
    account.refresh_from_db()
    assert account.enabled


@pytest.mark.reported
def test_a_new_account_is_off_until_its_first_test_succeeds(
    client: Client, admin: Any, receiver: Receiver
) -> None:
    ProviderAccount.objects.all().delete()
    values = VALUES | {"s_host": "127.0.0.1", "s_port": str(receiver.port), "s_security": "none"}
    del values["s_username"], values["s_password"]
    url = reverse("dashboard:channel-account-add", args=["smtp"])
    answer = as_role(client, admin).post(url, values, follow=True)
    assert "It is off until a test succeeds: send one now." in page_of(answer).text
    assert "nothing leaves through it yet" in page_of(answer).text
    account = ProviderAccount.objects.get()
    assert not account.enabled
    assert "Off until tested" in page_of(client.get(reverse("dashboard:channels"))).text

    test = reverse("dashboard:channel-account-test", args=[account.uid])
    receiver.answers["CONNECT"] = "554 5.7.1 Go away"
    client.post(test, {"to": "me@staff.example"})
    account.refresh_from_db()
    assert not account.enabled, "a test that failed switches nothing on"

    receiver.answers.clear()
    page = page_of(client.post(test, {"to": "me@staff.example"}, follow=True))
    assert "Main server is on from now on: its first test succeeded." in page.text
    assert "nothing leaves through it yet" not in page.text
    account.refresh_from_db()
    assert account.enabled
    entry = AuditEntry.objects.filter(kind="provider_account.changed").latest("pk")
    assert entry.data["enabled"] == [False, True]
    assert entry.actor_label == "Ada"


@pytest.mark.reported
def test_an_account_that_somebody_switched_off_stays_off_when_a_test_succeeds(
    client: Client, admin: Any, receiver: Receiver
) -> None:
    account = ProviderAccount.objects.get(channel="email")
    url = reverse("dashboard:channel-account-switch", args=[account.uid])
    answer = as_role(client, admin).post(url, {"enabled": "0"}, follow=True)
    assert "Receiver is off. Nothing more leaves through it." in page_of(answer).text
    test = reverse("dashboard:channel-account-test", args=[account.uid])
    client.post(test, {"to": "me@staff.example"})
    account.refresh_from_db()
    assert receiver.recipients == ["me@staff.example"]
    assert not account.enabled


@pytest.mark.reported
def test_a_new_account_is_switched_on_without_a_test_by_who_knows_that_it_works(
    client: Client, admin: Any
) -> None:
    url = reverse("dashboard:channel-account-add", args=["smtp"])
    page = page_of(as_role(client, admin).post(url, VALUES, follow=True))
    assert "Switch it on without a test" in page.text
    account = ProviderAccount.objects.get()
    client.post(reverse("dashboard:channel-account-switch", args=[account.uid]), {"enabled": "1"})
    account.refresh_from_db()
    assert (account.enabled, account.untried) == (True, False)


def test_the_list_tells_how_each_account_does(
    client: Client, admin: Any, account: ProviderAccount
) -> None:
    as_role(client, admin)
    url = reverse("dashboard:channels")
    assert "Not used yet" in page_of(client.get(url)).text
    ProviderAccount.objects.update(
        last_error="smtp.example.com:587 can't be reached", last_error_at=timezone.now()
    )
    page = page_of(client.get(url))
    assert "Failing" in page.text
    assert "can't be reached" in page.text
    ProviderAccount.objects.update(last_ok_at=timezone.now())
    assert "Working" in page_of(client.get(url)).text


def test_a_test_goes_through_exactly_this_account_and_shows_the_answer(
    client: Client, admin: Any, receiver: Receiver
) -> None:
    tried = ProviderAccount.objects.get(channel="email")
    answer = as_role(client, admin).post(
        reverse("dashboard:channel-account-test", args=[tried.uid]),
        {"to": "me@staff.example"},
        follow=True,
    )
    assert "The server took the test for me@staff.example" in page_of(answer).text
    assert receiver.recipients == ["me@staff.example"]
    tried.refresh_from_db()
    assert tried.last_ok_at


def test_a_refusal_is_shown_in_the_servers_words_and_noted(
    client: Client, admin: Any, receiver: Receiver
) -> None:
    receiver.answers["CONNECT"] = "554 5.7.1 Go away"
    tried = ProviderAccount.objects.get(channel="email")
    url = reverse("dashboard:channel-account-test", args=[tried.uid])
    answer = as_role(client, admin).post(url, {"to": "me@staff.example"}, follow=True)
    assert "was not taken" in page_of(answer).text
    assert "Go away" in page_of(answer).text
    tried.refresh_from_db()
    assert "Go away" in tried.last_error


def test_a_wrong_address_is_refused_before_anything_is_sent(
    client: Client, admin: Any, receiver: Receiver
) -> None:
    tried = ProviderAccount.objects.get(channel="email")
    url = reverse("dashboard:channel-account-test", args=[tried.uid])
    assert (
        "Write the address"
        in page_of(as_role(client, admin).post(url, {"to": "me"}, follow=True)).text
    )
    assert receiver.connections == 0


def tried(client: Client, kind: str, values: Any, to: dict[str, str]) -> str:
    """What the page says after a test through a new account."""
    account = create_account(
        enabled=True,
        name="Trial",
        provider_key=kind,
        settings=values,
        by=TESTER,
        now=timezone.now(),
    )
    assert (
        "Send a real test"
        in client.get(reverse("dashboard:channel-account", args=[account.uid])).content.decode()
    )
    url = reverse("dashboard:channel-account-test", args=[account.uid])
    said = page_of(client.post(url, to, follow=True)).text
    assert not Suppression.objects.exists()
    assert not Delivery.objects.exists(), "a test is no delivery"
    return said


def test_an_app_is_tried_on_a_registered_device_or_a_pasted_token(
    client: Client, admin: Any, anna: Follower
) -> None:
    as_role(client, admin)
    now = timezone.now()
    phone = push_devices.register_app(
        follower=anna,
        app=push_devices.AppDevice(service="fcm", token="a" * 40, label="Anna's phone"),
        by=TESTER,
        now=now,
    )
    with FakePush() as fake:
        said = tried(client, "fcm", fake.settings("fcm"), {"to": str(phone.uid)})
        assert "took the test for Anna Weber: Anna's phone" in said
        assert "a" * 40 not in said, "a token is all it takes to write to a device"
        assert "took the test for the token" in tried(
            client, "fcm", fake.settings("fcm"), {"token": "b" * 40}
        )
        assert "Choose one of the registered devices" in tried(
            client, "fcm", fake.settings("fcm"), {}
        )
        fake.bad["b" * 40] = "unregistered"
        assert "was not taken. 404" in tried(
            client, "fcm", fake.settings("fcm"), {"token": "b" * 40}
        )
    assert [shown.token for shown in fake.arrived] == ["a" * 40, "b" * 40]
    phone.refresh_from_db()
    assert phone.state == "active"


def test_a_browser_a_webhook_a_number_and_an_inbox_are_tried(
    client: Client, admin: Any, anna: Follower
) -> None:
    as_role(client, admin)
    with FakePush() as fake:
        browser = fake.browser()
        values = fake.settings("web_push")
        key = web_push.public_key_of(values)
        stamp = {"by": TESTER, "now": timezone.now()}
        row = push_devices.register_browser(
            follower=anna,
            browser=push_devices.BrowserDevice(
                endpoint=browser.endpoint, server_key=key, label="Firefox", **browser.keys()
            ),
            **stamp,
        )
        assert "took the test for Anna Weber: Firefox" in tried(
            client, "web_push", values, {"to": str(row.uid)}
        )
        assert "Choose the device" in tried(client, "web_push", values, {"to": "another"})
    assert len(fake.arrived) == 1
    with FakeReceiver() as hook:
        assert f"took the test for {hook.url}/hook" in tried(
            client, "webhook", {}, {"to": f"{hook.url}/hook"}
        )
        assert "was not taken" in tried(client, "webhook", {}, {"to": "http://10.0.0.1/hook"})
    assert len(hook.calls) == 1
    with FakeSms() as sms:
        values = sms.settings("twilio_voice")
        assert "took the test" in tried(client, "twilio_voice", values, {"to": "+49 1511 2340001"})
        assert "is not a phone number" in tried(client, "twilio_voice", values, {"to": "12"})
    assert [text.to for text in sms.arrived] == ["+4915112340001"]
    assert "took the test for anna@example.com" in tried(
        client, "in_app", {}, {"to": "anna@example.com"}
    )
    assert "finds no follower" in tried(client, "in_app", {}, {"to": "nobody@example.com"})
    assert InboxItem.objects.get().follower == anna


def test_an_account_whose_key_is_lost_is_explained(
    client: Client, admin: Any, account: ProviderAccount, settings: Any
) -> None:
    settings.FIELD_KEYS = ["another-key"]
    answer = as_role(client, admin).get(
        reverse("dashboard:channel-account", args=[account.uid]), follow=True
    )
    assert "Put the key it was written with back into FIELD_KEYS" in page_of(answer).text


# ------------------------------------------------------------------ how much may leave
def test_limits_are_typed_beside_the_settings_and_stay(
    client: Client, admin: Any, account: ProviderAccount
) -> None:
    url = reverse("dashboard:channel-account", args=[account.uid])
    typed = {
        "rate": "2.5",
        "daily": "5000",
        "warmup_start": "2026-05-01",
        "warmup_first": "50",
        "warmup_growth": "",
    }
    as_role(client, admin).post(url, VALUES | typed)
    account.refresh_from_db()
    assert (account.rate, account.daily, account.warmup_first, account.warmup_growth) == (
        2.5,
        5000,
        50,
        1.5,
    )
    assert b'value="2026-05-01"' in client.get(url).content
    client.post(url, VALUES | {"rate": ""})
    account.refresh_from_db()
    assert (account.rate, account.daily, account.warmup_start) == (None, None, None)


@pytest.mark.parametrize(
    "typed", [{"rate": "0"}, {"daily": "-1"}, {"warmup_first": "50"}, {"warmup_growth": "0.5"}]
)
def test_limits_that_can_not_be_are_refused(
    client: Client, admin: Any, account: ProviderAccount, typed: dict[str, str]
) -> None:
    url = reverse("dashboard:channel-account", args=[account.uid])
    assert as_role(client, admin).post(url, VALUES | typed).status_code == 200
    account.refresh_from_db()
    assert (account.rate, account.daily, account.warmup_first, account.warmup_growth) == (
        None,
        None,
        None,
        1.5,
    )


def test_the_inbox_has_no_limits_to_set(client: Client, admin: Any, receiver: Receiver) -> None:
    inbox = ProviderAccount.objects.get(provider="in_app")
    url = reverse("dashboard:channel-account", args=[inbox.uid])
    assert "rate" not in as_role(client, admin).get(url).context["form"].fields
    assert client.post(url, {"name": "Box", "position": "3"}).status_code == 302


def test_an_account_out_of_use_says_since_when_why_and_when_it_is_tried(
    client: Client, admin: Any, account: ProviderAccount
) -> None:
    now = timezone.now()
    for _ in range(5):
        account.refresh_from_db()
        now = max(now, account.paused_until or now)
        health.pause(account, detail="smtp.example.com:587 can't be reached", now=now)
    as_role(client, admin)
    url = reverse("dashboard:channel-account", args=[account.uid])
    page = page_of(client.get(url))
    assert "Out of use" in page.text
    assert "5 errors of the account in a row" in page.text
    assert "with one message" in page.text
    reset = reverse("dashboard:channel-account-reset", args=[account.uid])
    assert reset in page.forms
    assert "is used again from now on" in page_of(client.post(reset, follow=True)).text
    account.refresh_from_db()
    assert account.tripped_at is None
    assert AuditEntry.objects.get(kind="provider_account.reset").actor_label == "Ada"


def test_a_slowed_domain_is_shown_with_its_words_and_freed_by_a_person(
    client: Client, admin: Any, account: ProviderAccount
) -> None:
    said = Outcome(Result.TRANSIENT, "421 4.7.28 too much mail from you (at RCPT)")
    domains.heard(account=account, results=[("slow.example", said)], now=timezone.now())
    as_role(client, admin)
    assert "1 slowed domain" in page_of(client.get(reverse("dashboard:channels"))).text
    url = reverse("dashboard:channel-account", args=[account.uid])
    page = page_of(client.get(url))
    assert "421 4.7.28 too much mail" in page.text
    assert "was 2 a second" in page.text
    unslow = reverse("dashboard:channel-account-unslow", args=[account.uid])
    assert (
        "is written to as before"
        in page_of(client.post(unslow, {"domain": "slow.example"}, follow=True)).text
    )
    assert (
        "not slowed any more"
        in page_of(client.post(unslow, {"domain": "slow.example"}, follow=True)).text
    )


def test_a_receiving_domain_gets_a_limit_and_loses_it(
    client: Client, admin: Any, account: ProviderAccount
) -> None:
    as_role(client, admin)
    url = reverse("dashboard:domain-limit")
    assert (
        "is no domain"
        in page_of(client.post(url, {"domain": "not a domain", "per_minute": "5"})).text
    )
    assert (
        "Choose between"
        in page_of(client.post(url, {"domain": "example.com", "per_minute": "0"})).text
    )
    client.post(url, {"domain": "@Example.COM", "per_minute": "90"})
    limit = DomainLimit.objects.get()
    assert (limit.domain, limit.per_minute) == ("example.com", 90)
    client.post(url, {"domain": "example.com", "per_minute": "30"})
    assert DomainLimit.objects.get().per_minute == 30, "the new one replaces the old one"
    client.post(reverse("dashboard:domain-unlimit", args=[limit.pk]))
    assert not DomainLimit.objects.exists()
    assert AuditEntry.objects.filter(kind="domain_limit.changed").count() == 3


@pytest.mark.parametrize("role", ["viewer", "sender"])
def test_only_an_administrator_sets_limits(
    client: Client, request: Any, account: ProviderAccount, role: str
) -> None:
    as_role(client, request.getfixturevalue(role))
    limit = DomainLimit.objects.create(
        domain="example.com", per_minute=5, created_at=timezone.now()
    )
    urls = [
        reverse(f"dashboard:channel-account-{name}", args=[account.uid])
        for name in ("reset", "unslow")
    ]
    for url in [
        *urls,
        reverse("dashboard:domain-limit"),
        reverse("dashboard:domain-unlimit", args=[limit.pk]),
    ]:
        assert client.post(url).status_code == 403
        assert client.get(url).status_code in (403, 405)
