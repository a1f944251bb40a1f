"""Supervisor of `manage.py worker`: one cluster for each lane and the tick,
watched through canaries and replaced when they hang.
"""

import datetime as dt
import logging
import os
import random
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar, cast

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.utils import timezone

from apps.lib.queue.cluster import working
from apps.lib.queue.lanes import Lane
from apps.ops import heartbeat
from apps.ops.awake import Look, grown, look_at
from apps.ops.forks import load, manage
from apps.ops.groups import Group, Hurry, Restarts, end_all, end_leftovers

log = logging.getLogger("carillon.supervision")

TASK_TIMEOUT = cast(float, settings.Q_CLUSTER["timeout"])  # seconds


@dataclass(frozen=True, slots=True)
class Timings:
    """All in seconds. Slices of work last up to 20 s;
    `stop_within` leaves room for one and stays under 30.
    """

    canary_every: float = 10
    # Of silence in which a group slept; on a quiet machine it sleeps all the time when it hangs, so
    # that with starting anew a hung group is replaced in less than a minute.
    stall_after: float = 30
    start_within: float = 60  # instead, until the first sign of life
    longest_start: float = 600  # however busy it is
    stop_within: float = 25
    look_every: float = 0.5  # at the processes
    ask_every: float = 1.0  # the database what came through them


def verdict(
    *, asleep: float, silence: float, patience: float, longest: float, busy: Callable[[], bool]
) -> str:
    """Why a group must be replaced, or "" if it need not be.

    `asleep`: seconds in which nothing came through it (since it started, or since the database came
    back) and it slept. Where it ran, it is slow or its machine is, and another start would make
    both slower; so `patience` counts these only.
    `silence`: those in which it slept or ran. `longest` of them are excused by nothing: no task
    outlasts its time-out, so after that results no longer come through; and a start that runs so
    long runs in a circle. Time in which it waited for a processor or a disk is the machine's.
    `busy`: whether one of its workers is in the middle of a task. A slice may outlast `patience`.
    """
    if silence <= longest and (asleep <= patience or busy()):
        return ""
    return heartbeat.SILENT.format(seconds=f"{silence:.0f}")


@dataclass(slots=True)
class Silence:
    """How long nothing came through a group (seconds), and what it did meanwhile."""

    LONGEST_LOOK: ClassVar[float] = 2.0
    MOST_EXCUSED: ClassVar[float] = 900.0

    length: float = 0.0
    asleep: float = 0.0
    waited: float = 0.0  # for a processor or a disk
    told: bool = False  # that it gets more time
    _looked: float = 0.0  # monotonic
    _seen: Look | None = None

    @classmethod
    def beginning(cls, moment: float) -> "Silence":
        return cls(_looked=moment)

    @property
    def its_own(self) -> float:
        """Seconds of it that are not the machine's.

        A group that hangs while others crowd it out looks like one that is only crowded out, so
        that MOST_EXCUSED are the machine's.
        """
        return self.length - min(self.waited, self.MOST_EXCUSED)

    def grow(self, moment: float, look: Callable[[], Look], *, ask_after: float) -> None:
        """Count what passed since the last look,
        and from `ask_after` seconds on ask what the group did.

        Before that all of it counts as sleep, so that a healthy group costs nothing. A look that
        comes late finds a supervisor that could not run, and a group that could not either: no more
        than LONGEST_LOOK of it counts.
        """
        passed = min(moment - self._looked, self.LONGEST_LOOK)
        self._looked = moment
        self.length += passed
        if self.length <= ask_after:
            self.asleep += passed
            return
        before = self._seen
        self._seen = look()
        if before is None:
            self.asleep += passed
            return
        did = grown(before, self._seen)
        waited = min(passed, did.waited)
        if self._seen.on_disk:
            waited = max(waited, passed - did.ran)
        self.waited += waited
        self.asleep += max(0.0, passed - did.ran - waited)


@dataclass(slots=True)
class Watched:
    """A group with what the supervisor remembers about it (monotonic seconds)."""

    group: Group
    silence: Silence = field(default_factory=Silence)
    canary_at: float | None = None
    beat: dt.datetime | None = None  # None: it has shown no life since it started
    any_beat: dt.datetime | None = None
    restarts: Restarts = field(default_factory=Restarts)
    reason: str = ""


class Supervisor:
    def __init__(self, timings: Timings, hurry: Hurry) -> None:
        self.timings = timings
        self.hurry = hurry
        self.name = f"{socket.gethostname()}:{os.getpid()}"[:100]
        self.database_answers = True
        self._asked = 0.0  # monotonic
        self.notes = settings.VAR_DIR / "run"
        self.watched = {name: Watched(self._group(name)) for name in heartbeat.GROUPS}

    def _group(self, name: str) -> Group:
        lane = name != heartbeat.TICK
        words = ["tick"]
        if lane:
            words = ["lane", name]

        def work() -> None:
            os.environ |= {"CARILLON_SUPERVISOR": self.name, "CARILLON_GROUP": name}
            manage(*words)

        return Group(
            name=name,
            title=" ".join(words),
            work=work,
            notes=self.notes,
            works_below=lane,
        )

    def run(self) -> None:
        """Watch until SIGTERM or SIGINT; then everything is gone within `stop_within` seconds."""
        if leftovers := end_leftovers(self.notes):
            log.warning(
                "Ended %d processes that a killed supervisor had left behind.", len(leftovers)
            )
        self._ask_database(lambda: heartbeat.forget_the_dead(now=timezone.now()))
        load()
        try:
            while not self.hurry.stopping():
                self._round()
                # Two machines whose looks and polls keep in step would give every canary to the
                # same one (seen).
                # no secret depends on this chance
                time.sleep(self.timings.look_every * random.uniform(0.5, 1.5))  # noqa: S311
        finally:
            end_all(
                [each.group for each in self.watched.values()],
                within=self.timings.stop_within,
                hurry=self.hurry,
            )
            self._ask_database(lambda: heartbeat.forget(supervisor=self.name))

    def _round(self) -> None:
        for name, each in self.watched.items():
            self._notice_exit(name, each)
        moment = time.monotonic()
        gone = any(each.group.process is None for each in self.watched.values())
        if moment - self._asked < self.timings.ask_every and not gone:
            return
        self._asked = moment
        if not self._ask_database(self._with_database):
            # Nothing can come through without a database, so nobody is judged until it is back.
            for each in self.watched.values():
                each.silence = Silence.beginning(time.monotonic())
                each.canary_at = None

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
            self._end(name, each, heartbeat.ENDED.format(code=code))

    def _end(self, name: str, each: Watched, reason: str) -> None:
        """Kill the group; `_with_database` starts it again after a pause.

        Told once, until a start holds.
        """
        each.group.kill()
        if each.restarts.failures:
            level = logging.DEBUG
        else:
            level = logging.ERROR
        log.log(level, "Replacing %s: %s. Said once, until it holds.", name, reason)
        each.reason = reason
        each.restarts.failed(time.monotonic())

    def _with_database(self) -> None:
        for name, each in self.watched.items():
            if each.group.process is None and time.monotonic() >= each.restarts.not_before:
                self._start(name, each)
        beats = heartbeat.beats(supervisor=self.name)
        for name, each in self.watched.items():
            if each.group.process is None:
                continue
            if beats[name].own and beats[name].own != each.beat:
                each.beat = beats[name].own
                each.silence = Silence.beginning(time.monotonic())
                self._notice_hold(name, each)
            if name != heartbeat.TICK:
                self._send_canary(Lane(name), each, beats[name].any)
            self._judge(name, each)

    def _start(self, name: str, each: Watched) -> None:
        heartbeat.begin(
            supervisor=self.name, group=name, now=timezone.now(), restart_reason=each.reason
        )
        each.group.start()
        each.silence = Silence.beginning(time.monotonic())
        each.canary_at = each.beat = None

    def _notice_hold(self, name: str, each: Watched) -> None:
        if starts := each.restarts.notice_hold(time.monotonic() - each.group.started):
            log.warning("%s works again (new starts: %d).", name, starts)

    def _send_canary(self, lane: Lane, each: Watched, any_beat: dt.datetime | None) -> None:
        """When nothing came through for a while, and again when it stays silent.

        Another machine's cluster may take ours; then the next goes out at the next look,
        until one comes to us.
        """
        moment = time.monotonic()
        pause = self.timings.canary_every
        silent = each.silence.length > pause
        taken = any_beat != each.any_beat
        if each.canary_at is None or (silent and (taken or moment - each.canary_at > pause)):
            each.any_beat = any_beat
            each.canary_at = moment
            heartbeat.send_canary(lane)

    def _judge(self, name: str, each: Watched) -> None:
        process = each.group.process
        if process is None:
            return
        main = process.pid
        silence = each.silence
        if each.beat:
            patience = self.timings.stall_after
            longest = TASK_TIMEOUT + 15
        else:
            patience = self.timings.start_within
            longest = self.timings.longest_start
        silence.grow(
            time.monotonic(), lambda: look_at(main), ask_after=self.timings.stall_after / 2
        )
        reason = verdict(
            asleep=silence.asleep,
            silence=silence.its_own,
            patience=patience,
            longest=longest,
            busy=lambda: name != heartbeat.TICK and working(main),
        )
        if reason:
            self._end(name, each, reason)
        elif silence.length > 1.5 * patience and not silence.told:
            silence.told = True
            log.warning(
                "Nothing came through %s for %.0f s. It works, or waits for a processor, so it gets"
                " more time.",
                name,
                silence.length,
            )
