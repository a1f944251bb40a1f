"""Ask the mailbox: who the sign-up is about, and when the mail to confirm may go."""

import datetime as dt
from dataclasses import dataclass

from django.db import transaction

from apps.followers.consent import tombstones
from apps.followers.consent.record import Proof, locked
from apps.followers.consent.suppression import is_suppressed
from apps.followers.models import (
    Address,
    Channel,
    Follower,
    HeldBecause,
    SignUp,
    SignUpState,
)
from apps.followers.people import contacts
from apps.followers.people.profile import Profile
from apps.lib.actor import Actor, ActorKind

PAUSE = dt.timedelta(hours=1)  # between two mails to one address, whoever asks
SOURCE = "sign_up_form"


@dataclass(frozen=True, slots=True)
class Before:
    """The latest mail of this kind to the address: when it went or is to go, and whether it is
    about the same form.
    """

    mail_at: dt.datetime
    same_form: bool


def mail_moment(before: Before | None, *, now: dt.datetime) -> dt.datetime | None:
    """Say when the mail may go: at most one an hour, and one that waits.

    None: not at all, because one about this form went lately or one waits. Pure.
    """
    if before is None or before.mail_at <= now - PAUSE:
        return now
    if before.same_form or before.mail_at > now:
        return None
    return before.mail_at + PAUSE


def begin(*, sign_up_id: int, now: dt.datetime) -> SignUp | None:
    """Find or make the follower, and settle when the mail goes (`mail_at`). Inside the
    transaction in which the mail is stored.

    None when there is nothing to mail: it was done before, or is held, and why is stored. It waits
    while the person is being erased, and is then somebody new's.
    """
    with transaction.atomic():
        rows = SignUp.objects.select_for_update(of=("self",)).select_related("form")
        row = rows.filter(pk=sign_up_id, state=SignUpState.ASKED).first()
        if row is None:
            return None
        row.follower = _follower(row, now)
        # two sign-ups for one address at once see each other's mail
        locked(row.follower)
        if tombstones.is_leaving(row.follower):
            return None
        if is_suppressed(Channel.EMAIL, row.key):
            _hold(row, HeldBecause.SUPPRESSED)
            return None
        row.mail_at = mail_moment(_before(row), now=now)
        if row.mail_at is None:
            _hold(row, HeldBecause.LATELY)
            return None
        row.state = SignUpState.MAILED
        row.save(update_fields=["follower", "state", "mail_at"])
    return row


def by_whom(row: SignUp) -> Actor:
    """Whoever filled in the form, of whom only the address is known."""
    return Actor(ActorKind.FOLLOWER, label=row.email, ip=row.ip or "")


def _before(row: SignUp) -> Before | None:
    mailed = SignUp.objects.filter(key=row.key, mail_at__isnull=False).order_by("-mail_at")
    latest = mailed.first()
    if latest is None or latest.mail_at is None:
        return None
    return Before(latest.mail_at, latest.form_id == row.form_id)


def _hold(row: SignUp, because: HeldBecause) -> None:
    row.state = SignUpState.HELD
    row.held_because = because
    row.save(update_fields=["follower", "state", "held_because"])


def _follower(row: SignUp, now: dt.datetime) -> Follower:
    known = Address.objects.filter(channel=Channel.EMAIL, key=row.key).select_related("follower")
    if address := known.first():
        return address.follower
    values = Profile(email=row.email, language=row.language)
    proof = Proof(
        source=SOURCE, by=by_whom(row), now=now, ip=row.ip or "", user_agent=row.user_agent
    )
    try:
        with transaction.atomic():
            return contacts.add_unconfirmed(values=values, proof=proof)
    except contacts.AddressTaken as taken:  # somebody added the person since we looked
        return taken.follower
