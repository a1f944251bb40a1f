"""The word of whoever reads the mailbox; and, where the form asks for it, that of staff."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext

from apps.followers.consent import acts, tombstones
from apps.followers.consent.matrix import Key, always_on
from apps.followers.consent.record import Proof, locked
from apps.followers.models import (
    Address,
    AddressState,
    Channel,
    Follower,
    NotificationType,
    SignUp,
    SignUpState,
)
from apps.followers.people import contacts
from apps.followers.people.tagging import tag
from apps.followers.profile_fields import BadFollower
from apps.followers.sign_up.begin import SOURCE
from apps.followers.sign_up.questions import profile_of
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import WrongState

OPEN = (SignUpState.ASKED, SignUpState.MAILED)


def wording(row: SignUp) -> str:
    """Name the words that the person saw, as consent records keep it: form, wording, language."""
    return f"form-{row.form_id}/{row.wording.number}/{row.language}"[:40]


def confirm(*, sign_up: SignUp, proof: Proof) -> SignUp:
    """The mailbox is this person's: confirm the address, and let them join what they chose, or
    wait for staff where the form says so. A second call changes nothing.

    Raises Erased for somebody who asked to be erased since.
    """
    with transaction.atomic():
        row = _locked(sign_up)
        if row.state not in OPEN or row.follower is None:
            return row
        follower = locked(row.follower)
        tombstones.refuse_leaving(follower)
        _confirm_address(follower, row.key, proof)
        row.confirmed_at = proof.now
        row.state = SignUpState.CONFIRMED
        row.save(update_fields=["confirmed_at", "state"])
        if not row.form.approval:
            _join(row, follower, proof)
    return row


def approve(*, sign_up: SignUp, by: Actor, now: dt.datetime) -> SignUp:
    """Let somebody join who confirmed and waits. A second call changes nothing.

    Raises WrongState for one who did not confirm, or was declined.
    """
    with transaction.atomic():
        row = _locked(sign_up)
        if row.state == SignUpState.JOINED:
            return row
        if row.state != SignUpState.CONFIRMED or row.follower is None:
            said = gettext("Only a sign-up that was confirmed and waits can be approved.")
            raise WrongState(said)
        row.decided_at = now
        row.save(update_fields=["decided_at"])
        # what is proven is what the person said then, from there
        proof = Proof(
            source=SOURCE,
            by=by,
            now=now,
            wording=wording(row),
            ip=row.ip or "",
            user_agent=row.user_agent,
        )
        _join(row, locked(row.follower), proof)
    return row


def decline(*, sign_up: SignUp, by: Actor, now: dt.datetime) -> SignUp:
    """Leave somebody out who confirmed and waits; nothing is sent to them of what they chose.

    A second call changes nothing. Raises WrongState for one who joined or did not confirm.
    """
    with transaction.atomic():
        row = _locked(sign_up)
        if row.state == SignUpState.DECLINED:
            return row
        if row.state != SignUpState.CONFIRMED:
            said = gettext("Only a sign-up that was confirmed and waits can be declined.")
            raise WrongState(said)
        row.state = SignUpState.DECLINED
        row.decided_at = now
        row.save(update_fields=["state", "decided_at"])
        data = {"form": row.form.key}
        tell(Kind.SIGN_UP_DECLINED, by=by, now=now, about=row, data=data)
    return row


def _locked(sign_up: SignUp) -> SignUp:
    rows = SignUp.objects.select_for_update(of=("self",))
    return rows.select_related("form", "wording", "follower").get(pk=sign_up.pk)


def _confirm_address(follower: Follower, key: str, proof: Proof) -> None:
    address = Address.objects.filter(follower=follower, channel=Channel.EMAIL, key=key).first()
    if address is None or not address.primary:  # the mail went to another one of the person's
        return
    if address.state == AddressState.UNCONFIRMED:
        address.state = AddressState.ACTIVE
    address.confirmed_at = proof.now
    tombstones.lift(Channel.EMAIL, key, now=proof.now)
    address.save(update_fields=["state", "confirmed_at"])
    about = {"channel": Channel.EMAIL.value, "address": address.value}
    proof.record(follower, "address_confirmed", about)
    proof.tell(Kind.ADDRESS_CONFIRMED, follower, about)


def _join(row: SignUp, follower: Follower, proof: Proof) -> None:
    """Give the follower what was typed and chosen. The word of today goes before older ones: who
    confirms that they want these mails switches them on again.
    """
    _keep_answers(row, follower, proof)
    if row.form.tags:
        tag(followers=[follower], tags=row.form.tags, by=proof.by, now=proof.now)
    kinds = NotificationType.objects.filter(key__in=row.types)
    cells: dict[Key, bool | None] = {}
    for kind in kinds:
        offered = Channel.EMAIL in kind.channels
        if offered and not always_on(kind, Channel.EMAIL):
            cells[kind.key, Channel.EMAIL] = True
    mutes = {Channel.EMAIL.value: False}
    acts.set_preferences(follower=follower, cells=cells, mutes=mutes, subscribed=True, proof=proof)
    row.state = SignUpState.JOINED
    row.save(update_fields=["state"])
    about = {"form": row.form.key, "types": row.types}
    proof.record(follower, "signed_up", about)
    proof.tell(Kind.FOLLOWER_SIGNED_UP, follower, about)


def _keep_answers(row: SignUp, follower: Follower, proof: Proof) -> None:
    values = profile_of(row.answers)
    try:
        contacts.change_follower(follower=follower, values=values, by=proof.by, now=proof.now)
    except BadFollower:
        # the follower's metadata are full: the answers stay with the sign-up, and nobody is kept
        # out for that
        return
