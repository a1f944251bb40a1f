"""What a follower says about being written to: opting out and in, and the matrix of preferences.

Every act locks the follower, changes only what really differs, and writes its proof (ConsentRecord)
and its fact in the same transaction. Doing the same thing twice changes nothing the second time and
still succeeds.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from apps.followers.consent.matrix import Key, always_on, muted_channels, own_words
from apps.followers.consent.record import Proof, locked
from apps.followers.models import (
    Channel,
    ChannelMute,
    ConsentRecord,
    Follower,
    NotificationType,
)
from apps.lib.facts import Kind, tell_together
from apps.lib.refusals import NOT_FOUND, UNFIT, RefusalKind, Refused


class UnknownCell(Refused):
    """A cell names a type that is not there, or a channel on which it is not offered."""


class Locked(Refused):
    """Some cells can't be switched off; `cells` lists them and nothing was changed."""

    kind = RefusalKind.STATE

    def __init__(self, cells: Iterable[Key]) -> None:
        self.cells = sorted(cells)
        cell = gettext("{type} on {channel}")
        names = ", ".join(cell.format(type=key, channel=channel) for key, channel in self.cells)
        said = gettext(
            "These can't be switched off, because they are critical or locked by an administrator: "
            "{names}."
        )
        super().__init__(said.format(names=names))


@dataclass(frozen=True, slots=True)
class Words:
    """Some of a follower's own words. None in a cell means: no own word, the default applies."""

    cells: Mapping[Key, bool | None] = field(default_factory=dict)
    mutes: Mapping[str, bool] = field(default_factory=dict)  # channel: is it switched off?
    subscribed: bool | None = None  # None = not spoken of

    def as_json(self) -> dict[str, Any]:
        """Give {"cells": [[type key, channel, true | false | null]], "mutes": {channel: bool},
        "subscribed": bool | null}.
        """
        said = sorted(self.cells.items(), key=itemgetter(0))
        cells = [[key, channel, allowed] for (key, channel), allowed in said]
        return {"cells": cells, "mutes": dict(self.mutes), "subscribed": self.subscribed}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Words":
        cells = {(key, channel): allowed for key, channel, allowed in said["cells"]}
        return cls(cells, said["mutes"], said["subscribed"])


@dataclass(frozen=True, slots=True)
class Change:
    """What really changed, before and after, and the follower as stored now.

    `before` given back to `set_preferences` undoes it. False when nothing changed.
    """

    follower: Follower
    before: Words
    after: Words

    def __bool__(self) -> bool:
        return self.before != self.after


def unsubscribe(*, follower: Follower, reason: str = "", proof: Proof) -> Change:
    """Opt out of everything commercial."""
    with transaction.atomic():
        return _subscribe(locked(follower), False, reason, proof)


def unsubscribe_many(*, followers: Iterable[Follower], proof: Proof) -> int:
    """Opt these followers out of everything commercial, set-wise; returns how many were in."""
    with transaction.atomic():
        wanted = {follower.pk for follower in followers}
        if not wanted:
            return 0
        # locked in one order, so that two at once can't wait for each other
        locked_rows = Follower.objects.select_for_update(no_key=True).order_by("pk")
        rows = list(locked_rows.filter(pk__in=wanted, subscribed=True))
        Follower.objects.filter(pk__in=[row.pk for row in rows]).update(
            subscribed=False, unsubscribed_at=proof.now, updated_at=proof.now
        )
        ConsentRecord.objects.bulk_create(
            proof.written(row, "unsubscribed", {"all": True}) for row in rows
        )
        tell_together(proof.fact(Kind.FOLLOWER_UNSUBSCRIBED, row, {}) for row in rows)
    return len(rows)


def resubscribe(*, follower: Follower, reason: str = "", proof: Proof) -> Change:
    """Take the global opt-out back; cells and switches stay as they were."""
    with transaction.atomic():
        return _subscribe(locked(follower), True, reason, proof)


def _subscribe(row: Follower, subscribed: bool, reason: str, proof: Proof) -> Change:
    if row.subscribed == subscribed:
        return Change(row, Words(), Words())
    row.subscribed = subscribed
    row.updated_at = proof.now
    if subscribed:
        act = "subscribed"
        kind = Kind.FOLLOWER_SUBSCRIBED
        row.subscribed_at = proof.now
        row.unsubscribed_at = None
    else:
        act = "unsubscribed"
        kind = Kind.FOLLOWER_UNSUBSCRIBED
        row.unsubscribed_at = proof.now
    row.save(update_fields=["subscribed", "subscribed_at", "unsubscribed_at", "updated_at"])
    proof.record(row, act, {"all": True}, reason)
    about = {}
    if reason:
        about["reason"] = reason[:300]
    proof.tell(kind, row, about)
    return Change(row, Words(subscribed=not subscribed), Words(subscribed=subscribed))


def set_preferences(
    *,
    follower: Follower,
    cells: Mapping[Key, bool | None],
    mutes: Mapping[str, bool],
    subscribed: bool | None = None,
    reason: str = "",
    proof: Proof,
) -> Change:
    """Store the follower's own words: only those given, None takes a word back. All or nothing.

    Raises UnknownCell for a type or channel that is not there,
    Locked for cells that can't be switched off.
    """
    with transaction.atomic():
        row = locked(follower)
        kinds = _known(cells, mutes)
        _refuse_forced(cells, kinds)
        was_cells, now_cells = _set_cells(row, cells, kinds, proof.now)
        was_mutes, now_mutes = _set_mutes(row, mutes, proof.now)
        if now_cells or now_mutes:
            scope = _scope(was_cells, now_cells, was_mutes, now_mutes)
            proof.record(row, "preferences_changed", scope, reason)
            proof.tell(Kind.PREFERENCES_CHANGED, row, scope)
        was_subscribed = None
        now_subscribed = None
        if subscribed is not None and _subscribe(row, subscribed, reason, proof):
            was_subscribed = not subscribed
            now_subscribed = subscribed
    before = Words(was_cells, was_mutes, was_subscribed)
    return Change(row, before, Words(now_cells, now_mutes, now_subscribed))


def _refuse_forced(cells: Mapping[Key, bool | None], kinds: Mapping[str, NotificationType]) -> None:
    forced = []
    for (key, channel), allowed in cells.items():
        if allowed is False and always_on(kinds[key], channel):
            forced.append((key, channel))
    if forced:
        raise Locked(forced)


def _scope(
    was_cells: Mapping[Key, bool | None],
    now_cells: Mapping[Key, bool | None],
    was_mutes: Mapping[str, bool],
    now_mutes: Mapping[str, bool],
) -> dict[str, Any]:
    """What the consent record and the fact tell of the cells and switches that changed."""
    cells = []
    for (key, channel), allowed in sorted(now_cells.items(), key=itemgetter(0)):
        before = was_cells[key, channel]
        cells.append({"type": key, "channel": channel, "before": before, "after": allowed})
    switches = []
    for channel, muted in sorted(now_mutes.items()):
        before = was_mutes[channel]
        switches.append({"channel": channel, "muted_before": before, "muted_after": muted})
    return {"cells": cells, "channels": switches}


def _known(cells: Mapping[Key, Any], mutes: Mapping[str, Any]) -> dict[str, NotificationType]:
    kinds = {
        kind.key: kind
        for kind in NotificationType.objects.filter(key__in={key for key, _ in cells})
    }
    for key, channel in cells:
        if key not in kinds:
            said = gettext("There is no message type {type!r}.")
            raise UnknownCell(said.format(type=key), field="type", cause=NOT_FOUND)
        if channel not in kinds[key].channels and cells[key, channel] is not None:
            offered = ", ".join(kinds[key].channels) or gettext("no channel")
            said = gettext(
                "The type {type!r} is not offered on {channel!r}. It is offered on: {offered}."
            )
            raise UnknownCell(
                said.format(type=key, channel=channel, offered=offered),
                field="channel",
                cause=UNFIT,
            )
    named = {channel for _, channel in cells}.union(mutes)
    if unknown := sorted(named - set(Channel.values)):
        said = gettext("There is no channel {channel!r}. Known: {known}.")
        known = ", ".join(Channel.values)
        raise UnknownCell(
            said.format(channel=unknown[0], known=known), field="channels", cause=NOT_FOUND
        )
    return kinds


def _set_cells(
    row: Follower,
    cells: Mapping[Key, bool | None],
    kinds: Mapping[str, NotificationType],
    now: dt.datetime,
) -> tuple[dict[Key, bool | None], dict[Key, bool | None]]:
    own = own_words(row)
    after = {cell: allowed for cell, allowed in cells.items() if own.get(cell) != allowed}
    for (key, channel), allowed in after.items():
        if allowed is None:
            row.preferences.filter(notification_type=kinds[key], channel=channel).delete()
        else:
            row.preferences.update_or_create(
                notification_type=kinds[key],
                channel=channel,
                defaults={"allowed": allowed, "updated_at": now},
            )
    return {cell: own.get(cell) for cell in after}, after


def _set_mutes(
    row: Follower, mutes: Mapping[str, bool], now: dt.datetime
) -> tuple[dict[str, bool], dict[str, bool]]:
    muted = muted_channels(row)
    after = {channel: mute for channel, mute in mutes.items() if (channel in muted) != mute}
    for channel, mute in after.items():
        if mute:
            ChannelMute.objects.create(follower=row, channel=channel, created_at=now)
        else:
            row.channel_mutes.filter(channel=channel).delete()
    return {channel: not mute for channel, mute in after.items()}, after
