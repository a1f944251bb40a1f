"""Erase somebody: stop all messages at once, and leave marks by which nobody brings them back."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext

from apps.followers.consent import tombstones
from apps.followers.consent.record import locked
from apps.followers.models import AddressState, Erasure, Follower
from apps.lib.actor import Actor, ActorKind
from apps.lib.crypto import decrypt, encrypt
from apps.lib.erasing.person import DataSubject
from apps.lib.facts import Kind, tell
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import RefusalKind, Refused

TASK = "apps.followers.privacy.remove.run"


class AlreadyGone(Refused):
    """There is no such follower any more."""

    kind = RefusalKind.MISSING


def erase(*, follower: Follower, by: Actor, now: dt.datetime, marked: bool = True) -> Erasure:
    """Begin to erase a follower: nothing is sent any more when this returns, and the rest goes in
    the background. A second call gives the first one's erasure, and puts the marks that it lacks.

    Whoever asks for themselves (`by` a follower) is not named. Not `marked`: nothing keeps others
    from adding them again. Raises AlreadyGone.
    """
    label = by.label[:200]
    if by.kind == ActorKind.FOLLOWER:
        label = ""
    with transaction.atomic():
        try:
            row = locked(follower)
        except Follower.DoesNotExist:
            raise AlreadyGone(gettext("This follower was erased already.")) from None
        if known := Erasure.objects.filter(follower=row.uid).first():
            if marked and not known.tombstones.exists():
                _mark(known, row, now)
            return known
        erasure = Erasure.objects.create(
            follower=row.uid,
            person=_written(row),
            by_kind=by.kind,
            by_id=by.id,
            by_label=label,
            created_at=now,
            touched_at=now,
        )
        if marked:
            _mark(erasure, row, now)
        row.addresses.update(state=AddressState.SUPPRESSED)
        who = Actor(by.kind, id=by.id, label=label)
        tell(Kind.FOLLOWER_ERASED, by=who, now=now, about=erasure)
        announce(TASK, lane=Lane.BULK, erasure_id=erasure.pk)
    return erasure


def _mark(erasure: Erasure, follower: Follower, now: dt.datetime) -> None:
    tombstones.make_key()
    tombstones.put(erasure=erasure, follower=follower, now=now)


def person_of(erasure: Erasure) -> DataSubject:
    """Read whom an erasure is about, as long as it is not done. Raises Undecryptable."""
    said = decrypt(erasure.person)
    return DataSubject(
        pk=said["pk"],
        uid=str(erasure.follower),
        addresses=tuple(said["addresses"]),
        external_id=said["external_id"],
        former=tuple(said.get("former", ())),
    )


def who_is(follower: Follower) -> DataSubject:
    """Say by what a follower is named in what others write."""
    rows = follower.addresses.all()
    texts = {text for row in rows for text in (row.value, row.key)}
    return DataSubject(
        pk=follower.pk,
        uid=str(follower.uid),
        addresses=tuple(sorted(texts)),
        external_id=follower.external_id or "",
        former=tuple(str(each.uid) for each in follower.merged.all()),
    )


def _written(follower: Follower) -> str:
    person = who_is(follower)
    return encrypt(
        {
            "pk": person.pk,
            "addresses": list(person.addresses),
            "external_id": person.external_id,
            "former": list(person.former),
        }
    )
