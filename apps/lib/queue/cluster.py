"""The process of one lane: a django-q2 cluster that dies as a whole and says when a task came
through.
"""

import logging
import multiprocessing
import os
from collections.abc import Callable
from typing import Any

import psutil
from django_q.cluster import Cluster
from django_q.conf import Conf
from django_q.signals import post_execute, pre_execute

from apps.lib.processes.gc_tuning import settle
from apps.lib.processes.parent import end_with_parent
from apps.lib.processes.slow_statements import now_asks
from apps.lib.queue.lanes import Lane

log = logging.getLogger("carillon.queue")

# Where processors are short, codes go first, and calls of the API are taken before what they ask
# for is sent: the web server has 0. What waits is then claimed by the hundred and costs a tenth.
NICENESS = {Lane.CRITICAL: 0, Lane.TRANSACTIONAL: 5, Lane.BULK: 10}


class WrongLane(RuntimeError):
    """The process was started for another lane than it is asked to work on."""


def run(lane: Lane) -> int:
    """Work through the lane until SIGTERM or SIGINT; the exit code is not 0 when the cluster died.

    django-q2 reads its settings once, at import, and picks the lane by Q_CLUSTER_NAME in the
    environment. Raises WrongLane if that is another one.
    """
    if lane.value != Conf.CLUSTER_NAME:
        raise WrongLane(
            f"Start this process with Q_CLUSTER_NAME={lane} in its environment "
            "(manage.py worker does)."
        )
    os.nice(NICENESS[lane])
    # Python 3.14 changed the default; django-q2 needs fork
    multiprocessing.set_start_method("fork", force=True)
    # A killed main or sentinel would leave workers that go on taking tasks (measured),
    # so each dies with its parent.
    parent = [os.getpid()]
    os.register_at_fork(
        before=lambda: parent.__setitem__(0, os.getpid()),
        after_in_child=lambda: end_with_parent(parent[0]),
    )
    settle()
    pre_execute.connect(_name_task, dispatch_uid="carillon-name-task")
    cluster = Cluster()
    cluster.start()
    cluster.sentinel.join()
    if cluster.sentinel.exitcode:
        return 1
    return 0


def _name_task(*, task: dict[str, Any], **kwargs: Any) -> None:
    """Let slow statements be told of by the task that asks them."""
    now_asks(f"task {task['func']}")


def after_each_task(listener: Callable[[str, str], None]) -> None:
    """Call `listener` in the lane's process whenever a task ran, was recorded and left the queue;
    with its dotted path, and with what it failed of ("" if it did not).

    That is the whole way through pusher, worker and monitor:
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
