"""Who said something, where and how: what every word of a follower's leaves behind,
and the lock it is said under.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from apps.followers.models import ConsentRecord, Follower
from apps.lib.actor import Actor
from apps.lib.facts import Fact, Kind, publish


@dataclass(frozen=True, slots=True)
class Proof:
    """The same for every record of one act."""

    source: str
    by: Actor
    now: dt.datetime
    wording: str
    ip: str
    user_agent: str

    def record(self, follower: Follower, act: str, scope: dict[str, Any], reason: str = "") -> None:
        ConsentRecord.objects.create(
            follower=follower,
            at=self.now,
            act=act,
            source=self.source,
            scope=scope,
            wording=self.wording,
            reason=reason[:300],
            actor_kind=self.by.kind,
            actor_label=self.by.label[:200],
            ip=self.ip or self.by.ip or None,
            user_agent=self.user_agent[:300],
        )

    def tell(self, kind: Kind, follower: Follower, data: dict[str, Any]) -> None:
        data = {"source": self.source, **data}
        publish(Fact(kind, self.by, self.now, "follower", str(follower.uid), str(follower), data))


def locked(follower: Follower) -> Follower:
    """The stored row, locked. Inside a transaction."""
    # no_key: whoever leaves does not wait for a planner whose new deliveries refer to this row
    return Follower.objects.select_for_update(no_key=True).get(pk=follower.pk)
