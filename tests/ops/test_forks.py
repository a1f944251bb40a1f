"""Programs that are forks of this one: how they begin, what they hear, and how they end."""

import os
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from apps.ops.forks import Fork, fork, manage
from apps.ops.groups import Group
from tests.patience import until


def forever() -> None:
    while True:
        time.sleep(1)


def say(word: str, path: Path) -> None:
    path.write_text(f"{word} {os.getsid(0) == os.getpid()} {os.read(0, 1)!r}")


def test_a_fork_has_a_session_of_its_own_and_nothing_to_read(tmp_path: Path) -> None:
    assert fork(lambda: say("done", tmp_path / "said"), title="a fork").wait() == 0
    assert (tmp_path / "said").read_text() == "done True b''"


@pytest.mark.parametrize(
    ("work", "code", "said"),
    [
        (lambda: sys.exit(3), 3, ""),
        (lambda: sys.exit(), 0, ""),
        (lambda: sys.exit("There is no such port."), 1, "There is no such port.\n"),
        (lambda: 1 // 0, 1, "ZeroDivisionError"),
        (lambda: manage("lane", "fast"), 2, "invalid choice: 'fast'"),
        (lambda: os.kill(os.getpid(), signal.SIGKILL), -signal.SIGKILL, ""),
    ],
    ids=["a code", "no code", "a sentence", "a fault", "a wrong word", "killed"],
)
def test_a_fork_ends_as_a_program_would(
    capfd: pytest.CaptureFixture[str], work: object, code: int, said: str
) -> None:
    program = fork(work, title="a fork")  # type: ignore[arg-type]  # parametrised
    assert program.wait() == code
    assert program.poll() == code, "the end is told again"
    assert said in capfd.readouterr().err


def test_what_a_fork_is_sent_before_it_is_ready_is_heard() -> None:
    program = fork(forever, title="a fork")
    program.terminate()
    assert program.wait() == -signal.SIGTERM
    program.terminate()  # nobody else's process is meant


def test_a_fork_can_be_killed_as_soon_as_it_was_started() -> None:
    group = Group("fork", work=forever)
    group.start()
    group.kill()
    assert group.process is None


def test_a_fork_closes_what_is_none_of_its_business(tmp_path: Path) -> None:
    with socket.socket() as listener, (tmp_path / "held").open("w") as held:
        numbers = [listener.fileno(), held.fileno()]

        def look() -> None:
            with pytest.raises(OSError, match="Bad file descriptor"):
                os.fstat(numbers[0])
            os.fstat(numbers[1])

        assert fork(look, title="a fork", drops=[listener]).wait() == 0
        os.fstat(numbers[0])


def test_a_fork_dies_with_the_process_that_it_was_forked_from(tmp_path: Path) -> None:
    told = tmp_path / "pid"

    def parent() -> None:
        below = Group("below", work=forever)
        below.start()
        assert isinstance(below.process, Fork)
        told.write_text(str(below.process.pid))
        forever()

    program = fork(parent, title="a parent")
    until(lambda: told.exists() and told.read_text(), "the parent has forked")
    os.kill(program.pid, signal.SIGKILL)
    program.wait()
    below = Path(f"/proc/{told.read_text()}/stat")
    until(lambda: not below.exists() or below.read_text().split()[2] == "Z", "it has died, too")
