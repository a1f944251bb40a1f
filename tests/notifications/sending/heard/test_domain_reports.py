"""Reports about our domains, from the mailbox to the doctor's page."""

import datetime as dt
import gzip
import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.channels.returned.reading import Says
from apps.notifications.accounts.domain_reports import forget_old, heard
from apps.notifications.accounts.edit import create_account
from apps.notifications.models import DomainReport, ProviderAccount
from apps.notifications.sending.heard.returned_mail import receive
from tests.channels.doctor.test_reports import TLS, mailed, report, row
from tests.dashboard.pages import as_role
from tests.make import TESTER

NOW = timezone.now()
YESTERDAY = int((NOW - dt.timedelta(days=1)).timestamp())


@pytest.fixture
def account(db: None) -> ProviderAccount:
    """An account that sends from below shop.example, where the policy is published."""
    settings = {"host": "127.0.0.1", "port": 25, "from_address": "a@news.shop.example"}
    return create_account(name="Relay", provider_key="smtp", settings=settings, by=TESTER, now=NOW)


def came(*rows: str, **more: Any) -> bool:
    text = report(*rows, **{"begin": YESTERDAY, **more})
    return receive(raw=mailed(gzip.compress(text.encode())), now=NOW).says is Says.REPORT


def test_a_report_is_kept_once_and_shown(
    account: ProviderAccount, client: Client, admin: Any
) -> None:
    assert came(row("192.0.2.1", 5), row("203.0.113.6", 3, dkim="fail", spf="fail", done="reject"))
    assert not came(row("192.0.2.1", 5))  # the same report again
    assert came(row("192.0.2.1", 1200), name="r2")
    told = heard(domain="news.shop.example", now=NOW)
    assert told
    assert (told.passed, told.failed, told.receivers) == (1205, 3, 1)
    assert [(each.ip, each.failed, each.refused) for each in told.sources] == [
        ("203.0.113.6", 3, 3),
        ("192.0.2.1", 0, 0),
    ]
    as_role(client, admin)
    page = client.get(reverse("dashboard:channel-account-doctor", args=[account.uid]))
    shown = page.content.decode()
    assert "203.0.113.6" in shown
    assert "1,205" in shown


def test_a_tls_report_is_counted_beside(account: ProviderAccount) -> None:
    span = {"start-datetime": NOW.isoformat(), "end-datetime": NOW.isoformat()}
    data = json.dumps(TLS | {"date-range": span}).encode()
    assert receive(raw=mailed(data, "application/tlsrpt+json"), now=NOW).says is Says.REPORT
    told = heard(domain="shop.example", now=NOW)
    assert told
    assert (told.tls_passed, told.tls_failed) == (40, 2)
    assert told.tls_faults == [("certificate-expired", 2)]


@pytest.mark.parametrize(
    "more",
    [
        {"begin": YESTERDAY - 400 * 86400},
        {"begin": YESTERDAY + 10 * 86400},
    ],
    ids=["long ago", "of next week"],
)
def test_what_is_of_no_use_is_dropped(account: ProviderAccount, more: dict[str, Any]) -> None:
    assert not came(row("192.0.2.1", 5), **more)
    assert not DomainReport.objects.exists()


def test_a_report_about_strangers_is_dropped(account: ProviderAccount) -> None:
    text = report(row("192.0.2.1", 5), begin=YESTERDAY).replace("Shop.Example", "other.example")
    assert receive(raw=mailed(text.encode(), "text/xml"), now=NOW).says is Says.NOTHING
    assert not DomainReport.objects.exists()
    assert heard(domain="news.shop.example", now=NOW) is None


def test_reports_go_after_half_a_year(account: ProviderAccount) -> None:
    assert came(row("192.0.2.1", 5))
    DomainReport.objects.update(end=NOW - dt.timedelta(days=181))
    assert came(row("192.0.2.1", 5), name="r2")
    assert forget_old(before=NOW - dt.timedelta(days=180)) == 1
    assert [each.name for each in DomainReport.objects.all()] == ["r2"]
