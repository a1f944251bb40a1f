"""The doctor's page: what is wrong in the DNS, what to publish, and a key that comes to sign."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.lib.queue.announce import waiting
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts import dkim_keys, doctor
from apps.notifications.accounts.edit import AccountValues, change_account, create_account
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import Examination, ProviderAccount, WaitingKey
from tests.channels.doctor.zones import Zones, name_server
from tests.dashboard.pages import as_role
from tests.make import TESTER


@pytest.fixture
def account(db: None) -> ProviderAccount:
    settings = {"host": "127.0.0.1", "port": 25, "security": "none"}
    settings |= {"from_name": "Shop", "from_address": "news@shop.example"}
    return create_account(
        enabled=True,
        name="Relay",
        provider_key="smtp",
        settings=settings,
        by=TESTER,
        now=timezone.now(),
    )


@pytest.fixture
def zones(settings: Any) -> Iterator[Zones]:
    """The DNS as the site sees it."""
    zones: Zones = {"shop.example": ["MX 10 mx.shop.example"], "mx.shop.example": ["A 192.0.2.25"]}
    with name_server(zones) as place:
        settings.DNS_SERVERS = [place]
        yield zones


def post(client: Client, name: str, account: ProviderAccount) -> str:
    address = reverse(f"dashboard:channel-account-{name}", args=[account.uid])
    answer = client.post(address, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_page_says_what_to_publish(
    client: Client, admin: Any, account: ProviderAccount, zones: Zones
) -> None:
    as_role(client, admin)
    page = client.get(reverse("dashboard:channel-account-doctor", args=[account.uid]))
    assert "Nobody has looked yet" in page.content.decode()
    shown = post(client, "examine", account)
    assert "shop.example has no SPF record" in shown
    assert "v=spf1 mx ~all" in shown
    assert "_dmarc.shop.example" in shown
    assert "v=DMARC1; p=none; rua=mailto:news@shop.example" in shown
    admin.language = "ru"
    admin.save()
    page = client.get(reverse("dashboard:channel-account-doctor", args=[account.uid]))
    assert "У shop.example нет записи SPF" in page.content.decode()


def test_a_key_signs_once_the_dns_has_it(
    client: Client, admin: Any, account: ProviderAccount, zones: Zones
) -> None:
    as_role(client, admin)
    shown = post(client, "make-key", account)
    record = dkim_keys.record_of(WaitingKey.objects.get())
    assert record.value in shown
    assert "PRIVATE KEY" not in shown
    assert post(client, "make-key", account).count(record.value) == 1  # one waits, not two
    shown = post(client, "use-key", account)
    assert "is not in the DNS" in shown
    assert settings_of(account)["dkim_key"] == ""
    zones[record.name] = [f"TXT {record.value}"]
    shown = post(client, "use-key", account)
    assert "signed with the new key from now on" in shown
    account.refresh_from_db()
    assert settings_of(account)["dkim_selector"] == record.name.split(".")[0]
    assert "PRIVATE KEY" in settings_of(account)["dkim_key"]
    assert not WaitingKey.objects.exists()
    assert "key" in str(list(AuditEntry.objects.values_list("data", flat=True)))
    assert "PRIVATE" not in str(list(AuditEntry.objects.values_list("data", flat=True)))


def test_the_next_key_leaves_the_one_before_in_the_dns(
    account: ProviderAccount, zones: Zones
) -> None:
    selectors = []
    for days in range(2):
        now = timezone.now() + timedelta(days=days)
        waiting = dkim_keys.make_key(account=account, by=TESTER, now=now)
        record = dkim_keys.record_of(waiting)
        zones[record.name] = [f"TXT {record.value}"]
        selectors.append(waiting.selector)
        before = dkim_keys.use_key(account=account, by=TESTER, now=now)
        account.refresh_from_db()
    assert before == selectors[0] != selectors[1]


def test_a_provider_that_signs_itself_gets_no_key_of_ours(
    client: Client, admin: Any, zones: Zones
) -> None:
    account = create_account(
        name="Postmark",
        provider_key="postmark",
        settings={"server_token": "x", "from_address": "news@shop.example"},
        by=TESTER,
        now=timezone.now(),
    )
    as_role(client, admin)
    assert "signs mails itself" in post(client, "make-key", account)
    assert "SPF" not in post(client, "examine", account)
    assert not WaitingKey.objects.exists()


@pytest.mark.parametrize("role", ["viewer", "editor", "sender"])
def test_only_an_administrator_asks_the_doctor(
    client: Client, request: pytest.FixtureRequest, account: ProviderAccount, role: str
) -> None:
    as_role(client, request.getfixturevalue(role))
    for name in ("doctor", "examine", "make-key", "use-key"):
        address = reverse(f"dashboard:channel-account-{name}", args=[account.uid])
        assert client.post(address).status_code == 403
    assert not Examination.objects.exists()
    assert not WaitingKey.objects.exists()


def test_the_command_says_the_same_and_ends_with_an_error(
    account: ProviderAccount, zones: Zones
) -> None:
    said = StringIO()
    with pytest.raises(CommandError, match=r"Faults: \d"):
        call_command("doctor", stdout=said)
    assert "shop.example has no SPF record" in said.getvalue()
    assert 'shop.example TXT "v=spf1 mx ~all"' in said.getvalue()
    account.enabled = False
    account.save()
    call_command("doctor", stdout=said)  # what is off sends nothing


def test_each_account_is_looked_at_once_a_day_and_the_list_says_what_is_wrong(
    client: Client, admin: Any, account: ProviderAccount, zones: Zones
) -> None:
    now = timezone.now()
    doctor.announce_due(now=now)
    assert waiting(Lane.BULK) == 0  # nobody asks the DNS for .example
    settings = {"from_address": "news@shop.museum"}
    change_account(account=account, values=AccountValues(settings=settings), by=TESTER, now=now)
    doctor.announce_due(now=now)
    assert waiting(Lane.BULK) == 1
    doctor.look_again(account.pk)
    looked = Examination.objects.get().at
    doctor.look_again(account.pk)
    doctor.announce_due(now=now)
    assert (Examination.objects.get().at, waiting(Lane.BULK)) == (looked, 1)
    doctor.announce_due(now=now + timedelta(hours=25))
    assert waiting(Lane.BULK) == 2
    as_role(client, admin)
    page = client.get(reverse("dashboard:channels")).content.decode()
    assert "Doctor: 4 things are wrong" in page


def test_settings_that_no_key_opens_are_said_as_on_the_page_of_the_channel(
    client: Client, admin: Any, account: ProviderAccount, zones: Zones
) -> None:
    as_role(client, admin)
    dkim_keys.make_key(account=account, by=TESTER, now=timezone.now())
    ProviderAccount.objects.update(settings="sealed by another key")
    address = reverse("dashboard:channel-account-doctor", args=[account.uid])
    assert "Relay can&#x27;t be opened" in client.get(address, follow=True).content.decode()
    assert "can&#x27;t be opened" in post(client, "use-key", account)
    WaitingKey.objects.all().delete()
    assert "can&#x27;t be opened" in post(client, "make-key", account)
    assert not WaitingKey.objects.exists()
