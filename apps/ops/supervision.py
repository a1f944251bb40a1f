"""`manage.py worker`: one cluster for each lane and the tick, watched through canaries and replaced when they hang."""

import datetime as dt
import logging
import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.utils import timezone

from apps.lib.queue.cluster import working
from apps.lib.queue.lanes import Lane
from apps.ops import heartbeat
from apps.ops.groups import Group, Hurry, end_all, end_leftovers, manage

log = logging.getLogger("carillon.supervision")


@dataclass(frozen=True, slots=True)
class Timings:
    """All in seconds. Slices of work last up to 20 s; `stop_within` leaves room for one and stays under 30."""

    canary_every: float = 10
    stall_after: float = 30  # with starting anew that is less than a minute, on a busy machine too (45 took 65)
    stop_within: float = 25
    longest_pause: float = 30  # between two starts of a group that does not hold
    look_every: float = 0.5


def verdict(*, silence: float, stall_after: float, busy: Callable[[], bool], task_timeout: float) -> str:
    """Why a group must be replaced, or "" if it need not be.

    `silence`: seconds since something last came through it (or since it started, or the database came back).
    `busy`: whether one of its workers is in the middle of a task. A slice may outlast `stall_after`, but none
    outlasts `task_timeout`, so silence beyond that means that results no longer come through.
    """
    if silence <= stall_after or (silence <= task_timeout + 15 and busy()):
        return ""
    return f"nothing came through for {silence:.0f} s"


@dataclass(slots=True)
class Watched:
    """A group with what the supervisor remembers about it (monotonic seconds)."""

    group: Group
    since: float = 0.0  # silence is counted from here at the earliest
    canary_at: float | None = None
    beat: dt.datetime | None = None
    any_beat: dt.datetime | None = None
    not_before: float = 0.0
    failures: int = 0
    reason: str = ""
    seen: float = 0.0  # when `beat` was last seen to move


class Supervisor:
    def __init__(self, timings: Timings, hurry: Hurry) -> None:
        self.timings = timings
        self.hurry = hurry
        self.name = f"{socket.gethostname()}:{os.getpid()}"[:100]
        self.database_answers = True
        self.notes = settings.VAR_DIR / "run"
        self.watched = {name: Watched(self._group(name)) for name in heartbeat.GROUPS}

    def _group(self, name: str) -> Group:
        lane = name != heartbeat.TICK
        return Group(
            name=name,
            command=manage("lane", name) if lane else manage("tick"),
            environment={"CARILLON_SUPERVISOR": self.name, "CARILLON_GROUP": name}
            | ({"Q_CLUSTER_NAME": name} if lane else {}),
            notes=self.notes,
            works_below=lane,
        )

    def run(self) -> None:
        """Until SIGTERM or SIGINT; then everything is gone within `stop_within` seconds."""
        if leftovers := end_leftovers(self.notes):
            log.warning("Ended %d processes that a killed supervisor had left behind.", len(leftovers))
        self._ask_database(lambda: heartbeat.forget_the_dead(now=timezone.now()))
        try:
            while not self.hurry.stopping():
                self._round()
                # Two machines whose looks and polls keep in step would give every canary to the same one (seen).
                time.sleep(self.timings.look_every * random.uniform(0.5, 1.5))  # noqa: S311  # not a secret
        finally:
            end_all([each.group for each in self.watched.values()], within=self.timings.stop_within, hurry=self.hurry)
            self._ask_database(lambda: heartbeat.forget(supervisor=self.name))

    def _round(self) -> None:
        for name, each in self.watched.items():
            self._notice_exit(name, each)
        if not self._ask_database(self._with_database):
            # Nothing can come through without a database, so nobody is judged until it is back.
            for each in self.watched.values():
                each.since, each.canary_at = time.monotonic(), None

    def _ask_database(self, act: Callable[[], None]) -> bool:
        """Whether the database answered."""
        try:
            close_old_connections()
            act()
        except DatabaseError as error:
            if self.database_answers:
                log.error("The database does not answer: %s", str(error).strip())
            connection.close()
            self.database_answers = False
        else:
            self.database_answers = True
        return self.database_answers

    def _notice_exit(self, name: str, each: Watched) -> None:
        code = each.group.exit_code()
        if code is not None:
            self._end(name, each, f"its main process ended with code {code}")

    def _end(self, name: str, each: Watched, reason: str) -> None:
        each.group.kill()
        pause = min(self.timings.longest_pause, 2.0 ** (each.failures - 1)) if each.failures else 0.0
        log.error("Replacing %s%s: %s.", name, f" in {pause:.0f} s" if pause else "", reason)
        each.reason, each.not_before, each.failures = reason, time.monotonic() + pause, each.failures + 1

    def _with_database(self) -> None:
        moment = time.monotonic()
        for name, each in self.watched.items():
            if each.group.process is None and moment >= each.not_before:
                heartbeat.begin(supervisor=self.name, group=name, now=timezone.now(), restart_reason=each.reason)
                each.group.start()
                each.since, each.canary_at, each.beat = time.monotonic(), None, None
        beats = heartbeat.beats(supervisor=self.name)
        for name, each in self.watched.items():
            if each.group.process is None:
                continue
            if beats[name].own != each.beat and beats[name].own:
                each.beat, each.seen, each.failures = beats[name].own, time.monotonic(), 0
            if name != heartbeat.TICK:
                self._send_canary(Lane(name), each, beats[name].any)
            self._judge(name, each)

    def _send_canary(self, lane: Lane, each: Watched, any_beat: dt.datetime | None) -> None:
        """When nothing came through for a while, and again when it stays silent.

        Another machine's cluster may take ours; then the next goes out at the next look, until one comes to us.
        """
        moment, pause = time.monotonic(), self.timings.canary_every
        silent = moment - max(each.since, each.seen) > pause
        taken = any_beat != each.any_beat
        if each.canary_at is None or (silent and (taken or moment - each.canary_at > pause)):
            each.any_beat, each.canary_at = any_beat, moment
            heartbeat.send_canary(lane)

    def _judge(self, name: str, each: Watched) -> None:
        process = each.group.process
        reason = verdict(
            silence=time.monotonic() - max(each.since, each.seen),
            stall_after=self.timings.stall_after,
            busy=lambda: name != heartbeat.TICK and working(process.pid),
            task_timeout=settings.Q_CLUSTER["timeout"],
        )
        if reason:
            self._end(name, each, reason)
