"""Rates that hold whoever asks: of a notification, an account, a day, a receiving domain."""

import datetime as dt
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.channels.contract import Outcome, Result
from apps.lib.queue.lanes import Lane
from apps.lib.sql.database_clock import database_now
from apps.notifications.accounts import edit, routing
from apps.notifications.limits import domains, grant, rates
from apps.notifications.limits.warmup import warmup_cap
from apps.notifications.models import DomainLimit, Notification, Pace, ProviderAccount, SlowDomain
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, tell
from tests.ops.processes import environment
from tests.patience import PATIENCE
from tests.receiver import Receiver

NOW = dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC)


def after(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


@pytest.fixture
def account(receiver: Receiver) -> ProviderAccount:
    return ProviderAccount.objects.get(provider="smtp")


@pytest.fixture
def notification(account: ProviderAccount) -> Notification:
    return tell(make_type(), [make_follower(email="anna@example.com")], version=make_version())


def take(
    notification: Notification, account: ProviderAccount | None, wanted: int, now: dt.datetime
) -> grant.Grant:
    with transaction.atomic():
        return grant.grant(notification=notification, account=account, wanted=wanted, now=now)


def sort(
    notification: Notification,
    account: ProviderAccount,
    rows: list[tuple[int, str]],
    now: dt.datetime,
) -> domains.Sorted:
    with transaction.atomic():
        return domains.sort_out(notification=notification, account=account, rows=rows, now=now)


# ------------------------------------------------------------------ notification and account
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


@pytest.mark.parametrize(
    ("day", "cap"),
    [(-3, 100), (0, 100), (1, 150), (2, 225), (3, 337), (9, 3844), (10, 5000), (20_000, 5000)],
)
def test_a_new_sender_warms_up_day_by_day(day: int, cap: int) -> None:
    start = dt.date(2026, 5, 1)
    today = start + dt.timedelta(days=day)
    assert warmup_cap(today=today, daily=5000, start=start, first=100, growth=1.5) == cap


def test_without_a_ramp_only_the_daily_volume_counts() -> None:
    today = dt.date(2026, 5, 1)
    assert warmup_cap(today=today, daily=None, start=None, first=None, growth=1.5) is None
    assert warmup_cap(today=today, daily=7, start=None, first=100, growth=1.5) == 7
    far = today + dt.timedelta(days=400)
    assert warmup_cap(today=far, daily=None, start=today, first=100, growth=1.5) is None, (
        "the ramp is over"
    )
    assert warmup_cap(today=far, daily=None, start=today, first=100, growth=1.0) == 100, (
        "one that does not grow is not"
    )


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


# ------------------------------------------------------------------ receiving domains
def test_a_slow_domain_gets_its_pace_and_the_others_do_not_wait(
    notification: Notification, account: ProviderAccount
) -> None:
    DomainLimit.objects.create(domain="slow.example", per_minute=60, created_at=NOW)
    rows = [(pk, "slow.example" if pk % 2 else "example.com") for pk in range(1, 21)]
    found = sort(notification, account, rows, NOW)
    assert found.go == {2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 1, 3, 5, 7, 9, 11}, (
        "one, and five seconds' worth"
    )
    assert [(found.later[pk] - NOW).total_seconds() for pk in (13, 15, 17, 19)] == [1, 2, 3, 4]


def test_many_rows_to_a_slow_domain_are_each_moved_once(
    notification: Notification, account: ProviderAccount
) -> None:
    DomainLimit.objects.create(domain="slow.example", per_minute=600, created_at=NOW)
    due = dict.fromkeys(range(3000), NOW)
    moved: dict[int, int] = {}
    sent: dict[int, dt.datetime] = {}
    for second in range(400):
        now = after(second)
        while ready := sorted((at, pk) for pk, at in due.items() if at <= now)[:500]:
            found = sort(notification, account, [(pk, "slow.example") for _, pk in ready], now)
            for pk in found.go:
                sent[pk] = now
                del due[pk]
            for pk, at in found.later.items():
                due[pk] = at
                moved[pk] = moved.get(pk, 0) + 1
    assert not due
    assert max(moved.values()) == 1
    assert max(sent.values()) <= after(301)
    assert all(
        sum(after(s) <= at < after(s + 10) for at in sent.values()) <= 10 * 10 + 51
        for s in range(0, 300, 10)
    )


def test_after_a_pause_the_pace_holds_still(
    notification: Notification, account: ProviderAccount
) -> None:
    DomainLimit.objects.create(domain="slow.example", per_minute=60, created_at=NOW)
    rows = [(pk, "slow.example") for pk in range(100)]
    first = sort(notification, account, rows, NOW)
    found = sort(notification, account, [row for row in rows if row[0] in first.later], after(3600))
    assert len(found.go) == 6, "all are due by now, and wait for their turn again"
    assert min(found.later.values()) == after(3601)


def test_a_critical_message_does_not_wait_for_a_domain_and_bulk_pays_for_it(
    notification: Notification, account: ProviderAccount
) -> None:
    DomainLimit.objects.create(domain="slow.example", per_minute=60, created_at=NOW)
    assert sort(notification, account, [(pk, "slow.example") for pk in range(9)], NOW).later
    notification.lane = Lane.CRITICAL
    assert sort(notification, account, [(99, "slow.example")], NOW).go == {99}
    notification.lane = Lane.BULK
    assert not sort(notification, account, [(10, "slow.example")], after(1)).go
    assert sort(notification, account, [(11, "slow.example")], after(2)).go


def test_a_domain_that_asks_to_slow_down_gets_half_and_recovers(
    notification: Notification, account: ProviderAccount
) -> None:
    sort(notification, account, [(pk, "gmail.example") for pk in range(200)], NOW)
    told = [
        (
            "gmail.example",
            Outcome(Result.TRANSIENT, "421 4.7.28 unusual rate of mail (at RCPT)", charged=False),
        )
    ]
    domains.heard(account=account, results=told * 30, now=after(10))
    row = SlowDomain.objects.get()
    assert (row.rate, row.goal) == (10.0, 20.0), "200 in 10 s were seen"
    found = sort(notification, account, [(pk, "gmail.example") for pk in range(200)], after(11))
    assert len(found.go) == 10, "no burst after a refusal"
    assert (max(found.later.values()) - after(11)).total_seconds() == pytest.approx(19, abs=0.1)
    domains.heard(account=account, results=told, now=after(15))
    assert SlowDomain.objects.get().rate == 10.0, "the answers to what was on its way count once"
    domains.heard(account=account, results=told, now=after(25))
    assert SlowDomain.objects.get().rate == pytest.approx(5.0, rel=0.05)
    domains.forget_recovered(now=after(25 + 14 * 60))
    assert SlowDomain.objects.exists()
    domains.forget_recovered(now=after(25 + 16 * 60))
    assert not SlowDomain.objects.exists()
    assert (
        len(
            sort(
                notification, account, [(pk, "gmail.example") for pk in range(200)], after(2000)
            ).go
        )
        == 200
    )


def test_other_accounts_and_other_answers_are_not_slowed(
    notification: Notification, account: ProviderAccount
) -> None:
    answers = [
        "450 4.2.0 greylisted (at RCPT)",
        "452 4.2.2 mailbox full (at RCPT)",
        "451 4.3.0 try again (at RCPT)",
    ]
    results = [("gmail.example", Outcome(Result.TRANSIENT, each)) for each in answers]
    domains.heard(account=account, results=results, now=NOW)
    assert not SlowDomain.objects.exists()
    domains.heard(
        account=account,
        results=[("gmail.example", Outcome(Result.TRANSIENT, "421 4.7.0 slow"))],
        now=NOW,
    )
    inbox = ProviderAccount.objects.get(provider="in_app")
    assert len(sort(notification, inbox, [(pk, "gmail.example") for pk in range(50)], NOW).go) == 50


def test_a_person_may_end_it_and_that_is_noted(account: ProviderAccount) -> None:
    domains.heard(
        account=account,
        results=[("gmail.example", Outcome(Result.TRANSIENT, "421 4.7.0 slow"))],
        now=NOW,
    )
    assert domains.reset_domain(account=account, domain="gmail.example", by=TESTER, now=NOW)
    assert not domains.reset_domain(account=account, domain="gmail.example", by=TESTER, now=NOW)
    assert (
        AuditEntry.objects.filter(
            kind="provider_account.changed", data__domain="gmail.example"
        ).count()
        == 1
    )


def test_limits_nobody_uses_leave_no_rows(
    notification: Notification, account: ProviderAccount
) -> None:
    notification.rate = account.rate = 5.0
    account.daily = 100
    take(notification, account, 5, NOW)
    domains.forget_recovered(now=after(60))
    assert Pace.objects.count() == 2
    domains.forget_recovered(now=after(2 * 3600))
    assert [row.key for row in Pace.objects.all()] == [f"account:{account.pk}"], (
        "it still counts the day"
    )
    domains.forget_recovered(now=after(24 * 3600))
    assert not Pace.objects.exists()


# ------------------------------------------------------------------ several processes
DRAW = """
import sys, time, django
django.setup()
from django.db import transaction
from apps.lib.sql.database_clock import database_now
from apps.notifications.limits import rates
total, keys = 0, sys.argv[1:]
limits = [rates.limit(key, {"a": 200.0, "b": 150.0}[key]) for key in keys]
database_now()
print("ready", flush=True)
most = int(input())
while total < most:
    now = database_now().timestamp()
    with transaction.atomic():
        rows = rates.hold(keys)
        count = min(each.available(rows[each.key].free_at, now) for each in limits)
        for each in limits:
            rows[each.key].free_at = each.after(rows[each.key].free_at, now, count)
        rates.store(rows.values())
    total += count
    if not count:
        time.sleep(0.002)
print(total, now)
"""


@pytest.mark.django_db(transaction=True)
def test_two_processes_together_never_exceed_the_rate(tmp_path: Path) -> None:
    share = 150  # for each, at 150 a second for both: two seconds of work
    drawing = [
        subprocess.Popen(
            [sys.executable, "-c", DRAW, *keys],
            env=environment(tmp_path, DJANGO_SETTINGS_MODULE="notifications_project.settings"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for keys in (
            ["a", "b"],
            ["b", "a"],
        )  # asked for in another order, and yet nobody waits for ever
    ]
    assert [each.stdout and each.stdout.readline() for each in drawing] == ["ready\n"] * 2
    began = database_now().timestamp()
    for each in drawing:
        assert each.stdin
        each.stdin.write(f"{share}\n")
        each.stdin.flush()
    said = [each.communicate(timeout=PATIENCE)[0].split() for each in drawing]
    counts = [int(count) for count, _ in said]
    assert min(counts) >= share, "both had a share"
    seconds = max(float(last) for _, last in said) - began
    patience = rates.limit("b", 150.0).patience
    assert sum(counts) <= 150 * (seconds + patience)
    free_at = Pace.objects.get(key="b").free_at
    assert free_at <= began + seconds + patience, "nothing was given out that the row does not know"


def test_the_clock_of_the_database_is_the_time(db: None) -> None:
    leeway = dt.timedelta(seconds=5)
    began = dt.datetime.now(dt.UTC)
    assert began - leeway < database_now() < dt.datetime.now(dt.UTC) + leeway
