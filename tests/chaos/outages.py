"""The ground gives way: a database that falls over, has no connection left,
a disk that is full (R-03, R-17).
"""

import signal
import subprocess
import threading
import time
from argparse import Namespace
from contextlib import suppress
from pathlib import Path

import psycopg
from django.conf import settings
from django.db import connection

from apps.campaigns.models import Run
from tests.chaos import victims
from tests.chaos.kills import GIVE_UP, SLOWNESS, judge
from tests.chaos.promises import Findings
from tests.chaos.world import NotReached, World, make_crowd, news

STOPS = 5
OUTAGE = 30.0


def database(world: World, findings: Findings, asked: Namespace) -> None:
    """Five immediate stops with a start at once, and one outage of half a minute."""
    run, began = _begin(world, asked, slowness=SLOWNESS)
    open_then = 0
    for stop in range(STOPS + 1):
        share = asked.messages * (stop + 1) / (STOPS + 2)
        world.until(
            lambda share=share: world.arrived(run) >= share, f"{share:.0f} mails", within=300
        )
        open_then += _connections(world)
        world.database.stop(signal.SIGQUIT)
        connection.close()
        if stop == STOPS:
            time.sleep(OUTAGE)
        world.database.start()
    up = time.monotonic()
    before = world.arrived(run)
    world.until(
        lambda: world.arrived(run) > before, "mails leave again after the outage", within=120
    )
    findings.note(
        "first mail after the outage", f"{time.monotonic() - up:.1f} s after the database was back"
    )
    world.wait_for(run, within=GIVE_UP)
    judge(world, findings, run, asked.messages, since=began, kills=[])
    doubles = sum(world.log.copies(run.notification.uid).values()) - asked.messages
    findings.at_most("doubles, by connections open at the stops", doubles, open_then)
    deaths = sum(program.starts - 1 for program in world.programs.values())
    findings.none("programs that had to be started again", deaths)


def _connections(world: World) -> int:
    """To the receiver, at this moment."""
    count = 0
    for process in world.programs["worker"].family():
        with suppress(Exception):
            found = process.net_connections("tcp")
            count += sum(bool(each.raddr) and each.raddr.port == world.port for each in found)
    return count


def pool(world: World, findings: Findings, asked: Namespace) -> None:
    """Somebody else takes every connection the database has left, for 20 s;
    a sender dies meanwhile.
    """
    run, began = _begin(world, asked, slowness=SLOWNESS)
    world.until(lambda: world.arrived(run) > asked.messages * 0.2, "a fifth has left", within=120)
    hog: list[psycopg.Connection] = []
    over = time.monotonic() + 20
    kills = []
    while time.monotonic() < over:
        try:
            hog.append(psycopg.connect(world.database.url, connect_timeout=2))
        except psycopg.OperationalError:
            if len(kills) < 2 and (one := victims.kill(world, "busy worker")):
                kills.append(one)
            time.sleep(0.05)
    findings.note("connections taken away", len(hog))
    for each in hog:
        each.close()
    world.wait_for(run, within=GIVE_UP)
    judge(world, findings, run, asked.messages, since=began, kills=kills)


def disk(world: World, findings: Findings, asked: Namespace) -> None:
    """The disk of the journals is full for 10 s, then that of the database."""
    small = Path(settings.JOURNAL_DIR)
    if not _mounted(small, "512k"):
        findings.skip(
            "a full disk", "a small disk can only be mounted by root, and not in every container"
        )
        return
    try:
        run, began = _begin(world, asked, slowness=SLOWNESS)
        world.until(
            lambda: world.arrived(run) > asked.messages * 0.2, "a fifth has left", within=120
        )
        with _full(small):
            used = _until_nothing_leaves(world, run)
            findings.note("mails whose notes had room already", used)
            before = world.arrived(run)
            time.sleep(5)
            findings.at_most(
                "mails without room for a note, in 5 s", world.arrived(run) - before, 0
            )
            kills = [one for _ in range(2) if (one := victims.kill(world, "busy worker"))]
        at = time.monotonic()
        before = world.arrived(run)
        world.until(lambda: world.arrived(run) > before, "mails leave again", within=120)
        findings.at_most("mails leave again", time.monotonic() - at, 60, " s")
        world.wait_for(run, within=GIVE_UP)
        judge(world, findings, run, asked.messages, since=began, kills=kills)
    finally:
        world.end()
        subprocess.run(["umount", "-l", str(small)], check=False)


def _until_nothing_leaves(world: World, run: Run) -> int:
    """Wait until senders have used up what room their journals had; how many mails left by it."""
    first = last = world.arrived(run)
    for _ in range(30):
        time.sleep(5)
        now = world.arrived(run)
        if now == last:
            return now - first
        last = now
    raise NotReached("mails go on leaving, and nobody has room for their notes")


def _mounted(folder: Path, size: str) -> bool:
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


class _full:
    """Every byte that becomes free is taken, until the end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "hog"
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._take, daemon=True)

    def _take(self) -> None:
        with self._path.open("ab", buffering=0) as file:
            while not self._over.is_set():
                try:
                    file.write(b"x" * 512)
                except OSError:
                    self._over.wait(0.001)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._path.unlink(missing_ok=True)


def _begin(world: World, asked: Namespace, *, slowness: float) -> tuple[Run, float]:
    """A campaign to everyone, just started."""
    make_crowd(asked.messages)
    world.start_receiver(slowness=slowness)
    world.start_web()
    world.start_worker()
    began = time.time()
    return world.send(world.make_campaign("Outage", news())), began
