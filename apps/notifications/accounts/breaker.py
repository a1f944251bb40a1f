"""When an account is left alone, and when it is tried again:
pure decisions over what its hand-overs met.

closed → open after five account errors in a row, or when at least half of 20 and more tries within
a minute failed; open → half-open after a minute (then two, four … fifteen): one message goes as a
probe, and its answer decides. Before it opens, each account error keeps everybody away for 5, 10,
20, 40 s, so that a server that restarts is back in use within seconds: one that is gone for 30 s is
tried again after 35, one that is gone for two minutes after 135.
"""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

from apps.channels.contract import Outcome, Result
from apps.notifications.accounts.slow_domains import asks_to_slow

FIRST_PAUSE = 5.0  # seconds; doubles with each error in a row
# whatever was asked for: with none, the same messages would come back at once, again and again
SHORTEST_PAUSE = 1.0
ERRORS_IN_A_ROW = 5
WINDOW = dt.timedelta(seconds=60)
ENOUGH_TRIES = 20
TOO_MANY_FAULTS = 0.5
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
    """Whether the answer proves that the account works."""
    return outcome.result is not Result.THROTTLED and not is_fault(outcome)


def after(state: State, outcomes: Sequence[Outcome], *, now: dt.datetime, tries: int = 0) -> State:
    """The state after these hand-overs, in their order.

    `tries`: earlier ones that went well and were not told yet.
    """
    for outcome in outcomes:
        state = _after_one(state, outcome, now)
    state = _counted(state, tries + len(outcomes), sum(map(is_fault, outcomes)), now)
    if state.tripped_at is None and state.faults and _failing(state, now):
        said = f"{state.faults} of {state.tries} tries failed within a minute"
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
        return _open(replace(state, errors=errors), f"{errors} errors of the account in a row", now)
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
    )


def _counted(state: State, tries: int, faults: int, now: dt.datetime) -> State:
    if state.tripped_at is not None:
        return state
    if state.window_at is None or now - state.window_at >= WINDOW:
        return replace(state, window_at=now, tries=tries, faults=faults)
    return replace(state, tries=state.tries + tries, faults=state.faults + faults)


def _failing(state: State, now: dt.datetime) -> bool:
    lasting = state.window_at is not None and now - state.window_at >= SPREAD
    return lasting and state.tries >= ENOUGH_TRIES and state.faults >= TOO_MANY_FAULTS * state.tries
