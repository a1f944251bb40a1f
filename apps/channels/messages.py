"""The messages that channels hand over, ready to go."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.channels.pieces import Pieces
from apps.lib.network.host_name import ascii_host


@dataclass(frozen=True, slots=True)
class Sender:
    """Whom a mail is from: the name that readers see, "" for none, and a bare address."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        """The domain of the address, in ASCII. Raises BadHost."""
        return ascii_host(self.address.rpartition("@")[2])


@dataclass(slots=True)  # not frozen: that takes longer than all its headers, and a million are made
class Mail:
    """One email to one person.

    Header values are plain text; providers encode. `to` is a bare address.
    """

    delivery: UUID
    message_id: str  # with angle brackets; the same on every try
    sender: Sender
    to: str
    to_name: str
    subject: str
    text: str
    # pieces when it comes from a template: what is the same for everyone is said or encoded once
    html: str | Pieces
    headers: Mapping[str, str] = field(default_factory=dict)
    sent_at: dt.datetime | None = None
    # text and HTML as the lines that go over the wire, in place of `text` and `html`:
    # for a provider that takes them (Provider.takes_lines)
    lines: tuple[bytes, bytes] | None = None
    # where bounces of this one mail go (VERP); "" for the sender's own address
    return_path: str = ""


@dataclass(frozen=True, slots=True)
class InAppMessage:
    delivery: UUID
    follower: UUID
    category: str
    title: str
    body: str
    link: str


@dataclass(frozen=True, slots=True)
class SmsMessage:
    """One text message to one phone.

    `media`: public https addresses of pictures (MMS), none for plain SMS.
    """

    delivery: UUID
    to: str  # E.164, with +
    body: str
    media: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PushMessage:
    """One notification to one device or browser.

    `token` is its registration token or push endpoint.
    """

    delivery: UUID
    token: str
    # of the address: a browser's keys, a token's environment (apps.followers.devices.push_devices)
    details: Mapping[str, Any]
    title: str
    body: str
    link: str = ""
    image: str = ""
    # a later message with the same one replaces it; at most 32 letters of base64url (RFC 8030)
    collapse: str = ""
    # seconds for which it is worth delivering; None = as long as the service likes
    ttl: int | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class WebhookMessage:
    """One signed POST to a follower's own address.

    `details` of the address hold the encrypted secret.
    """

    delivery: UUID
    url: str
    details: Mapping[str, Any]
    type: str  # dot-separated, such as notification.order_shipped
    timestamp: dt.datetime
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class VoiceMessage:
    """One call in which `body` is spoken. `to` in E.164, `language` as BCP 47."""

    delivery: UUID
    to: str
    body: str
    language: str
