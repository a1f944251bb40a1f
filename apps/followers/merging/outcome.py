"""What one follower is after another was merged into them.

What the one who stays says wins, and what they don't say comes from the other. Of what both said
about being written to, the stricter word wins: a merge begins no message that either had stopped.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.followers.models import Follower

Cell = tuple[int, str]  # id of a message type, and a channel
_NAMES = ("name", "first_name", "last_name")


@dataclass(frozen=True, slots=True)
class Subscription:
    """The word on everything commercial, as the columns of a follower hold it."""

    subscribed: bool
    subscribed_at: dt.datetime | None
    unsubscribed_at: dt.datetime | None

    @property
    def opted_out(self) -> bool:
        return not self.subscribed and self.unsubscribed_at is not None


def subscription_of(row: Follower) -> Subscription:
    return Subscription(row.subscribed, row.subscribed_at, row.unsubscribed_at)


def _unsubscribed_at(said: Subscription) -> dt.datetime:
    assert said.unsubscribed_at is not None  # noqa: S101  (it is an opt-out)
    return said.unsubscribed_at


def strictest(kept: Subscription, gone: Subscription) -> Subscription:
    """Unsubscribed where either is, since the later of both words; subscribed where either is and
    neither is unsubscribed.
    """
    if kept.opted_out and gone.opted_out:
        return max(kept, gone, key=_unsubscribed_at)
    if gone.opted_out:
        return gone
    if gone.subscribed and not kept.subscribed and not kept.opted_out:
        return gone
    return kept


def columns_after(kept: Follower, gone: Follower) -> dict[str, Any]:
    """Give the columns of the follower who stays, as they will be."""
    said = strictest(subscription_of(kept), subscription_of(gone))
    named = kept
    if not kept.name:
        named = gone
    # a name is one: its parts never come from two people
    after: dict[str, Any] = {name: getattr(named, name) for name in _NAMES}
    return after | {
        "external_id": kept.external_id or gone.external_id,
        "language": kept.language,
        "time_zone": kept.time_zone or gone.time_zone,
        "measured": kept.measured and gone.measured,
        "metadata": {**gone.metadata, **kept.metadata},
        "subscribed": said.subscribed,
        "subscribed_at": said.subscribed_at,
        "unsubscribed_at": said.unsubscribed_at,
    }


def cells_after(kept: Mapping[Cell, bool], gone: Mapping[Cell, bool]) -> dict[Cell, bool]:
    """Give the preferences: off where either said so."""
    return {cell: kept.get(cell, True) and gone.get(cell, True) for cell in {**gone, **kept}}
