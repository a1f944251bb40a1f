"""What a mail costs in CPU, and (for rows/memory.py) what a long campaign does to memory:
one campaign, watched.
"""

from dataclasses import dataclass, field

from bench import mailservers, site
from bench.bench import Bench, Cost, grown
from bench.processes import memory
from bench.report import Row, at_most


@dataclass(slots=True)
class Watched:
    """`memory` has, for each process, (mails booked so far, resident MB) twice a second."""

    sent: site.Sent
    cost: Cost
    memory: dict[int, list[tuple[int, float]]] = field(default_factory=dict)


def long_campaign(bench: Bench) -> Watched:
    """Run it once, whichever row asks first."""
    if "long" in bench.found:
        found = bench.found["long"]
        assert isinstance(found, Watched)
        return found
    seen: dict[int, list[tuple[int, float]]] = {}

    def look(booked: int) -> None:
        for pid, megabytes in memory(worker.pid).items():
            seen.setdefault(pid, []).append((booked, megabytes))

    site.forget_campaigns()
    with mailservers.sink(bench.folder) as sink, site.worker(bench.folder) as worker:
        site.send_through(sink.port)
        before = bench.cost(app=worker.pid, sink=sink.program.pid)
        sent = site.run_campaign(site.first(bench.long), within=bench.long / 200 + 60, look=look)
        cost = grown(before, bench.cost(app=worker.pid, sink=sink.program.pid))
    bench.found["long"] = watched = Watched(sent, cost, seen)
    return watched


def measure(bench: Bench) -> Row:
    """User and system seconds of whole process trees from “send” to the last mail,
    planning included.
    """
    watched = long_campaign(bench)
    per = 100_000 / watched.sent.recipients
    app, database, sink = (
        seconds * per for seconds in (watched.cost.app, watched.cost.database, watched.cost.sink)
    )
    return Row(
        [at_most("CPU per 100,000 mails (app + database)", app + database, 40, unit=" s")],
        [
            f"App {app:.1f} s, PostgreSQL {database:.1f} s, smtp-sink {sink:.1f} s per 100,000"
            f" mails, in one of {watched.sent.recipients:,}, {watched.sent.rate:,.0f} mails/s;"
            f" planned in {watched.sent.planning:.1f} s, through after"
            f" {watched.sent.seconds:.0f} s."
        ],
    )
