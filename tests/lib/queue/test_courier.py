"""The process that carries a lane's calls to its workers, and their results back."""

import multiprocessing
import threading
from typing import Any, NoReturn

import django_q.monitor
import django_q.pusher
import pytest
from django.db import OperationalError

from apps.lib.queue import cluster


def fails(*of: Any) -> NoReturn:
    raise OperationalError("the database is away")


def goes_on(*of: Any) -> None:
    threading.Event().wait()


@pytest.mark.parametrize(("pusher", "monitor"), [(fails, goes_on), (goes_on, fails)])
def test_a_courier_of_which_one_half_fails_ends_so_that_another_is_started(
    monkeypatch: pytest.MonkeyPatch, pusher: Any, monitor: Any
) -> None:
    monkeypatch.setattr(django_q.pusher, "pusher", pusher)
    monkeypatch.setattr(django_q.monitor, "monitor", monitor)
    fork = multiprocessing.get_context("fork")
    ended = fork.Event()
    pushed = fork.Event()
    courier = fork.Process(
        target=cluster._carry, args=(fork.Queue(), fork.Queue(), ended, pushed, None)
    )
    courier.start()
    try:
        courier.join(60)
        assert courier.exitcode == 1
        assert not pushed.is_set()
    finally:
        courier.kill()
