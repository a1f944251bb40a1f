"""What an ESP or a mail that came back tells of a mail of ours, as an act."""

import datetime as dt
from dataclasses import dataclass
from typing import NamedTuple

from django.db import transaction

from apps.channels.contract import Remedy
from apps.channels.esp.told import MailEvent, What
from apps.channels.sms.answers import Report
from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent import suppression
from apps.followers.consent.opt_out import opt_out
from apps.followers.consent.record import Proof
from apps.followers.consent.tombstones import Erased
from apps.followers.models import Channel, Follower, SuppressionReason
from apps.lib.actor import SYSTEM, Actor, ActorKind
from apps.notifications.models import Delivery, DeliveryEvent, EventKind, ProviderAccount
from apps.notifications.sending.heard import provider_reports
from apps.notifications.sending.heard.provider_reports import TooEarly


class Means(NamedTuple):
    """What a word means for the delivery. `weight`: how much it says, of 4."""

    arrived: bool
    weight: int
    kind: EventKind | None = None


# A soft bounce may be followed by the mail after all; a server that took it may send it back; and
# what its reader does is no machine's guess.
MEANINGS = {
    What.REJECTED: Means(False, 1),
    What.SOFT_BOUNCE: Means(False, 1),
    What.DELIVERED: Means(True, 2),
    What.HARD_BOUNCE: Means(False, 3),
    What.OPENED: Means(True, 4),
    What.CLICKED: Means(True, 4),
    What.UNSUBSCRIBED: Means(True, 4, EventKind.UNSUBSCRIBED),
    What.COMPLAINED: Means(True, 4, EventKind.COMPLAINED),
}


@dataclass(frozen=True, slots=True)
class MailReport(Report):
    """A report on a mail, by the name and with the weight of the word that told it."""

    named: str = ""
    weighs: int = 1

    @property
    def event(self) -> str:
        return self.named

    @property
    def weight(self) -> int:
        return self.weighs


def book(
    *, told: MailEvent, account: ProviderAccount, now: dt.datetime, source: str = "provider"
) -> bool:
    """Book what was told of a mail; whether anything changed. What came before, or is about no
    mail of ours, changes nothing. Raises TooEarly: nobody knows yet which mail it is about.
    `source`: where an opt-out was said.
    """
    with transaction.atomic():
        row = _found(told, account)
        if row is None or _came_before(told, account):
            return False
        if not told.name and row.account_id not in (None, account.pk):
            return False  # of a try through this account, and another one has it now
        if told.what is What.DEFERRED:
            _note(row, told, account, now)
            return False
        means = MEANINGS[told.what]
        report = MailReport(
            delivery=row.uid,
            name=told.name,
            arrived=means.arrived,
            said=told.said,
            remedy=_remedy(told),
            named=told.event,
            weighs=means.weight,
        )
        changed = provider_reports.report(told=report, account=account, now=now, kind=means.kind)
        wish = told.because or told.what
        if wish is What.COMPLAINED:
            changed = complained(row=row, said=told.said, now=now) or changed
        elif wish is What.UNSUBSCRIBED:
            everything = told.what is What.REJECTED
            changed = left(row=row, everything=everything, source=source, now=now) or changed
        return changed


def _came_before(told: MailEvent, account: ProviderAccount) -> bool:
    """Whether a copy was booked: what was undone since, such as a suppression, stays undone."""
    name = f"{account.pk}:{told.event}"[:255]
    return DeliveryEvent.objects.filter(provider_event_id=name).exists()


def _remedy(told: MailEvent) -> Remedy:
    if What.HARD_BOUNCE in (told.what, told.because):
        return Remedy.BOUNCED
    return Remedy.NONE


def _found(told: MailEvent, account: ProviderAccount) -> Delivery | None:
    """The mail that was told of: by our name of it, or by the ESP's and the address.

    Raises TooEarly where there is none of the ESP's name: its hand-over may not be booked.
    """
    mails = Delivery.objects.filter(channel=Channel.EMAIL).select_related("address", "follower")
    if told.delivery:
        row = mails.filter(uid=told.delivery).first()
        if row is None or not is_of(row, told.recipient):
            return None
        return row
    if not told.name or not told.recipient:
        return None
    try:
        key = normalise(Channel.EMAIL, told.recipient)[1]
    except BadAddress:
        return None
    names = (told.name, f"<{told.name}>")
    theirs = mails.filter(address__channel=Channel.EMAIL, address__key=key)
    row = theirs.filter(provider_id__in=names).first()
    if row is None:
        raise TooEarly
    return row


def is_of(row: Delivery, recipient: str) -> bool:
    """Whether a report is about the delivery's own address, and not about one to which its owner
    has mail sent on: that one may be gone while theirs is not. A report that names nobody is.
    """
    if not recipient or row.address is None:
        return True
    try:
        return normalise(Channel.EMAIL, recipient)[1] == row.address.key
    except BadAddress:
        return False


def complained(*, row: Delivery, said: str, now: dt.datetime) -> bool:
    """Write no more to the address whose reader called a mail spam; whether that is new."""
    if row.address is None:
        return False
    entry = suppression.suppress(
        channel=Channel.EMAIL,
        value=row.address.value,
        reason=SuppressionReason.COMPLAINT,
        note=f"Complaint ({said[:100] or 'spam'}) about message {row.uid}",
        by=SYSTEM,
        now=now,
    )
    return entry.created_at == now


def left(*, row: Delivery, everything: bool, source: str, now: dt.datetime) -> bool:
    """Opt the reader of a mail out of what it was about, or of `everything`; whether there still is
    one.
    """
    reader = reader_of(row)
    if reader is None:
        return False
    wanted = ""
    if not everything:
        wanted = row.notification.notification_type.key
    by = Actor(ActorKind.FOLLOWER, str(reader.uid), label=str(reader))
    try:
        opt_out(follower=reader, type_key=wanted, proof=Proof(source, by, now))
    except Erased:  # about to be: nothing leaves for them anyway
        return False
    return True


def reader_of(row: Delivery) -> Follower | None:
    """Who reads a mail: its follower, or who has its address since two followers were merged."""
    if row.follower is None and row.address is not None:
        return row.address.follower
    return row.follower


def _note(row: Delivery, told: MailEvent, account: ProviderAccount, now: dt.datetime) -> None:
    said = told.said
    if row.follower_id is None:
        said = ""
    DeliveryEvent.objects.get_or_create(
        provider_event_id=f"{account.pk}:{told.event}"[:255],
        defaults={
            "delivery": row,
            "at": now,
            "kind": EventKind.DEFERRED,
            "detail": {"said": said, "account": account.pk},
        },
    )
