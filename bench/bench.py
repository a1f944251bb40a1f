"""What every measurement is given: the machine's folder, the database,
and how much of everything.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from bench import site
from bench.database import Database
from bench.processes import cpu


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many of what, in one form of the bench."""

    rounds: int  # of each ratio; both sides take turns, the median counts
    campaign: int  # recipients of a campaign whose rate is measured
    source: int  # mails of smtp-source
    beside: int  # recipients of a campaign that rivals are measured beside
    naive: int  # tasks, with kept connections
    naive_defaults: int  # tasks, with django-q2's and Django's defaults
    post_office: int
    slow_seconds: float  # on the slow line
    long: int  # recipients of the campaign whose memory is watched
    planned: int
    draining: int  # recipients of a campaign that codes overtake, or that is killed
    codes: int
    micro: int  # mails of a microbenchmark
    calling: float  # seconds of calls to the API
    people: int  # of the big site whose pages are opened
    messages: int
    opened: int  # times that each page is


FULL = Sizes(
    3,
    40_000,
    60_000,
    40_000,
    1500,
    400,
    5000,
    8,
    200_000,
    1_000_000,
    100_000,
    120,
    2000,
    20,
    1_000_000,
    10_000_000,
    20,
)
QUICK = Sizes(
    3,
    6000,
    20_000,
    6000,
    400,
    150,
    1500,
    3,
    20_000,
    200_000,
    50_000,
    60,
    500,
    8,
    100_000,
    500_000,
    5,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU seconds."""

    app: float
    database: float
    sink: float


@dataclass
class Bench:
    folder: Path
    database: Database
    sizes: Sizes
    recipients: int | None = None  # of the long campaign, if the caller wants another number
    found: dict[str, object] = field(
        default_factory=dict
    )  # what one row measured and another one reports

    @property
    def long(self) -> int:
        return self.recipients or self.sizes.long

    def fill(self, rows: Collection[str]) -> None:
        """As many people as these rows need."""
        sizes = self.sizes
        need = {
            "cpu": self.long,
            "memory": self.long,
            "planning": sizes.planned,
            "lanes": sizes.draining,
            "kills": sizes.draining,
        }
        people = max([sizes.campaign, sizes.beside, *(need.get(name, 0) for name in rows)])
        tags = {
            1000,
            sizes.campaign,
            sizes.beside,
            sizes.micro,
            *(need[name] for name in rows if name in need),
        }
        print(f"Making {people:,} people ...", flush=True)
        site.fill(people, sizes=sorted(tags))

    def cost(self, *, app: int, sink: int | None = None) -> Cost:
        received = 0.0
        if sink:
            received = cpu(sink)
        return Cost(cpu(app), cpu(self.database.pid), received)


def grown(before: Cost, after: Cost) -> Cost:
    return Cost(after.app - before.app, after.database - before.database, after.sink - before.sink)
