"""When an account is left alone, tried again, and passed over for the next one."""

import datetime as dt
import itertools
import time
from typing import Any

import pytest
from django.db import transaction

from apps.accounts.models import AuditEntry
from apps.channels.contract import Outcome, Remedy, Result
from apps.notifications.accounts import breaker, edit, health, routing
from apps.notifications.accounts.breaker import State, after
from apps.notifications.limits import grant
from apps.notifications.messages.message import Unaddressed
from apps.notifications.models import ProviderAccount
from apps.notifications.sending import shift
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver

NOW = dt.datetime(2026, 5, 31, 12, tzinfo=dt.UTC)
TAKEN = Outcome(Result.ACCEPTED)
GONE = Outcome(Result.ACCOUNT, "can't be reached", charged=False)
CUT = Outcome(Result.TRANSIENT, "broke off at MAIL", charged=False)
DOUBT = Outcome(Result.IN_DOUBT, "did not answer")
BLOCK = Outcome(Result.BLOCKED, "554 5.7.1 blocked using zen.spamhaus.org")
NO_SUCH_USER = Outcome(Result.PERMANENT_RECIPIENT, "550 5.1.1 no such user")


def at(seconds: float) -> dt.datetime:
    return NOW + dt.timedelta(seconds=seconds)


def outage(seconds: float) -> tuple[list[float], State]:
    """A server that is gone for so long: when it is tried, the last time with success."""
    state = State()
    moment = 0.0
    tried = []
    while not tried or tried[-1] < seconds:
        tried.append(moment)
        answer = TAKEN
        if moment < seconds:
            answer = GONE
        state = after(state, [answer], now=at(moment))
        if state.paused_until:
            moment = (state.paused_until - NOW).total_seconds()
    return tried, state


# ------------------------------------------------------------------ the decision
def test_a_server_that_restarts_is_back_in_use_within_seconds() -> None:
    assert outage(3)[0] == [0, 5]
    assert outage(30)[0] == [0, 5, 15, 35]
    assert outage(120)[0] == [0, 5, 15, 35, 75, 135]


def test_one_that_is_tried_again_and_asks_for_time_gets_it_and_no_longer_pause() -> None:
    state = State(errors=5, paused_until=at(0), tripped_at=at(-60), trips=1, trouble="5 errors")
    busy = Outcome(Result.THROTTLED, "429", retry_after=120.0, charged=False)
    asked = after(state, [busy], now=at(1))
    assert (asked.word(at(2)), asked.paused_until, asked.trips) == ("open", at(121), 1)
    assert after(asked, [TAKEN], now=at(122)).word(at(122)) == "closed"


def test_what_was_on_its_way_ends_no_pause_that_the_provider_asked_for() -> None:
    busy = Outcome(Result.THROTTLED, "429", retry_after=120.0, charged=False)
    asked = after(State(errors=2), [busy], now=NOW)
    arrived = after(asked, [TAKEN], now=at(1))
    assert (arrived.errors, arrived.paused_until) == (0, at(120))
    rested = after(asked, [TAKEN], now=at(121))
    assert (rested.errors, rested.paused_until) == (0, None)


def test_it_opens_after_five_errors_in_a_row_and_doubles_to_a_quarter_hour() -> None:
    tried, state = outage(7000)
    assert [later - sooner for sooner, later in itertools.pairwise(tried)] == [
        5, 10, 20, 40, 60, 120, 240, 480, *[900] * 7,
    ]  # fmt: skip
    assert state.word(at(8000)) == "closed"
    assert after(state, [GONE], now=at(8000)).paused_until == at(8005), (
        "it begins from the beginning"
    )


def test_a_provider_that_says_try_again_in_no_time_gets_a_second() -> None:
    busy = Outcome(
        Result.THROTTLED, "429", retry_after=0.0, charged=False
    )  # or a date, by a clock behind ours
    assert after(State(), [busy], now=NOW).paused_until == at(1)


def test_errors_that_come_together_are_one() -> None:
    state = after(State(), [GONE] * 20, now=NOW)
    assert (state.errors, state.word(NOW)) == (1, "closed")
    assert after(state, [GONE], now=at(4)).errors == 1, (
        "it was on its way when the first one failed"
    )


def test_one_success_between_keeps_it_closed() -> None:
    state = State()
    moment = 0.0
    for outcome in [GONE, GONE, GONE, GONE, TAKEN, GONE, GONE, GONE, GONE]:
        if state.paused_until:
            moment = (state.paused_until - NOW).total_seconds()
        state = after(state, [outcome], now=at(moment))
    assert state.word(at(moment)) == "closed"


@pytest.mark.parametrize("fault", [CUT, DOUBT])
def test_half_of_twenty_failing_within_a_minute_opens_it(fault: Outcome) -> None:
    state = after(State(), [TAKEN, fault] * 5, now=NOW)
    state = after(state, [TAKEN, fault] * 4, now=at(20))
    assert state.word(at(20)) == "closed", "18 are too few to tell"
    state = after(state, [TAKEN, fault], now=at(30))
    assert (state.word(at(30)), state.trouble) == ("open", "10 of 20 tries failed within a minute")
    assert state.word(at(91)) == "half_open"


def test_a_restart_that_cuts_all_connections_does_not_open_it() -> None:
    state = after(State(), [DOUBT] * 40, now=NOW)
    assert state.word(NOW) == "closed"
    assert after(state, [TAKEN] * 400, now=at(15)).word(at(15)) == "closed"


def test_less_than_half_or_spread_over_minutes_does_not_open_it() -> None:
    state = after(State(), [TAKEN, TAKEN, CUT] * 20, now=NOW)
    assert after(state, [TAKEN, TAKEN, CUT] * 20, now=at(30)).word(at(30)) == "closed"
    state = State()
    for minute in range(20):
        state = after(state, [CUT], now=at(minute * 61))
    assert state.word(at(20 * 61)) == "closed"


def test_what_some_recipients_refuse_is_no_fault() -> None:
    state = after(State(), [NO_SUCH_USER, TAKEN] * 50, now=NOW)
    later = [NO_SUCH_USER, Outcome(Result.TRANSIENT, "450 4.2.0")]
    state = after(state, later * 50, now=at(30))
    assert (state.word(at(30)), state.faults) == ("closed", 0)


@pytest.mark.reported
@pytest.mark.parametrize("refusal", [NO_SUCH_USER, BLOCK])
def test_four_of_five_refused_within_a_minute_opens_it(refusal: Outcome) -> None:
    state = after(State(), [TAKEN, *[refusal] * 3] * 10, now=NOW)
    assert state.word(NOW) == "closed", "three of four"
    state = after(State(), [TAKEN] * 4 + [refusal] * 15, now=NOW)
    assert state.word(NOW) == "closed", "19 are too few to tell"
    state = after(State(), [TAKEN] * 5 + [refusal] * 20, now=NOW)
    assert (state.word(NOW), state.trouble) == (
        "open",
        "20 of 25 recipients were refused within a minute",
    )


@pytest.mark.parametrize("remedy", [Remedy.GONE, Remedy.STOPPED])
def test_devices_that_are_gone_and_people_who_left_do_not_open_it(remedy: Remedy) -> None:
    gone = Outcome(Result.PERMANENT_RECIPIENT, "410", remedy=remedy)
    assert after(State(), [gone] * 100, now=NOW).word(NOW) == "closed"


def test_what_went_before_and_was_not_told_yet_counts_with_it() -> None:
    untold = breaker.Untold(tries=10, refusals=2)
    state = after(State(), [BLOCK] * 14, now=NOW, untold=untold)
    assert (state.word(NOW), state.tries, state.refusals) == ("closed", 24, 16)
    state = after(State(), [BLOCK] * 14, now=NOW, untold=breaker.Untold(3, 3))
    assert state.word(NOW) == "closed", "17 are too few to tell"
    assert after(state, [BLOCK] * 3, now=NOW).word(NOW) == "open"


def test_a_probe_that_a_domain_blocks_proves_nothing() -> None:
    opened = State(errors=5, paused_until=at(60), tripped_at=NOW, trips=1, trouble="x")
    again = after(opened, [BLOCK], now=at(61))
    assert (again.word(at(62)), again.trips) == ("open", 2)
    assert after(opened, [NO_SUCH_USER], now=at(61)).word(at(62)) == "closed"


def test_a_domain_that_wants_less_does_not_put_the_account_out_of_use() -> None:
    less = Outcome(Result.TRANSIENT, "421 4.7.28 unusual rate of mail (at RCPT)", charged=False)
    state = after(State(), [less] * 50, now=NOW)
    assert after(state, [less] * 50, now=at(30)).word(at(30)) == "closed"


def test_the_probe_decides() -> None:
    opened = State(errors=5, paused_until=at(60), tripped_at=NOW, trips=1, trouble="x")
    assert after(opened, [TAKEN], now=at(30)) == opened, (
        "one that was on its way when it opened says nothing"
    )
    assert after(opened, [TAKEN], now=at(61)) == State(window_at=at(61), tries=1)
    assert after(opened, [NO_SUCH_USER], now=at(61)).tripped_at is None, (
        "an answer about the recipient: it works"
    )
    for fault in (GONE, DOUBT, CUT, Outcome(Result.THROTTLED)):
        again = after(opened, [fault], now=at(61))
        assert (again.paused_until, again.tripped_at, again.trips) == (at(61 + 120), NOW, 2)


def test_who_says_how_long_to_wait_is_waited_for() -> None:
    slow = Outcome(Result.THROTTLED, "429", retry_after=600)
    state = State()
    for number in range(9):
        state = after(state, [slow], now=at(number))
    assert (state.paused_until, state.errors, state.word(NOW)) == (at(608), 0, "closed")


# ------------------------------------------------------------------ the rows
@pytest.fixture
def account(receiver: Receiver) -> ProviderAccount:
    health._told.clear()
    return ProviderAccount.objects.get(provider="smtp")


def fail(account: ProviderAccount, times: int, now: dt.datetime) -> dt.datetime:
    """So many account errors in a row; the moment of the last."""
    for _ in range(times):
        account.refresh_from_db()
        now = max(now, account.paused_until or now)
        health.note(account, [GONE], now=now)
    account.refresh_from_db()
    return now


def test_success_writes_a_row_at_most_every_ten_seconds(
    account: ProviderAccount, monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: Any
) -> None:
    moment = time.monotonic()
    monkeypatch.setattr(health.time, "monotonic", lambda: moment)
    health.note(account, [TAKEN] * 3, now=NOW)
    with django_assert_num_queries(0):
        for _ in range(100):
            health.note(account, [TAKEN] * 50, now=NOW)
    moment += 11
    health.note(account, [TAKEN], now=NOW)
    account.refresh_from_db()
    assert (account.last_ok_at, account.window_tries) == (NOW, 5004), (
        "what was not written was counted"
    )


def test_of_all_senders_one_probes_with_one_message(account: ProviderAccount) -> None:
    notification = tell(
        make_type(), [make_follower(email="anna@example.com")], version=make_version()
    )
    last = fail(account, 5, NOW)
    assert routing.account_for("email", now=last) is None
    ready = account.paused_until
    assert ready == last + dt.timedelta(seconds=60)
    assert routing.account_for("email", now=ready) == account
    with transaction.atomic():
        assert (
            grant.grant(notification=notification, account=account, wanted=500, now=ready).count
            == 1
        )
        assert (
            grant.grant(notification=notification, account=account, wanted=500, now=ready).count
            == 0
        )
    assert routing.account_for("email", now=ready) is None, "the others leave it alone meanwhile"
    assert routing.account_for("email", now=ready + breaker.PROBE_LEASE) == account, (
        "the prober died"
    )
    grant.give_back(notification=notification, account=account, count=1)
    assert routing.account_for("email", now=ready) == account, "it had nothing to send"
    health.note(account, [TAKEN], now=ready)
    account.refresh_from_db()
    assert (account.tripped_at, account.failures, account.probing_until) == (None, 0, None)
    kinds = list(
        AuditEntry.objects.filter(kind__startswith="provider_account.").values_list(
            "kind", flat=True
        )
    )
    assert {"provider_account.stopped", "provider_account.recovered"} <= set(kinds)
    assert kinds.count("provider_account.stopped") == 1


def test_a_person_may_reset_it_and_that_is_noted(account: ProviderAccount) -> None:
    last = fail(account, 5, NOW)
    health.reset(account=account, by=TESTER, now=last)
    assert routing.account_for("email", now=last) == account
    account.refresh_from_db()
    assert health.state_of(account) == State()
    assert account.last_error == GONE.detail, "what went wrong stays readable"
    assert AuditEntry.objects.filter(kind="provider_account.reset").count() == 1


def test_the_next_account_takes_over_while_the_first_is_left_alone(
    receiver: Receiver, account: ProviderAccount
) -> None:
    second = edit.create_account(
        enabled=True,
        name="Second",
        provider_key="smtp",
        settings=receiver.settings(),
        position=20,
        by=TESTER,
        now=NOW,
    )
    last = fail(account, 1, NOW)
    assert routing.account_for("email", now=last) == second
    assert routing.account_for("email", now=last + dt.timedelta(seconds=5)) == account
    last = fail(account, 4, last)
    assert routing.account_for("email", now=last + dt.timedelta(seconds=59)) == second


def test_a_message_of_ours_that_can_not_be_made_says_nothing_about_the_account(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    ProviderAccount.objects.filter(provider="smtp").update(
        tripped_at=NOW, trips=3, paused_until=NOW, trouble="gone"
    )
    monkeypatch.setattr(shift, "message_of", make_nothing)
    notification = tell(
        make_type(), [make_follower(email="anna@example.com")], version=make_version()
    )
    drain()
    assert stands(notification) == {"failed": 1}
    account = ProviderAccount.objects.get(provider="smtp")
    assert (account.trips, account.last_ok_at, account.last_error) == (3, None, ""), (
        "nobody has asked it anything"
    )
    assert account.probing_until is None, "the next message may ask"
    monkeypatch.undo()
    again = tell(
        make_type("again"), [make_follower(email="ben@example.com")], version=make_version("again")
    )
    drain()
    assert stands(again) == {"sent": 1}
    assert ProviderAccount.objects.get(provider="smtp").tripped_at is None


def make_nothing(*_: Any, **__: Any) -> Any:
    raise Unaddressed("The follower's address was removed.")
