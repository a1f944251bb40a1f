"""One mail that came in, booked on the delivery that it is about."""

import datetime as dt
import hashlib
import logging
import re
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parseaddr, parsedate_to_datetime
from typing import NamedTuple
from uuid import UUID

from apps.channels.esp.told import MailEvent, What
from apps.channels.returned.reading import Of, Reading, Says, read
from apps.followers.models import Channel
from apps.lib.tokens import BadToken
from apps.notifications.accounts import domain_reports
from apps.notifications.messages import links
from apps.notifications.models import Delivery, DeliveryEvent, EventKind
from apps.notifications.sending.heard.events import book, complained, is_of, left, reader_of

_NAME = re.compile(r"\+([0-9a-f]{48})(?:@|$)", re.IGNORECASE)
_IN_MAIL = re.compile(rb"\+([0-9a-f]{48})@", re.IGNORECASE)
_LINK = re.compile(r"(?<![\w-])[\w-]{75}(?![\w-])")
BY_MAIL = "mail"  # the source of an opt-out
MOST_NAMES = 20  # of one mail; each costs an HMAC
SLOW_CLOCK = dt.timedelta(minutes=10)  # of a server that writes when it sent a mail back
log = logging.getLogger("carillon.answers")


class ForgedReturn(ValueError):
    """The mail was sent to a return address that we did not make."""


@dataclass(frozen=True, slots=True)
class Received:
    """What a mail said, and whether it changed anything; `delivery` is the one it is about."""

    says: Says
    delivery: UUID | None = None
    changed: bool = False


class _Named(NamedTuple):
    """The delivery that an address names; `leaving`: it is the address to get no more by."""

    delivery: UUID
    leaving: bool = False


def receive(*, raw: bytes, to: str = "", now: dt.datetime) -> Received:
    """Book one mail. `to`: the address to which it was delivered, as the mail server says.

    A second copy changes nothing. Raises ForgedReturn; TooEarly where it should come again.
    """
    named = _named_by(to)
    found = read(raw)
    if named and named.leaving:
        if found.says is not Says.NOTHING:  # a program's answer is nobody's wish
            return Received(found.says, named.delivery)
        return _left(named.delivery, raw, found, now)
    if (
        found.says is Says.NOTHING
        and found.parts
        and domain_reports.take(parts=found.parts, now=now)
    ):
        return Received(Says.REPORT, changed=True)
    uid = None
    if named:
        uid = named.delivery
    if found.says not in (Says.BOUNCE, Says.COMPLAINT):
        return Received(found.says, uid)
    uid = uid or _named_within(raw, found)
    if uid is None:
        return Received(found.says)
    row = _mail(uid)
    if row is None:  # deleted since
        return Received(found.says, uid)
    told = _complaint(row, found.of)
    if found.says is Says.BOUNCE:
        told = _bounce(row, found)
    if row.account is not None:
        return Received(found.says, uid, book(told=told, account=row.account, now=now))
    changed = found.says is Says.COMPLAINT and complained(row=row, said=told.said, now=now)
    return Received(found.says, uid, changed)


def _mail(uid: UUID) -> Delivery | None:
    mails = Delivery.objects.filter(uid=uid, channel=Channel.EMAIL)
    return mails.select_related("address", "account", "follower").first()


def _left(uid: UUID, raw: bytes, found: Reading, now: dt.datetime) -> Received:
    """Opt the reader out of what the mail was about. They may do so again, if they came back: the
    name of their own mail tells a copy from a second wish.
    """
    row = _mail(uid)
    if row is None or reader_of(row) is None:
        log.warning("Somebody wants no more like message %s, and it or its reader is gone.", uid)
        return Received(Says.OPT_OUT)
    if row.account is None:
        left(row=row, everything=False, source=BY_MAIL, now=now)
        return Received(Says.OPT_OUT, uid, True)
    own = raw
    if found.parts and (name := found.parts.header("Message-ID")):
        own = name.encode("utf-8", "replace")
    event = f"{uid}:{What.UNSUBSCRIBED}:{hashlib.sha256(own).hexdigest()[:32]}"
    told = MailEvent(What.UNSUBSCRIBED, event, delivery=uid, name=row.provider_id)
    known = book(told=told, account=row.account, now=now, source=BY_MAIL)
    return Received(Says.OPT_OUT, uid, known)


def _named_by(to: str) -> _Named | None:
    """The delivery that an address names; None where it names none. Raises ForgedReturn."""
    match = _NAME.search(parseaddr(to)[1] or to)
    if match is None:
        return None
    with suppress(BadToken):
        return _Named(links.read_return_name(match.group(1)))
    try:
        return _Named(links.read_leave_name(match.group(1)), leaving=True)
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


def _bounce(row: Delivery, found: Reading) -> MailEvent:
    """What a bounce tells. Servers name what they take in many ways and not each by another name:
    the delivery's own name, and which try it was, counts each once.
    """
    one = _about(row, found.of)
    what = What.SOFT_BOUNCE
    if one.hard and is_of(row, one.recipient):
        what = What.HARD_BOUNCE
    event = f"{row.uid}:{what}"
    if again := _tried_again(row, found):
        event = f"{event}:{again}"
    return MailEvent(what, event, delivery=row.uid, name=row.provider_id, said=one.said)


def _tried_again(row: Delivery, found: Reading) -> int:
    """How often somebody had the mail sent again before the bounce was written. A bounce without a
    date is of the last try.
    """
    again = DeliveryEvent.objects.filter(delivery=row, kind=EventKind.RETRIED)
    written = ""
    if found.parts:
        written = found.parts.header("Date")
    with suppress(ValueError, OverflowError):
        at = parsedate_to_datetime(written).astimezone(dt.UTC) + SLOW_CLOCK
        return again.filter(at__lte=at).count()
    return again.count()


def _about(row: Delivery, of: tuple[Of, ...]) -> Of:
    for one in of:
        if one.recipient and is_of(row, one.recipient):
            return one
    return of[0]


def _complaint(row: Delivery, of: tuple[Of, ...]) -> MailEvent:
    event = f"{row.uid}:{What.COMPLAINED}"
    return MailEvent(What.COMPLAINED, event, delivery=row.uid, said=of[0].said)
