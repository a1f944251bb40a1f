"""The suppression list: addresses that get nothing more, and how one comes off it."""

import datetime as dt
from collections.abc import Iterable
from typing import Any

from django.db import transaction

from apps.followers.addresses import normalise
from apps.followers.consent.record import Proof
from apps.followers.models import (
    Address,
    AddressState,
    Suppression,
    SuppressionReason,
)
from apps.lib.actor import Actor
from apps.lib.facts import Kind, Subject, tell


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
    bounced = said["reason"] == SuppressionReason.HARD_BOUNCE
    with transaction.atomic():
        # locked, so that who releases it at this moment has done so before it is looked at
        rows = Suppression.objects.select_for_update()
        suppression, created = rows.get_or_create(channel=channel, key=key, defaults=said)
        if outweighed := suppression.reason == SuppressionReason.HARD_BOUNCE and not bounced:
            for name, value in said.items():
                setattr(suppression, name, value)
            suppression.save()
        if created or outweighed:
            # an unconfirmed one stays so: the list alone stops it,
            # and a release must not confirm it
            stopped = Address.objects.filter(
                channel=channel, key=key, state__in=(AddressState.ACTIVE, AddressState.BOUNCED)
            )
            state = AddressState.SUPPRESSED
            if bounced:
                state = AddressState.BOUNCED
            stopped.update(state=state)
            _tell_of(suppression, Kind.ADDRESS_SUPPRESSED, "address_suppressed", by, now)
    return suppression


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
        stopped.update(state=AddressState.ACTIVE)
        found.note = note[:300]
        _tell_of(found, Kind.ADDRESS_RELEASED, "address_released", by, now)
        found.delete()


def states_of(channel: str, keys: Iterable[str]) -> dict[str, AddressState]:
    """Give the state that suppressed addresses have from the start, by key.

    Keys that aren't suppressed are missing.
    """
    rows = Suppression.objects.filter(channel=channel, key__in=list(keys))
    states = {}
    for key, reason in rows.values_list("key", "reason"):
        if reason == SuppressionReason.HARD_BOUNCE:
            states[key] = AddressState.BOUNCED
        else:
            states[key] = AddressState.SUPPRESSED
    return states


def _tell_of(suppression: Suppression, kind: Kind, act: str, by: Actor, now: dt.datetime) -> None:
    """Tell the fact of the follower who has the address, for that history; else of the entry."""
    data = {
        "channel": suppression.channel,
        "address": suppression.key,
        "reason": suppression.reason,
        "note": suppression.note,
    }
    rows = Address.objects.filter(channel=suppression.channel, key=suppression.key)
    address = rows.select_related("follower").first()
    if address:
        proof = Proof(source=by.kind.value, by=by, now=now)
        proof.record(address.follower, act, data, suppression.note)
        proof.tell(kind, address.follower, data)
    else:
        about = Subject("suppression", str(suppression.pk), suppression.key)
        tell(kind, by=by, now=now, about=about, data=data)
