"""Provider accounts: forms made from what providers declare, secrets that are never shown, and a real test."""

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.channels.registry import providers
from apps.notifications.accounts_out import add_account, settings_of
from apps.notifications.models import ProviderAccount
from tests.dashboard.pages import as_role, page_of
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
    "s_sender": "News <news@example.com>",
    "s_timeout": "30",
    "s_per_connection": "100",
}


@pytest.fixture
def account(db: None) -> ProviderAccount:
    settings = {key.removeprefix("s_"): value for key, value in VALUES.items() if key.startswith("s_")}
    return add_account(
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
        assert client.post(reverse(f"dashboard:channel-{name}", args=[account.uid])).status_code == 403
    account.refresh_from_db()
    assert account.enabled


def test_every_wired_provider_has_a_form_with_its_own_settings(client: Client, admin: Any) -> None:
    as_role(client, admin)
    for kind in providers():
        form = client.get(reverse("dashboard:channel-account-add", args=[kind.key])).context["form"]
        assert [name for name in form.fields if name.startswith("s_")] == [f"s_{each.name}" for each in kind.settings]


def test_an_account_is_added_and_its_secret_is_stored_but_never_shown(client: Client, admin: Any) -> None:
    as_role(client, admin).post(reverse("dashboard:channel-account-add", args=["smtp"]), VALUES)
    made = ProviderAccount.objects.get(provider="smtp")
    assert settings_of(made)["password"] == "very-secret-word"
    assert "very-secret-word" not in made.settings
    assert "very-secret-word" not in client.get(reverse("dashboard:channel-account", args=[made.uid])).content.decode()
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
    answer = as_role(client, admin).post(reverse("dashboard:channel-account-add", args=["smtp"]), VALUES | changes)
    assert message in page_of(answer).text
    assert not ProviderAccount.objects.exists()


def test_an_account_is_switched_off_and_on(client: Client, admin: Any, account: ProviderAccount) -> None:
    url = reverse("dashboard:channel-account-switch", args=[account.uid])
    as_role(client, admin).post(url, {"enabled": "0"})
    account.refresh_from_db()
    assert not account.enabled
    client.post(url, {"enabled": "1"})
    account.refresh_from_db()
    assert account.enabled


def test_the_list_tells_how_each_account_does(client: Client, admin: Any, account: ProviderAccount) -> None:
    as_role(client, admin)
    url = reverse("dashboard:channels")
    assert "Not used yet" in page_of(client.get(url)).text
    ProviderAccount.objects.update(last_error="smtp.example.com:587 can't be reached", last_error_at=timezone.now())
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
        reverse("dashboard:channel-account-test", args=[tried.uid]), {"to": "me@staff.example"}, follow=True
    )
    assert "The server took the test for me@staff.example" in page_of(answer).text
    assert receiver.recipients == ["me@staff.example"]
    tried.refresh_from_db()
    assert tried.last_ok_at


def test_a_refusal_is_shown_in_the_servers_words_and_noted(client: Client, admin: Any, receiver: Receiver) -> None:
    receiver.answers["CONNECT"] = "554 5.7.1 Go away"
    tried = ProviderAccount.objects.get(channel="email")
    url = reverse("dashboard:channel-account-test", args=[tried.uid])
    answer = as_role(client, admin).post(url, {"to": "me@staff.example"}, follow=True)
    assert "was not taken" in page_of(answer).text
    assert "Go away" in page_of(answer).text
    tried.refresh_from_db()
    assert "Go away" in tried.last_error


def test_a_wrong_address_is_refused_before_anything_is_sent(client: Client, admin: Any, receiver: Receiver) -> None:
    tried = ProviderAccount.objects.get(channel="email")
    url = reverse("dashboard:channel-account-test", args=[tried.uid])
    assert "Write the address" in page_of(as_role(client, admin).post(url, {"to": "me"}, follow=True)).text
    assert receiver.connections == 0


def test_an_account_whose_key_is_lost_is_explained(
    client: Client, admin: Any, account: ProviderAccount, settings: Any
) -> None:
    settings.FIELD_KEYS = ["another-key"]
    answer = as_role(client, admin).get(reverse("dashboard:channel-account", args=[account.uid]), follow=True)
    assert "Put the key it was written with back into FIELD_KEYS" in page_of(answer).text
