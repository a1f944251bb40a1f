"""May this message go to this person on this channel? One pure function, and its reason.

The order is the law, first match decides (docs/consent.md explains each step to people): address
unusable > type or channel not offered > critical > admin lock > global opt-out > channel switch >
own cell > default.
`apps/followers/consent/verdict_sql.py` says the same set-wise; a property test keeps the two equal.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_lazy as _


class Reason(StrEnum):
    """Why a message goes or not; stored with the delivery and shown to people."""

    NO_ADDRESS = "no_address"
    ADDRESS_UNCONFIRMED = "address_unconfirmed"
    ADDRESS_BOUNCED = "address_bounced"
    ADDRESS_SUPPRESSED = "address_suppressed"
    ADDRESS_OFF = "address_off"
    TYPE_INACTIVE = "type_inactive"
    CHANNEL_NOT_OFFERED = "channel_not_offered"
    CRITICAL = "critical"
    LOCKED_ON = "locked_on"
    UNSUBSCRIBED = "unsubscribed"
    CHANNEL_OFF = "channel_off"
    PREFERENCE_ON = "preference_on"
    PREFERENCE_OFF = "preference_off"
    DEFAULT_ON = "default_on"
    DEFAULT_OFF = "default_off"


EXPLANATIONS = {
    Reason.NO_ADDRESS: _("has no address for this channel"),
    Reason.ADDRESS_UNCONFIRMED: _("has not confirmed the address yet"),
    Reason.ADDRESS_BOUNCED: _("mail to this address came back"),
    Reason.ADDRESS_SUPPRESSED: _("the address is on the suppression list"),
    Reason.ADDRESS_OFF: _("the webhook is switched off"),
    Reason.TYPE_INACTIVE: _("this message type is switched off for everyone"),
    Reason.CHANNEL_NOT_OFFERED: _("this message type is not offered on this channel"),
    Reason.CRITICAL: _("critical messages always go out"),
    Reason.LOCKED_ON: _("an administrator requires this message"),
    Reason.UNSUBSCRIBED: _("unsubscribed from everything"),
    Reason.CHANNEL_OFF: _("switched this channel off"),
    Reason.PREFERENCE_ON: _("chose this message"),
    Reason.PREFERENCE_OFF: _("switched this message type off"),
    Reason.DEFAULT_ON: _("is on by default"),
    Reason.DEFAULT_OFF: _("is off until the follower switches it on"),
}


@dataclass(frozen=True, slots=True)
class AddressFacts:
    """The follower's address for a channel; of several devices the best one.

    `state` is an AddressState value, or "" where the channel needs an address and the follower has
    none.
    """

    needed: bool
    state: str
    suppressed: bool


@dataclass(frozen=True, slots=True)
class TypeFacts:
    """What the notification type says, for one channel."""

    active: bool
    offered: bool
    critical: bool
    commercial: bool
    locked_on: bool
    default_on: bool
    confirms: bool = False  # asks to confirm the address


@dataclass(frozen=True, slots=True)
class FollowerFacts:
    """What the follower said; `own_choice` is the cell of the matrix, None without a word."""

    subscribed: bool
    channel_muted: bool
    own_choice: bool | None


@dataclass(frozen=True, slots=True)
class Verdict:
    allow: bool
    reason: Reason


def judge(address: AddressFacts, kind: TypeFacts, follower: FollowerFacts) -> Verdict:
    """The decision and the rule that made it.

    No I/O, no clock: judged again at the moment of sending.
    """
    if address.needed:
        if address.state in ("", "gone"):
            return Verdict(False, Reason.NO_ADDRESS)
        if address.suppressed or address.state == "suppressed":
            return Verdict(False, Reason.ADDRESS_SUPPRESSED)
        if address.state == "bounced":
            return Verdict(False, Reason.ADDRESS_BOUNCED)
        if address.state == "unconfirmed" and not kind.confirms:
            return Verdict(False, Reason.ADDRESS_UNCONFIRMED)
        if address.state == "off":
            return Verdict(False, Reason.ADDRESS_OFF)
    if not kind.active:
        return Verdict(False, Reason.TYPE_INACTIVE)
    if not kind.offered:
        return Verdict(False, Reason.CHANNEL_NOT_OFFERED)
    if kind.critical:
        return Verdict(True, Reason.CRITICAL)
    if kind.locked_on:
        return Verdict(True, Reason.LOCKED_ON)
    if kind.commercial and not follower.subscribed:
        return Verdict(False, Reason.UNSUBSCRIBED)
    if follower.channel_muted:
        return Verdict(False, Reason.CHANNEL_OFF)
    if follower.own_choice is True:
        return Verdict(True, Reason.PREFERENCE_ON)
    if follower.own_choice is False:
        return Verdict(False, Reason.PREFERENCE_OFF)
    if kind.default_on:
        return Verdict(True, Reason.DEFAULT_ON)
    return Verdict(False, Reason.DEFAULT_OFF)
