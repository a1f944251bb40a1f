"""The code that somebody gets by mail before their data are handed over or erased: whoever holds an
old or forwarded link has no say in either.
"""

import datetime as dt
import secrets
from enum import StrEnum

from django.db import transaction
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext

from apps.followers.consent.record import locked
from apps.followers.consent.suppression import is_suppressed
from apps.followers.consent.tombstones import refuse_leaving
from apps.followers.models import Address, Channel, Follower, PrivacyCode, PrivacyWish
from apps.followers.people.address_claims import can_be_taken_back
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import RefusalKind, Refused

MAIL_TASK = "apps.subscriptions.privacy.mail.send"
LIFE = dt.timedelta(minutes=30)
TRIES = 5  # of a million codes
# Mails that nobody wanted are a nuisance: at most so many ...
PAUSE = dt.timedelta(minutes=1)  # ... one in this time to a follower,
DAY = dt.timedelta(days=1)
# ... and so many a day
PER_FOLLOWER = 5
PER_PLACE = 20


class TooManyPrivacyCodes(Refused):
    """A code is not sent, because so many were asked for; the text says what to do."""

    kind = RefusalKind.STATE

    def __init__(self) -> None:
        said = gettext("Too many codes were asked for. Use the last one, or try again later.")
        super().__init__(said)


class Typed(StrEnum):
    """What is to be said of a code that somebody typed."""

    RIGHT = "right"
    WRONG = "wrong"
    OVER = "over"  # too late, or wrong too often: ask for another one


def ask(*, follower: Follower, wish: PrivacyWish, ip: str = "", now: dt.datetime) -> PrivacyCode:
    """Note what somebody with this follower's link wants, and announce the mail with the code.

    Raises TooManyPrivacyCodes, Erased.
    """
    with transaction.atomic():
        row = locked(follower)
        refuse_leaving(row)
        lately = PrivacyCode.objects.filter(created_at__gt=now - DAY)
        limits = [
            (lately.filter(follower=row, created_at__gt=now - PAUSE), 1),
            (lately.filter(follower=row), PER_FOLLOWER),
        ]
        if ip:
            limits.append((lately.filter(ip=ip), PER_PLACE))
        if any(rows.count() >= most for rows, most in limits):
            raise TooManyPrivacyCodes
        code = PrivacyCode.objects.create(follower=row, wish=wish, ip=ip or None, created_at=now)
        announce(MAIL_TASK, lane=Lane.TRANSACTIONAL, code_id=code.pk)
    return code


def mailbox_of(follower: Follower, *, now: dt.datetime) -> Address | None:
    """Find the email address whose mailbox has the say; None without one.

    While an address can be taken back, it is that one, the oldest of several: whoever holds a
    forwarded link may have put the next one in its place a minute ago.
    """
    emails = list(follower.addresses.filter(channel=Channel.EMAIL).order_by("pk"))
    before = [row for row in emails if can_be_taken_back(row, now=now)]
    return next(iter([*before, *(row for row in emails if row.primary)]), None)


def issue(*, code_id: int, now: dt.datetime) -> tuple[PrivacyCode, Address, str] | None:
    """Make the code to send, known to nobody else: only its keyed hash is stored. Gives it with the
    address that it goes to.

    None when there is nothing to send: it was issued before, is over, or nothing is sent to the
    address.
    """
    with transaction.atomic():
        rows = PrivacyCode.objects.select_for_update(of=("self",)).select_related("follower")
        row = rows.filter(pk=code_id, code_hash="").first()
        if row is None or row.created_at < now - LIFE:
            return None
        address = mailbox_of(row.follower, now=now)
        if address is None or is_suppressed(Channel.EMAIL, address.key):
            failed(code=row, now=now)
            return None
        code = f"{secrets.randbelow(1_000_000):06}"
        PrivacyCode.objects.filter(pk=row.pk).update(code_hash=_hash(row, code))
    return row, address, code


def failed(*, code: PrivacyCode, now: dt.datetime) -> None:
    """Note that the code reached nobody, so that the page says so."""
    PrivacyCode.objects.filter(pk=code.pk).update(failed_at=now)


def pending(follower: Follower, *, now: dt.datetime) -> PrivacyCode | None:
    """Find the wish that waits for its code, None without one: the latest counts. One query."""
    row = follower.privacy_codes.order_by("-created_at").first()
    if row and not row.ended_at and row.created_at > now - LIFE and row.tries < TRIES:
        return row
    return None


def take(*, follower: Follower, wish: PrivacyWish, code: str, now: dt.datetime) -> Typed:
    """Compare the code with the one that was mailed last for this wish; the right one is used up.

    In the transaction of what it is for.
    """
    typed = "".join(code.split())
    row = locked(follower)
    refuse_leaving(row)
    asked = pending(row, now=now)
    if asked is None or asked.wish != wish or not asked.code_hash:
        return Typed.OVER
    own = PrivacyCode.objects.filter(pk=asked.pk)
    if constant_time_compare(_hash(asked, typed), asked.code_hash):
        own.update(ended_at=now)
        return Typed.RIGHT
    own.update(tries=asked.tries + 1)
    if asked.tries + 1 < TRIES:
        return Typed.WRONG
    return Typed.OVER


def forget_old(*, now: dt.datetime) -> int:
    """Tick: forget what was asked for more than a day ago. No limit counts it any more."""
    return PrivacyCode.objects.filter(created_at__lt=now - DAY).delete()[0]


def _hash(row: PrivacyCode, code: str) -> str:
    said = f"{row.pk}:{row.wish}:{code}"
    return salted_hmac("carillon.privacy_code", said, algorithm="sha256").hexdigest()
