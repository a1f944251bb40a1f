"""`manage.py run` as a visitor meets it:
from an empty database to the log-in page and mails in the mailbox.
"""

import io
import re
import signal
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apps.lib.network import ports
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount
from apps.ops.demo.world import PASSWORD
from apps.ops.mailbox import store
from apps.ops.management.commands import run as run_command
from apps.ops.management.commands.run import (
    Command,
    Kept,
    announce,
    mailbox_socket,
    the_only_one,
    web_port,
)
from tests.ops.processes import alive, family, program
from tests.patience import PATIENCE, until


@pytest.mark.slow
# a visitor's `make run` is on SQLite; the demo world is made on both in demo/test_world.py
@pytest.mark.once
def test_run_makes_the_demo_world_serves_it_sends_its_mail_and_ends_on_ctrl_c(
    transactional_db: None, tmp_path: Path
) -> None:
    log = tmp_path / "program.log"
    with socket.socket() as other:  # somebody else has the mailbox's port, so the next one is taken
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = str(other.getsockname()[1])
        free_web = int(taken) + 200
        more = {
            "CARILLON_MODE": "development",
            "MAILBOX_PORT": taken,
            "PORT": str(free_web),
            "LOG_LEVEL": "WARNING",
        }
        with program(tmp_path, "run", **more) as run:
            until(lambda: "Ctrl-C stops" in log.read_text() or run.poll() is not None, "it greets")
            words = log.read_text()
            assert re.search(r"runs at http://127\.0\.0\.1:\d+", words), words
            assert PASSWORD in words
            with urllib.request.urlopen(f"http://127.0.0.1:{free_web}/login/") as answer:
                assert answer.status == 200
            (port,) = [
                settings_of(each)["port"]
                for each in ProviderAccount.objects.filter(provider="smtp")
            ]
            assert port != int(taken)
            # the demo's first campaign leaves by SMTP as soon as the workers run
            until(lambda: next(store.letters(tmp_path / "mailbox"), None), "a mail arrives")
            everyone = [run.pid, *(each.pid for each in family(run.pid))]
            run.send_signal(signal.SIGINT)
            run.wait(PATIENCE)
            until(lambda: not alive(everyone), "every process is gone")


# ------------------------------------------------------------------ who is here already
@pytest.mark.reported
def test_a_second_run_in_the_same_folder_says_where_the_site_is(
    tmp_path: Path, settings: Any
) -> None:
    settings.VAR_DIR = tmp_path
    with the_only_one(tmp_path) as file:
        announce(file, "http://127.0.0.1:8017")
        with pytest.raises(CommandError) as refused:
            call_command("run")
    assert str(refused.value) == (
        "This site runs already, at http://127.0.0.1:8017. Open it there, or end it first (Ctrl-C"
        " where it was started); a second site needs a folder of its own."
    )
    with the_only_one(tmp_path):
        assert (tmp_path / "running").read_text() == "", "what the last one said is gone"


@pytest.mark.reported
def test_a_second_run_in_the_same_second_is_refused_before_the_first_has_an_address(
    tmp_path: Path,
) -> None:
    with (
        the_only_one(tmp_path),
        pytest.raises(CommandError, match=r"^This site runs already\. Open it there"),
        the_only_one(tmp_path),
    ):
        pass


@pytest.mark.parametrize("word", ["abc", "-1", "0", "65536", "8000 ", "99999999999999999999"])
def test_a_port_that_is_none_is_refused_in_words(monkeypatch: Any, word: str) -> None:
    monkeypatch.setenv("PORT", word)
    with pytest.raises(CommandError) as refused:
        web_port()
    assert str(refused.value) == f"PORT={word!r} is not a number from 1 to 65535."


def test_a_busy_port_is_refused_and_a_free_one_named(monkeypatch: Any) -> None:
    first = ports.reserve_from(28_000)
    monkeypatch.setenv("PORT", str(first.port))
    with pytest.raises(CommandError) as refused:
        web_port()
    words = str(refused.value)
    assert words.startswith(f"Port {first.port} is in use. Choose another: make run PORT=")
    monkeypatch.setenv("PORT", words.rpartition("=")[2])
    web_port().close()
    first.close()


@pytest.mark.reported
def test_the_mailbox_of_a_second_site_has_a_port_of_its_own_before_anybody_is_told(
    tmp_path: Path, settings: Any
) -> None:
    settings.VAR_DIR = tmp_path
    with mailbox_socket() as first, mailbox_socket() as second:
        assert first.getsockname() != second.getsockname()
        assert ports.answers(first.getsockname()[1]), "mail waits for the mailbox to start"


@pytest.mark.parametrize("words", ["", "many", "1025\n"])
def test_a_spoilt_note_of_the_last_port_stops_nothing(
    tmp_path: Path, settings: Any, words: str
) -> None:
    settings.VAR_DIR = tmp_path
    (tmp_path / "mailbox-port").write_text(words)
    mailbox_socket().close()


# ------------------------------------------------------------------ what dies is started again
class Mortal:
    """Stands in for a Group; it is dead when the test says so."""

    name = "mailbox"

    def __init__(self, clock: "StoodClock") -> None:
        self.clock = clock
        self.process: Any = None
        self.started = 0.0
        self.code: int | None = None

    def start(self) -> None:
        self.process = "there"
        self.started = self.clock.now
        self.code = None

    def kill(self) -> None:
        self.process = None

    def exit_code(self) -> int | None:
        return self.code


class StoodClock:
    """Stands in for the module `time`, and moves when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> StoodClock:
    clock = StoodClock()
    monkeypatch.setattr(run_command, "time", clock)
    return clock


@pytest.mark.reported
def test_a_program_that_dies_again_and_again_is_started_after_longer_and_longer_pauses(
    clock: StoodClock,
) -> None:
    out = io.StringIO()
    command = Command(stdout=out)
    each = Kept(Mortal(clock))  # type: ignore[arg-type]  # it is asked no more than this
    each.group.start()
    starts = []
    clock.now += 6
    command.look_after(each)  # it lives
    for _ in range(5):
        each.group.code = 1
        died = clock.now
        while each.group.code:
            command.look_after(each)
            clock.now += 0.5
        starts.append(each.group.started - died)
        clock.now += 1
    assert starts == [0.5, 1, 2, 4, 8]
    clock.now += 30
    command.look_after(each)  # that one has held
    each.group.code = 1
    command.look_after(each)
    lines = out.getvalue().splitlines()
    assert lines[1] == "The mailbox program ended with code 1; starting it again in 1 s."
    assert lines[-1] == "The mailbox program ended with code 1; starting it again at once."


def test_a_program_that_cannot_even_start_ends_the_run(clock: StoodClock) -> None:
    each = Kept(Mortal(clock))  # type: ignore[arg-type]  # it is asked no more than this
    each.group.start()
    each.group.code = 3
    clock.now += 4
    with pytest.raises(CommandError, match="The mailbox program ended with code 3"):
        Command().look_after(each)
