"""Write down who said something, where and how, and lock the follower while it is said."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from apps.followers.models import ConsentRecord, Follower
from apps.lib.actor import Actor
from apps.lib.facts import Fact, Kind, Subject, tell_together


@dataclass(frozen=True, slots=True)
class Proof:
    """Who said something, when, where, and under which version of a text.

    One serves all records of an act.
    """

    source: str  # preference_center, one_click, api, staff, import, command ...
    by: Actor
    now: dt.datetime
    wording: str = ""
    ip: str = ""
    user_agent: str = ""

    def record(self, follower: Follower, act: str, scope: dict[str, Any], reason: str = "") -> None:
        """Keep what was said as a ConsentRecord of the follower."""
        self.written(follower, act, scope, reason).save(force_insert=True)

    def written(
        self, follower: Follower, act: str, scope: dict[str, Any], reason: str = ""
    ) -> ConsentRecord:
        """Write down what was said, to be stored with others."""
        return ConsentRecord(
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
        """Publish the fact about the follower, with its source."""
        tell_together([self.fact(kind, follower, data)])

    def fact(self, kind: Kind, follower: Follower, data: dict[str, Any]) -> Fact:
        """Make the fact about the follower, to be told with others."""
        about = Subject("follower", str(follower.uid), str(follower))
        said = {"source": self.source, **data}
        return Fact(kind=kind, by=self.by, at=self.now, about=about, data=said)


def locked(follower: Follower) -> Follower:
    """Read the follower's row again and lock it. Inside a transaction."""
    # no_key: an opt-out does not wait for a planner whose new deliveries refer to this row
    return Follower.objects.select_for_update(no_key=True).get(pk=follower.pk)
