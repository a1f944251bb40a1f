"""When an account is left alone, and when it is tried again:
pure decisions over what its hand-overs met.

closed → open after five account errors in a row, when at least half of 20 and more tries within a
minute failed, or when four of five were refused, whoever was blamed;
open → half-open after a minute (then two, four … fifteen): one message goes as a probe, and its
answer decides. Before it opens, each account error keeps everybody away for 5, 10, 20, 40 s, so
that a server that restarts is back in use within seconds: one that is gone for 30 s is tried again
after 35, one that is gone for two minutes after 135.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from apps.channels.contract import Outcome, Remedy, Result
from apps.notifications.accounts.slow_domains import asks_to_slow
from apps.notifications.models.sentences import MANY_ERRORS, RECIPIENTS_REFUSED, TRIES_FAILED

FIRST_PAUSE = 5.0  # seconds; doubles with each error in a row
# whatever was asked for: with none, the same messages would come back at once, again and again
SHORTEST_PAUSE = 1.0
ERRORS_IN_A_ROW = 5
WINDOW = dt.timedelta(seconds=60)
ENOUGH_TRIES = 20
TOO_MANY_FAULTS = 0.5
TOO_MANY_REFUSALS = 0.8
# Faults that come together are one event: a restart of the server cuts all connections at once.
SPREAD = dt.timedelta(seconds=10)
FIRST_TRIP = 60.0
LONGEST_TRIP = 900.0
PROBE_LEASE = dt.timedelta(seconds=60)  # then the prober is taken for dead


@dataclass(frozen=True, slots=True)
class State:
    """How one account stands: `errors` in a row, `trips` in a row; `tripped_at` None is closed."""

    errors: int = 0
    paused_until: dt.datetime | None = None
    tripped_at: dt.datetime | None = None
    trips: int = 0
    trouble: str = ""
    window_at: dt.datetime | None = None
    tries: int = 0
    faults: int = 0
    refusals: int = 0

    def word(self, now: dt.datetime) -> str:
        """Name the state: "closed", "open" or "half_open"."""
        if self.tripped_at is None:
            return "closed"
        if self.paused_until and self.paused_until > now:
            return "open"
        return "half_open"


def concerns(outcome: Outcome) -> bool:
    """Whether the account was asked at all: a message that could not be made never came there."""
    return outcome.charged or outcome.result is not Result.PERMANENT_CONTENT


def is_fault(outcome: Outcome) -> bool:
    """Whether the account or its server is at fault.

    A refusal of the recipient or of the message proves that the account works, and a domain that
    wants less gets less (slow_domains.py).
    """
    if outcome.result is Result.TRANSIENT:
        return not outcome.charged and not asks_to_slow(outcome)
    return outcome.result in (Result.ACCOUNT, Result.IN_DOUBT)


def works(outcome: Outcome) -> bool:
    """Whether the answer proves that the account works: one that a domain blocks does not."""
    quiet = outcome.result not in (Result.THROTTLED, Result.BLOCKED)
    return quiet and not is_fault(outcome)


def is_refusal(outcome: Outcome) -> bool:
    """Whether a recipient was refused who was thought to be there.

    Devices that are gone, and people who left, are no news of the account.
    """
    if outcome.result is Result.PERMANENT_RECIPIENT:
        return outcome.remedy in (Remedy.NONE, Remedy.BOUNCED)
    return outcome.result is Result.BLOCKED


@dataclass(frozen=True, slots=True)
class Untold:
    """Earlier hand-overs that were not told yet: none of them was a fault."""

    tries: int = 0
    refusals: int = 0


def after(
    state: State, outcomes: Sequence[Outcome], *, now: dt.datetime, untold: Untold | None = None
) -> State:
    """The state after these hand-overs, in their order."""
    for outcome in outcomes:
        state = _after_one(state, outcome, now)
    before = untold or Untold()
    heard = State(
        tries=before.tries + len(outcomes),
        faults=sum(map(is_fault, outcomes)),
        refusals=before.refusals + sum(map(is_refusal, outcomes)),
    )
    state = _counted(state, heard, now)
    if state.tripped_at is None and (said := _failing(state, now)):
        state = _open(state, said, now)
    return state


def _after_one(state: State, outcome: Outcome, now: dt.datetime) -> State:
    resting = state.paused_until is not None and state.paused_until > now
    if state.tripped_at is not None:
        if resting:
            # the message was on its way when the others met the fault: it says nothing new
            return state
        if works(outcome):
            return State()
        if outcome.retry_after is None:
            return _open(state, state.trouble, now)
    elif works(outcome):
        if resting:
            # a message that was on its way ends no pause: the provider may have asked for it
            return replace(state, errors=0)
        return replace(state, errors=0, paused_until=None)
    if outcome.result is Result.THROTTLED and outcome.retry_after is not None:
        # the provider asked for a pause, so it works
        seconds = max(SHORTEST_PAUSE, outcome.retry_after)
        until = now + dt.timedelta(seconds=seconds)
        return replace(state, paused_until=max(until, state.paused_until or until))
    if resting or outcome.result not in (Result.ACCOUNT, Result.THROTTLED):
        return state
    errors = state.errors + 1
    if errors >= ERRORS_IN_A_ROW:
        said = MANY_ERRORS.format(errors=errors)
        return _open(replace(state, errors=errors), said, now)
    pause = FIRST_PAUSE * 2 ** (errors - 1)
    return replace(state, errors=errors, paused_until=now + dt.timedelta(seconds=pause))


def _open(state: State, trouble: str, now: dt.datetime) -> State:
    seconds = min(LONGEST_TRIP, FIRST_TRIP * 2 ** min(state.trips, 10))
    return replace(
        state,
        paused_until=now + dt.timedelta(seconds=seconds),
        tripped_at=state.tripped_at or now,
        trips=state.trips + 1,
        trouble=trouble,
        window_at=None,
        tries=0,
        faults=0,
        refusals=0,
    )


def _counted(state: State, heard: State, now: dt.datetime) -> State:
    if state.tripped_at is not None:
        return state
    before = state
    if state.window_at is None or now - state.window_at >= WINDOW:
        before = State(window_at=now)
    return replace(
        state,
        window_at=before.window_at,
        tries=before.tries + heard.tries,
        faults=before.faults + heard.faults,
        refusals=before.refusals + heard.refusals,
    )


def _failing(state: State, now: dt.datetime) -> str:
    """Why the account is to be left alone, by what it met within the minute; "" if it is not."""
    if state.tries < ENOUGH_TRIES:
        return ""
    lasting = state.window_at is not None and now - state.window_at >= SPREAD
    if lasting and state.faults >= TOO_MANY_FAULTS * state.tries:
        return TRIES_FAILED.format(failed=state.faults, tries=state.tries)
    if state.refusals >= TOO_MANY_REFUSALS * state.tries:
        return RECIPIENTS_REFUSED.format(refused=state.refusals, tries=state.tries)
    return ""
