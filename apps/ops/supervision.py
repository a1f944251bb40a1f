"""Supervisor of `manage.py worker`: one cluster for each lane and the tick,
watched through canaries and replaced when they hang.
"""

import datetime as dt
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, cast

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import close_old_connections, connection
from django.utils import timezone

from apps.lib.queue.cluster import working
from apps.lib.queue.lanes import Lane
from apps.ops import heartbeat
from apps.ops.awake import longest_awake, seconds_awake
from apps.ops.groups import Group, Hurry, end_all, end_leftovers, manage

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
    steady_after: float = (
        10  # a start that lived so long, and as long as the pause before it, has held
    )
    stop_within: float = 25
    longest_pause: float = 60  # between two starts of a group that does not hold
    look_every: float = 0.5


def verdict(
    *, asleep: float, silence: float, patience: float, longest: float, busy: Callable[[], bool]
) -> str:
    """Why a group must be replaced, or "" if it need not be.

    `silence`: seconds since something last came through it (or since it started, or the database
    came back). `asleep`: those of them in which it wanted no processor. Where it wanted one, it is
    slow or its machine is, and another start would make both slower; so `patience` counts these
    only.
    `longest`: seconds of silence that nothing excuses. No task outlasts its time-out, so after that
    results no longer come through; and a start that takes so long runs in a circle.
    `busy`: whether one of its workers is in the middle of a task. A slice may outlast `patience`.
    """
    if silence <= longest and (asleep <= patience or busy()):
        return ""
    return f"nothing came through for {silence:.0f} s"


def pause_before_start(failures: int, *, longest: float) -> float:
    """Seconds to wait after so many starts in a row that did not hold: none, 1, 2,
    4 and so on up to `longest`.
    """
    if failures:
        return min(longest, 2.0 ** min(failures - 1, 30))
    return 0.0


@dataclass(slots=True)
class Silence:
    """How long nothing came through a group (seconds), and how much of that it slept."""

    LONGEST_LOOK: ClassVar[float] = 2.0

    length: float = 0.0
    asleep: float = 0.0
    told: bool = False  # that it gets more time
    _looked: float = 0.0  # monotonic
    _awake: Mapping[int, float] | None = None

    @classmethod
    def beginning(cls, moment: float) -> "Silence":
        return cls(_looked=moment)

    def grow(
        self, moment: float, awake: Callable[[], Mapping[int, float]], *, ask_after: float
    ) -> None:
        """Count what passed since the last look,
        and from `ask_after` seconds on ask how long the group was awake.

        Before that all of it counts as sleep, so that a healthy group costs nothing. A look that
        comes late finds a supervisor that could not run, and a group that could not either: no more
        than LONGEST_LOOK of it counts.
        """
        passed = min(moment - self._looked, self.LONGEST_LOOK)
        self._looked = moment
        self.length += passed
        if self.length > ask_after:
            before = self._awake
            self._awake = awake()
            if before is not None:
                passed = max(0.0, passed - longest_awake(before, self._awake))
        self.asleep += passed


@dataclass(slots=True)
class Watched:
    """A group with what the supervisor remembers about it (monotonic seconds)."""

    group: Group
    silence: Silence = field(default_factory=Silence)
    canary_at: float | None = None
    beat: dt.datetime | None = None  # None: it has shown no life since it started
    any_beat: dt.datetime | None = None
    not_before: float = 0.0
    pause: float = 0.0  # before its last start
    failures: int = 0  # starts in a row that did not hold
    reason: str = ""


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
        command = manage("tick")
        environment = {"CARILLON_SUPERVISOR": self.name, "CARILLON_GROUP": name}
        if lane:
            command = manage("lane", name)
            environment["Q_CLUSTER_NAME"] = name
        return Group(
            name=name,
            command=command,
            environment=environment,
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
            self._end(name, each, f"its main process ended with code {code}")

    def _end(self, name: str, each: Watched, reason: str) -> None:
        """Kill the group; `_with_database` starts it again after a pause.

        Told once, until a start holds.
        """
        each.group.kill()
        if each.failures:
            level = logging.DEBUG
        else:
            level = logging.ERROR
        log.log(level, "Replacing %s: %s. Said once, until it holds.", name, reason)
        each.reason = reason
        each.pause = pause_before_start(each.failures, longest=self.timings.longest_pause)
        each.not_before = time.monotonic() + each.pause
        each.failures += 1

    def _with_database(self) -> None:
        for name, each in self.watched.items():
            if each.group.process is None and time.monotonic() >= each.not_before:
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
        """Forget the failures of a group that shows life and has lived long enough.

        Whoever dies soon after it began, again and again, is to be left in peace for a while.
        """
        lived = time.monotonic() - each.group.started
        if each.failures and lived > self.timings.steady_after + each.pause:
            log.warning("%s works again (new starts: %d).", name, each.failures)
            each.failures = 0

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
            time.monotonic(), lambda: seconds_awake(main), ask_after=self.timings.stall_after / 2
        )
        reason = verdict(
            asleep=silence.asleep,
            silence=silence.length,
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
