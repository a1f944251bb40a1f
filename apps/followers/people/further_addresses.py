"""A follower's further addresses: add one, make it the one that is used, take it away."""

import datetime as dt
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent import tombstones
from apps.followers.consent.suppression import states_once_stored
from apps.followers.models import EVERYWHERE, Address, AddressState, Channel, Follower
from apps.followers.people.contacts import AddressTaken
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import UNFIT

FIELDS = {Channel.EMAIL: "email", Channel.SMS: "phone"}


def create_address(
    *,
    follower: Follower,
    channel: str,
    value: str,
    primary: bool = False,
    by: Actor,
    now: dt.datetime,
) -> Address:
    """Add an email address or a phone number; `primary`, or the first of its channel, is written to
    from now on.

    One that the follower has already is taken as it is. A suppressed address starts suppressed.
    Raises BadAddress, AddressTaken, Erased.
    """
    kind = Channel(channel)
    value, key = normalise(kind, value)
    with _changing(follower, by, now) as row:
        tombstones.refuse_leaving(row)
        address = row.addresses.filter(channel=kind, key=key).first()
        if address is None:
            address = _created(row, kind, value, key, now)
        if primary and not address.primary:
            _put_first(row, address, now)
            address.primary = True
    return address


def _created(row: Follower, kind: Channel, value: str, key: str, now: dt.datetime) -> Address:
    tombstones.refuse([(kind, key)])
    state = states_once_stored(kind, [key], now=now).get(key, AddressState.ACTIVE)
    has_primary = row.addresses.filter(channel=kind, primary=True).exists()
    try:
        with transaction.atomic():
            return Address.objects.create(
                follower=row,
                channel=kind,
                value=value,
                key=key,
                state=state,
                primary=not has_primary,
                created_at=now,
            )
    except IntegrityError:
        holder = Follower.objects.filter(addresses__channel=kind, addresses__key=key).first()
        if holder is None:
            raise
        raise AddressTaken(FIELDS.get(kind, kind.value), holder) from None


def make_primary(*, address: Address, by: Actor, now: dt.datetime) -> None:
    """Send messages on this channel to this address from now on.

    Messages planned before keep the one they have.
    Raises BadAddress for one of a channel where each address gets every message.
    """
    if address.channel in EVERYWHERE:
        raise BadAddress(
            gettext("Every device and every webhook gets each message: none of them goes first."),
            cause=UNFIT,
        )
    with _changing(address.follower, by, now) as row:
        _put_first(row, address, now)


def _put_first(row: Follower, address: Address, now: dt.datetime) -> None:
    others = row.addresses.filter(channel=address.channel, primary=True).exclude(pk=address.pk)
    others.update(primary=False, replaced_at=now)
    Address.objects.filter(pk=address.pk).update(primary=True, replaced_at=None)


def delete_address(*, address: Address, by: Actor, now: dt.datetime) -> None:
    """Forget the address; messages that wait for it are skipped.

    If it was primary, the oldest other one takes over.
    """
    with _changing(address.follower, by, now) as row:
        same_channel = row.addresses.filter(channel=address.channel)
        same_channel.filter(pk=address.pk).delete()
        if address.channel in EVERYWHERE or same_channel.filter(primary=True).exists():
            return
        if heir := same_channel.order_by("pk").first():
            Address.objects.filter(pk=heir.pk).update(primary=True)


@contextmanager
def _changing(follower: Follower, by: Actor, now: dt.datetime) -> Iterator[Follower]:
    """Lock the follower; afterwards one fact tells the addresses before and after, if changed."""
    with transaction.atomic():
        row = Follower.objects.select_for_update().get(pk=follower.pk)
        before = _written(row)
        yield row
        after = _written(row)
        if before != after:
            Follower.objects.filter(pk=row.pk).update(updated_at=now)
            data = {"before": {"addresses": before}, "after": {"addresses": after}}
            tell(Kind.FOLLOWER_CHANGED, by=by, now=now, about=row, data=data)


def _written(follower: Follower) -> list[str]:
    # not the devices: their tokens are no business of the history's readers
    rows = follower.addresses.exclude(channel__in=(Channel.PUSH, Channel.WEB_PUSH))
    pairs = rows.order_by("channel", "-primary", "pk").values_list("value", "primary")
    written = []
    for value, primary in pairs:
        if primary:
            written.append(f"{value} (primary)")
        else:
            written.append(value)
    return written
