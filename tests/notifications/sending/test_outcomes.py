"""What an answer means for the row: one pure function, and what follows from it in the books."""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.channels.contract import Outcome, Result
from apps.followers.models import Follower
from apps.lib.queue.lanes import Lane
from apps.notifications import control
from apps.notifications.models import Delivery
from apps.notifications.sending import claim, outcomes
from apps.notifications.sending.outcomes import Attempt, Next, decide
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, stands, tell
from tests.receiver import Receiver

NOW = dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)


def decided(result: Result, retry_after: float | None = None, **facts: Any) -> Next:
    """Decide about an informational message at its second try, but for what the test says."""
    charged = bool(facts.pop("charged", True))
    said = str(facts.pop("said", "said"))
    now = facts.pop("now", NOW)
    values: dict[str, Any] = {
        "reason": "default_on",
        "attempts": 2,
        "since": NOW,
        "expires_at": None,
        "category": "informational",
        "doubt_policy": "resend",
        "doubted_before": False,
    }
    attempt = Attempt(**(values | facts))
    return decide(Outcome(result, said, "", retry_after, charged), attempt, now=now)


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (Result.ACCEPTED, Next("sent", "default_on", NOW)),
        (Result.PERMANENT_RECIPIENT, Next("failed", "refused_recipient", NOW, "failed")),
        (Result.PERMANENT_CONTENT, Next("failed", "refused_content", NOW, "failed")),
    ],
)
def test_a_final_answer_ends_it(result: Result, expected: Next) -> None:
    assert decided(result) == expected


def test_one_in_doubt_is_sent_again_once_or_held_as_its_type_says() -> None:
    again = Next("pending", "default_on", NOW, "in_doubt")
    held = Next("in_doubt", "in_doubt", NOW, "in_doubt")
    assert decided(Result.IN_DOUBT) == again
    assert decided(Result.IN_DOUBT, doubted_before=True) == held
    assert decided(Result.IN_DOUBT, doubt_policy="hold") == held


@pytest.mark.parametrize("result", [Result.ACCOUNT, Result.THROTTLED])
def test_trouble_of_the_account_costs_the_message_no_try(result: Result) -> None:
    assert decided(result, charged=False) == Next("pending", "default_on", NOW, "", tries=0)
    asked = decided(result, retry_after=17, charged=False)
    assert asked.due_at == NOW + dt.timedelta(seconds=17)


@pytest.mark.reported
def test_a_message_that_meets_its_accounts_fault_is_due_at_once_then_later_and_later() -> None:
    def wait(attempts: int) -> float:
        step = decided(Result.ACCOUNT, attempts=attempts)
        assert (step.status, step.event, step.tries) == ("pending", "deferred", 1)
        return (step.due_at - NOW).total_seconds()

    assert [wait(attempts) for attempts in range(1, 10)] == [
        0, 60, 120, 240, 480, 960, 1920, 3600, 3600,
    ]  # fmt: skip


def test_one_that_alone_meets_its_accounts_fault_is_given_up_after_days_and_many_tries() -> None:
    def tried(attempts: int, time: dt.timedelta) -> Next:
        return decided(Result.ACCOUNT, attempts=attempts, since=NOW - time)

    assert tried(12, 71 * HOUR).status == "pending"
    assert tried(11, 720 * HOUR).status == "pending", "a long campaign meets its quota each day"
    assert tried(12, 72 * HOUR) == Next("failed", "gave_up", NOW, "failed")


@pytest.mark.reported
def test_what_a_domain_blocks_takes_the_next_account_and_is_asked_for_ever_more_rarely() -> None:
    def wait(attempts: int, *, urgent: bool = False) -> float:
        step = decided(Result.BLOCKED, attempts=attempts, urgent=urgent)
        assert (step.status, step.event, step.tries) == ("pending", "deferred", 3)
        return (step.due_at - NOW).total_seconds()

    assert [wait(attempts) for attempts in (1, 4, 7)] == [900, 3600, 14_400]
    assert [wait(attempts, urgent=True) for attempts in (1, 4)] == [0, 3600]
    over = decided(Result.BLOCKED, attempts=10, since=NOW - 13 * HOUR)
    assert over == Next("failed", "blocked", NOW, "failed")
    kept = decided(Result.BLOCKED, attempts=10, since=NOW - 13 * HOUR, category="marketing")
    assert kept.due_at == NOW + 12 * HOUR


@pytest.mark.reported
@pytest.mark.parametrize(
    "said",
    [
        "450 4.7.1 <anna@example.com>: Recipient address rejected: Greylisted (at RCPT)",
        "450 4.2.0 Greylisting in effect, please come back later (at RCPT)",
        "451 Graylisted. Try again in 5 minutes (at RCPT)",
        "451 4.3.0 temporarily deferred (at RCPT)",
        "450 Please try again later (at RCPT)",
        "451 4.7.0 Early retry (at RCPT)",
    ],
)
def test_a_greylist_is_tried_again_after_a_minute(said: str) -> None:
    waits = [decided(Result.TRANSIENT, said=said, attempts=1).due_at - NOW for _ in range(50)]
    assert dt.timedelta(seconds=60) <= min(waits) <= max(waits) <= dt.timedelta(seconds=90)


@pytest.mark.reported
def test_thirty_seconds_of_greylisting_cost_a_thousand_mails_a_try_each() -> None:
    refused = 0
    for number in range(1000):
        moment = NOW + dt.timedelta(seconds=number / 1000)
        attempts = 1
        while moment < NOW + dt.timedelta(seconds=30):
            refused += 1
            step = decided(
                Result.TRANSIENT, said="450 4.2.0 greylisted", attempts=attempts, now=moment
            )
            moment = step.due_at
            attempts += 1
    assert refused == 1000


def test_what_may_work_later_is_tried_when_asked_or_after_a_pause_that_grows() -> None:
    asked = decided(Result.TRANSIENT, retry_after=17)
    assert asked == Next("pending", "default_on", NOW + dt.timedelta(seconds=17), "deferred")
    first = [decided(Result.TRANSIENT, attempts=1).due_at - NOW for _ in range(50)]
    tenth = [decided(Result.TRANSIENT, attempts=10).due_at - NOW for _ in range(50)]
    assert dt.timedelta(seconds=5) <= min(first) <= max(first) <= dt.timedelta(seconds=10)
    assert max(first) < max(tenth) <= dt.timedelta(minutes=15)


def test_it_is_given_up_after_a_day_and_advertising_after_three() -> None:
    given_up = Next("failed", "gave_up", NOW, "failed")

    def tried_for(time: dt.timedelta, **facts: Any) -> Next:
        return decided(Result.TRANSIENT, retry_after=60, since=NOW - time, **facts)

    assert tried_for(23 * HOUR).status == "pending"
    assert tried_for(24 * HOUR) == given_up
    assert tried_for(71 * HOUR, category="marketing").status == "pending"
    assert tried_for(72 * HOUR, category="marketing") == given_up


def test_it_is_given_up_when_the_next_try_would_come_too_late() -> None:
    late = decided(Result.TRANSIENT, retry_after=60, expires_at=NOW + dt.timedelta(seconds=59))
    assert (late.status, late.reason) == ("failed", "gave_up")
    still = decided(Result.TRANSIENT, retry_after=60, expires_at=NOW + dt.timedelta(seconds=60))
    assert still.status == "pending"


def test_what_is_to_be_tried_again_is_cancelled_with_its_notification(
    receiver: Receiver, anna: Follower
) -> None:
    notification = tell(make_type(), [anna], version=make_version())
    batch = claim.claim(Lane.BULK, owner="me", size=100)
    assert batch
    control.cancel(notification=notification, by=TESTER, now=timezone.now())
    outcomes.record("me", [(batch.rows[0], Outcome(Result.TRANSIENT, "450 later"))])
    assert stands(notification) == {"cancelled": 1}


def test_the_next_channel_of_a_chain_comes_at_once_when_one_is_lost(receiver: Receiver) -> None:
    chain = ["email", "in_app"]
    kind = make_type(
        "code", channels=chain, default_channels=chain, fallback=chain, fallback_after=600
    )
    emil = make_follower(email="emil@example.com")
    words = {"en": {"email": {"subject": "Hi", "text": "Hi"}, "in_app": {"title": "Hi"}}}
    version = make_version(also=words["en"])
    notification = tell(kind, [emil], version=version, channels=chain)
    batch = claim.claim(Lane.BULK, owner="me", size=100)
    assert batch
    now = timezone.now()
    outcomes.record("me", [(batch.rows[0], Outcome(Result.PERMANENT_RECIPIENT, "550 no"))], now=now)
    assert stands(notification) == {"failed": 1, "pending": 1}
    assert Delivery.objects.get(status="pending").due_at <= now
