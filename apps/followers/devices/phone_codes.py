"""A follower's own phone number: asked for, proven by a code that was sent there,
and taken away again.

Nobody's row changes before the code is typed, so that a number can't be taken by naming it.
"""

import datetime as dt
import secrets
from enum import StrEnum

from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext

from apps.followers.addresses import normalise
from apps.followers.consent.record import Proof, locked
from apps.followers.consent.suppression import is_suppressed
from apps.followers.models import Address, Channel, Follower, PhoneCode
from apps.followers.people import contacts, further_addresses
from apps.followers.people.profile import Profile
from apps.lib.actor import Actor
from apps.lib.refusals import RefusalKind, Refused

LIFE = dt.timedelta(minutes=10)
TRIES = 5  # of a million codes
# Texts cost money and are a nuisance to whoever gets them unasked: at most so many ...
PAUSE = dt.timedelta(minutes=1)  # ... one in this time to a follower,
DAY = dt.timedelta(days=1)
# ... and so many a day
PER_FOLLOWER = 5
PER_NUMBER = 5
PER_PLACE = 20


class TooManyCodes(Refused):
    """A code is not sent, because so many were asked for; the text says what to do."""

    kind = RefusalKind.STATE

    def __init__(self) -> None:
        said = gettext("Too many codes were asked for. Use the last one, or try again later.")
        super().__init__(said)


class CodeResult(StrEnum):
    """What became of a code that somebody typed."""

    CONFIRMED = "confirmed"
    WRONG = "wrong"
    OVER = "over"  # too late, or wrong too often: ask for another one
    TAKEN = "taken"  # the number belongs to another follower


def ask(*, follower: Follower, number: str, ip: str = "", now: dt.datetime) -> PhoneCode:
    """Note that somebody with this follower's link says that the number is theirs.

    Sends nothing: `issue` makes the code. Raises BadAddress, TooManyCodes.
    """
    value, _key = normalise(Channel.SMS, number)
    with transaction.atomic():
        row = locked(follower)
        lately = PhoneCode.objects.filter(created_at__gt=now - DAY)
        limits = [
            (lately.filter(follower=row, created_at__gt=now - PAUSE), 1),
            (lately.filter(follower=row), PER_FOLLOWER),
            (lately.filter(value=value), PER_NUMBER),
        ]
        if ip:
            limits.append((lately.filter(ip=ip), PER_PLACE))
        if any(rows.count() >= most for rows, most in limits):
            raise TooManyCodes
        return PhoneCode.objects.create(follower=row, value=value, ip=ip or None, created_at=now)


def issue(*, code_id: int, now: dt.datetime) -> tuple[PhoneCode, str] | None:
    """Make the code to send, known to nobody else: only its keyed hash is stored.

    None when there is nothing to send: it was issued before, is over,
    or the number is on the suppression list.
    """
    with transaction.atomic():
        row = PhoneCode.objects.select_for_update().filter(pk=code_id, code_hash="").first()
        if row is None or row.created_at < now - LIFE:
            return None
        if is_suppressed(Channel.SMS, row.value):
            PhoneCode.objects.filter(pk=row.pk).update(failed_at=now)
            return None
        code = f"{secrets.randbelow(1_000_000):06}"
        PhoneCode.objects.filter(pk=row.pk).update(code_hash=_hash(row, code))
    return row, code


def failed(*, code: PhoneCode, now: dt.datetime) -> None:
    """Note that no provider took the code, so that the page says so."""
    PhoneCode.objects.filter(pk=code.pk).update(failed_at=now)


def pending(follower: Follower, *, now: dt.datetime) -> PhoneCode | None:
    """Find the number that waits for its code, None without one. One query."""
    row = follower.phone_codes.order_by("-created_at").first()
    if row and not row.ended_at and row.created_at > now - LIFE and row.tries < TRIES:
        return row
    return None


def confirm(*, follower: Follower, code: str, proof: Proof) -> CodeResult:
    """Compare the code with the one that was sent last;
    the right one makes the number the one that is written to.
    """
    typed = "".join(code.split())
    with transaction.atomic():
        row = locked(follower)
        asked = pending(row, now=proof.now)
        if asked is None or not asked.code_hash:
            return CodeResult.OVER
        if not constant_time_compare(_hash(asked, typed), asked.code_hash):
            PhoneCode.objects.filter(pk=asked.pk).update(tries=asked.tries + 1)
            if asked.tries + 1 < TRIES:
                return CodeResult.WRONG
            return CodeResult.OVER
        try:
            contacts.change_follower(
                follower=row, values=Profile(phone=asked.value), by=proof.by, now=proof.now
            )
        except contacts.AddressTaken:
            return CodeResult.TAKEN
        Address.objects.filter(follower=row, channel=Channel.SMS, key=asked.value).update(
            confirmed_at=proof.now
        )
        PhoneCode.objects.filter(pk=asked.pk).update(ended_at=proof.now)
        about = {"channel": Channel.SMS.value, "address": asked.value}
        proof.record(row, "phone_confirmed", about)
    return CodeResult.CONFIRMED


def delete_number(*, follower: Follower, by: Actor, now: dt.datetime) -> None:
    """Forget the number that is written to, and one that waits for its code.

    A second call changes nothing.
    """
    with transaction.atomic():
        follower.phone_codes.filter(ended_at=None).update(ended_at=now)
        if address := follower.addresses.filter(channel=Channel.SMS, primary=True).first():
            further_addresses.delete_address(address=address, by=by, now=now)


def forget_old(*, now: dt.datetime) -> int:
    """Tick: forget numbers that were asked for more than a day ago, confirmed or not.

    No limit counts them any more.
    """
    return PhoneCode.objects.filter(created_at__lt=now - DAY).delete()[0]


def _hash(row: PhoneCode, code: str) -> str:
    return salted_hmac(
        "carillon.phone_code", f"{row.pk}:{row.value}:{code}", algorithm="sha256"
    ).hexdigest()
