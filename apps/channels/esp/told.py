"""What ESPs tell of mails that they took: one vocabulary for all of them.

django-anymail reads each ESP's own words. What it does not say is decided here: whether a bounce
means that nobody is there, and what name an event has, so that a second copy is known.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from uuid import UUID

from anymail.signals import EventType, RejectReason
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from apps.channels.contract import storable
from apps.channels.returned.verdict import may_pass, verdict

LONGEST_SAID = 500


class What(StrEnum):
    """What happened to a mail. Weaker words never take back stronger ones."""

    DEFERRED = "deferred"  # not taken yet, the ESP goes on trying
    SOFT_BOUNCE = "soft_bounce"  # not taken, for a reason that may pass
    REJECTED = "rejected"  # the ESP itself did not send it; `because` says on whose word
    DELIVERED = "delivered"  # the reader's server took it
    HARD_BOUNCE = "hard_bounce"  # nobody is there
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"  # by a link or a button of the ESP
    COMPLAINED = "complained"  # the reader called it spam


_WORDS = {
    What.DEFERRED: _("not taken yet"),
    What.SOFT_BOUNCE: _("not delivered, for a reason that may pass"),
    What.REJECTED: _("not sent"),
    What.DELIVERED: _("delivered"),
    What.HARD_BOUNCE: _("the address does not exist"),
    What.OPENED: _("opened"),
    What.CLICKED: _("clicked"),
    What.UNSUBSCRIBED: _("unsubscribed"),
    What.COMPLAINED: _("marked as spam"),
}


def heard_words(what: str) -> str:
    """What was heard, in the reader's language; "" for nothing."""
    if what in _WORDS:
        return gettext(_WORDS[What(what)])
    return ""


@dataclass(frozen=True, slots=True)
class MailEvent:
    """One event about one mail to one address.

    `event` names it, equal for each copy. `delivery` as we named it to the ESP, None where it does
    not say; `name` is the ESP's own name of the mail.
    """

    what: What
    event: str
    delivery: UUID | None = None
    name: str = ""
    recipient: str = ""
    said: str = ""
    because: What | None = None  # of REJECTED: what the ESP had heard of the address before
    at: dt.datetime | None = None

    def __post_init__(self) -> None:
        # a server's words, from an ESP or in a bounce, go into several tables from here
        object.__setattr__(self, "said", storable(self.said)[:LONGEST_SAID])


@dataclass(frozen=True, slots=True)
class Handshake:
    """The ESP asks whether the address is ours: a GET of `url` says yes."""

    url: str


class Unreadable(ValueError):
    """The ESP's request is not in its own language; the text says what is wrong."""


_PLAIN = {
    EventType.DEFERRED: What.DEFERRED,
    EventType.DELIVERED: What.DELIVERED,
    EventType.FAILED: What.REJECTED,
    EventType.REJECTED: What.REJECTED,
    EventType.OPENED: What.OPENED,
    EventType.CLICKED: What.CLICKED,
    EventType.COMPLAINED: What.COMPLAINED,
    EventType.UNSUBSCRIBED: What.UNSUBSCRIBED,
}
_BECAUSE = {
    RejectReason.BOUNCED: What.HARD_BOUNCE,
    RejectReason.INVALID: What.HARD_BOUNCE,
    RejectReason.SPAM: What.COMPLAINED,
    RejectReason.UNSUBSCRIBED: What.UNSUBSCRIBED,
}


def told(
    event: Any,
    *,
    gone: bool | None = None,
    about: Mapping[str, Any],
    because: What | None = None,
) -> list[MailEvent]:
    """Say one of anymail's events in our words; nothing where it tells nothing that we ask for.

    `gone`: whether the ESP says that nobody is there, None where it does not say. `about`: what
    names the event, where the ESP gives it no name of its own. `because` goes before what anymail
    found.
    """
    said = str(event.mta_response or event.description or "")[:LONGEST_SAID]
    what = _PLAIN.get(event.event_type)
    if event.event_type == EventType.BOUNCED:
        what = What.SOFT_BOUNCE
        if _is_hard(said, gone):
            what = What.HARD_BOUNCE
    if what is None:
        return []
    if what is not What.REJECTED:
        because = None
    elif because is None:
        because = _BECAUSE.get(event.reject_reason)
    recipient = storable(str(event.recipient or ""))[:LONGEST_SAID]
    found = MailEvent(
        what=what,
        event=_name(what, event.event_id, recipient, about),
        delivery=_uuid(event.metadata),
        name=storable(str(event.message_id or "")).strip("<>")[:255],
        recipient=recipient,
        said=said,
        because=because,
        at=event.timestamp,
    )
    return [found]


def _is_hard(said: str, gone: bool | None) -> bool:
    """Nobody is there where the ESP says so and the words that it passes on do not tell of
    something else, such as a block list; or where only the words say so.
    """
    if gone is None:
        return bool(said) and verdict(said).hard
    return gone and not may_pass(said)


def _name(what: What, given: object, recipient: str, about: Mapping[str, Any]) -> str:
    if given:
        return storable(f"{what}:{given}:{recipient}")[:200]
    whole = json.dumps(about, sort_keys=True, default=str)
    return f"{what}:{hashlib.sha256(whole.encode('utf-8', 'replace')).hexdigest()}"


def _uuid(metadata: Any) -> UUID | None:
    if not isinstance(metadata, Mapping):
        return None
    try:
        return UUID(str(metadata.get("delivery")))
    except ValueError:
        return None
