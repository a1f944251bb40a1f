"""The suppression list: addresses that get nothing more, and how one comes off it."""

import datetime as dt
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import transaction

from apps.followers.addresses import normalise
from apps.followers.consent import tombstones
from apps.followers.consent.record import Proof
from apps.followers.models import (
    GUESSED,
    Address,
    AddressState,
    ConsentRecord,
    Erasure,
    ErasureState,
    Suppression,
    SuppressionReason,
)
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Fact, Kind, Subject, tell_together


def suppress(
    *,
    channel: str,
    value: str,
    reason: SuppressionReason | str,
    note: str = "",
    by: Actor,
    now: dt.datetime,
) -> Suppression:
    """Send nothing to this address any more, whoever has it or gets it. Raises BadAddress.

    An address that is suppressed already keeps its first reason, but for a bounce: the address may
    turn out to exist (remedies.refute), and then somebody's word must not go with it.
    """
    _, key = normalise(channel, value)
    said: dict[str, Any] = {
        "reason": SuppressionReason(reason),
        "note": note[:300],
        "created_at": now,
    }
    bounced = said["reason"] in GUESSED
    with transaction.atomic():
        # locked, so that who releases it at this moment has done so before it is looked at
        rows = Suppression.objects.select_for_update()
        suppression, created = rows.get_or_create(channel=channel, key=key, defaults=said)
        if outweighed := suppression.reason in GUESSED and not bounced:
            for name, value in said.items():
                setattr(suppression, name, value)
            suppression.save()
        if created or outweighed:
            _stop(channel, [key], bounced=bounced)
            _tell_of([suppression], Kind.ADDRESS_SUPPRESSED, "address_suppressed", by, now)
    return suppression


def suppress_many(
    *,
    channel: str,
    keys: Iterable[str],
    reason: SuppressionReason,
    note: str = "",
    by: Actor,
    now: dt.datetime,
) -> int:
    """Do what `suppress` does for many keys of addresses, set-wise; returns how many are new."""
    bounced = reason in GUESSED
    wanted = dict.fromkeys(keys)
    with transaction.atomic():
        rows = Suppression.objects.filter(channel=channel, key__among=wanted).order_by("pk")
        known = {row.key: row for row in rows.select_for_update()}
        told = []
        for key in wanted:
            row = known.get(key)
            if row and (bounced or row.reason not in GUESSED):
                continue
            if row is None:
                row = Suppression(channel=channel, key=key)
            row.reason = reason
            row.note = note[:300]
            row.created_at = now
            told.append(row)
        Suppression.objects.bulk_create(
            [row for row in told if row.pk is None],
            ignore_conflicts=True,  # somebody else may suppress it at the same time
        )
        outweighed = [row for row in told if row.key in known]
        Suppression.objects.bulk_update(outweighed, ["reason", "note", "created_at"])
        changed = [row.key for row in told]
        _stop(channel, changed, bounced=bounced)
        stored = list(Suppression.objects.filter(channel=channel, key__among=changed))
        _tell_of(stored, Kind.ADDRESS_SUPPRESSED, "address_suppressed", by, now)
    return len(told)


def _stop(channel: str, keys: Iterable[str], *, bounced: bool) -> None:
    """Let the addresses follow the list."""
    # an unconfirmed one stays so: the list alone stops it, and a release must not confirm it
    stopped = Address.objects.filter(
        channel=channel, key__among=keys, state__in=(AddressState.ACTIVE, AddressState.BOUNCED)
    )
    state = AddressState.SUPPRESSED
    if bounced:
        state = AddressState.BOUNCED
    stopped.update(state=state)


def release(*, suppression: Suppression, by: Actor, now: dt.datetime, note: str = "") -> None:
    """Take an address off the list; `note` says why.

    A second call finds nothing and changes nothing,
    nor does one about an entry that is there for another reason by now.
    """
    with transaction.atomic():
        rows = Suppression.objects.filter(
            channel=suppression.channel, key=suppression.key, reason=suppression.reason
        )
        found = rows.select_for_update().first()
        if found is None:
            return
        stopped = Address.objects.filter(
            channel=found.channel,
            key=found.key,
            state__in=(AddressState.BOUNCED, AddressState.SUPPRESSED),
        )
        # whoever is being erased is written to at none of theirs
        leaving = Erasure.objects.exclude(state=ErasureState.DONE).values("follower")
        stopped = stopped.exclude(follower__uid__in=leaving)
        stopped.update(state=AddressState.ACTIVE)
        found.note = note[:300]
        _tell_of([found], Kind.ADDRESS_RELEASED, "address_released", by, now)
        found.delete()


def states_of(channel: str, keys: Iterable[str]) -> dict[str, AddressState]:
    """Give the state that suppressed addresses have from the start, by key; also by the word of
    somebody erased since.

    Keys that aren't suppressed are missing.
    """
    keys = list(keys)
    if not keys:
        return {}
    states = dict.fromkeys(tombstones.words_of(channel, keys), AddressState.SUPPRESSED)
    return states | _listed(channel, keys)


def states_once_stored(
    channel: str, keys: Iterable[str], *, now: dt.datetime
) -> dict[str, AddressState]:
    """Give what `states_of` does for addresses that are being stored. What somebody had said of
    one before they were erased is on the list again, where staff see it and START takes it off.
    """
    keys = list(keys)
    if not keys:
        return {}
    words = tombstones.words_of(channel, keys)
    by_word: dict[str, list[str]] = {}
    for key in tombstones.taken_over(channel, words):
        by_word.setdefault(words[key], []).append(key)
    for word, some in by_word.items():
        reason = SuppressionReason(word)
        suppress_many(channel=channel, keys=some, reason=reason, by=SYSTEM, now=now)
    return dict.fromkeys(words, AddressState.SUPPRESSED) | _listed(channel, keys)


def _listed(channel: str, keys: Sequence[str]) -> dict[str, AddressState]:
    rows = Suppression.objects.filter(channel=channel, key__among=keys)
    states = {}
    for key, reason in rows.values_list("key", "reason"):
        if reason in GUESSED:
            states[key] = AddressState.BOUNCED
        else:
            states[key] = AddressState.SUPPRESSED
    return states


def is_suppressed(channel: str, key: str) -> bool:
    """Whether nothing may be sent to an address, also by the word of somebody erased since."""
    listed = Suppression.objects.filter(channel=channel, key=key)
    return listed.exists() or tombstones.is_suppressed(channel, key)


def _tell_of(
    suppressions: Sequence[Suppression], kind: Kind, act: str, by: Actor, now: dt.datetime
) -> None:
    """Tell the facts of the followers who have the addresses, for their history; else of entries.

    All suppressions are of one channel.
    """
    channels = {row.channel for row in suppressions}
    keys = [row.key for row in suppressions]
    addresses = Address.objects.filter(channel__in=channels, key__among=keys)
    owners = {address.key: address.follower for address in addresses.select_related("follower")}
    proof = Proof(source=by.kind.value, by=by, now=now)
    facts = []
    records = []
    for row in suppressions:
        data = {
            "channel": row.channel,
            "address": row.key,
            "reason": row.reason,
            "note": row.note,
        }
        if owner := owners.get(row.key):
            records.append(proof.written(owner, act, data, row.note))
            facts.append(proof.fact(kind, owner, data))
        else:
            about = Subject("suppression", str(row.uid), row.key)
            facts.append(Fact(kind=kind, by=by, at=now, about=about, data=data))
    ConsentRecord.objects.bulk_create(records)
    tell_together(facts)
