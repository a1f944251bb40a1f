"""What a process did: run, wait for a processor, or sleep."""

import os
import threading

import pytest

from apps.lib.processes import thread_times
from apps.lib.processes.thread_times import by_thread


def test_each_thread_of_a_process_has_its_times() -> None:
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        found = by_thread(os.getpid())
        assert {threading.main_thread().native_id, other.native_id} <= found.keys()
        assert found[os.getpid()].ran > 0
    finally:
        over.set()
        other.join()


def test_of_a_process_that_is_gone_nothing_is_known() -> None:
    assert by_thread(2**22 + 1) == {}


def test_what_threads_wait_for_a_processor_is_no_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thread_times.time, "process_time", lambda: 2.0)
    waits = {1: thread_times.Times(1.0, 0.25), 2: thread_times.Times(1.0, 0.5)}
    monkeypatch.setattr(thread_times, "by_thread", lambda pid: waits)
    assert thread_times.awake_here() == 2.75
