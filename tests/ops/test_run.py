"""`manage.py run` as a visitor meets it:
from an empty database to the log-in page and mails in the mailbox.
"""

import re
import signal
import socket
import urllib.request
from pathlib import Path

import pytest

from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount
from apps.ops.demo.world import PASSWORD
from apps.ops.mailbox import store
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
