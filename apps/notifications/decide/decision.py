"""Send it now, later, or not at all? One pure function, and its reason.

The order is the law, first match decides (docs/consent.md explains it to people):
consent (followers/consent/verdict.py) > expiry > fallback > pause > quiet hours > digest >
throttle > cap.
Critical messages are asked for consent (their address), expiry and fallback, and pass the rest.
"""

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_lazy as _

from apps.followers.consent.verdict import Verdict
from apps.followers.models import DigestCadence
from apps.notifications.decide.quiet_hours import Habits, digest_time, quiet_until
from apps.notifications.models import CapOutcome


class Act(StrEnum):
    SEND = "send"
    SKIP = "skip"  # for good
    WAIT = "wait"  # due again at `at`
    HOLD = "hold"  # for a digest that is made at `at`


class Why(StrEnum):
    """A reason besides those of the verdict; stored with the delivery or its event, and shown to
    people.
    """

    EXPIRED = "expired"
    # in quiet hours, a pause, a digest or under a cap
    EXPIRED_WHILE_WAITING = "expired_while_waiting"
    REACHED_ELSEWHERE = "reached_elsewhere"  # an earlier channel of the chain got through
    EARLIER_CHANNEL = "earlier_channel"  # an earlier channel of the chain still has time
    PAUSED = "paused"
    QUIET_HOURS = "quiet_hours"
    DIGEST = "digest"
    THROTTLED = "throttled"
    CAPPED = "capped"


EXPLANATIONS = {
    Why.EXPIRED: _("it expired before its turn"),
    Why.EXPIRED_WHILE_WAITING: _("it expires before the time it may go"),
    Why.REACHED_ELSEWHERE: _("got through on another channel"),
    Why.EARLIER_CHANNEL: _("an earlier channel still has time to get through"),
    Why.PAUSED: _("the follower paused messages for a while"),
    Why.QUIET_HOURS: _("the follower has quiet hours"),
    Why.DIGEST: _("the follower wants it with others in a digest"),
    Why.THROTTLED: _("the follower got as many of this type as may come in so short a time"),
    Why.CAPPED: _("the follower got as many messages as a cap allows"),
}


class ChainState(StrEnum):
    """What the channels before this one in a chain have come to,
    all their deliveries taken together.
    """

    NONE = "none"  # there are none, or all have failed
    TRYING = "trying"  # one may still get through
    REACHED = "reached"  # one got through (fallback.py says what that is)


@dataclass(frozen=True, slots=True)
class SpentCap:
    """A cap that is used up for this follower. `free_at`: when the next one may go."""

    free_at: dt.datetime
    outcome: str  # CapOutcome


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a decision depends on besides the time. Collected by gather.py."""

    verdict: Verdict
    critical: bool
    silent: bool  # the channel disturbs nobody: quiet hours and pause don't hold it
    digestible: bool  # the type may be gathered, and this is not itself a digest
    due_since: dt.datetime  # when it was first meant to go
    expires_at: dt.datetime | None = None
    earlier: ChainState = ChainState.NONE
    chain_at: dt.datetime | None = None  # when this channel of a chain has its turn at the latest
    habits: Habits | None = None  # None: never said anything
    throttled: bool = False
    capped: SpentCap | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    act: Act
    reason: str  # a Why, or the verdict's Reason
    at: dt.datetime | None = None  # of WAIT and HOLD: later than now


def decide(facts: Facts, *, now: dt.datetime) -> Decision:
    """What to do with one message at this moment.

    No I/O: the preview and the sender ask the same function.
    """
    expires = facts.expires_at
    if not facts.verdict.allow:
        return Decision(Act.SKIP, facts.verdict.reason)
    if expires and expires <= now:
        return Decision(Act.SKIP, Why.EXPIRED)
    if facts.earlier is ChainState.REACHED:
        return Decision(Act.SKIP, Why.REACHED_ELSEWHERE)
    if facts.earlier is ChainState.TRYING and facts.chain_at and now < facts.chain_at:
        # not skipped where that is too late: the earlier channel may fail before
        turn = min(facts.chain_at, expires or facts.chain_at)
        return Decision(Act.WAIT, Why.EARLIER_CHANNEL, turn)
    if facts.critical:
        return Decision(Act.SEND, facts.verdict.reason)
    if habits := facts.habits:
        if not facts.silent and habits.paused_until and now < habits.paused_until:
            return _later(facts, Why.PAUSED, habits.paused_until, gather=True)
        if not facts.silent and (end := quiet_until(habits, now)):
            calm = end + habits.lag
            if quiet_until(habits, calm):  # less than two minutes a day are left to this follower
                calm = end
            if expires and end < expires <= calm:
                calm = end
            return _later(facts, Why.QUIET_HOURS, calm, gather=True)
        # a boundary that has passed is not waited for again:
        # that is how a digest lets go what it doesn't take
        if facts.digestible and habits.cadence != DigestCadence.INSTANT:
            boundary = digest_time(habits, facts.due_since)
            if now < boundary:
                return _later(facts, Why.DIGEST, boundary, gather=True)
    if facts.throttled:
        return Decision(Act.SKIP, Why.THROTTLED)
    if cap := facts.capped:
        if cap.outcome == CapOutcome.DROP:
            return Decision(Act.SKIP, Why.CAPPED)
        return _later(facts, Why.CAPPED, cap.free_at, gather=cap.outcome == CapOutcome.DIGEST)
    return Decision(Act.SEND, facts.verdict.reason)


def _later(facts: Facts, why: Why, at: dt.datetime, *, gather: bool) -> Decision:
    if facts.expires_at and at >= facts.expires_at:
        return Decision(Act.SKIP, Why.EXPIRED_WHILE_WAITING)
    if gather and facts.digestible:
        return Decision(Act.HOLD, why, at)
    return Decision(Act.WAIT, why, at)
