"""Two sites on one machine, started in the same second: neither hears of the other."""

import signal
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings

from apps.ops.mailbox import store
from tests.ops.processes import environment, program
from tests.patience import PATIENCE, until
from tests.receiver import unused_port

MAILS = 500
DOMAINS = ("one.example", "two.example")
PEOPLE = f"""
import sys, django
django.setup()
from tests.chaos.world import make_crowd
make_crowd({MAILS}, domain=sys.argv[1])
"""
SEND = """
import django
django.setup()
from django.utils import timezone
from apps.campaigns import lifecycle, simple_message
from tests.chaos.world import news
from tests.make import TESTER
now = timezone.now()
message = simple_message.create_message(
    subject="Hello", content="Hello", notification_type=news(key="chimes"), by=TESTER, now=now
)
lifecycle.send_now(campaign=message, by=TESTER, now=now)
"""

pytestmark = [pytest.mark.slow, pytest.mark.once, pytest.mark.reported]


def count(folder: Path) -> int:
    """How many mails are in the mailbox. It is asked for all the time: no mail is read for it."""
    return len(list((folder / "mailbox").glob("*.eml")))


def arrived(folder: Path) -> Counter[str]:
    """Mails in the mailbox by the domain of who they are for."""
    letters = store.letters(folder / "mailbox")
    return Counter(each.recipients[0].partition("@")[2] for each in letters)


def test_two_sites_started_in_the_same_second_have_each_their_own_mails(tmp_path: Path) -> None:
    wanted = str(unused_port())
    folders = [tmp_path / domain for domain in DOMAINS]
    sites = {}
    for folder in folders:
        folder.mkdir()
        sites[folder] = {
            "CARILLON_MODE": "development",
            "DATABASE_URL": f"sqlite:///{folder}/site.sqlite3",
            "MAILBOX_PORT": wanted,
            "PORT": "",
            "LOG_LEVEL": "WARNING",
        }

    def python(folder: Path, *words: str) -> None:
        env = environment(folder, **sites[folder])
        subprocess.run([sys.executable, *words], cwd=settings.BASE_DIR, env=env, check=True)

    for folder in folders:
        python(folder, "manage.py", "migrate", "--verbosity", "0")
        python(folder, "-c", PEOPLE, folder.name)
    with ExitStack() as stack:
        runs = [stack.enter_context(program(each, "run", **sites[each])) for each in folders]
        for folder, run in zip(folders, runs, strict=True):
            log = folder / "program.log"
            until(
                lambda log=log, run=run: (
                    "Ctrl-C stops" in log.read_text() or run.poll() is not None
                ),
                "it greets",
            )
            assert run.poll() is None, log.read_text()
        assert len({(folder / "running").read_text() for folder in folders}) == 2
        assert len({(folder / "mailbox-port").read_text() for folder in folders}) == 2
        for folder in folders:
            python(folder, "-c", SEND)
        for folder in folders:
            until(
                lambda folder=folder: count(folder) >= MAILS,
                "its mails have arrived",
                progress=lambda folder=folder: count(folder),
            )
        for run in runs:
            run.send_signal(signal.SIGINT)
        for run in runs:
            run.wait(PATIENCE)
    assert {folder.name: arrived(folder) for folder in folders} == {
        domain: {domain: MAILS} for domain in DOMAINS
    }
