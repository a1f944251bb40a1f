"""What a call of POST /notify costs, and how quickly it is answered at a steady pace while the
workers send what it takes.
"""

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from bench import mailservers, site, yardsticks
from bench.bench import Bench
from bench.calls import ALLOWED, Client, Told, people
from bench.processes import (
    Program,
    cpu,
    free_port,
    median,
    percentile,
    python,
    running,
    spread,
    wait_for,
)
from bench.report import Line, Row, at_most
from bench.rows.lanes import make_key

# Signatures RSA-2048 in whose time a call comes, and 19 of 20 are answered: 100 a second, and
# 60 ms, where one takes 0.27 ms.
PACE = 37
BAR = 220
TIMES = 3.0  # a call may cost so many plain ones
LINES = 100  # connections, kept open: who is slow shall not be spared by the caller
FEW = 4  # of them, where only the cost counts
COUNTED = 400  # calls of one turn, where only the cost counts


def measure(bench: Bench) -> Row:
    """First both by turns, one call after the other and nothing sent; then by the clock."""
    ours, plain = _beside(bench)
    ratios = [sum(mine) / sum(theirs) for mine, theirs in zip(ours, plain, strict=True)]
    ratio = median(ratios)
    row = Row(
        [
            at_most(
                "CPU of a call, web and database, beside FastAPI + asyncpg writing its row",
                ratio,
                TIMES,
                unit="×",
            )
        ],
        [
            f"{_parts(ours)} a call; the plain one {_parts(plain)}: {spread(ratios, 2)} times, "
            f"{bench.sizes.rounds} rounds of {COUNTED} calls in turns, no worker running."
        ],
    )
    return _by_the_clock(bench, row)


Cost = tuple[float, float]  # milliseconds of CPU of one call: web, database


def _beside(bench: Bench) -> tuple[list[Cost], list[Cost]]:
    site.forget_campaigns()
    port = free_port()
    plain_port = free_port()
    key_count = 1 + bench.sizes.rounds * COUNTED // 500
    keys = [make_key() for _ in range(key_count + 1)]
    ours: list[Cost] = []
    plain: list[Cost] = []
    with site.web(bench.folder, port) as web, _plain_api(bench, plain_port) as other:
        mine = Client(port=port, keys=keys, people=people(1000))
        theirs = Client(port=plain_port, keys=keys, people=people(1000))
        for client in (mine, theirs):  # the first calls load modules and open connections
            client.call(60, lines=FEW).all_taken()
        for _ in range(bench.sizes.rounds):
            ours.append(_cost(bench, web, mine))
            plain.append(_cost(bench, other, theirs))
    return ours, plain


def _cost(bench: Bench, web: Program, client: Client) -> Cost:
    before = cpu(web.pid), cpu(bench.database.pid)
    client.call(COUNTED, lines=FEW).all_taken()
    after = cpu(web.pid), cpu(bench.database.pid)
    in_web, in_database = (
        (late - early) / COUNTED * 1000 for late, early in zip(after, before, strict=True)
    )
    return in_web, in_database


def _parts(costs: Sequence[Cost]) -> str:
    web = median([each[0] for each in costs])
    database = median([each[1] for each in costs])
    return f"web {web:.2f} ms, database {database:.2f} ms"


@contextmanager
def _plain_api(bench: Bench, port: int) -> Iterator[Program]:
    """The plain way, with as many processes as ours and the loop that makes it fast."""
    from apps.content.models import Version
    from apps.followers.models import NotificationType

    version = Version.objects.get(template__key="bench-code")
    environment = os.environ | {
        "PLAIN_URL": bench.database.url("carillon"),
        "PLAIN_TYPE": str(NotificationType.objects.get(key="transactional").pk),
        "PLAIN_VERSION": str(version.pk),
    }
    words = ["--port", str(port), "--workers", "2", "--loop", "uvloop", "--http", "httptools"]
    words += ["--no-access-log", "--log-level", "warning"]
    command = python("-m", "uvicorn", "bench.naive.plain_api:app", *words)
    log = bench.folder / "plain.log"
    with running(command, log=log, environment=environment, port=port, within=180) as program:
        yield program


def _by_the_clock(bench: Bench, row: Row) -> Row:
    """Calls begin by the clock and not when the one before was answered;
    each is timed from when it should begin.
    """
    from apps.notifications.models import Notification

    site.forget_campaigns()
    port = free_port()
    signature = yardsticks.rsa_2048()
    rate = round(1 / (PACE * signature))
    total = int(rate * bench.sizes.calling)
    key_count = total // ALLOWED + 2
    with (
        mailservers.sink(bench.folder) as sink,
        site.web(bench.folder, port) as web,
        site.worker(bench.folder) as worker,
    ):
        site.send_through(sink.port)
        keys = [make_key() for _ in range(key_count)]
        once = Client(port=port, keys=keys, people=people(1000))
        # the first calls load modules and open connections
        once.call(2 * rate, lines=LINES, rate=rate).answered()
        programs = {"web": web.pid, "database": bench.database.pid, "workers": worker.pid}
        before = {name: cpu(pid) for name, pid in programs.items()}
        plain = once.call(total, lines=LINES, rate=rate).answered()
        ended = time.monotonic()
        open_still = Notification.objects.exclude(state="done")
        wait_for(lambda: not open_still.exists(), "the last notification", within=300, every=0.2)
        behind = time.monotonic() - ended
        cost = {
            name: (cpu(pid) - before[name]) / len(plain.took) * 1000
            for name, pid in programs.items()
        }
        keys = [make_key() for _ in range(key_count)]
        again = Client(port=port, keys=keys, people=people(1000), repeatable=True)
        keyed = again.call(total, lines=LINES, rate=rate).answered()
    shares = ", ".join(f"{name} {ms:.1f} ms" for name, ms in cost.items())
    row.lines += [
        at_most(
            f"POST /notify at {rate}/s with the workers at it, p95",
            plain.p95(),
            round(BAR * signature * 1000),
            unit=" ms",
            shown=f"{plain.p95():.0f} ms",
        ),
        Line("the same with an Idempotency-Key, p95", f"{keyed.p95():.0f} ms"),
    ]
    row.notes += [
        _spread("Plain", plain),
        _spread("With a key", keyed),
        f"CPU of one call with all that follows: {shares}.",
        f"A signature RSA-2048 takes {signature * 1000:.2f} ms: a call comes every {PACE} of them,"
        f" and the bar is {BAR}.",
        "Each call tells one known person something by email; the last was handed over "
        f"{behind:.1f} s after the calls had ended. The caller is a program on the same cores.",
    ]
    return row


def _spread(name: str, told: Told) -> str:
    middle = percentile(told.took, 0.5)
    said = (
        f"{name}: p50 {middle:.0f} ms, p95 {told.p95():.0f} ms, most "
        f"{max(told.took):.0f} ms of {len(told.took):,} calls."
    )
    if told.refused():
        said += f" {told.refused():.0%} were told to come later: more than this machine can take."
    return said
