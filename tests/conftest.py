"""A cast of people, and no internet."""

import gc
import itertools
import logging
import os
import socket
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.db import connections
from django.test import TransactionTestCase
from django.test.utils import teardown_databases
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
from tests import chromium, ready, slate
from tests.make import make_follower, make_staff
from tests.notifications.world import make_accounts
from tests.patience import PATIENCE
from tests.receiver import Receiver

# Time limits of its own would judge the machine.
hypothesis.settings.register_profile(
    "patient", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("patient")

ROOT = Path(__file__).parent.parent
_connect = socket.socket.connect


def _only_this_machine(self: socket.socket, address: Any) -> None:
    if isinstance(address, tuple) and address[0] not in {"127.0.0.1", "::1", "localhost"}:
        raise RuntimeError(f"A test tried to reach {address[0]}. Tests talk to this machine only.")
    _connect(self, address)


_DATABASE = {"db", "transactional_db", "live_server"}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out the files that are of another part of the run (tests/both.py).

    The variable FILES says which are of this one: half of them, "even" or "odd", or those that
    start programs, "slow". To read files only to deselect all of their tests takes half a minute.
    """
    if _is_ours(collection_path, os.environ.get("FILES", "")):
        return None
    return True


@cache
def _is_ours(path: Path, files: str) -> bool:
    if not files or path.suffix != ".py":
        return True
    if files == "slow":
        return b"mark.slow" in path.read_bytes()
    name = path.relative_to(ROOT).as_posix()
    return (zlib.crc32(name.encode()) % 2 == 0) == (files == "even")


@pytest.hookimpl(tryfirst=True)  # before pytest's own, which looks at -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """A test that asks for no database gets none (pytest-django sees to it),
    so it need not run on each.
    """
    files = os.environ.get("FILES", "")
    others = [item for item in items if not _is_ours(item.path, files)]
    if others:  # their files were named, and so are read
        config.hook.pytest_deselected(items=others)
        items[:] = [item for item in items if _is_ours(item.path, files)]
    for item in items:
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


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """Stand in for pytest-django's, which migrates each time."""
    with django_db_blocker.unblock():
        made = ready.make()
    yield
    with django_db_blocker.unblock():
        teardown_databases(made, verbosity=0)


@pytest.fixture(autouse=True, scope="session")
def no_internet() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _only_this_machine)
        yield


@pytest.fixture(autouse=True, scope="session")
def quick_slate() -> Iterator[None]:
    """A test that commits is followed by an emptying of what it filled, not of every table."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda self: slate.wipe())
        yield


@pytest.fixture(scope="session")
def var_dirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a path for each test; whoever writes there makes the folder.

    Most tests never write. A folder made and numbered for each of them (`tmp_path`) costs more
    the more there are.
    """
    folder = tmp_path_factory.mktemp("var")
    return (folder / str(number) for number in itertools.count())


@pytest.fixture(autouse=True)
def var_dir(settings: Any, var_dirs: Iterator[Path]) -> None:
    folder = next(var_dirs)
    settings.MEDIA_ROOT = folder / "files"
    settings.JOURNAL_DIR = folder / "journal"


@pytest.fixture(autouse=True, scope="session")
def nothing_is_cut_short() -> Iterator[None]:
    """Tasks of tests are over when nothing is left to do, however long that takes here."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (sending_sender, flush, replay, sleep, launch, run_rules):
            patch.setattr(module, "WORK_SECONDS", PATIENCE)
        patch.setattr(imports_run, "RUN_SECONDS", PATIENCE)
        for module in (sending_sender, shift):
            patch.setattr(module, "PATIENCE", PATIENCE)
        yield


@pytest.fixture(autouse=True)
def nobody_is_silenced() -> Iterator[None]:
    """A library that sets up logging as it likes disables our loggers, and the tests that come
    later hear nothing.
    """
    yield
    loggers = logging.root.manager.loggerDict
    silenced = [name for name, each in loggers.items() if getattr(each, "disabled", False)]
    for name in silenced:
        logging.getLogger(name).disabled = False
    assert silenced == [], "this test disabled loggers"


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """SQLite gives the primary key of a row that a test rolled back to another one;
    the language of a request stays the thread's.
    """
    translation.deactivate()
    links.forget()
    health.forget()
    shift.last_shifts.clear()


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
