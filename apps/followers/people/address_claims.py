"""An email address of a follower's that is not proven yet: asked for, and confirmed by its mailbox.

Nobody's row changes before that, so that an address can't be taken by naming it.
"""

import datetime as dt

from django.db import transaction
from django.db.models import QuerySet
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
from apps.followers.people.revoke_links import end_links
from apps.lib.actor import Actor
from apps.lib.facts import Kind
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import RefusalKind, Refused

MAIL_TASK = "apps.subscriptions.claims.mail.send"
GOOD_FOR = dt.timedelta(days=14)
KEPT = dt.timedelta(days=90)  # so long a link that is too old offers a fresh one
DAY = dt.timedelta(days=1)
WAY_BACK = dt.timedelta(days=7)  # so long whoever lost an address can take it back
# Mails that nobody wanted are a nuisance: at most so many ...
PAUSE = dt.timedelta(hours=1)  # ... one in this time for a follower and an address,
PER_FOLLOWER = 5  # ... and so many a day
PER_ADDRESS = 5  # whoever asks: the next ones are noted, and nothing is sent
PER_PLACE = 20


class TooManyClaims(Refused):
    """An address is not asked, because this follower's were asked so often, or somebody at this
    place asked for so many. That others asked for the address is not among the reasons.
    """

    kind = RefusalKind.STATE
    field = "value"

    def __init__(self) -> None:
        said = gettext(
            "You asked for this address not long ago, or for many. Look into its mailbox, or try "
            "again in an hour."
        )
        super().__init__(said)


class LatelyUsed(Refused):
    """An address was written to until lately, so that it can't be forgotten yet."""

    kind = RefusalKind.STATE
    field = "address"


class NoWayBack(Refused):
    """An address can't be taken back, or not any more."""

    kind = RefusalKind.STATE
    field = "address"


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
            (lately.filter(follower=row, key=key, created_at__gt=now - PAUSE), 1),
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


def to_mail(*, claim_id: int) -> AddressClaim | None:
    """Find the claim whose mail is to be sent; None where it was before, or is wanted no more."""
    rows = AddressClaim.objects.filter(pk=claim_id, mailed_at=None, failed_at=None, voided_at=None)
    return rows.select_related("follower").first()


def kept_back(claim: AddressClaim) -> str:
    """Say why nothing goes to the address, for staff; "" where nothing speaks against it.

    Nobody else learns it: who is on the suppression list, or was asked for by others, is nothing
    that naming an address may tell. So such a claim is noted as mailed.
    """
    if is_suppressed(Channel.EMAIL, claim.key):
        return "suppressed"
    since = claim.created_at - DAY
    before = AddressClaim.objects.filter(key=claim.key, created_at__gt=since, pk__lt=claim.pk)
    if before.count() >= PER_ADDRESS:
        return "too_many"
    return ""


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
    rows = _open(follower).filter(created_at__gt=now - GOOD_FOR)
    found: dict[str, AddressClaim] = {}
    for row in rows.order_by("-created_at"):
        found.setdefault(row.key, row)
    return list(found.values())


def confirm(*, claim: AddressClaim, proof: Proof) -> AddressClaim:
    """The mailbox is this follower's: give them the address, and write there where that was asked.

    A second call changes nothing, nor does one for a claim that was voided meanwhile. Raises
    AddressTaken, which only the mailbox's owner gets to know.
    """
    with transaction.atomic():
        follower = locked(claim.follower)
        row = AddressClaim.objects.select_for_update().get(pk=claim.pk)
        if row.confirmed_at or row.voided_at:
            return row
        # whoever was erased says this themselves
        tombstones.lift(Channel.EMAIL, row.key, now=proof.now)
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
        if row.primary:
            # what was asked before must not lead the messages elsewhere afterwards
            _open(follower).filter(pk__lt=row.pk).update(voided_at=proof.now)
        about = {"channel": Channel.EMAIL.value, "address": row.value}
        proof.record(follower, "address_confirmed", about)
        proof.tell(Kind.ADDRESS_CONFIRMED, follower, about)
    return row


def forget_claim(*, follower: Follower, uid: str, now: dt.datetime) -> None:
    """Ask an address no more; links in the mails that it got are worth nothing from now on."""
    for claim in waiting(follower, now=now):
        if str(claim.uid) == uid:
            _open(follower).filter(key=claim.key).update(voided_at=now)


def _open(follower: Follower) -> QuerySet[AddressClaim]:
    return AddressClaim.objects.filter(follower=follower, confirmed_at=None, voided_at=None)


def forget_address(*, address: Address, by: Actor, now: dt.datetime) -> None:
    """Forget an email address that is not written to.

    Raises LatelyUsed while it can be taken back: a thief would else make sure that its owner is
    never told.
    """
    with transaction.atomic():
        row = Follower.objects.select_for_update().get(pk=address.follower_id)
        fresh = row.addresses.filter(pk=address.pk).first()
        if fresh is None:
            return
        if can_be_taken_back(fresh, now=now):
            raise LatelyUsed(
                gettext("We wrote to this address until lately. It can be forgotten after a week.")
            )
        further_addresses.delete_address(address=fresh, by=by, now=now)


def can_be_taken_back(address: Address, *, now: dt.datetime) -> bool:
    """Whether another address was put in its place not long ago."""
    if address.primary or address.replaced_at is None:
        return False
    return address.replaced_at > now - WAY_BACK


def take_back(*, address: Address, proof: Proof) -> None:
    """Write to an address again in whose place another was put, for whoever reads its mailbox.

    What else may be the thief's ends with it: links, claims, and the ways back to addresses that
    are younger. An older one keeps its own, so that a thief with two addresses shuts nobody out.
    A second call changes nothing. Raises NoWayBack.
    """
    with transaction.atomic():
        follower = Follower.objects.select_for_update().get(pk=address.follower_id)
        row = follower.addresses.get(pk=address.pk)
        if row.primary:
            return
        if not can_be_taken_back(row, now=proof.now):
            raise NoWayBack(gettext("An address can be taken back for a week. Please write to us."))
        further_addresses.make_primary(address=row, by=proof.by, now=proof.now)
        emails = follower.addresses.filter(channel=Channel.EMAIL)
        emails.filter(pk__gt=row.pk).update(replaced_at=None)
        _open(follower).update(voided_at=proof.now)
        end_links(follower, by=proof.by, now=proof.now)
        about = {"channel": Channel.EMAIL.value, "address": row.value}
        proof.record(follower, "address_taken_back", about)


def further_email(follower: Follower, uid: str) -> Address | None:
    """Find an email address of the follower's that is not the one that is written to."""
    rows = follower.addresses.filter(channel=Channel.EMAIL, primary=False)
    return next((row for row in rows if str(row.uid) == uid), None)


def forget_old(*, now: dt.datetime) -> int:
    """Tick: forget claims of long ago, confirmed or not; says how many."""
    return AddressClaim.objects.filter(created_at__lt=now - KEPT).delete()[0]
