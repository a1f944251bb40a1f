"""The process of one lane: a django-q2 cluster that dies as a whole and says when a task came
through.
"""

import logging
import multiprocessing
import os
import select
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import django_q.monitor
import django_q.pusher
import psutil
from django.conf import settings
from django_q.cluster import Sentinel
from django_q.conf import Conf
from django_q.signals import post_execute, pre_execute
from setproctitle import setproctitle

from apps.lib.processes.before_fork import prepare_to_fork
from apps.lib.processes.parent import end_with_parent
from apps.lib.processes.slow_statements import now_asks
from apps.lib.queue.lanes import Lane

log = logging.getLogger("carillon.queue")

# Where processors are short, codes go first, and calls of the API are taken before what they ask
# for is sent: the web server has 0. What waits is then claimed by the hundred and costs a tenth.
NICENESS = {Lane.CRITICAL: 0, Lane.TRANSACTIONAL: 5, Lane.BULK: 10}


class _Stop:
    """What django-q2's guard waits for: a pipe in place of its Event, whose lock the guard may hold
    when the signal comes that sets it.
    """

    def __init__(self) -> None:
        self._read, self._write = os.pipe()

    def heard(self, number: int, frame: object) -> None:
        os.write(self._write, b".")

    def is_set(self) -> bool:
        return self.wait(0)

    def wait(self, seconds: float) -> bool:
        readable, _, _ = select.select([self._read], [], [], seconds)
        return bool(readable)


class _Guard(Sentinel):  # type: ignore[misc]  # django-q2 has no types
    """A guard of a lane as django-q2 has it, but for its pusher and its monitor: each a process
    there, they are threads of one below, the courier.
    """

    def spawn_monitor(self) -> Any:
        """Start the courier."""
        # a new one: who was killed may have held the lock of the last
        self.pushed = multiprocessing.Event()
        return self.spawn_process(
            _carry, self.task_queue, self.result_queue, self.event_out, self.pushed, self.broker
        )

    def spawn_pusher(self) -> "_Pusher":
        """Give the courier's other half, which `spawn_monitor` has started."""
        return _Pusher(self)


class _Pusher:
    """The half of a courier that takes calls out of the queue, as the guard asks for it."""

    def __init__(self, guard: _Guard) -> None:
        self._guard = guard

    @property
    def pid(self) -> int:
        pid: int = self._guard.monitor.pid
        return pid

    def is_alive(self) -> bool:
        return self._guard.monitor.is_alive() and not self._guard.pushed.is_set()


def _carry(tasks: Any, results: Any, ended: Any, pushed: Any, broker: Any) -> None:
    """Take calls to the workers and their results back, until nothing more is pushed and the last
    result is recorded.
    """

    def push() -> None:
        with _or_end():
            django_q.pusher.pusher(tasks, ended, broker)
        if not ended.is_set():  # it has said why; the guard starts both halves again
            os._exit(1)
        pushed.set()

    for half in (django_q.pusher, django_q.monitor):
        half.setproctitle = None  # each would give the process its own
    setproctitle(f"qcluster {multiprocessing.current_process().name} courier")
    threading.Thread(target=push).start()
    with _or_end():
        django_q.monitor.monitor(results, broker)


@contextmanager
def _or_end() -> Iterator[None]:
    """End the process where its half fails, as it does without a database: the other half alone
    would take calls that nobody hears of, and the guard would see a process that lives.
    """
    try:
        yield
    except BaseException:
        log.exception("A courier fails; the guard starts another one.")
        os._exit(1)


def run(lane: Lane) -> None:
    """Work through the lane until SIGTERM, which one that works on a task ends first.

    django-q2 reads its settings once, at import, maybe in the process that this one was forked
    from; so those of the lane are put in their places. Its guard runs here, and not in a process
    below as its `Cluster` would have it: nobody has to stand over it but the supervisor.
    """
    os.nice(NICENESS[lane])
    Conf.CLUSTER_NAME = lane.value
    lanes = cast(dict[str, dict[str, Any]], settings.Q_CLUSTER["ALT_CLUSTERS"])
    for name, value in lanes[lane.value].items():
        setattr(Conf, name.upper(), value)
    # Python 3.14 changed the default; django-q2 needs fork
    multiprocessing.set_start_method("fork", force=True)
    # A killed guard would leave workers that go on taking tasks (measured),
    # so each dies with its parent.
    parent = [os.getpid()]
    os.register_at_fork(
        before=lambda: parent.__setitem__(0, os.getpid()),
        after_in_child=lambda: _end_with(parent[0]),
    )
    pre_execute.connect(_name_task, dispatch_uid="carillon-name-task")
    stop = _Stop()
    started = multiprocessing.Event()
    guard = _Guard(stop, started, uuid.uuid4(), start=False)
    signal.signal(signal.SIGTERM, stop.heard)
    prepare_to_fork()
    guard.start()


def _end_with(parent: int) -> None:
    """Be a process below the guard: deaf to what is said to that one only, and dead with it."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    end_with_parent(parent)


def _name_task(*, task: dict[str, Any], **kwargs: Any) -> None:
    """Let slow statements be told of by the task that asks them."""
    now_asks(f"task {task['func']}")


def after_each_task(listener: Callable[[str, str], None]) -> None:
    """Call `listener` in the lane's process whenever a task ran, was recorded and left the queue;
    with its dotted path, and with what it failed of ("" if it did not).

    That is the whole way through courier and worker, and back:
    a lane in which one of them hangs stays silent.
    """

    def heard(*, task: dict[str, Any], **kwargs: Any) -> None:
        fault = ""
        if not task["success"]:
            lines = str(task["result"]).strip().splitlines() or ["no reason"]
            fault = lines[0]
        try:
            listener(str(task["func"]), fault)
        except Exception:  # an error here would end django-q2's monitor, and with it the lane
            log.exception("The lane could not say that it is alive.")

    post_execute.connect(heard, weak=False, dispatch_uid="carillon-after-each-task")


def working(main: int) -> bool:
    """Whether any worker of the lane whose main process is `main` is in the middle of a task (by
    its title).
    """
    try:
        family = psutil.Process(main).children(recursive=True)
    except psutil.NoSuchProcess:
        return False
    return any(" processing " in _title(process) for process in family)


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
