"""Rates that hold whoever asks: of a notification, an account, a day."""

import datetime as dt
import time
from typing import Any

import pytest
from django.utils import timezone

from apps.lib.queue.lanes import Lane
from apps.lib.steady_clock import database_now
from apps.notifications.accounts import edit, routing
from apps.notifications.limits import domains, grant
from apps.notifications.models import Notification, ProviderAccount
from tests.make import TESTER, make_follower, make_type
from tests.notifications.limits.asking import NOW, after, take
from tests.notifications.world import make_version, tell
from tests.patience import PATIENCE
from tests.receiver import Receiver


def test_what_has_no_limit_asks_the_database_nothing(
    notification: Notification, account: ProviderAccount, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        assert (
            grant.grant(notification=notification, account=account, wanted=500, now=NOW).count
            == 500
        )
    with django_assert_num_queries(1):
        rows = [(pk, "example.com") for pk in range(500)]
        assert (
            len(domains.sort_out(notification=notification, account=account, rows=rows, now=NOW).go)
            == 500
        )


def test_a_notification_goes_out_at_its_rate_however_often_it_is_asked(
    notification: Notification,
) -> None:
    notification.rate = 10.0
    went = sum(take(notification, None, 500, after(step * 0.05)).count for step in range(20 * 60))
    assert 10 * 60 <= went <= 10 * 60 + 21, (
        "ten a second for a minute, and at most two seconds' worth at once"
    )


def test_a_slow_notification_goes_at_its_rate_through_a_fast_account(
    notification: Notification, account: ProviderAccount
) -> None:
    notification.rate = 20.0
    account.rate = 200.0
    went = sum(
        take(notification, account, 500, after(step * 0.05)).count for step in range(20 * 60)
    )
    assert 20 * 60 <= went <= 20 * 60 + 41


def test_who_gets_none_is_told_when_to_ask_again(notification: Notification) -> None:
    notification.rate = 0.1
    assert take(notification, None, 500, NOW) == grant.Grant(1)
    refused = take(notification, None, 500, after(1))
    assert (refused.count, refused.reason, refused.again_at) == (0, "rate", after(8))
    assert take(notification, None, 500, after(10)).count == 1
    assert take(notification, None, 500, after(21)).count == 1
    assert take(notification, None, 500, after(30)).count == 1, (
        "who comes a second late loses nothing"
    )


def test_what_did_not_leave_is_given_back(
    notification: Notification, account: ProviderAccount
) -> None:
    account.rate = 50.0
    account.daily = 50
    assert take(notification, account, 50, NOW).count == 50
    assert take(notification, account, 50, NOW).count == 0
    grant.give_back(notification=notification, account=account, count=40)
    assert grant.used_today(account, today=NOW.date()) == 10
    assert take(notification, account, 40, NOW).count == 40


def test_when_the_warm_up_is_over_nothing_is_counted_and_nothing_given_back(
    notification: Notification, account: ProviderAccount, django_assert_num_queries: Any
) -> None:
    account.warmup_start = dt.date(2020, 1, 1)
    account.warmup_first = 100
    account.warmup_growth = 1.5
    with django_assert_num_queries(
        0
    ):  # a row locked here and not in the grant would be locked in another order
        assert (
            grant.grant(notification=notification, account=account, wanted=500, now=NOW).count
            == 500
        )
        grant.give_back(notification=notification, account=account, count=40)


def test_an_account_keeps_something_for_a_code_while_a_campaign_uses_it_up(
    notification: Notification, account: ProviderAccount
) -> None:
    account.rate = 10.0
    assert take(notification, account, 500, NOW).count == 11
    assert take(notification, account, 500, NOW).count == 0
    notification.lane = Lane.CRITICAL
    assert take(notification, account, 1, NOW).count == 1
    assert take(notification, account, 500, NOW).count == 21, (
        "and never more than three times as much"
    )


def test_a_used_up_day_sends_the_rest_through_the_next_account(
    receiver: Receiver, notification: Notification, account: ProviderAccount
) -> None:
    now = timezone.now()
    second = edit.create_account(
        enabled=True,
        name="Second",
        provider_key="smtp",
        settings=receiver.settings(),
        position=20,
        by=TESTER,
        now=now,
    )
    account.daily = 3
    account.save()
    assert take(notification, account, 500, now).count == 3
    refused = take(notification, account, 500, now)
    assert (refused.count, refused.reason) == (0, "daily")
    assert refused.again_at
    assert refused.again_at.date() == now.date() + dt.timedelta(days=1)
    assert routing.account_for("email", now=now) == second
    assert routing.account_for("email", now=refused.again_at) == account
    second.delete()
    assert routing.account_for("email", now=now) is None
    assert routing.account_for("email", now=now, lane=Lane.CRITICAL) == account, (
        "a code does not wait a day"
    )
    notification.lane = Lane.CRITICAL
    assert take(notification, account, 1, now).count == 1
    assert grant.used_today(account, today=now.date()) == 4


def test_what_is_spread_over_an_hour_leaves_evenly(receiver: Receiver) -> None:
    people = [make_follower(email=f"p{number}@example.com") for number in range(6)]
    notification = tell(make_type(), people, version=make_version(), spread=3600)
    notification.refresh_from_db()
    assert notification.rate == pytest.approx(6 / 3600)
    went = [
        second
        for second in range(0, 3600, 10)
        if take(notification, None, 100, after(second)).count
    ]
    assert went == [0, 600, 1200, 1800, 2400, 3000]


def test_a_sender_that_was_refused_waits_for_its_turn(notification: Notification) -> None:
    notification.rate = 5.0
    now = database_now()
    grant.sleep_until_turn(0)  # other tests were refused, too
    assert not grant.sleep_until_turn(time.monotonic() + PATIENCE), "nothing was refused"
    assert take(notification, None, 100, now).count == 11
    assert take(notification, None, 100, now).count == 0
    assert not grant.sleep_until_turn(0), "its turn comes after this sender's time"
    assert take(notification, None, 100, now).count == 0
    [turn] = grant._turn
    assert grant.sleep_until_turn(time.monotonic() + PATIENCE)
    assert time.monotonic() >= turn
    assert database_now() > now
    assert take(notification, None, 100, now + dt.timedelta(seconds=0.3)).count == 1
