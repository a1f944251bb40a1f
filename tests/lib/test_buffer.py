"""Nothing that was taken is lost while the process lives; memory is bounded;
a fork and an end are survived.
"""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.db import OperationalError

from apps.lib.buffer import Buffer
from tests.patience import until


class Store:
    """Keeps what is written, refuses while it is away."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.sizes: list[int] = []
        self.tries = 0
        self.error: Exception | None = None

    def write(self, items: list[int]) -> None:
        self.tries += 1
        if self.error:
            raise self.error
        self.kept += items
        self.sizes.append(len(items))


def buffer_of(write: Callable[[list[int]], None], **fields: float) -> Buffer[int]:
    return Buffer(write, **({"every": 0.01} | fields))  # type: ignore[arg-type]


def test_what_a_hundred_threads_add_is_written_once_in_batches() -> None:
    store = Store()
    buffer = buffer_of(store.write, at_once=100)
    threads = [
        threading.Thread(
            target=lambda start=start: [buffer.add(start * 100 + n) for n in range(100)]
        )
        for start in range(100)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(store.kept) == 10_000, "the writing")
    assert sorted(store.kept) == list(range(10_000))
    assert max(store.sizes) <= 100


def test_an_idle_buffer_has_no_thread_and_starts_one_again() -> None:
    store = Store()
    buffer = buffer_of(store.write)
    for number in range(3):
        buffer.add(number)
        until(lambda: store.kept[-1:] == [number], "the writing")  # noqa: B023
        until(
            lambda: not any(thread.name == "buffer" for thread in threading.enumerate()), "its end"
        )
    assert store.kept == [0, 1, 2]


def test_while_the_database_is_away_the_newest_are_kept_and_written_when_it_is_back() -> None:
    store = Store()
    store.error = OperationalError("the server closed the connection")
    buffer = buffer_of(store.write, most=50, at_once=10)
    buffer.add(0)
    until(lambda: store.tries > 3, "the writing")  # the first is in hand by now
    for number in range(1, 200):
        buffer.add(number)
    store.error = None
    until(lambda: store.kept[-1:] == [199], "the writing")
    assert store.kept[0] == 0
    assert store.kept == sorted(set(store.kept))
    assert set(range(150, 200)) <= set(store.kept)
    assert len(store.kept) <= 60


def test_what_can_never_be_stored_does_not_keep_the_others_out(
    caplog: pytest.LogCaptureFixture,
) -> None:
    store = Store()
    store.error = ValueError("never")
    buffer = buffer_of(store.write)
    buffer.add(1)
    until(lambda: store.tries == 1 and "dropped" in caplog.text, "the writing")
    store.error = None
    buffer.add(2)
    until(lambda: store.kept == [2], "the writing")


def test_closing_writes_what_waits_at_once() -> None:
    store = Store()
    buffer = buffer_of(store.write, every=3600)
    buffer.add(1)
    buffer.close()
    assert store.kept == [1]


def test_a_fork_writes_its_own_and_leaves_its_parents_to_it(tmp_path: Path) -> None:
    def write(items: list[int]) -> None:
        with (tmp_path / str(os.getpid())).open("a") as file:
            file.writelines(f"{item}\n" for item in items)

    buffer = buffer_of(write, every=0.5)
    buffer.add(1)
    # how granian makes its workers; they end without atexit
    child = multiprocessing.get_context("fork").Process(target=lambda: buffer.add(2))
    child.start()
    child.join()
    buffer.close()
    assert (tmp_path / str(child.pid)).read_text() == "2\n"
    assert (tmp_path / str(os.getpid())).read_text() == "1\n"


def test_a_program_that_ends_writes_what_waits(tmp_path: Path) -> None:
    program = (
        "import pathlib, sys\n"
        "from apps.lib.buffer import Buffer\n"
        "file = pathlib.Path(sys.argv[1])\n"
        "Buffer(lambda items: file.write_text(str(items)), every=3600).add(7)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, tmp_path / "kept"],
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert (tmp_path / "kept").read_text() == "[7]"
