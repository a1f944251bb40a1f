"""Whether the lanes and the tick are alive: a canary is sent through each,
and what came through is written down.
"""

import datetime as dt
import os
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Max
from django.utils import timezone
from django.utils.translation import gettext_noop

from apps.lib.queue.announce import announce, waiting
from apps.lib.queue.lanes import Lane
from apps.notifications.books.wake import SEND_TASK
from apps.notifications.sending.journal import Journal
from apps.ops.models import LaneHeartbeat

TICK = "tick"
GROUPS = (*(lane.value for lane in Lane), TICK)
# A lane is replaced after 30 s of silence, so a healthy machine never shows a minute.
TOO_OLD = 60
ENOUGH_WAITING = 20
FORGOTTEN_AFTER = dt.timedelta(minutes=10)
STARTING_FOR = dt.timedelta(minutes=10)  # on a crowded machine; the supervisor waits as long
TOLD_FOR = dt.timedelta(days=1)  # that a group was replaced, unless somebody has read it
# Busy lanes finish many tasks a second; once a second is enough to be seen alive.
BEAT_AT_MOST_EVERY = 1.0

CANARY_TASK = "apps.ops.heartbeat.canary"

# Why a group was replaced: stored in English, said on pages in the reader's language.
SILENT = gettext_noop("nothing came through for {seconds} s")
ENDED = gettext_noop("its main process ended with code {code}")

_last_beat = 0.0
_failing = False


def canary(**ids: Any) -> None:
    """Task: go the way of a message that reaches nobody, through an idle lane: through the queue, a
    note in a journal, a row in the database. Raises what a message would meet there.
    """
    with Journal() as journal:
        journal.preparing(0)
    name = f"canary:{os.getpid()}:{secrets.token_hex(4)}"
    LaneHeartbeat.objects.create(supervisor=name, lane="canary", started_at=timezone.now()).delete()


def send_canary(lane: Lane) -> None:
    """Send a canary through the lane, unless enough lies there already: what waits will do as
    well, and a dead lane's queue must stay short.
    """
    if waiting(lane) < ENOUGH_WAITING:
        announce(CANARY_TASK, lane=lane)


def beat(task: str = "", fault: str = "") -> None:
    """Called inside a supervised process after each finished task (lanes) or round (tick).

    `fault`: what the task failed of. Of those that hand messages over, and of canaries, it says
    that nothing can leave; the next one that is through says that it is over.
    """
    global _last_beat, _failing
    supervisor = os.environ.get("CARILLON_SUPERVISOR")
    group = os.environ.get("CARILLON_GROUP")
    if not supervisor:
        return  # a lane that was started by hand has nobody who watches it
    failing = _failing
    if task in (SEND_TASK, CANARY_TASK):
        failing = bool(fault)
    if failing == _failing and time.monotonic() - _last_beat < BEAT_AT_MOST_EVERY:
        return
    now = timezone.now()
    changes: dict[str, Any] = {"beat_at": now}
    if failing and not _failing:
        changes |= {"failing_since": now, "fault": fault[:200]}
    elif not failing:
        changes |= {"failing_since": None, "fault": ""}
    LaneHeartbeat.objects.filter(supervisor=supervisor, lane=group).update(**changes)
    _failing = failing
    _last_beat = time.monotonic()


def begin(*, supervisor: str, group: str, now: dt.datetime, restart_reason: str = "") -> None:
    """The supervisor starts this group, for the first time or (with a reason) again."""
    again: dict[str, Any] = {}
    if restart_reason:
        again = {"restarts": F("restarts") + 1, "restart_reason": restart_reason[:200]}
    changed = LaneHeartbeat.objects.filter(supervisor=supervisor, lane=group).update(
        started_at=now, beat_at=None, failing_since=None, fault="", **again
    )
    if not changed:
        LaneHeartbeat.objects.create(
            supervisor=supervisor,
            lane=group,
            started_at=now,
            restarts=int(bool(restart_reason)),
            restart_reason=restart_reason[:200],
        )


def forget(*, supervisor: str) -> None:
    """Forget what this supervisor watched: it ends."""
    LaneHeartbeat.objects.filter(supervisor=supervisor).delete()


def forget_the_dead(*, now: dt.datetime) -> None:
    """Drop what supervisors left that were killed."""
    old = now - FORGOTTEN_AFTER
    LaneHeartbeat.objects.filter(started_at__lt=old).exclude(beat_at__gte=old).delete()


@dataclass(frozen=True, slots=True)
class Beats:
    """When this supervisor's group and when any supervisor's group of that name last showed
    life.
    """

    own: dt.datetime | None
    any: dt.datetime | None


def beats(*, supervisor: str) -> Mapping[str, Beats]:
    own: dict[str, dt.datetime | None] = {}
    newest: dict[str, dt.datetime | None] = {}
    for name, lane, at in LaneHeartbeat.objects.values_list("supervisor", "lane", "beat_at"):
        if name == supervisor:
            own[lane] = at
        latest = newest.get(lane)
        if at and (latest is None or at > latest):
            newest[lane] = at
    return {group: Beats(own.get(group), newest.get(group)) for group in GROUPS}


@dataclass(frozen=True, slots=True)
class Sign:
    """What people see about one group: `age` in seconds since its last sign of life,
    None if there was none since it started. `restarts`: those that nobody has read about yet.
    """

    group: str
    age: int | None
    starting: bool
    waiting: int
    restarts: int
    restarted_at: dt.datetime | None
    reason: str
    fault: str = ""  # why nothing can leave

    @property
    def alive(self) -> bool:
        """Whether it works, and what it hands over can leave."""
        return self.age is not None and self.age <= TOO_OLD and not self.fault


def signs(*, now: dt.datetime) -> list[Sign]:
    """One per group, of its youngest heartbeat on any machine."""
    lanes = LaneHeartbeat.objects.values_list("lane")
    newest = dict(lanes.annotate(Max("beat_at")))
    started = dict(lanes.annotate(Max("started_at")))
    faults = _faults(now)
    replaced = _replaced(now)
    found = []
    for group in GROUPS:
        beat_at = newest.get(group)
        age = None
        if beat_at:
            age = max(0, int((now - beat_at).total_seconds()))
        calls = 0
        if group != TICK:
            calls = waiting(Lane(group))
        restarts = replaced.get(group, [])
        sign = Sign(
            group=group,
            age=age,
            starting=age is None and _lately(started.get(group), now),
            waiting=calls,
            restarts=sum(row.restarts for row in restarts),
            restarted_at=max((row.started_at for row in restarts), default=None),
            reason="".join(row.restart_reason for row in restarts[-1:]),
            fault=faults.get(group, ""),
        )
        found.append(sign)
    return found


def _faults(now: dt.datetime) -> dict[str, str]:
    """Why nothing can leave, by group, where that is so on each machine that shows life."""
    alive = LaneHeartbeat.objects.filter(beat_at__gt=now - dt.timedelta(seconds=TOO_OLD))
    found: dict[str, str] = {}
    working: set[str] = set()
    for row in alive:
        if row.failing_since is None:
            working.add(row.lane)
        else:
            found[row.lane] = row.fault
    return {group: fault for group, fault in found.items() if group not in working}


def _lately(started_at: dt.datetime | None, now: dt.datetime) -> bool:
    return started_at is not None and started_at > now - STARTING_FOR


def forget_restarts() -> None:
    """Tell no more of the groups that were replaced so far: somebody has read it."""
    LaneHeartbeat.objects.filter(restarts__gt=0).update(restarts=0, restart_reason="")


def _replaced(now: dt.datetime) -> dict[str, list[LaneHeartbeat]]:
    """Rows of groups that were started again lately, oldest first."""
    rows = LaneHeartbeat.objects.filter(restarts__gt=0, started_at__gt=now - TOLD_FOR)
    found: dict[str, list[LaneHeartbeat]] = {}
    for row in rows.order_by("started_at"):
        found.setdefault(row.lane, []).append(row)
    return found
