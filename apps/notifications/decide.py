"""Send it now, later, or not at all? One pure function, and its reason.

The order is the law, first match decides:
consent (followers/verdict.py) > expiry > fallback > snooze > quiet hours > digest > throttle > cap.
Critical messages are asked for consent (their address), expiry and fallback, and pass the rest.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from zoneinfo import ZoneInfo

from apps.followers.verdict import Verdict


class Act(StrEnum):
    SEND = "send"
    SKIP = "skip"  # for good
    WAIT = "wait"  # due again at `at`
    HOLD = "hold"  # for a digest that is made at `at`


class Why(StrEnum):
    """Reasons besides those of the verdict; stored with the delivery or its event, and shown to people."""

    EXPIRED = "expired"
    EXPIRED_WHILE_WAITING = "expired_while_waiting"  # in quiet hours, a snooze, a digest or under a cap
    REACHED_ELSEWHERE = "reached_elsewhere"  # an earlier channel of the chain got through
    EARLIER_CHANNEL = "earlier_channel"  # an earlier channel of the chain still has time
    SNOOZED = "snoozed"
    QUIET_HOURS = "quiet_hours"
    DIGEST = "digest"
    THROTTLED = "throttled"
    CAPPED = "capped"


class Standing(StrEnum):
    """What the channels before this one in a chain have come to, all their deliveries taken together."""

    NONE = "none"  # there are none, or all have failed
    TRYING = "trying"  # one may still get through
    REACHED = "reached"  # delivered, opened, clicked or read


@dataclass(frozen=True, slots=True)
class Habits:
    """A follower's rhythm, as it applies. `quiet`: weekday on which it begins (Monday 0) to local start and end."""

    zone: ZoneInfo
    quiet: Mapping[int, tuple[dt.time, dt.time]] = field(default_factory=dict)
    cadence: str = "instant"
    digest_at: dt.time = dt.time(8)
    digest_weekday: int = 0
    snoozed_until: dt.datetime | None = None


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap that is used up for this follower. `free_at`: when the next one may go."""

    free_at: dt.datetime
    outcome: str  # CapOutcome


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision depends on besides the time."""

    verdict: Verdict
    critical: bool
    silent: bool  # the channel disturbs nobody: quiet hours and snooze don't hold it
    digestible: bool  # the type may be gathered, and this is not itself a digest
    due_since: dt.datetime  # when it was first meant to go
    expires_at: dt.datetime | None = None
    earlier: Standing = Standing.NONE
    chain_at: dt.datetime | None = None  # when this channel of a chain has its turn at the latest
    habits: Habits | None = None  # None: never said anything
    throttled: bool = False
    capped: Limit | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    act: Act
    reason: str  # a Why, or the verdict's Reason
    at: dt.datetime | None = None


def decide(facts: Facts, *, now: dt.datetime) -> Decision:
    """What to do with one message at this moment. No I/O: the preview and the sender ask the same function."""
    raise NotImplementedError
