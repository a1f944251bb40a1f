"""What a follower says about being written to: opting out and in, the matrix of preferences, and suppressed addresses.

Every act locks the follower, changes only what really differs, and writes its proof (ConsentRecord) and its fact in the
same transaction. Doing the same thing twice changes nothing the second time and still succeeds.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.db.models import Q

from apps.channels.registry import providers
from apps.followers.addresses import normalise
from apps.followers.models import (
    EVERYWHERE,
    Address,
    AddressState,
    Category,
    Channel,
    ChannelMute,
    Follower,
    NotificationType,
    Preference,
    Suppression,
    SuppressionReason,
    channel_of_address,
)
from apps.followers.proof import Proof, locked
from apps.followers.verdict import EXPLANATIONS, AddressFacts, FollowerFacts, Reason, judge
from apps.followers.verdict_sql import NEEDS_ADDRESS, type_facts
from apps.lib.actor import Actor
from apps.lib.events import Fact, Kind, publish

Key = tuple[str, str]  # (type key, channel): one cell of the matrix


class UnknownCell(ValueError):
    """A cell names a type that is not there, or a channel on which it is not offered."""


class Locked(ValueError):
    """Some cells can't be switched off; `cells` lists them and nothing was changed."""

    def __init__(self, cells: Iterable[Key]) -> None:
        self.cells = sorted(cells)
        names = ", ".join(f"{key} on {channel}" for key, channel in self.cells)
        super().__init__(
            f"These can't be switched off, because they are critical or locked by an administrator: {names}."
        )


@dataclass(frozen=True, slots=True)
class Words:
    """Some of a follower's own words. None in a cell means: no own word, the default applies."""

    cells: Mapping[Key, bool | None] = field(default_factory=dict)
    mutes: Mapping[str, bool] = field(default_factory=dict)  # channel: is it switched off?
    subscribed: bool | None = None  # None = not spoken of

    def as_json(self) -> dict[str, Any]:
        """{"cells": [[type key, channel, true | false | null]], "mutes": {channel: bool}, "subscribed": bool | null}"""
        cells = [[key, channel, allowed] for (key, channel), allowed in sorted(self.cells.items(), key=lambda c: c[0])]
        return {"cells": cells, "mutes": dict(self.mutes), "subscribed": self.subscribed}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Words":
        cells = {(key, channel): allowed for key, channel, allowed in said["cells"]}
        return cls(cells, said["mutes"], said["subscribed"])


@dataclass(frozen=True, slots=True)
class Change:
    """What really changed, before and after; `before` given back to `set_preferences` undoes it."""

    before: Words
    after: Words

    def __bool__(self) -> bool:
        return self.before != self.after


# ------------------------------------------------------------------ the global word
def unsubscribe(
    *,
    follower: Follower,
    source: str,
    by: Actor,
    now: dt.datetime,
    reason: str = "",
    wording: str = "",
    ip: str = "",
    user_agent: str = "",
) -> bool:
    """Opt out of everything commercial. Says whether that changed anything."""
    proof = Proof(source, by, now, wording, ip, user_agent)
    with transaction.atomic():
        return _subscribe(locked(follower), False, proof, reason, mirror=follower)


def resubscribe(
    *,
    follower: Follower,
    source: str,
    by: Actor,
    now: dt.datetime,
    reason: str = "",
    wording: str = "",
    ip: str = "",
    user_agent: str = "",
) -> bool:
    """Take the global opt-out back; cells and switches stay as they were. Says whether that changed anything."""
    proof = Proof(source, by, now, wording, ip, user_agent)
    with transaction.atomic():
        return _subscribe(locked(follower), True, proof, reason, mirror=follower)


def _subscribe(row: Follower, subscribed: bool, proof: Proof, reason: str, *, mirror: Follower) -> bool:
    """`mirror` is the caller's object, which may be stale."""
    changed = row.subscribed != subscribed
    if changed:
        row.subscribed = subscribed
        row.updated_at = proof.now
        if subscribed:
            row.subscribed_at, row.unsubscribed_at = proof.now, None
        else:
            row.unsubscribed_at = proof.now
        row.save(update_fields=["subscribed", "subscribed_at", "unsubscribed_at", "updated_at"])
        act, kind = (
            ("subscribed", Kind.FOLLOWER_SUBSCRIBED) if subscribed else ("unsubscribed", Kind.FOLLOWER_UNSUBSCRIBED)
        )
        proof.record(row, act, {"all": True}, reason)
        proof.tell(kind, row, {"reason": reason[:300]} if reason else {})
    for name in ("subscribed", "subscribed_at", "unsubscribed_at", "updated_at"):
        setattr(mirror, name, getattr(row, name))
    return changed


# ------------------------------------------------------------------ cells and switches
def set_preferences(
    *,
    follower: Follower,
    cells: Mapping[Key, bool | None],
    mutes: Mapping[str, bool],
    subscribed: bool | None = None,
    source: str,
    by: Actor,
    now: dt.datetime,
    reason: str = "",
    wording: str = "",
    ip: str = "",
    user_agent: str = "",
) -> Change:
    """Store the follower's own words: only those given, None takes a word back. All or nothing.

    Raises UnknownCell for a type or channel that is not there, Locked for cells that can't be switched off.
    """
    proof = Proof(source, by, now, wording, ip, user_agent)
    with transaction.atomic():
        row = locked(follower)
        kinds = _known(cells, mutes)
        if forced := [
            cell for cell, allowed in cells.items() if allowed is False and _always_on(kinds[cell[0]], cell[1])
        ]:
            raise Locked(forced)
        was_cells, now_cells = _set_cells(row, cells, kinds, now)
        was_mutes, now_mutes = _set_mutes(row, mutes, now)
        if now_cells or now_mutes:
            both = [
                {"type": key, "channel": channel, "before": was_cells[key, channel], "after": allowed}
                for (key, channel), allowed in sorted(now_cells.items(), key=lambda c: c[0])
            ]
            switches = [
                {"channel": channel, "muted_before": was_mutes[channel], "muted_after": muted}
                for channel, muted in sorted(now_mutes.items())
            ]
            proof.record(row, "preferences_changed", {"cells": both, "channels": switches}, reason)
            proof.tell(Kind.PREFERENCES_CHANGED, row, {"cells": both, "channels": switches})
        was_subscribed = row.subscribed
        turned = subscribed is not None and _subscribe(row, subscribed, proof, reason, mirror=follower)
    return Change(
        Words(was_cells, was_mutes, was_subscribed if turned else None),
        Words(now_cells, now_mutes, subscribed if turned else None),
    )


def _known(cells: Mapping[Key, Any], mutes: Mapping[str, Any]) -> dict[str, NotificationType]:
    kinds = {kind.key: kind for kind in NotificationType.objects.filter(key__in={key for key, _ in cells})}
    for key, channel in cells:
        if key not in kinds:
            raise UnknownCell(f"There is no notification type {key!r}.")
        if channel not in kinds[key].channels:
            offered = ", ".join(kinds[key].channels) or "no channel"
            raise UnknownCell(f"The type {key!r} is not offered on {channel!r}. It is offered on: {offered}.")
    if unknown := sorted(set(mutes) - set(Channel.values)):
        raise UnknownCell(f"There is no channel {unknown[0]!r}. Known: {', '.join(Channel.values)}.")
    return kinds


def _always_on(kind: NotificationType, channel: str) -> bool:
    return kind.category == Category.CRITICAL or channel in kind.locked_channels


def _set_cells(
    row: Follower, cells: Mapping[Key, bool | None], kinds: Mapping[str, NotificationType], now: dt.datetime
) -> tuple[dict[Key, bool | None], dict[Key, bool | None]]:
    own = own_words(row)
    after = {cell: allowed for cell, allowed in cells.items() if own.get(cell) != allowed}
    for (key, channel), allowed in after.items():
        if allowed is None:
            row.preferences.filter(notification_type=kinds[key], channel=channel).delete()
        else:
            row.preferences.update_or_create(
                notification_type=kinds[key], channel=channel, defaults={"allowed": allowed, "updated_at": now}
            )
    return {cell: own.get(cell) for cell in after}, after


def _set_mutes(row: Follower, mutes: Mapping[str, bool], now: dt.datetime) -> tuple[dict[str, bool], dict[str, bool]]:
    muted = muted_channels(row)
    after = {channel: mute for channel, mute in mutes.items() if (channel in muted) != mute}
    for channel, mute in after.items():
        if mute:
            ChannelMute.objects.create(follower=row, channel=channel, created_at=now)
        else:
            row.channel_mutes.filter(channel=channel).delete()
    return {channel: not mute for channel, mute in after.items()}, after


def own_words(follower: Follower) -> dict[Key, bool]:
    """The cells the follower spoke about; defaults are never among them."""
    rows = Preference.objects.filter(follower=follower).values_list("notification_type__key", "channel", "allowed")
    return {(key, channel): allowed for key, channel, allowed in rows}


def muted_channels(follower: Follower) -> set[str]:
    """The channels the follower switched off as a whole."""
    return set(ChannelMute.objects.filter(follower=follower).values_list("channel", flat=True))


# ------------------------------------------------------------------ the matrix, explained
# Which level of the law decided a cell.
SOURCES = {
    Reason.NO_ADDRESS: "address",
    Reason.ADDRESS_UNCONFIRMED: "address",
    Reason.ADDRESS_BOUNCED: "address",
    Reason.ADDRESS_SUPPRESSED: "address",
    Reason.ADDRESS_OFF: "address",
    Reason.TYPE_INACTIVE: "type",
    Reason.CHANNEL_NOT_OFFERED: "type",
    Reason.CRITICAL: "type",
    Reason.LOCKED_ON: "admin",
    Reason.UNSUBSCRIBED: "follower",
    Reason.CHANNEL_OFF: "channel",
    Reason.PREFERENCE_ON: "cell",
    Reason.PREFERENCE_OFF: "cell",
    Reason.DEFAULT_ON: "default",
    Reason.DEFAULT_OFF: "default",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One (type, channel). `on` is what happens today; `wanted` is what the cell itself says, own word or default."""

    channel: str
    label: str
    offered: bool
    on: bool
    wanted: bool
    reason: Reason
    explanation: str
    source: str  # address, type, admin, follower, channel, cell, default
    own: bool | None
    editable: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One active notification type in the follower's language; every row has the same channels in the same order."""

    key: str
    name: str
    description: str
    category: str
    commercial: bool
    cells: list[Cell]


def matrix(follower: Follower, language: str = "en") -> list[Row]:
    """All active types with what reaches this follower on each channel, and why.

    Columns are the channels some type offers and some wired provider can send on.
    """
    kinds = list(NotificationType.objects.filter(active=True))
    able = {provider.channel for provider in providers()}
    channels = [each for each in Channel if each in able and any(each in kind.channels for kind in kinds)]
    addresses = _address_facts(follower, channels)
    own, muted = own_words(follower), muted_channels(follower)

    def cell(kind: NotificationType, channel: Channel) -> Cell:
        word = own.get((kind.key, channel))
        facts = type_facts(kind, channel)
        verdict = judge(addresses[channel], facts, FollowerFacts(follower.subscribed, channel in muted, word))
        forced = _always_on(kind, channel)
        return Cell(
            channel=channel.value,
            label=channel.label,
            offered=facts.offered,
            on=verdict.allow,
            wanted=facts.offered and (forced or (facts.default_on if word is None else word)),
            reason=verdict.reason,
            explanation=EXPLANATIONS[verdict.reason],
            source=SOURCES[verdict.reason],
            own=word,
            editable=facts.offered and not forced,
        )

    return [
        Row(kind.key, *words_of(kind, language), kind.category, kind.commercial, [cell(kind, c) for c in channels])
        for kind in kinds
    ]


def words_of(kind: NotificationType, language: str) -> tuple[str, str]:
    """Name and description: pt-BR, then pt, then the type's own."""
    for code in (language, language.split("-")[0]):
        if translated := kind.translations.get(code):
            return translated.get("name") or kind.name, translated.get("description") or kind.description
    return kind.name, kind.description


def _address_facts(follower: Follower, channels: Iterable[Channel]) -> dict[str, AddressFacts]:
    usable: dict[str, Address] = {}
    for address in follower.addresses.filter(Q(primary=True) | Q(channel__in=EVERYWHERE)):
        if address.channel not in usable or address.state == AddressState.ACTIVE:
            usable[address.channel] = address
    facts = {}
    for channel in channels:
        place = channel_of_address(channel)
        found = usable.get(place)
        facts[channel.value] = AddressFacts(
            needed=channel in NEEDS_ADDRESS,
            state=found.state if found else "",
            suppressed=found is not None and Suppression.objects.filter(channel=place, key=found.key).exists(),
        )
    return facts


# ------------------------------------------------------------------ addresses nobody may use
def suppress(
    *, channel: str, value: str, reason: SuppressionReason | str, note: str = "", by: Actor, now: dt.datetime
) -> Suppression:
    """Nothing is sent to this address any more, whoever has it or gets it. Raises BadAddress.

    An address that is suppressed already keeps its first reason, but for a bounce: the address may turn out to exist
    (remedies.refute), and then somebody's word must not go with it.
    """
    _, key = normalise(channel, value)
    said: dict[str, Any] = {"reason": SuppressionReason(reason), "note": note[:300], "created_at": now}
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
            # an unconfirmed one stays so: the list alone stops it, and a release must not confirm it
            stopped = Address.objects.filter(
                channel=channel, key=key, state__in=(AddressState.ACTIVE, AddressState.BOUNCED)
            )
            stopped.update(state=AddressState.BOUNCED if bounced else AddressState.SUPPRESSED)
            _tell_of(suppression, Kind.ADDRESS_SUPPRESSED, "address_suppressed", by, now)
    return suppression


def release(*, suppression: Suppression, by: Actor, now: dt.datetime, note: str = "") -> None:
    """Take an address off the list; `note` says why. A second call finds nothing and changes nothing, nor does one
    about an entry that is there for another reason by now.
    """
    with transaction.atomic():
        rows = Suppression.objects.filter(channel=suppression.channel, key=suppression.key, reason=suppression.reason)
        found = rows.select_for_update().first()
        if found is None:
            return
        Address.objects.filter(
            channel=found.channel, key=found.key, state__in=(AddressState.BOUNCED, AddressState.SUPPRESSED)
        ).update(state=AddressState.ACTIVE)
        found.note = note[:300]
        _tell_of(found, Kind.ADDRESS_RELEASED, "address_released", by, now)
        found.delete()


def _tell_of(suppression: Suppression, kind: Kind, act: str, by: Actor, now: dt.datetime) -> None:
    """The fact belongs to the follower who has the address, so that it shows in that history; else to the entry."""
    data = {
        "channel": suppression.channel,
        "address": suppression.key,
        "reason": suppression.reason,
        "note": suppression.note,
    }
    address = (
        Address.objects.filter(channel=suppression.channel, key=suppression.key).select_related("follower").first()
    )
    if address:
        proof = Proof(by.kind.value, by, now, "", "", "")
        proof.record(address.follower, act, data, suppression.note)
        proof.tell(kind, address.follower, data)
    else:
        publish(Fact(kind, by, now, "suppression", str(suppression.pk), suppression.key, data))
