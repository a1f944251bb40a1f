"""An email address of a follower's that is not proven yet: asked for, and confirmed by its mailbox.

Nobody's row changes before that, so that an address can't be taken by naming it.
"""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext

from apps.followers.addresses import normalise
from apps.followers.consent import tombstones
from apps.followers.consent.record import Proof, locked
from apps.followers.consent.suppression import is_suppressed
from apps.followers.models import (
    Address,
    AddressClaim,
    AddressState,
    Channel,
    Follower,
)
from apps.followers.people import further_addresses
from apps.lib.facts import Kind
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import RefusalKind, Refused

MAIL_TASK = "apps.subscriptions.claims.mail.send"
GOOD_FOR = dt.timedelta(days=14)
KEPT = dt.timedelta(days=90)  # so long a link that is too old offers a fresh one
DAY = dt.timedelta(days=1)
# Mails that nobody wanted are a nuisance: at most so many ...
PAUSE = dt.timedelta(hours=1)  # ... one in this time to an address,
PER_FOLLOWER = 5  # ... and so many a day
PER_ADDRESS = 5
PER_PLACE = 20


class TooManyClaims(Refused):
    """An address is not asked, because it or this follower's were asked so often."""

    kind = RefusalKind.STATE
    field = "value"

    def __init__(self) -> None:
        said = gettext(
            "This address was asked not long ago, or many were. Look into its mailbox, or try "
            "again in an hour."
        )
        super().__init__(said)


def ask(
    *, follower: Follower, value: str, primary: bool, ip: str = "", now: dt.datetime
) -> AddressClaim:
    """Note that somebody says that an email address is this follower's, and announce the mail that
    asks there. `primary`: it is to be written to from then on.

    Nobody is looked up, so that the answer does not tell who has it. Raises BadAddress,
    TooManyClaims.
    """
    value, key = normalise(Channel.EMAIL, value)
    with transaction.atomic():
        row = locked(follower)
        lately = AddressClaim.objects.filter(created_at__gt=now - DAY)
        limits = [
            (lately.filter(key=key, created_at__gt=now - PAUSE), 1),
            (lately.filter(key=key), PER_ADDRESS),
            (lately.filter(follower=row), PER_FOLLOWER),
        ]
        if ip:
            limits.append((lately.filter(ip=ip), PER_PLACE))
        if any(rows.count() >= most for rows, most in limits):
            raise TooManyClaims
        claim = AddressClaim.objects.create(
            follower=row, value=value, key=key, primary=primary, ip=ip or None, created_at=now
        )
        announce(MAIL_TASK, lane=Lane.TRANSACTIONAL, claim_id=claim.pk)
    return claim


def to_mail(*, claim_id: int, now: dt.datetime) -> AddressClaim | None:
    """Find the claim whose mail is to be sent; None where it was before, or may not be, because the
    address is on the suppression list.
    """
    rows = AddressClaim.objects.filter(pk=claim_id, mailed_at=None, failed_at=None)
    claim = rows.select_related("follower").first()
    if claim and is_suppressed(Channel.EMAIL, claim.key):
        mailed(claim=claim, taken=False, now=now)
        return None
    return claim


def mailed(*, claim: AddressClaim, taken: bool, now: dt.datetime) -> None:
    """Note that a provider took the mail, or that none did, so that the page says so.

    Afterwards, and not before: two such mails do no harm, and none would leave somebody waiting.
    """
    rows = AddressClaim.objects.filter(pk=claim.pk)
    if taken:
        rows.update(mailed_at=now)
    else:
        rows.update(failed_at=now)


def waiting(follower: Follower, *, now: dt.datetime) -> list[AddressClaim]:
    """List the addresses that wait for their mailbox, the latest first. One query."""
    rows = follower.address_claims.filter(confirmed_at=None, created_at__gt=now - GOOD_FOR)
    found: dict[str, AddressClaim] = {}
    for row in rows.order_by("-created_at"):
        found.setdefault(row.key, row)
    return list(found.values())


def confirm(*, claim: AddressClaim, proof: Proof) -> AddressClaim:
    """The mailbox is this follower's: give them the address, and write there where that was asked.

    A second call changes nothing. Raises AddressTaken, which only the mailbox's owner gets to know.
    """
    with transaction.atomic():
        follower = locked(claim.follower)
        row = AddressClaim.objects.select_for_update().get(pk=claim.pk)
        if row.confirmed_at:
            return row
        tombstones.lift(Channel.EMAIL, row.key)  # whoever was erased says this themselves
        address = further_addresses.create_address(
            follower=follower,
            channel=Channel.EMAIL,
            value=row.value,
            primary=row.primary,
            by=proof.by,
            now=proof.now,
        )
        if address.state == AddressState.UNCONFIRMED:
            address.state = AddressState.ACTIVE
        address.confirmed_at = proof.now
        address.save(update_fields=["state", "confirmed_at"])
        row.confirmed_at = proof.now
        row.save(update_fields=["confirmed_at"])
        about = {"channel": Channel.EMAIL.value, "address": row.value}
        proof.record(follower, "address_confirmed", about)
        proof.tell(Kind.ADDRESS_CONFIRMED, follower, about)
    return row


def further_email(follower: Follower, uid: str) -> Address | None:
    """Find an email address of the follower's that is not the one that is written to."""
    rows = follower.addresses.filter(channel=Channel.EMAIL, primary=False)
    return next((row for row in rows if str(row.uid) == uid), None)


def forget_old(*, now: dt.datetime) -> int:
    """Tick: forget claims of long ago, confirmed or not; says how many."""
    return AddressClaim.objects.filter(created_at__lt=now - KEPT).delete()[0]
