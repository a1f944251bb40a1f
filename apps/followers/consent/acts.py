"""What a follower says about being written to: opting out and in, and the matrix of preferences.

Every act locks the follower, changes only what really differs, and writes its proof (ConsentRecord)
and its fact in the same transaction. Doing the same thing twice changes nothing the second time and
still succeeds.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from apps.followers.consent.matrix import Key, always_on, muted_channels, own_words
from apps.followers.consent.record import Proof, locked
from apps.followers.models import (
    Channel,
    ChannelMute,
    Follower,
    NotificationType,
)
from apps.lib.actor import Actor
from apps.lib.facts import Kind


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
        """{"cells": [[type key, channel, true | false | null]], "mutes": {channel:
        bool}, "subscribed": bool | null}
        """
        cells = [
            [key, channel, allowed]
            for (key, channel), allowed in sorted(self.cells.items(), key=lambda c: c[0])
        ]
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
    """Take the global opt-out back; cells and switches stay as they were.

    Says whether that changed anything.
    """
    proof = Proof(source, by, now, wording, ip, user_agent)
    with transaction.atomic():
        return _subscribe(locked(follower), True, proof, reason, mirror=follower)


def _subscribe(
    row: Follower, subscribed: bool, proof: Proof, reason: str, *, mirror: Follower
) -> bool:
    """`mirror` is the caller's object, which may be stale."""
    changed = row.subscribed != subscribed
    if changed:
        row.subscribed = subscribed
        row.updated_at = proof.now
        if subscribed:
            row.subscribed_at = proof.now
            row.unsubscribed_at = None
        else:
            row.unsubscribed_at = proof.now
        row.save(update_fields=["subscribed", "subscribed_at", "unsubscribed_at", "updated_at"])
        if subscribed:
            act = "subscribed"
            kind = Kind.FOLLOWER_SUBSCRIBED
        else:
            act = "unsubscribed"
            kind = Kind.FOLLOWER_UNSUBSCRIBED
        proof.record(row, act, {"all": True}, reason)
        proof.tell(kind, row, {"reason": reason[:300]} if reason else {})
    for name in ("subscribed", "subscribed_at", "unsubscribed_at", "updated_at"):
        setattr(mirror, name, getattr(row, name))
    return changed


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

    Raises UnknownCell for a type or channel that is not there,
    Locked for cells that can't be switched off.
    """
    proof = Proof(source, by, now, wording, ip, user_agent)
    with transaction.atomic():
        row = locked(follower)
        kinds = _known(cells, mutes)
        if forced := [
            cell
            for cell, allowed in cells.items()
            if allowed is False and always_on(kinds[cell[0]], cell[1])
        ]:
            raise Locked(forced)
        was_cells, now_cells = _set_cells(row, cells, kinds, now)
        was_mutes, now_mutes = _set_mutes(row, mutes, now)
        if now_cells or now_mutes:
            both = [
                {
                    "type": key,
                    "channel": channel,
                    "before": was_cells[key, channel],
                    "after": allowed,
                }
                for (key, channel), allowed in sorted(now_cells.items(), key=lambda c: c[0])
            ]
            switches = [
                {"channel": channel, "muted_before": was_mutes[channel], "muted_after": muted}
                for channel, muted in sorted(now_mutes.items())
            ]
            proof.record(row, "preferences_changed", {"cells": both, "channels": switches}, reason)
            proof.tell(Kind.PREFERENCES_CHANGED, row, {"cells": both, "channels": switches})
        was_subscribed = row.subscribed
        turned = subscribed is not None and _subscribe(
            row, subscribed, proof, reason, mirror=follower
        )
    return Change(
        Words(was_cells, was_mutes, was_subscribed if turned else None),
        Words(now_cells, now_mutes, subscribed if turned else None),
    )


def _known(cells: Mapping[Key, Any], mutes: Mapping[str, Any]) -> dict[str, NotificationType]:
    kinds = {
        kind.key: kind
        for kind in NotificationType.objects.filter(key__in={key for key, _ in cells})
    }
    for key, channel in cells:
        if key not in kinds:
            raise UnknownCell(f"There is no notification type {key!r}.")
        if channel not in kinds[key].channels:
            offered = ", ".join(kinds[key].channels) or "no channel"
            raise UnknownCell(
                f"The type {key!r} is not offered on {channel!r}. It is offered on: {offered}."
            )
    if unknown := sorted(set(mutes) - set(Channel.values)):
        raise UnknownCell(
            f"There is no channel {unknown[0]!r}. Known: {', '.join(Channel.values)}."
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
