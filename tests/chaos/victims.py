"""Whom to kill: every descendant process of the site, by what it is and does at this moment."""

import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass

import psutil
from django.conf import settings

from tests.chaos.world import World

KINDS = (
    "web",
    "supervisor",
    "tick",
    "main",
    "courier",
    "idle worker",
    "busy worker",
)


@dataclass(frozen=True, slots=True)
class Kill:
    """One `kill -9`. `ports`: connections to the receiver of the victim and of those that die with
    it.
    """

    at: float
    kind: str
    pid: int
    ports: frozenset[int]


def title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline()).rstrip("\0 ")
    except psutil.Error:
        return ""


def kind_of(process: psutil.Process) -> str:
    """What it is; "" for a stranger. Only workers that are in the middle of a task are busy."""
    words = title(process)
    if "granian" in words:
        return "web"
    if "manage.py worker" in words:
        return "supervisor"
    if "manage.py tick" in words:
        return "tick"
    for ending, kind in ((" courier", "courier"), (" idle", "idle worker")):
        if words.endswith(ending):
            return kind
    if " processing " in words:
        return "busy worker"
    if "manage.py lane" in words:
        return "main"
    return ""


def everyone(world: World, *, lane: str = "") -> dict[str, list[psutil.Process]]:
    """Living processes by kind; with `lane`,
    only those of its clusters (the supervisors' notes say which they are).
    """
    found: dict[str, list[psutil.Process]] = defaultdict(list)
    mains = {
        int(path.stem.rsplit("-", 1)[1])
        for path in (settings.VAR_DIR / "run").glob(f"{lane}-*.json")
    }
    for program in world.programs.values():
        if program.name != "receiver":
            for process in program.family():
                with suppress(psutil.Error):
                    if not lane or mains & {process.pid, *(each.pid for each in process.parents())}:
                        found[kind_of(process)].append(process)
    found.pop("", None)
    return found


def kill(world: World, kind: str, *, lane: str = "") -> Kill | None:
    """None when there is nobody of that kind just now."""
    candidates = everyone(world, lane=lane).get(kind, [])
    if not candidates:
        return None
    victim = world.dice.choice(candidates)
    try:
        ports = frozenset(
            connection.laddr.port
            for process in (victim, *victim.children(recursive=True))
            for connection in process.net_connections("tcp")
            if connection.raddr and connection.raddr.port == world.port
        )
        victim.kill()
    except psutil.Error:
        return None
    return Kill(time.time(), kind, victim.pid, ports)
