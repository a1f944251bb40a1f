"""When a receiving domain asks us to slow down, and what pace follows: pure decisions."""

import datetime as dt
import re
from dataclasses import dataclass

from apps.channels.contract import Outcome, Result

SLOWEST = 0.1  # one message in 10 s
UNSEEN = 2.0  # the pace taken for one that was not watched; halved at once
GROWTH = 1.1  # per quiet minute
# Answers to what was already on its way say the same thing once more:
# within this time they are one.
ONE_BREATH = dt.timedelta(seconds=10)

_CODE = re.compile(r"\b(4[0-9]{2})[ -]+(?:(4\.[0-9]{1,3}\.[0-9]{1,3})\b)?")
_RATE = re.compile(
    r"\brate|\btoo (many|fast|quick|much)|throttl|slow(ed|ing)? down|try (again )?slower",
    re.IGNORECASE,
)
_GREYLIST = re.compile(r"gr[ae]y-?list", re.IGNORECASE)
# How a greylist puts off whom it does not know, with or without the word (RFC 6647 2 and 5).
_PUT_OFF = re.compile(
    r"^4\d\d[ -]+4\.(7\.[01]|2\.0)\b|^4.*(gr[ae]y-?list|(try|retry|come back)( it)?( again)? "
    r"(later|in)|please (re)?try|temporar\w+ (rejected|deferred)|deferred|early retry)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Slow:
    """A domain's slower pace: `rate` messages a second as of `heard_at`; at `goal`, the pace it
    had before, the slowness is over.
    """

    rate: float
    goal: float
    heard_at: dt.datetime


def asks_to_slow(outcome: Outcome) -> bool:
    """Whether this answer is about how much we send to the domain.

    421 without a code of its own or with 4.7.x, and 450-452 with 4.7.x: RFC 5321 4.2.1 and RFC 3463
    3.8 (policy), as Gmail (421 4.7.28), Yahoo (421 4.7.0 TSS04) and Outlook (451 4.7.500, 4.7.650)
    use them. 450-452 with other codes only where the words speak of a rate. Not 4.2.x, which is
    about one mailbox (Gmail's 450 4.2.1); not greylisting, which wants a second try and no fewer;
    not what came before a recipient was named: that is about the account. A domain that takes
    nothing from us wants less, too.
    """
    if outcome.result is Result.BLOCKED:
        return True
    if outcome.result not in (Result.TRANSIENT, Result.THROTTLED):
        return False
    if outcome.detail.endswith("(at MAIL)"):
        return False
    found = _CODE.search(outcome.detail)
    if found is None or _GREYLIST.search(outcome.detail):
        return False
    code = found.group(1)
    precise = found.group(2) or ""
    if precise.startswith("4.2.") or code not in ("421", "450", "451", "452"):
        return False
    if precise.startswith("4.7.") or (code == "421" and not precise):
        return True
    return bool(_RATE.search(outcome.detail))


def puts_off(outcome: Outcome) -> bool:
    """Whether this answer is as of a greylist, which takes the same message a minute later.

    Most wait for 60 to 300 s; each try before that is refused, and some begin to count anew.
    """
    return outcome.result is Result.TRANSIENT and bool(_PUT_OFF.search(outcome.detail))


def rate_now(slow: Slow, now: dt.datetime) -> float | None:
    """The pace after the quiet minutes since; None when it is over."""
    minutes = max(0.0, (now - slow.heard_at).total_seconds() / 60)
    rate: float = slow.rate * GROWTH ** min(minutes, 1000.0)
    if rate < slow.goal:
        return rate
    return None


def slower(slow: Slow | None, *, seen: float, limit: float | None, now: dt.datetime) -> Slow:
    """Half the pace it has now.

    `seen` is what was observed (0 = nothing), `limit` what staff allow, per second.
    """
    if slow is not None and now - slow.heard_at < ONE_BREATH:
        return Slow(slow.rate, slow.goal, slow.heard_at)
    rate = None
    if slow:
        rate = rate_now(slow, now)
    if slow and rate:
        return Slow(max(SLOWEST, rate / 2), slow.goal, now)
    pace = min(seen or UNSEEN, limit or float("inf"))
    return Slow(max(SLOWEST, pace / 2), max(pace, 2 * SLOWEST), now)
