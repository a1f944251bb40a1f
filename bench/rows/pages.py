"""How long every list takes with a million people, beside the same list with a thousand."""

import json
import os
from dataclasses import dataclass
from typing import Any

from bench.bench import Bench
from bench.processes import said_by
from bench.report import Line, Row

SMALL = (1000, 10_000)  # followers, messages
TIMES = 3.0  # as long as with a thousand people
# Of the time in which PostgreSQL counts the followers: 0.3 s where that takes 0.2 s.
COUNTS = 1.5


@dataclass(frozen=True, slots=True)
class Site:
    """A database with people made up by `manage.py seed`."""

    url: str

    def run(self, *words: str) -> str:
        """What a command of the product says there. Raises DidNotWork."""
        environment = {**os.environ, "DATABASE_URL": self.url, "API_CALLS_PER_MINUTE": "100000"}
        return said_by(environment, *words)

    def fill(self, followers: int, deliveries: int) -> str:
        """Make up a site; how long that took, as the command says it."""
        self.run("manage.py", "migrate", "--verbosity", "0")
        sizes = ("--followers", str(followers), "--deliveries", str(deliveries))
        said = self.run("manage.py", "seed", *sizes)
        name = ("--admin", "ada", "--email", "ada@example.com")
        self.run("manage.py", "setup_site", *name)
        return said.strip().splitlines()[-1].strip()

    def open_pages(self, rounds: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("-m", "bench.open_pages", str(rounds)))
        return found


def measure(bench: Bench) -> Row:
    small = Site(bench.database.make("small"))
    big = Site(bench.database.make("big"))
    small.fill(*SMALL)
    seeded = big.fill(bench.sizes.people, bench.sizes.messages)
    beside = small.open_pages(bench.sizes.opened)["pages"]
    found = big.open_pages(bench.sizes.opened)
    bar = COUNTS * found["count"]
    table = [["page", "small p50", "p95", "big p50", "p95", "times", "queries", "slowest"]]
    slow = []
    for name, page in found["pages"].items():
        other = beside[name]
        times = page["p95"] / other["p95"]
        table.append(
            [
                name,
                *(f"{number:.0f}" for number in (other["p50"], other["p95"])),
                *(f"{number:.0f}" for number in (page["p50"], page["p95"])),
                f"{times:.1f}",
                f"{other['queries']} → {page['queries']}",
                f"{page['slowest']:.0f}",
            ]
        )
        if times > TIMES or page["p95"] > bar:
            slow.append((name, page))
    limit = f"≤ {TIMES:g}× small and {bar:.0f} ms"
    line = Line(
        "pages and calls that are slow with a million people",
        f"{len(slow)} of {len(found['pages'])}",
        limit,
        not slow,
    )
    notes = [seeded, f"PostgreSQL counts the followers in {found['count']:.0f} ms."]
    for name, page in slow:
        notes += [f"{name}: {page['statement'][:400]}", *page["plan"]]
    return Row([line], notes, table)
