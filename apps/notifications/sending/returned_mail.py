"""One mail that came in, booked on the delivery that it is about."""

import datetime as dt
import re
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr
from uuid import UUID

from apps.channels.contract import Remedy
from apps.channels.returned.reading import Of, Reading, Says, read
from apps.channels.sms.answers import Report
from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent import suppression
from apps.followers.models import Channel, SuppressionReason
from apps.lib.actor import SYSTEM
from apps.lib.tokens import BadToken
from apps.notifications.accounts import domain_reports
from apps.notifications.messages import links
from apps.notifications.models import Delivery
from apps.notifications.sending import provider_reports

_NAME = re.compile(r"\+([0-9a-f]{48})(?:@|$)", re.IGNORECASE)
_IN_MAIL = re.compile(rb"\+([0-9a-f]{48})@", re.IGNORECASE)
_LINK = re.compile(r"(?<![\w-])[\w-]{75}(?![\w-])")
MOST_NAMES = 20  # of one mail; each costs an HMAC


class ForgedReturn(ValueError):
    """The mail was sent to a return address that we did not make."""


@dataclass(frozen=True, slots=True)
class Bounced(Report):
    """A mail that came back. Servers name what they take in many ways and not each by another
    name: the delivery's own name counts each once.
    """

    @property
    def event(self) -> str:
        return f"{self.delivery}:bounced"


@dataclass(frozen=True, slots=True)
class Received:
    """What a mail said, and whether it changed anything; `delivery` is the one it is about."""

    says: Says
    delivery: UUID | None = None
    changed: bool = False


def receive(*, raw: bytes, to: str = "", now: dt.datetime) -> Received:
    """Book one mail. `to`: the address to which it was delivered, as the mail server says.

    A second copy changes nothing. Raises ForgedReturn; TooEarly where it should come again.
    """
    named = _named_by(to)
    found = read(raw)
    if (
        found.says is Says.NOTHING
        and found.parts
        and domain_reports.take(parts=found.parts, now=now)
    ):
        return Received(Says.REPORT, changed=True)
    if found.says not in (Says.BOUNCE, Says.COMPLAINT):
        return Received(found.says, named)
    uid = named or _named_within(raw, found)
    if uid is None:
        return Received(found.says)
    mails = Delivery.objects.filter(uid=uid, channel=Channel.EMAIL)
    row = mails.select_related("address", "account").first()
    if row is None:  # deleted since
        return Received(found.says, uid)
    if found.says is Says.COMPLAINT:
        return Received(found.says, uid, _complained(row, found.of[0].said, now))
    return Received(found.says, uid, _bounced(row, found.of, now))


def _is_report(found: Reading, now: dt.datetime) -> bool:
    """Keep what receivers tell of our domains; whether the mail told something new."""
    return bool(found.parts and domain_reports.take(parts=found.parts, now=now))


def _named_by(to: str) -> UUID | None:
    """The delivery that an address names; None where it names none. Raises ForgedReturn."""
    match = _NAME.search(parseaddr(to)[1] or to)
    if match is None:
        return None
    try:
        return links.read_return_name(match.group(1))
    except BadToken as error:
        said = "This return address was changed, or made by somebody else: nothing was booked."
        raise ForgedReturn(said) from error


def _named_within(raw: bytes, found: Reading) -> UUID | None:
    """The delivery that the mail names in what it brings back: its return address, or its links."""
    for match in list(_IN_MAIL.finditer(raw))[:MOST_NAMES]:
        with suppress(BadToken):
            return links.read_return_name(match.group(1).decode())
    copies = []
    if found.parts:
        copies = found.parts.within
    for copy in copies:
        for token in _LINK.findall(str(copy.get("List-Unsubscribe") or ""))[:MOST_NAMES]:
            with suppress(BadToken):
                return links.read_managing(token).delivery
    return None


def _bounced(row: Delivery, of: tuple[Of, ...], now: dt.datetime) -> bool:
    if row.account is None:
        return False
    one = _about(row, of)
    remedy = Remedy.NONE
    if one.hard and _same(row, one.recipient):
        remedy = Remedy.BOUNCED
    told = Bounced(
        delivery=row.uid, name=row.provider_id, arrived=False, said=one.said, remedy=remedy
    )
    return provider_reports.report(told=told, account=row.account, now=now)


def _about(row: Delivery, of: tuple[Of, ...]) -> Of:
    for one in of:
        if one.recipient and _same(row, one.recipient):
            return one
    return of[0]


def _same(row: Delivery, recipient: str) -> bool:
    """Whether a report is about the delivery's own address, and not about one to which its owner
    has mail sent on: that one may be gone while theirs is not. A report that names nobody is.
    """
    if not recipient or row.address is None:
        return True
    try:
        return normalise(Channel.EMAIL, recipient)[1] == row.address.key
    except BadAddress:
        return False


def _complained(row: Delivery, said: str, now: dt.datetime) -> bool:
    if row.address is None:
        return False
    entry = suppression.suppress(
        channel=Channel.EMAIL,
        value=row.address.value,
        reason=SuppressionReason.COMPLAINT,
        note=f"Feedback report ({said}) about message {row.uid}",
        by=SYSTEM,
        now=now,
    )
    return entry.created_at == now
