"""The order in which the verdict asks, as values: both spellings in SQL are written from it.

verdict.judge walks the same way in Python; tests compare all three.
"""

from dataclasses import dataclass
from enum import StrEnum

from apps.followers.consent.verdict import Reason, TypeFacts


class Ask(StrEnum):
    """A question about an address or a follower whose yes ends the verdict."""

    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    BOUNCED = "bounced"
    UNCONFIRMED = "unconfirmed"
    OFF = "off"
    UNSUBSCRIBED = "unsubscribed"
    MUTED = "muted"


ABOUT_ADDRESS = (
    (Ask.NO_ADDRESS, Reason.NO_ADDRESS),
    (Ask.SUPPRESSED, Reason.ADDRESS_SUPPRESSED),
    (Ask.BOUNCED, Reason.ADDRESS_BOUNCED),
    (Ask.UNCONFIRMED, Reason.ADDRESS_UNCONFIRMED),
    (Ask.OFF, Reason.ADDRESS_OFF),
)


@dataclass(frozen=True, slots=True)
class Ladder:
    """What is asked of a follower whose address is fit, or who needs none.

    The first yes of `asks` decides; then, if `own_choice`, the follower's cell of the matrix;
    then `end`.
    """

    asks: tuple[tuple[Ask, Reason], ...]
    own_choice: bool
    end: Reason


def about_address(facts: TypeFacts) -> tuple[tuple[Ask, Reason], ...]:
    """Say what is asked about an address; what asks to confirm one goes there before it is."""
    if facts.confirms:
        return tuple(rung for rung in ABOUT_ADDRESS if rung[0] is not Ask.UNCONFIRMED)
    return ABOUT_ADDRESS


def ladder_of(facts: TypeFacts) -> Ladder:
    """Say what a message type asks on one channel."""
    if not facts.active:
        return _only(Reason.TYPE_INACTIVE)
    if not facts.offered:
        return _only(Reason.CHANNEL_NOT_OFFERED)
    if facts.critical:
        return _only(Reason.CRITICAL)
    if facts.locked_on:
        return _only(Reason.LOCKED_ON)
    asks = [(Ask.MUTED, Reason.CHANNEL_OFF)]
    if facts.commercial:
        asks.insert(0, (Ask.UNSUBSCRIBED, Reason.UNSUBSCRIBED))
    end = Reason.DEFAULT_OFF
    if facts.default_on:
        end = Reason.DEFAULT_ON
    return Ladder(asks=tuple(asks), own_choice=True, end=end)


def _only(reason: Reason) -> Ladder:
    return Ladder(asks=(), own_choice=False, end=reason)
