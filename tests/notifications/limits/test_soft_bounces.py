"""A mail that comes back for a reason that may pass stops no address; many of them do."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.channels.contract import Outcome, Result
from apps.channels.sms.answers import Report
from apps.followers.consent import suppression
from apps.followers.models import Address, Suppression
from apps.notifications.accounts.edit import create_account
from apps.notifications.limits import soft_bounces
from apps.notifications.limits.soft_bounces import BadBounceRule, BounceRuleValues, Past, counted
from apps.notifications.models import BounceRule, Delivery
from apps.notifications.sending import remedies
from apps.notifications.sending.heard import provider_reports
from tests.dashboard.pages import as_role
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, tell

NOW = dt.datetime(2026, 12, 1, 12, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)
RULE = BounceRuleValues(bounces=3, days=2, within_days=10)
FULL = "552 5.2.2 The mailbox is full"
BLOCKED = "550 5.7.1 Your IP address is listed at spam.example"
ANNA = "anna@example.com"


def back(*days: float) -> list[Past]:
    return [Past(NOW - each * DAY, came_back=True) for each in days]


@pytest.mark.parametrize(
    ("past", "times"),
    [
        (back(0, 1, 2), 3),
        (back(0, 1), 0),  # too few
        (back(0, 0.1, 0.2), 0),  # all on one day
        (back(0, 1, 10), 0),  # the last is forgotten
        ([*back(0, 1, 3), Past(NOW - 2 * DAY, came_back=False)], 0),  # one arrived between
        ([*back(0, 1, 2), Past(NOW - 3 * DAY, came_back=False)], 3),
    ],
)
def test_they_count_on_several_days_until_one_arrives_or_time_has_passed(
    past: list[Past], times: int
) -> None:
    assert counted(past, RULE, now=NOW) == times
    assert counted(past, BounceRuleValues(enabled=False), now=NOW) == 0


@given(st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=12), st.randoms())
def test_the_order_in_which_they_are_told_changes_nothing(
    told: list[tuple[int, bool]], random: Any
) -> None:
    past = [Past(NOW - hours * dt.timedelta(hours=1), back) for hours, back in told]
    expected = counted(past, RULE, now=NOW)
    random.shuffle(past)
    assert counted(past, RULE, now=NOW) == expected
    if past and not max(past).came_back:
        assert expected == 0


def mailed(at: dt.datetime, status: str, **fields: Any) -> None:
    """A mail to Anna that ended so, then."""
    mail = Delivery.objects.filter(status="pending").earliest("pk")
    Delivery.objects.filter(pk=mail.pk).update(status=status, finished_at=at, **fields)


def came_back(said: str, at: dt.datetime) -> None:
    refusal = Outcome(Result.PERMANENT_RECIPIENT, said)
    remedies.apply([("email", ANNA, refusal)], now=at)
    mailed(at, "failed", reason="refused_recipient", error=said)


def listed() -> list[tuple[str, str]]:
    return list(Suppression.objects.values_list("reason", "note"))


@pytest.fixture
def mails(db: None) -> None:
    anna = make_follower(name="Anna", email=ANNA)
    version = make_version()
    for number in range(8):
        tell(make_type(f"news-{number}"), [anna], version=version)
    assert Delivery.objects.filter(status="pending").count() == 8


def test_the_fifth_within_a_month_stops_the_address_and_says_why(mails: None) -> None:
    for days in (8, 6, 4, 2):
        came_back(FULL, NOW - days * DAY)
        came_back_before = Suppression.objects.exists()
        assert not came_back_before
    came_back(BLOCKED, NOW - DAY)  # that is about us
    assert listed() == []
    came_back(FULL, NOW)
    assert listed() == [("soft_bounce", f"5 mails came back. {FULL}")]
    assert Address.objects.get(key=ANNA).state == "bounced"


def test_who_takes_it_off_the_list_begins_the_count_again(mails: None) -> None:
    for days in (8, 6, 4, 2, 0):
        came_back(FULL, NOW - days * DAY)
    entry = Suppression.objects.get()
    suppression.release(suppression=entry, by=TESTER, now=NOW)
    came_back(FULL, NOW + DAY)
    assert listed() == []


def test_a_mail_that_was_taken_and_never_came_back_arrived(mails: None) -> None:
    for days in (12, 11, 10, 9):
        came_back(FULL, NOW - days * DAY)
    mailed(NOW - 7 * DAY, "sent")
    came_back(FULL, NOW)
    assert listed() == []


def test_mails_that_come_back_days_later_count(mails: None) -> None:
    account = create_account(
        name="Relay",
        provider_key="smtp",
        settings={"host": "127.0.0.1", "port": 25, "from_address": "a@shop.example"},
        by=TESTER,
        now=NOW,
    )
    for number in range(5):
        mail = Delivery.objects.filter(status="pending").earliest("pk")
        taken = NOW + number * 6 * DAY
        Delivery.objects.filter(pk=mail.pk).update(status="sent", finished_at=taken)
        assert listed() == []
        told = Report(mail.uid, f"mail {number}", arrived=False, said=FULL)
        provider_reports.report(told=told, account=account, now=taken + 5 * DAY)
    assert listed() == [("soft_bounce", f"5 mails came back. {FULL}")]


def test_a_word_of_the_person_outweighs_it_and_a_bounce_does_not_outweigh_that(
    mails: None,
) -> None:
    for days in (8, 6, 4, 2, 0):
        came_back(FULL, NOW - days * DAY)
    suppression.suppress(channel="email", value=ANNA, reason="complaint", by=TESTER, now=NOW)
    assert [reason for reason, _ in listed()] == ["complaint"]


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (BounceRuleValues(bounces=1), "bounces"),
        (BounceRuleValues(days=31), "days"),
        (BounceRuleValues(within_days=0), "within_days"),
    ],
)
def test_a_rule_that_nothing_could_meet_is_refused(
    db: None, values: BounceRuleValues, field: str
) -> None:
    with pytest.raises(BadBounceRule) as refused:
        soft_bounces.change_rule(values=values, by=TESTER, now=timezone.now())
    assert refused.value.field == field
    assert not BounceRule.objects.exists()


def test_an_administrator_changes_the_rule_on_its_page(client: Client, admin: Any) -> None:
    as_role(client, admin)
    path = reverse("dashboard:bounce-rule")
    assert 'value="5"' in client.get(path).content.decode()
    typed = {"enabled": "on", "bounces": "3", "days": "4", "within_days": "20"}
    assert "Write fewer days." in client.post(path, typed).content.decode()
    assert client.post(path, typed | {"days": "2"}).status_code == 302
    assert soft_bounces.rule() == BounceRuleValues(True, 3, 2, 20)
