"""The links a message carries: signed, never expiring, and opening them changes nothing."""

from struct import Struct
from typing import NamedTuple
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from apps.channels.pieces import ReaderToken
from apps.followers.models import Follower, NotificationType
from apps.lib import tokens
from apps.lib.ids import uuid7
from apps.notifications.messages.site import own_site

_PURPOSE = "stamp"
_RETURN = "return"
_LEAVE = "leave"
_EVENTS = "events"
_KNOCK = "events-password"  # purpose of the password in an address for events
_PAYLOAD = Struct(">16s16sII")  # delivery, follower, notification type, version


class Stamp(NamedTuple):
    """One message's three tokens, 75 characters each; none of them tells another.

    Who was forwarded a link of a mail holds that one only.
    """

    # in the links to click and the open pixel: it opens nothing of the follower's
    tracking: ReaderToken
    managing: ReaderToken  # in the links to the follower's own pages
    # in the link to the mail in a browser: it shows that mail, and can change nothing
    viewing: ReaderToken


# What a preview shows: as long as real tokens, and nobody's. A real one would let whoever looks at
# the preview act as the follower. Their pages say that it was a preview.
DEAD = Stamp(*[ReaderToken("preview".center(75, "-"))] * 3)


class Mark(NamedTuple):
    """What a token names. `notification_type` and `version` are primary keys, 0 for none.

    `delivery` is an id that no delivery has where the link stands in none; it says when the link
    was made in any case (lib/ids.py).
    """

    delivery: UUID
    follower: UUID
    notification_type: int
    version: int


def stamp(*, delivery: UUID, follower: UUID, notification_type: int, version: int) -> Stamp:
    """Sign what a message's links name."""
    payload = _PAYLOAD.pack(delivery.bytes, follower.bytes, notification_type, version)
    tracking, managing, viewing = tokens.three(_PURPOSE, payload)
    return Stamp(ReaderToken(tracking), ReaderToken(managing), ReaderToken(viewing))


def read_tracking(token: str) -> Mark:
    """Read the token of a link to click or of the pixel. Raises BadToken."""
    return _mark(tokens.read_three(_PURPOSE, token, tokens.Third.FIRST))


def read_managing(token: str) -> Mark:
    """Read the token of a link to the follower's own pages. Raises BadToken."""
    return _mark(tokens.read_three(_PURPOSE, token, tokens.Third.SECOND))


def read_viewing(token: str) -> Mark:
    """Read the token of the link to a mail in a browser. Raises BadToken."""
    return _mark(tokens.read_three(_PURPOSE, token, tokens.Third.LAST))


def return_name(delivery: UUID) -> str:
    """A delivery's name in the return address of its mail: 48 characters, signed."""
    return tokens.short(_RETURN, delivery.bytes)


def read_return_name(name: str) -> UUID:
    """The delivery that a return address names. Raises BadToken."""
    payload = tokens.read_short(_RETURN, name)
    if len(payload) != 16:
        raise tokens.BadToken
    return UUID(bytes=payload)


def leave_name(delivery: UUID) -> str:
    """A delivery's name in the address to which its reader writes to get no more of its kind: made
    like that of its return address, and none of the two stands for the other.
    """
    return tokens.short(_LEAVE, delivery.bytes)


def read_leave_name(name: str) -> UUID:
    """The delivery that an address to leave by names. Raises BadToken."""
    payload = tokens.read_short(_LEAVE, name)
    if len(payload) != 16:
        raise tokens.BadToken
    return UUID(bytes=payload)


def stamped_preferences_url(stamp: Stamp) -> str:
    """The follower's subscription center."""
    return own_site().preferences(stamp.managing)


def stamped_unsubscribe_url(stamp: Stamp) -> str:
    """One-click target (RFC 8058): a POST there opts out of the message's type, a GET only asks."""
    return own_site().unsubscribe(stamp.managing)


def stamped_view_url(stamp: Stamp) -> str:
    """The mail itself, in a browser."""
    return own_site().view(stamp.viewing)


def stamped_confirm_url(stamp: Stamp) -> str:
    """The page where a POST confirms the address."""
    return own_site().confirm(stamp.managing)


def preferences_url(follower: Follower) -> str:
    """The follower's subscription center, outside of any message."""
    return stamped_preferences_url(_undelivered(follower, None))


def unsubscribe_url(follower: Follower, notification_type: NotificationType) -> str:
    """The one-click target, outside of any message."""
    return stamped_unsubscribe_url(_undelivered(follower, notification_type))


def managing_token(follower: Follower) -> str:
    """The token of a link within the follower's own pages."""
    return _undelivered(follower, None).managing


def reports_url(account: UUID) -> str:
    """The address to which a provider posts what phones answer and what became of messages."""
    return settings.SITE_URL + reverse("subscriptions:sms-answers", args=[account])


def events_url(account: UUID, *, password: bool) -> str:
    """The address to which an ESP posts what became of mails. `password`: with one in it, for an
    ESP that signs nothing; addresses stand in logs, and what is before the @ does not.
    """
    token = tokens.short(_EVENTS, account.bytes)
    url: str = settings.SITE_URL + reverse("subscriptions:provider-events", args=[token])
    if password:
        proof = tokens.short(_KNOCK, account.bytes)[len(account.hex) :]
        url = url.replace("://", f"://carillon:{proof}@", 1)
    return url


def read_events_token(token: str) -> UUID:
    """The account that an address for events names. Raises BadToken."""
    payload = tokens.read_short(_EVENTS, token)
    if len(payload) != 16:
        raise tokens.BadToken
    return UUID(bytes=payload)


def knows_events_password(account: UUID, password: str) -> bool:
    """Whether this is the password in the address of the account."""
    try:
        return tokens.read_short(_KNOCK, account.hex + password) == account.bytes
    except tokens.BadToken:
        return False


def _undelivered(follower: Follower, kind: NotificationType | None) -> Stamp:
    number = 0
    if kind:
        number = kind.pk
    return stamp(delivery=uuid7(), follower=follower.uid, notification_type=number, version=0)


def _mark(payload: bytes) -> Mark:
    if len(payload) != _PAYLOAD.size:
        raise tokens.BadToken
    delivery, follower, notification_type, version = _PAYLOAD.unpack(payload)
    return Mark(UUID(bytes=delivery), UUID(bytes=follower), notification_type, version)
