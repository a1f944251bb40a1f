"""A cast of people, and no internet."""

import gc
import os
import socket
import zlib
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
from django.db import connections
from django.utils import translation
from playwright.sync_api import Browser, sync_playwright

from apps.campaigns import launch
from apps.campaigns.events import run_rules
from apps.content import links
from apps.followers.imports import run as imports_run
from apps.notifications import replay
from apps.notifications.accounts import health
from apps.notifications.books import sleep
from apps.notifications.digests import flush
from apps.notifications.sending import sender as sending_sender
from apps.notifications.sending import shift
from tests import chromium
from tests.make import make_follower, make_staff
from tests.notifications.world import make_accounts
from tests.patience import PATIENCE
from tests.receiver import Receiver

# Time limits of its own would judge the machine.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

_connect = socket.socket.connect


def _only_this_machine(self: socket.socket, address: Any) -> None:
    if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
        raise RuntimeError(f"A test tried to reach {address[0]}. Tests talk to this machine only.")
    _connect(self, address)


_DATABASE = {"db", "transactional_db", "live_server"}


@pytest.hookimpl(tryfirst=True)  # before pytest's own, which looks at -m
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that asks for no database gets none (pytest-django sees to it),
    so it need not run on each. Half of the files are `even`, for two runs side by side.
    """
    for item in items:
        if zlib.crc32(item.location[0].encode()) % 2 == 0:
            item.add_marker("even")
        asks = item.get_closest_marker("django_db") or _DATABASE & set(
            getattr(item, "fixturenames", ())
        )
        if not asks and not item.get_closest_marker("each"):
            item.add_marker("once")


def pytest_collection_finish() -> None:
    """What Django and the tests are made of stays:
    looking through it for garbage took a tenth of the time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 50)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many of the cases that passed came from somebody's report (tests/both.py adds up)."""
    passed = terminalreporter.stats.get("passed", [])
    reported = sum("reported" in case.keywords for case in passed)
    terminalreporter.write_line(f"reported cases: {reported}")


@pytest.fixture(autouse=True)
def no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", _only_this_machine)


@pytest.fixture(autouse=True)
def var_dir(settings: Any, tmp_path: Any) -> None:
    settings.MEDIA_ROOT = tmp_path / "files"
    settings.JOURNAL_DIR = tmp_path / "journal"


@pytest.fixture(autouse=True)
def nothing_is_cut_short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tasks of tests are over when nothing is left to do, however long that takes here."""
    for module in (sending_sender, flush, replay, sleep, imports_run, launch, run_rules):
        name = "WORK_SECONDS"
        if module is imports_run:
            name = "RUN_SECONDS"
        monkeypatch.setattr(module, name, PATIENCE)
    for module in (sending_sender, shift):
        monkeypatch.setattr(module, "PATIENCE", PATIENCE)


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """SQLite gives the primary key of a row that a test rolled back to another one;
    the language of a request stays the thread's.
    """
    translation.deactivate()
    links.forget()
    health.forget()


# ---- followers: Anna reads everything, Boris (Russian, Moscow) unsubscribed, Chen has a phone
# only, Dana has nothing
@pytest.fixture
def anna(db: None) -> Any:
    return make_follower(
        email="anna@example.com", name="Anna Weber", language="en", time_zone="Europe/Berlin"
    )


@pytest.fixture
def boris(db: None) -> Any:
    return make_follower(
        email="boris@example.com",
        name="Борис Иванов",
        language="ru",
        time_zone="Europe/Moscow",
        subscribed=False,
    )


@pytest.fixture
def chen(db: None) -> Any:
    return make_follower(
        phone="+8613800138000", name="Chen Li", language="zh", time_zone="Asia/Shanghai"
    )


@pytest.fixture
def dana(db: None) -> Any:
    return make_follower(name="Dana Null")


@pytest.fixture
def receiver(db: None) -> Iterator[Receiver]:
    """A mail server of ours, with an account that leads to it and one for the inbox."""
    with Receiver() as receiver:
        make_accounts(receiver)
        yield receiver


# ---- staff: one of each role
@pytest.fixture
def viewer(db: None) -> Any:
    return make_staff("vera", role="viewer")


@pytest.fixture
def editor(db: None) -> Any:
    return make_staff("edgar", role="editor")


@pytest.fixture
def sender(db: None) -> Any:
    return make_staff("selma", role="sender")


@pytest.fixture
def admin(db: None) -> Any:
    return make_staff("ada", role="admin")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or chromium.find()
    assert path, "No Chromium here. `make test` installs one; BROWSER=0 leaves these tests out."
    # Django refuses database work in a thread that runs an event loop;
    # playwright's loop does none of it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    # Django keeps other connections inside the loop than outside:
    # none may stay open where nobody can close it.
    connections.close_all()
    with sync_playwright() as playwright:
        arguments = [
            "--no-sandbox",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
        ]
        yield playwright.chromium.launch(
            executable_path=path, args=arguments, timeout=PATIENCE * 1000
        )
        connections.close_all()
