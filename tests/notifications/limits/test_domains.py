"""Rates of receiving domains that hold whoever asks; set by staff, or learned from answers."""

import datetime as dt

import pytest

from apps.accounts.models import AuditEntry
from apps.channels.contract import Outcome, Result
from apps.followers.addresses import normalise
from apps.lib.queue.lanes import Lane
from apps.notifications.limits import domains
from apps.notifications.models import DomainLimit, Notification, Pace, ProviderAccount, SlowDomain
from tests.make import TESTER
from tests.notifications.limits.asking import NOW, after, sort, take


def test_a_slow_domain_gets_its_pace_and_the_others_do_not_wait(
    notification: Notification, account: ProviderAccount
) -> None:
    DomainLimit.objects.create(domain="slow.example", per_minute=60, created_at=NOW)
    names = ["slow.example", "example.com"] * 10
    rows = list(enumerate(names, start=1))
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


@pytest.mark.reported
@pytest.mark.django_db
@pytest.mark.parametrize("typed", ["faß.example", "@XN--FA-HIA.example"])
def test_the_limit_of_a_domain_holds_for_its_addresses_however_it_is_written(typed: str) -> None:
    limit = domains.set_domain_limit(domain=typed, per_minute=60, by=TESTER, now=NOW)
    value, _ = normalise("email", "anna@FAß.example")
    assert limit.domain == value.rpartition("@")[2] == "faß.example"


@pytest.mark.reported
@pytest.mark.django_db
def test_a_long_domain_gets_a_limit_that_the_history_tells_of() -> None:
    long = ".".join(["x" * 61] * 3) + ".com"
    limit = domains.set_domain_limit(domain=long, per_minute=60, by=TESTER, now=NOW)
    assert limit.domain == long
