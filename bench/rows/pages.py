"""How long every list takes with a million people, beside the same list with a thousand; and how
long a campaign's review and a segment's number do.
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from bench.bench import Bench
from bench.processes import percentile, said_by
from bench.report import Line, Row, at_most

SMALL = (1000, 10_000)  # followers, messages
TIMES = 3.0  # as long as with a thousand people
# Of the time in which PostgreSQL counts a million followers: 0.3 s where that takes 0.2 s.
COUNTS = 1.5
TURNS = 4  # of the small site and the big one, so that both see the same machine
MILLION = 1_000_000
AUDIENCE = 143_000  # people whom a program asks about, of a million
SEGMENTS = 50
NEAR = 0.05  # how far off a number may be that is said to be about right


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
        said = " ".join(self.run("manage.py", "seed", *sizes).split())
        name = ("--admin", "ada", "--email", "ada@example.com")
        self.run("manage.py", "setup_site", *name)
        before, _made, told = said.rpartition("Made ")
        return f"Made {told} In {before.split()[-2]} s."

    def open_pages(self, rounds: int) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("-m", "bench.open_pages", str(rounds)))
        return found

    def ask_audiences(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("-m", "bench.ask_audiences", str(SEGMENTS)))
        return found


@dataclass(slots=True)
class Opened:
    """Milliseconds of a page, and the slowest statement of it."""

    took: list[float]
    worked: list[float]
    queries: int
    slowest: float
    statement: str
    plan: list[str]

    def again(self, other: "Opened") -> None:
        self.took += other.took
        self.worked += other.worked

    @property
    def shown(self) -> list[str]:
        shares = (percentile(self.took, 0.5), percentile(self.took, 0.95))
        return [f"{number:.0f}" for number in (*shares, percentile(self.worked, 0.5))]


def measure(bench: Bench) -> Row:
    small = Site(bench.database.make("small"))
    big = Site(bench.database.make("big"))
    small.run("manage.py", "collectstatic", "--no-input", "--verbosity", "0")
    small.fill(*SMALL)
    seeded = big.fill(bench.sizes.people, bench.sizes.messages)
    asked = big.ask_audiences()
    beside: dict[str, Opened] = {}
    found: dict[str, Opened] = {}
    counts = []
    for _ in range(TURNS):
        rounds = max(bench.sizes.opened // TURNS, 1)
        for site, pages in ((small, beside), (big, found)):
            told = site.open_pages(rounds)
            _gather(pages, told["pages"])
        counts.append(told["count"])
    count = percentile(counts, 0.5)
    bar = COUNTS * count * MILLION / bench.sizes.people
    table = [["page", "small p50", "p95", "CPU", "big p50", "p95", "CPU", "times", "queries"]]
    slow = []
    for name, page in found.items():
        other = beside[name]
        longest = percentile(page.took, 0.95)
        times = longest / percentile(other.took, 0.95)
        queries = f"{other.queries} → {page.queries}"
        table.append([name, *other.shown, *page.shown, f"{times:.1f}", queries])
        if times > TIMES or longest > bar:
            slow.append((name, page))
    limit = f"≤ {TIMES:g}× small and {bar:.0f} ms"
    line = Line(
        "pages and calls that are slow with a million people",
        f"{len(slow)} of {len(found)}",
        limit,
        not slow,
    )
    notes = [
        seeded,
        f"PostgreSQL counts the followers in {count:.0f} ms.",
        *_segments(asked["segments"]),
    ]
    for name, page in slow:
        notes += [f"{name}: {page.slowest:.0f} ms: {page.statement[:400]}", *page.plan]
    return Row([line, *_audiences(asked, bench.sizes.people)], notes, table)


def _gather(pages: dict[str, Opened], told: dict[str, Any]) -> None:
    for name, each in told.items():
        page = Opened(**each)
        if name in pages:
            pages[name].again(page)
        else:
            pages[name] = page


def _audiences(asked: dict[str, Any], people: int) -> list[Line]:
    lines = [
        at_most("review of everyone: the page", max(asked["paint"]), 0.5, unit=" s"),
        at_most("review of everyone: its numbers", max(asked["numbers"]), 5, unit=" s"),
    ]
    meant = asked["people"]
    name = f"audience of {meant:,} by the API"
    seconds = max(asked["audience"])
    if meant >= AUDIENCE:
        lines.append(at_most(name, seconds, 2, unit=" s"))
    else:
        lines.append(Line(name, f"{seconds:.1f} s"))
    segments = asked["segments"]
    live = percentile([each["live"] for each in segments], 0.95)
    exactly = max(each["exactly"] for each in segments)
    off = sum(not _is_right(each) for each in segments)
    return [
        *lines,
        at_most(f"{len(segments)} random segments: p95 of the live number", live, 1, unit=" s"),
        at_most("the longest exact number of them", exactly, 5, unit=" s"),
        Line(
            "live numbers that are missing or more than 5 % off",
            f"{off} of {len(segments)}",
            "0",
            not off,
        ),
    ]


def _is_right(segment: dict[str, Any]) -> bool:
    if segment["told"] is None:
        return False
    number: int = segment["number"]
    told: int = segment["told"]
    if segment["is_exact"]:
        return told == number
    if segment["below"]:
        return number < told
    return abs(told - number) <= NEAR * number


def _segments(segments: Sequence[dict[str, Any]]) -> list[str]:
    exact = sum(each["is_exact"] for each in segments)
    bounds = sum(each["below"] for each in segments)
    silent = sum(each["told"] is None for each in segments)
    return [
        f"Of {len(segments)} live numbers {exact} were exact, {bounds} said as “fewer than”, and"
        f" {silent} were not told at once. Python found the same people as SQL among those it was"
        " asked about."
    ]
