"""An administrator sets up an ESP account on the channel page and tries it;
nobody sees the key again.
"""

from typing import Any

from django.test import Client
from django.urls import reverse

from apps.channels.registry import provider
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount
from tests.dashboard.pages import as_role, page_of
from tests.fake_esp import KEY, SAYS, FakeEsp


def typed(fake: FakeEsp, esp: str, **more: Any) -> dict[str, Any]:
    """What the page's form holds, with what a person writes into it."""
    defaults = {setting.name: setting.default for setting in provider(esp).settings}
    return {"name": "Main", "position": "10"} | {
        f"s_{name}": value for name, value in (defaults | fake.settings(esp, **more)).items()
    }


def test_an_account_is_added_tried_and_its_key_is_never_shown(
    client: Client, admin: Any, fake: FakeEsp, esp: str
) -> None:
    as_role(client, admin)
    assert provider(esp).label in page_of(client.get(reverse("dashboard:channels"))).text
    client.post(reverse("dashboard:channel-account-add", args=[esp]), typed(fake, esp))
    account = ProviderAccount.objects.get(provider=esp)
    stored = settings_of(account)
    assert KEY in stored.values()
    kind: Any = provider(esp)
    assert (stored["batch"], kind.connections(stored)) == (min(100, kind.most), 2)
    page = client.get(reverse("dashboard:channel-account", args=[account.uid])).content.decode()
    answer = client.post(
        reverse("dashboard:channel-account-test", args=[account.uid]),
        {"to": "anna@example.com"},
        follow=True,
    )
    assert "took the test for anna@example.com" in page_of(answer).text
    assert KEY not in page + answer.content.decode()
    [arrived] = fake.arrived
    assert (arrived.to, arrived.subject) == ("anna@example.com", "Test of the account Main")


def test_a_refused_key_is_told_in_the_esps_words(
    client: Client, admin: Any, fake: FakeEsp, esp: str
) -> None:
    as_role(client, admin).post(
        reverse("dashboard:channel-account-add", args=[esp]), typed(fake, esp)
    )
    account = ProviderAccount.objects.get(provider=esp)
    fake.faults = [SAYS[esp]["account"]]
    answer = client.post(
        reverse("dashboard:channel-account-test", args=[account.uid]),
        {"to": "anna@example.com"},
        follow=True,
    )
    assert "was not taken" in page_of(answer).text
    assert KEY not in answer.content.decode()
    account.refresh_from_db()
    assert account.last_error
    assert KEY not in account.last_error


def test_settings_that_can_not_work_are_refused_on_the_form(
    client: Client, admin: Any, fake: FakeEsp, esp: str
) -> None:
    form = reverse("dashboard:channel-account-add", args=[esp])
    for address in ("http://api.example.com/", "https://[api.example.com/"):
        values = typed(fake, esp, api_url=address)
        answer = as_role(client, admin).post(form, values)
        assert "must begin with https://" in page_of(answer).text
    assert not ProviderAccount.objects.filter(provider=esp).exists()
