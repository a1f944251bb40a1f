"""The supervisor with real clusters: whatever is killed, the lanes work again, and a stop is bounded."""

import json
import os
import signal
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.conf import settings
from django.utils import timezone

from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.ops.groups import Group, end_all, end_leftovers
from apps.ops.heartbeat import GROUPS
from apps.ops.models import LaneHeartbeat
from apps.ops.supervision import verdict
from tests.ops.processes import alive, family, program, titled, until

WORKER = ("worker", "--skip-checks", "--canary-every", "0.5", "--stop-within", "3")
SHORT = (*WORKER, "--stall-after", "6")


# ------------------------------------------------------------------ the decision
def test_a_group_that_showed_life_lately_stays() -> None:
    assert verdict(silence=44, stall_after=45, busy=lambda: False, task_timeout=120) == ""


def test_an_idle_group_through_which_nothing_comes_is_replaced() -> None:
    assert verdict(silence=46, stall_after=45, busy=lambda: False, task_timeout=120) == "nothing came through for 46 s"


def test_a_group_that_is_merely_busy_stays() -> None:
    assert verdict(silence=100, stall_after=45, busy=lambda: True, task_timeout=120) == ""


def test_a_group_that_looks_busy_for_longer_than_a_task_may_last_is_replaced() -> None:
    assert verdict(silence=136, stall_after=45, busy=lambda: True, task_timeout=120) != ""


# ------------------------------------------------------------------ real processes
def mains(folder: Path) -> dict[str, int]:
    """Group name -> pid of its main process, from the supervisor's notes."""
    return {path.stem.rsplit("-", 1)[0]: int(path.stem.rsplit("-", 1)[1]) for path in (folder / "run").glob("*.json")}


def beating(supervisor: int) -> dict[str, Any]:
    rows = LaneHeartbeat.objects.filter(supervisor__endswith=f":{supervisor}", beat_at__isnull=False)
    return {row.lane: row for row in rows}


def all_work(supervisor: int) -> None:
    until(lambda: len(beating(supervisor)) == len(GROUPS), "every group shows life", within=60)


def comes_through(lane: Lane) -> bool:
    """A task put in now is taken, run and recorded."""
    now = timezone.now()
    announce("apps.ops.heartbeat.canary", lane=lane)
    beats = LaneHeartbeat.objects.filter(lane=lane, beat_at__gt=now)
    until(beats.exists, f"{lane} takes a task and finishes it", within=60)
    return True


@pytest.mark.slow
def test_lanes_work_again_after_a_monitor_an_idle_worker_a_main_and_the_tick_were_killed(
    transactional_db: None, tmp_path: Path
) -> None:
    with program(tmp_path, *SHORT) as supervisor:
        all_work(supervisor.pid)
        first = mains(tmp_path)
        victims = {
            "critical": titled("monitor", first["critical"]),
            "transactional": titled("idle", first["transactional"]),
            "bulk": [first["bulk"]],
            "tick": [first["tick"]],
        }
        assert all(victims.values()), victims
        for pid in chain.from_iterable(victims.values()):
            os.kill(pid, signal.SIGKILL)
        dead = {first["bulk"], first["tick"]}
        until(lambda: not dead & set(mains(tmp_path).values()), "what lost its main process is replaced", within=60)
        assert all(comes_through(lane) for lane in Lane)
        all_work(supervisor.pid)
        rows = beating(supervisor.pid)
        assert set(rows) == set(GROUPS)
        assert rows["bulk"].restarts
        assert rows["tick"].restarts
        # A helper that is killed in the instant in which it holds no lock is healed by its cluster; not both at once.
        hung = [rows[lane].restart_reason for lane in ("critical", "transactional")]
        assert any("nothing came through" in reason for reason in hung)
        left = [pid for name, pid in first.items() if rows[name].restarts and alive([pid])]
        assert left == []


@pytest.mark.slow
@pytest.mark.once  # signals and processes: 13 s that are the same on each database
def test_a_stop_is_bounded_even_when_a_worker_is_busy_and_the_whole_group_hears_it(
    transactional_db: None, tmp_path: Path
) -> None:
    with program(tmp_path, *SHORT) as supervisor:
        all_work(supervisor.pid)
        done = tmp_path / "done"
        # longer than --stall-after: busy, not hung
        announce("tests.ops.tasks.nap", lane=Lane.CRITICAL, seconds=8, done=str(done))
        announce("tests.ops.tasks.nap", lane=Lane.BULK, seconds=60, done=str(done))
        until(done.exists, "the nap ends undisturbed", within=40)
        assert beating(supervisor.pid)["critical"].restarts == 0
        everyone = [supervisor.pid, *(each.pid for each in family(supervisor.pid))]
        started = time.monotonic()
        os.killpg(supervisor.pid, signal.SIGTERM)
        supervisor.wait(10)
        until(lambda: not alive(everyone), "every process is gone", within=3)
        assert time.monotonic() - started < 8
        assert mains(tmp_path) == {}
        assert beating(supervisor.pid) == {}


@pytest.mark.slow
@pytest.mark.once
def test_a_killed_supervisor_leaves_nobody_working_and_two_at_once_leave_each_other_alone(
    transactional_db: None, tmp_path: Path
) -> None:
    patient = (*WORKER, "--stall-after", "20")  # either one's clusters may take the other's canaries for a while
    with program(tmp_path, *patient) as one, program(tmp_path, *patient) as two:
        all_work(one.pid)
        all_work(two.pid)
        ones, twos = family(one.pid), family(two.pid)
        one.kill()
        one.wait()
        until(lambda: not alive([each.pid for each in ones]), "its groups die with it", within=5)
        assert len(alive([each.pid for each in twos])) == len(twos)
        assert all(comes_through(lane) for lane in Lane)
        assert {row.restarts for row in beating(two.pid).values()} == {0}


def test_leftovers_of_a_dead_supervisor_are_ended_and_those_of_a_living_one_are_not(tmp_path: Path) -> None:
    # what a group looks like where no kernel ends it with its parent; the words name it as one of ours
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)", "manage.py lane"]
    orphan, watched, stranger = (subprocess.Popen(sleeper, start_new_session=True) for _ in range(3))
    try:
        me = psutil.Process()
        note = {"supervisor": me.pid, "supervisor_created": me.create_time()}
        for name, process, change in [
            ("orphan", orphan, {"supervisor_created": 1.0}),
            ("watched", watched, {}),
            ("stranger", stranger, {"supervisor_created": 1.0, "created": time.time() + 60}),  # the pid was used again
        ]:
            created = psutil.Process(process.pid).create_time()
            (tmp_path / f"{name}.json").write_text(json.dumps({"pid": process.pid, "created": created} | note | change))
        (tmp_path / "torn.json").write_text("{")
        assert end_leftovers(tmp_path) == [orphan.pid]
        assert orphan.wait(5) == -signal.SIGKILL
        assert watched.poll() is None
        assert stranger.poll() is None
        assert [path.name for path in tmp_path.glob("*.json")] == ["watched.json"]
    finally:
        for process in (orphan, watched, stranger):
            process.kill()
            process.wait()


def test_a_stop_waits_for_work_below_a_main_process_but_not_for_one_that_hangs_alone() -> None:
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
    parent = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(1.5)']); {deaf}"
    for code, patience in ((deaf, (0, 1)), (parent, (1, 5))):
        group = Group("lane", [sys.executable, "-c", code], works_below=True)
        group.start()
        try:
            process = psutil.Process(group.process.pid)
            until(lambda p=process: "sleep(60)" in " ".join(p.cmdline()), "it is what it shall be", within=5)
            until(lambda p=process, c=code: p.children() or c == deaf, "it has its child", within=5)
            started = time.monotonic()
            end_all([group], within=20, hurry=lambda: False)
            assert patience[0] <= time.monotonic() - started < patience[1]
        finally:
            group.kill()


def test_a_lane_refuses_to_start_as_another_one() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "lane", "bulk"],
        cwd=settings.BASE_DIR,
        env={**os.environ, "CARILLON_MODE": "test", "Q_CLUSTER_NAME": "critical"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Q_CLUSTER_NAME=bulk" in done.stderr
