"""Why messages of a channel wait: the values behind what pages and API say."""

import datetime as dt
from typing import Any

import pytest

from apps.followers.models import Channel
from apps.notifications.accounts.hold_ups import Health, HoldUpKind, health_of, hold_ups
from apps.notifications.models import ProviderAccount

pytestmark = pytest.mark.django_db
NOW = dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)


def account(name: str = "Main", **fields: Any) -> ProviderAccount:
    given = {
        "enabled": True,
        "provider": "smtp",
        "channel": Channel.EMAIL,
        "created_at": NOW,
    } | fields
    return ProviderAccount.objects.create(name=name, **given)


@pytest.mark.parametrize(
    ("fields", "health"),
    [
        ({}, Health.UNKNOWN),
        ({"enabled": False}, Health.OFF),
        ({"enabled": False, "untried": True}, Health.UNTRIED),
        ({"last_ok_at": NOW}, Health.GOOD),
        ({"last_ok_at": NOW, "last_error_at": LATER}, Health.FAILING),
        ({"paused_until": LATER}, Health.PAUSED),
        ({"capped_until": LATER, "paused_until": LATER}, Health.CAPPED),
        ({"tripped_at": NOW, "paused_until": LATER}, Health.OPEN),
        ({"tripped_at": NOW, "paused_until": NOW}, Health.TRYING),
    ],
)
def test_an_account_stands_in_one_word(fields: dict[str, Any], health: Health) -> None:
    assert health_of(account(**fields), NOW) == health


def test_a_channel_without_an_account_is_held_up_and_one_that_works_is_not() -> None:
    [found] = hold_ups(["email"], now=NOW)
    assert (found.kind, found.channel) == (HoldUpKind.NO_ACCOUNT, Channel.EMAIL)
    account(last_ok_at=NOW)
    assert hold_ups(["email"], now=NOW) == []


def test_a_used_up_day_says_when_it_goes_on() -> None:
    account(capped_until=LATER)
    account("Second", capped_until=LATER + dt.timedelta(hours=1))
    [found] = hold_ups(["email"], now=NOW)
    assert (found.kind, found.until) == (HoldUpKind.DAY_USED_UP, LATER)


def test_trouble_names_the_account_that_failed_last() -> None:
    account(paused_until=LATER, last_error="no answer", last_error_at=NOW)
    last = account("Second", paused_until=LATER, last_error="refused.", last_error_at=LATER)
    [found] = hold_ups(["email"], now=NOW)
    assert (found.kind, found.account, found.said) == (HoldUpKind.TROUBLE, last, "refused.")
    assert found.sentence.startswith("Email can't leave just now: refused. Nothing is lost")


def test_an_account_out_of_use_is_told_while_another_works() -> None:
    account(last_ok_at=NOW)
    stopped = account("Second", tripped_at=NOW, trouble="no answer", paused_until=LATER)
    [found] = hold_ups(["email"], now=NOW)
    assert (found.kind, found.account, found.since) == (HoldUpKind.ACCOUNT_STOPPED, stopped, NOW)
    assert "Second is out of use since" in found.sentence
