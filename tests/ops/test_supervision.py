"""The supervisor with real clusters: whatever is killed, the lanes work again,
and a stop is bounded.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.utils import timezone

from apps.lib.processes.thread_times import Times
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.ops import awake, supervision
from apps.ops.awake import Look, grown, look_at
from apps.ops.groups import Group, end_all, end_leftovers, pause_before_start
from apps.ops.heartbeat import GROUPS
from apps.ops.models import LaneHeartbeat
from apps.ops.supervision import (
    Silence,
    Supervisor,
    Timings,
    Watched,
    verdict,
)
from tests.ops.processes import alive, family, program, titled
from tests.patience import FOREVER, PATIENCE, until

WORKER = ("worker", "--skip-checks", "--canary-every", "0.5", "--stop-within", "3")
SHORT = (*WORKER, "--stall-after", "10")


# ------------------------------------------------------------------ the decision
def judged(**fields: Any) -> str:
    """The verdict on a group that is idle where nothing else is said."""
    silence = fields.get("asleep", fields.get("silence"))
    usual = {"asleep": silence, "silence": silence, "patience": 45, "longest": 135}
    return verdict(**{**usual, "busy": lambda: False, **fields})


def test_a_group_that_showed_life_lately_stays() -> None:
    assert judged(asleep=44) == ""


def test_an_idle_group_through_which_nothing_comes_is_replaced() -> None:
    assert judged(asleep=46) == "nothing came through for 46 s"


def test_a_group_that_is_merely_busy_stays() -> None:
    assert judged(asleep=100, busy=lambda: True) == ""


def test_a_group_that_looks_busy_for_longer_than_a_task_may_last_is_replaced() -> None:
    assert judged(asleep=136, busy=lambda: True) != ""


def test_a_group_that_works_stays_but_not_for_ever() -> None:
    assert judged(silence=130, asleep=2) == ""
    assert judged(silence=136, asleep=2) == "nothing came through for 136 s"


def silence_after(
    looks: int, *, ran: float = 0.0, waited: float = 0.0, on_disk: bool = False, look: float = 1.0
) -> Silence:
    """Of a group that has one thread and is looked at every `look` seconds, in each of which it ran
    and waited for a processor so long; asked about from 15 s on.
    """
    silence = Silence.beginning(0.0)
    for number in range(1, looks + 1):
        seen = Look({7: Times(number * ran, number * waited)}, on_disk)
        silence.grow(number * look, lambda seen=seen: seen, ask_after=15)
    return silence


def kept(silence: Silence) -> bool:
    """Whether a group that has not yet shown life may go on with its start."""
    return not judged(
        asleep=silence.asleep,
        silence=silence.its_own,
        patience=Timings().start_within,
        longest=Timings().longest_start,
    )


@pytest.mark.reported
@pytest.mark.parametrize(
    ("what", "seconds", "does"),
    [
        ("computes", 599, {"ran": 0.99}),
        ("imports on a crowded machine", 900, {"ran": 0.05, "waited": 0.95}),
        ("imports from a crowded disk", 900, {"ran": 0.05, "on_disk": True}),
    ],
)
def test_a_slow_start_is_not_held_against_a_group(
    what: str, seconds: int, does: dict[str, Any]
) -> None:
    assert kept(silence_after(seconds, **does)), what


@pytest.mark.parametrize(
    ("what", "seconds", "does"),
    [("is frozen", 62, {}), ("runs in a circle", 620, {"ran": 1.0})],
)
def test_a_start_that_leads_nowhere_is_ended(what: str, seconds: int, does: dict[str, Any]) -> None:
    assert not kept(silence_after(seconds, **does)), what


@pytest.mark.reported
@pytest.mark.parametrize(
    ("does", "stays"),
    [
        ({"ran": 0.02, "waited": 0.98}, True),
        ({"ran": 0.02, "on_disk": True}, True),
        ({"ran": 1.0}, False),
        ({"ran": 0.02}, False),
    ],
)
def test_a_group_that_worked_and_gets_no_processor_for_a_quarter_of_an_hour_stays(
    does: dict[str, Any], stays: bool
) -> None:
    silence = silence_after(900, **does)
    said = judged(asleep=silence.asleep, silence=silence.its_own, patience=30, longest=135)
    assert (said == "") is stays


def test_a_group_that_hangs_while_others_crowd_it_out_is_found_in_the_end() -> None:
    silence = silence_after(1100, ran=0.01, waited=0.98)
    said = judged(asleep=silence.asleep, silence=silence.its_own, patience=30, longest=135)
    assert said != ""


def test_an_idle_group_that_hangs_on_a_quiet_machine_is_found_within_half_a_minute_and_more() -> (
    None
):
    idle = silence_after(31, ran=0.01, waited=0.01)  # it wakes up now and then, to look for work
    assert Timings().stall_after < idle.asleep


def test_while_a_group_is_healthy_nobody_looks_at_its_processes() -> None:
    silence = Silence.beginning(0.0)
    for second in range(1, 16):
        silence.grow(second, lambda: pytest.fail("it was looked at"), ask_after=15)
    assert silence.asleep == 15


def test_a_supervisor_that_could_not_run_holds_little_of_that_against_its_groups() -> None:
    assert silence_after(2, look=3600).length == 2 * Silence.LONGEST_LOOK


def test_the_pauses_between_starts_that_do_not_hold_grow_up_to_the_longest() -> None:
    pauses = [pause_before_start(failures, longest=60) for failures in range(9)]
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    assert pause_before_start(10_000, longest=60) == 60


class StoodClock:
    """Stands in for the module `time`, and moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoodClock:
    clock = StoodClock()
    monkeypatch.setattr(supervision, "time", clock)
    return clock


def test_a_group_that_dies_again_and_again_is_left_in_peace_longer_each_time_until_it_holds(
    clock: StoodClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, logger="carillon.supervision")
    supervisor = Supervisor(
        Timings(), hurry=None
    )  # no round is run, so nobody asks whether to stop
    each = supervisor.watched["bulk"]
    pauses = []

    def start_and_show_life_after(seconds: float) -> None:
        clock.now = max(clock.now, each.restarts.not_before)
        each.group.started = clock.now
        clock.now += seconds
        supervisor._notice_hold("bulk", each)

    for _ in range(4):  # it shows life and dies soon after
        start_and_show_life_after(5)
        supervisor._end("bulk", each, "its main process ended with code 1")
        pauses.append(each.restarts.not_before - clock.now)
    assert pauses == [0, 1, 2, 4]
    start_and_show_life_after(each.restarts.pause + 9)
    assert each.restarts.failures == 4, "that is not yet long enough"
    start_and_show_life_after(each.restarts.pause + 11)
    assert each.restarts.failures == 0
    supervisor._end("bulk", each, "its main process ended with code 1")
    assert each.restarts.not_before == clock.now, "the next one starts at once"
    said = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert said == [
        "Replacing bulk: its main process ended with code 1. Said once, until it holds.",
        "bulk works again (new starts: 4).",
        "Replacing bulk: its main process ended with code 1. Said once, until it holds.",
    ]


# ------------------------------------------------------------------ real processes
def mains(folder: Path) -> dict[str, int]:
    """Group name -> pid of its main process, from the supervisor's notes."""
    return {
        path.stem.rsplit("-", 1)[0]: int(path.stem.rsplit("-", 1)[1])
        for path in (folder / "run").glob("*.json")
    }


def beating(supervisor: int) -> dict[str, Any]:
    rows = LaneHeartbeat.objects.filter(
        supervisor__endswith=f":{supervisor}", beat_at__isnull=False
    )
    return {row.lane: row for row in rows}


# ---- how awake a program is
def test_a_program_that_computes_runs_and_a_stopped_one_sleeps() -> None:
    program = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        first = look_at(program.pid)
        until(lambda: grown(first, look_at(program.pid)).awake > 0.2, "it ran")
        program.send_signal(signal.SIGSTOP)
        process = psutil.Process(program.pid)
        until(lambda: process.status() == psutil.STATUS_STOPPED, "it is stopped")
        stopped = look_at(program.pid)
        assert stopped.threads
        time.sleep(0.3)
        assert grown(stopped, look_at(program.pid)) == Times(0, 0)
    finally:
        program.kill()
        program.wait()
    assert look_at(program.pid) == Look({})


def test_the_busiest_thread_counts_and_not_the_sum_of_all() -> None:
    before = Look({1: Times(5, 5), 2: Times(9, 0)})
    after = Look({1: Times(5.25, 5.5), 2: Times(9.5, 0), 3: Times(0.125, 0.5)})
    assert grown(before, after) == Times(0.25, 0.5)


def test_where_the_kernel_does_not_count_the_waiting_the_time_that_it_ran_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(awake, "by_thread", lambda pid: {})
    used = sum(psutil.Process().cpu_times()[:2])
    times = look_at(os.getpid()).threads[os.getpid()]
    assert times.ran >= used > 0
    assert times.waited == 0


@pytest.mark.slow
@pytest.mark.once
def test_a_start_that_computes_stays_and_one_that_is_frozen_is_replaced(
    transactional_db: None, tmp_path: Path, settings: Any
) -> None:
    settings.VAR_DIR = tmp_path
    supervisor = Supervisor(Timings(stall_after=2, start_within=8), hurry=None)
    # both stand for a program that has not yet come so far as to show life
    commands = {"bulk": "while True: pass", "tick": "import time; time.sleep(3600)"}
    supervisor.watched = {
        name: Watched(Group(name, [sys.executable, "-c", code], notes=tmp_path / "run"))
        for name, code in commands.items()
    }
    rows = LaneHeartbeat.objects.filter(supervisor=supervisor.name)

    def replaced() -> bool:
        supervisor._round()
        return rows.filter(lane="tick", restarts=1).exists()

    try:
        until(replaced, "the frozen one is replaced")
        assert rows.get(lane="bulk").restarts == 0
        assert "nothing came through" in rows.get(lane="tick").restart_reason
    finally:
        for each in supervisor.watched.values():
            each.group.kill()


def all_work(supervisor: int) -> None:
    until(lambda: len(beating(supervisor)) == len(GROUPS), "every group shows life")


def comes_through(lane: Lane) -> bool:
    """A task put in now is taken, run and recorded."""
    now = timezone.now()
    announce("apps.ops.heartbeat.canary", lane=lane)
    beats = LaneHeartbeat.objects.filter(lane=lane, beat_at__gt=now)
    until(beats.exists, f"{lane} takes a task and finishes it")
    return True


@pytest.mark.slow
def test_lanes_work_again_after_a_courier_an_idle_worker_a_main_and_the_tick_were_killed(
    transactional_db: None, tmp_path: Path
) -> None:
    with program(tmp_path, *SHORT) as supervisor:
        all_work(supervisor.pid)
        first = mains(tmp_path)
        victims = {
            "critical": until(lambda: titled("courier", first["critical"]), "it has a courier"),
            # a canary may be at work in it just now
            "transactional": until(lambda: titled("idle", first["transactional"]), "it is idle"),
            "bulk": [first["bulk"]],
            "tick": [first["tick"]],
        }
        for pid in chain.from_iterable(victims.values()):
            os.kill(pid, signal.SIGKILL)
        dead = {first["bulk"], first["tick"]}
        until(
            lambda: not dead & set(mains(tmp_path).values()),
            "what lost its main process is replaced",
        )
        assert all(comes_through(lane) for lane in Lane)
        all_work(supervisor.pid)
        rows = beating(supervisor.pid)
        assert set(rows) == set(GROUPS)
        assert rows["bulk"].restarts
        assert rows["tick"].restarts
        # A helper that is killed in the instant in which it holds no lock is healed by its cluster;
        # not both at once.
        hung = [rows[lane].restart_reason for lane in ("critical", "transactional")]
        assert any("nothing came through" in reason for reason in hung)
        left = [pid for name, pid in first.items() if rows[name].restarts and alive([pid])]
        assert left == []


@pytest.mark.slow
@pytest.mark.once  # signals and processes: 20 s that are the same on each database
def test_a_stop_is_bounded_even_when_a_worker_is_busy_and_the_whole_group_hears_it(
    transactional_db: None, tmp_path: Path
) -> None:
    with program(tmp_path, *SHORT) as supervisor:
        all_work(supervisor.pid)
        done = tmp_path / "done"
        # longer than --stall-after: busy, not hung
        announce("tests.ops.tasks.nap", lane=Lane.CRITICAL, seconds=13, done=str(done))
        announce("tests.ops.tasks.nap", lane=Lane.BULK, seconds=FOREVER, done=str(done))
        until(done.exists, "the nap ends undisturbed")
        assert beating(supervisor.pid)["critical"].restarts == 0
        everyone = [supervisor.pid, *(each.pid for each in family(supervisor.pid))]
        os.killpg(supervisor.pid, signal.SIGTERM)
        supervisor.wait(PATIENCE)  # who waited for the nap of the bulk lane would wait for ever
        until(lambda: not alive(everyone), "every process is gone")
        assert mains(tmp_path) == {}
        assert beating(supervisor.pid) == {}


@pytest.mark.slow
@pytest.mark.once
def test_a_killed_supervisor_leaves_nobody_working_and_two_at_once_leave_each_other_alone(
    transactional_db: None, tmp_path: Path
) -> None:
    patient = (
        *WORKER,
        "--stall-after",
        "20",
    )  # either one's clusters may take the other's canaries for a while
    with program(tmp_path, *patient) as one, program(tmp_path, *patient) as two:
        all_work(one.pid)
        all_work(two.pid)
        ones, twos = family(one.pid), family(two.pid)
        one.kill()
        one.wait()
        until(lambda: not alive([each.pid for each in ones]), "its groups die with it")
        assert len(alive([each.pid for each in twos])) == len(twos)
        assert all(comes_through(lane) for lane in Lane)
        assert {row.restarts for row in beating(two.pid).values()} == {0}


def test_leftovers_of_a_dead_supervisor_are_ended_and_those_of_a_living_one_are_not(
    tmp_path: Path,
) -> None:
    # what a group looks like where no kernel ends it with its parent;
    # the words name it as one of ours
    sleeper = [sys.executable, "-c", "import time; time.sleep(3600)", "manage.py lane"]
    orphan, watched, stranger = (
        subprocess.Popen(sleeper, start_new_session=True) for _ in range(3)
    )
    try:
        me = psutil.Process()
        note = {"supervisor": me.pid, "supervisor_created": me.create_time()}
        for name, process, change in [
            ("orphan", orphan, {"supervisor_created": 1.0}),
            ("watched", watched, {}),
            (
                "stranger",
                stranger,
                {"supervisor_created": 1.0, "created": time.time() + 60},
            ),  # the pid was used again
        ]:
            created = psutil.Process(process.pid).create_time()
            (tmp_path / f"{name}.json").write_text(
                json.dumps({"pid": process.pid, "created": created} | note | change)
            )
        (tmp_path / "torn.json").write_text("{")
        assert end_leftovers(tmp_path) == [orphan.pid]
        assert orphan.wait(PATIENCE) == -signal.SIGKILL
        assert watched.poll() is None
        assert stranger.poll() is None
        assert [path.name for path in tmp_path.glob("*.json")] == ["watched.json"]
    finally:
        for process in (orphan, watched, stranger):
            process.kill()
            process.wait()


DEAF = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(sys.argv[1]).touch()
time.sleep(3600)
"""
WORK = """
import pathlib, sys, time
while not pathlib.Path(sys.argv[1]).exists():
    time.sleep(0.01)
pathlib.Path(sys.argv[2]).touch()
"""


@contextmanager
def deaf_group(folder: Path, before: str = "") -> Iterator[Group]:
    """A lane whose main process has come to its long sleep and hears no SIGTERM."""
    ready = folder / "ready"
    group = Group("lane", [sys.executable, "-c", before + DEAF, str(ready)], works_below=True)
    group.start()
    try:
        until(ready.exists, "it is deaf")
        yield group
    finally:
        group.kill()


def test_a_stop_does_not_wait_for_a_main_process_that_hangs_alone(tmp_path: Path) -> None:
    looks: list[bool] = []

    def no_hurry() -> bool:
        looks.append(True)
        return False

    with deaf_group(tmp_path) as group:
        end_all([group], within=FOREVER, hurry=no_hurry)
        assert group.process is None
    assert len(looks) == 1, "the first look shows that nobody works"


def test_a_stop_waits_for_work_below_a_main_process(tmp_path: Path) -> None:
    go = tmp_path / "go"
    done = tmp_path / "done"
    looks: list[bool] = []

    def let_it_go_at_the_third_look() -> bool:
        looks.append(done.exists())
        if len(looks) == 3:
            go.touch()
        return False

    words = ["-c", WORK, str(go), str(done)]
    start = f"import subprocess, sys; subprocess.Popen([sys.executable, *{words!r}])\n"
    with deaf_group(tmp_path, start) as group:
        end_all([group], within=FOREVER, hurry=let_it_go_at_the_third_look)
    assert looks[:3] == [False] * 3
    assert done.exists(), "it was not killed at its work"
