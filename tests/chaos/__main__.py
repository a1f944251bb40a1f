"""`python -m tests.chaos [SCENARIO …] [--messages N] [--kills N] [--seconds N] [--seed N] [--keep]`

Each scenario runs in a process of its own with a database, folders and ports of its own; then a
table says which promises were kept. The exit code is 1 when one was broken.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

from tests import postgres
from tests.chaos import promises
from tests.receiver import unused_port

# name: (module, database, how many messages)
SCENARIOS = {
    "kills": ("kills", "postgres", 50_000),
    "helpers": ("kills", "postgres", 2_000),
    "sqlite": ("kills", "sqlite", 10_000),
    "database": ("outages", "postgres", 20_000),
    "pool": ("outages", "postgres", 10_000),
    "disk": ("outages", "postgres", 10_000),
    "faults": ("faults", "postgres", 10_000),
    "control": ("control", "postgres", 20_000),
    "deletions": ("deletions", "postgres", 6_000),
    "machines": ("machines", "postgres", 20_000),
    "stop": ("stops", "postgres", 20_000),
    "schedules": ("stops", "postgres", 100),
    "poison": ("oddities", "postgres", 5_000),
    "crowded": ("crowded", "sqlite", 1_000),
    "races": ("oddities", "postgres", 200),
    "outbox": ("oddities", "postgres", 20),
}


def arguments(words: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos ARGS=…", description=__doc__)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument(
        "--messages", type=int, default=0, help="instead of each scenario's own number"
    )
    parser.add_argument("--kills", type=int, default=0, help="40, or 10 on SQLite")
    parser.add_argument(
        "--seconds", type=float, default=0, help="how long schedules and watching last"
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", action="store_true", help="leave the folder with all logs")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args(words)
    if unknown := set(asked.scenarios) - set(SCENARIOS):
        parser.error(f"there is no scenario {unknown.pop()!r}; there are {', '.join(SCENARIOS)}")
    return asked


def main(words: Sequence[str]) -> int:
    asked = arguments(words)
    found = []
    broken = []
    started = time.monotonic()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    for name in asked.scenarios or SCENARIOS:
        folder = Path(tempfile.mkdtemp(prefix="cc-", dir="/tmp"))
        folder.chmod(0o755)
        began = time.monotonic()
        print(f"{name} (in {folder})", flush=True)
        command = [sys.executable, "-m", "tests.chaos", *words, "--inside", str(folder)]
        inside = subprocess.Popen(
            [*command[:3], name, *_options(words), *command[-2:]], start_new_session=True
        )
        try:
            code = inside.wait()
        except KeyboardInterrupt:
            inside.send_signal(signal.SIGINT)
            inside.wait()
            raise
        found += promises.read(folder / "findings.jsonl")
        if code:
            broken.append(name)
        print(f"  {time.monotonic() - began:.0f} s", flush=True)
        if not asked.keep and not code:
            shutil.rmtree(folder, ignore_errors=True)
    broken += [f"{each.scenario}: {each.promise}" for each in found if each.kept is False]
    skipped = [
        f"{each.scenario}: {each.promise} ({each.measured})" for each in found if each.kept is None
    ]
    print(f"\n{promises.table(found)}\n")
    for each in skipped:
        print(f"NOT TRIED HERE: {each}")
    verdict = "Every promise was kept"
    if broken:
        verdict = f"BROKEN: {'; '.join(broken)}"
    print(f"{verdict} ({time.monotonic() - started:.0f} s).")
    if broken:
        return 1
    return 0


def _options(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in SCENARIOS]


def inside(name: str, asked: argparse.Namespace) -> int:
    """One scenario, in a process whose Django works on that scenario's database."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    module, database, messages = SCENARIOS[name]
    folder = asked.inside
    server = None
    if database == "postgres":
        home = folder / "pg"
        home.mkdir(mode=0o755)
        server = postgres.Server(home)
        server.start()
    port = unused_port()
    os.environ |= {
        "CARILLON_MODE": "development",
        "VAR_DIR": str(folder / "var"),
        "DATABASE_URL": server.url if server else f"sqlite:///{folder}/site.sqlite3",
        "SITE_URL": f"http://127.0.0.1:{port}",
        "DJANGO_SETTINGS_MODULE": "notifications_project.settings",
        "API_CALLS_PER_MINUTE": "100000",
        "SECRET_KEY": "chaos-" * 12,
    }
    import django

    django.setup()
    subprocess.run([sys.executable, "manage.py", "migrate", "--verbosity", "0"], check=True)
    from tests.chaos.world import World

    findings = promises.Findings(name, folder / "findings.jsonl")
    world = World(folder, seed=asked.seed)
    world.database = server
    asked.messages = asked.messages or messages
    try:
        scenario = getattr(import_module(f"tests.chaos.{module}"), name)
        scenario(world, findings, asked)
        return 0
    except AssertionError as error:
        findings.add("it comes to its end", bar="yes", measured=error, kept=False)
        return 1
    finally:
        world.end()
        if server:
            server.stop()


if __name__ == "__main__":
    given = sys.argv[1:]
    wanted = arguments(given)
    sys.exit(inside(wanted.scenarios[0], wanted) if wanted.inside else main(given))
