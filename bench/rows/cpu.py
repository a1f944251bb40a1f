"""What a mail costs in CPU, and (for rows/memory.py) what a long campaign does to memory:
one campaign, watched.
"""

import time
from dataclasses import dataclass, field

from bench import mailservers, site, yardsticks
from bench.bench import Bench, Cost, grown
from bench.processes import memory, shared_memory
from bench.report import Line, Row, at_most

BAR = 3.6  # times the receiver's CPU: 0.45 of what it was before mails were handed over by epoll
TOGETHER_EVERY = 5.0  # seconds: to ask the kernel for shared pages takes it long


@dataclass(slots=True)
class Watched:
    """`memory` has, for each process, (mails booked so far, resident MB) twice a second."""

    sent: site.Sent
    cost: Cost
    memory: dict[int, list[tuple[int, float]]] = field(default_factory=dict)
    together: float = 0.0  # the most MB of all processes, pages that they share counted once


def long_campaign(bench: Bench) -> Watched:
    """Run it once, whichever row asks first."""
    if "long" in bench.found:
        found = bench.found["long"]
        assert isinstance(found, Watched)
        return found
    seen: dict[int, list[tuple[int, float]]] = {}
    together = [(0.0, 0.0)]  # when (monotonic), MB

    def look(booked: int) -> None:
        if time.monotonic() > together[-1][0] + TOGETHER_EVERY:
            together.append((time.monotonic(), shared_memory(worker.pid)))
        for pid, megabytes in memory(worker.pid).items():
            seen.setdefault(pid, []).append((booked, megabytes))

    site.forget_campaigns()
    with mailservers.sink(bench.folder) as sink, site.worker(bench.folder) as worker:
        site.send_through(sink.port)
        before = bench.cost(app=worker.pid, sink=sink.program.pid)
        sent = site.run_campaign(site.first(bench.long), within=bench.long / 200 + 60, look=look)
        cost = grown(before, bench.cost(app=worker.pid, sink=sink.program.pid))
    most = max(megabytes for _, megabytes in together)
    bench.found["long"] = watched = Watched(sent, cost, seen, most)
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
    signature = yardsticks.rsa_2048()
    django = yardsticks.django_mail()
    mail = (app + database) / 100_000
    return Row(
        [
            Line("CPU per 100,000 mails (app + database)", f"{app + database:.1f} s"),
            at_most(
                "CPU of a mail, in that of smtp-sink for it", mail / (sink / 100_000), BAR, unit="×"
            ),
        ],
        [
            f"A mail costs as much as {mail / signature:.2f} signatures RSA-2048"
            f" ({signature * 1e6:.0f} µs), or {mail / django:.2f} newsletters that Django's"
            f" EmailMultiAlternatives writes as MIME ({django * 1e6:.0f} µs).",
            f"App {app:.1f} s, PostgreSQL {database:.1f} s, smtp-sink {sink:.1f} s per 100,000"
            f" mails, in one of {watched.sent.recipients:,}, {watched.sent.rate:,.0f} mails/s;"
            f" planned in {watched.sent.planning:.1f} s, through after"
            f" {watched.sent.seconds:.0f} s.",
        ],
    )
