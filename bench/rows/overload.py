"""What programs hear that call faster than this machine can answer: soon a yes, or soon a no."""

from bench import mailservers, site
from bench.bench import Bench
from bench.calls import ALLOWED, Client, people
from bench.processes import free_port, percentile
from bench.report import Line, Row, at_most
from bench.rows.lanes import make_key

TIMES = 1.3  # of what the machine can take
BAR = 2.0  # seconds, 19 of 20 calls that are taken
ENOUGH = 16  # connections that keep all places of the web server taken
MANY = 300  # connections, so that the line is not bounded by the caller


def measure(bench: Bench) -> Row:
    """What it can take is measured first, each call when the one before was answered, and then
    calls begin by the clock, each timed from when it should begin.
    """
    site.forget_campaigns()
    port = free_port()
    seconds = bench.sizes.calling
    with (
        mailservers.sink(bench.folder) as sink,
        site.web(bench.folder, port),
        site.worker(bench.folder),
    ):
        site.send_through(sink.port)
        most = 400 * seconds * 2  # no machine that we know takes more
        keys = [make_key() for _ in range(int(most / ALLOWED) + 1)]
        program = Client(port=port, keys=keys, people=people(1000))
        program.call(200, lines=ENOUGH).answered()
        closed = program.call(int(50 * seconds), lines=ENOUGH).answered()
        capacity = len(closed.took) / closed.seconds
        rate = TIMES * capacity
        told = program.call(int(rate * seconds), lines=MANY, rate=rate).answered()
    late = told.p95() / 1000
    return Row(
        [
            at_most(
                f"calls at {TIMES}× of what it can take: those that are taken, p95",
                late,
                BAR,
                unit=" s",
                shown=f"{late:.2f} s",
            ),
            Line("of these calls refused with 429 and Retry-After", f"{told.refused():.0%}"),
        ],
        [
            f"It takes {capacity:.0f} calls a second with the workers at it, one after the other on"
            f" {ENOUGH} connections; then {rate:.0f} a second came on up to {MANY}, for"
            f" {told.seconds:.0f} s.",
            f"Taken: p50 {percentile(told.took, 0.5):.0f} ms, most {max(told.took):.0f} ms of"
            f" {len(told.took):,}. Retry-After said: {_said(told.later)}.",
        ],
    )


def _said(later: dict[str, int]) -> str:
    parts = [f"{seconds} s to {count:,}" for seconds, count in sorted(later.items())]
    return ", ".join(parts) or "nothing"
