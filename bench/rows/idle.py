"""What a site costs while nothing happens, in processor time and memory."""

import time

from bench import site, yardsticks
from bench.bench import Bench, Cost, grown
from bench.processes import shared_memory
from bench.report import Row, at_most

SETTLED = 15.0  # seconds after the start: imports, first canaries
WATCHED = 30.0  # seconds
USUAL = 0.0012  # seconds that a core takes for an RSA-2048 signature, where the bar was set


def measure(bench: Bench) -> Row:
    """CPU of `manage.py worker` and PostgreSQL without any work, in shares of a core that is as
    quick as the one for which the bar was set.
    """
    site.forget_campaigns()
    with site.worker(bench.folder) as worker:
        time.sleep(SETTLED)
        before = bench.cost(app=worker.pid)
        began = time.monotonic()
        time.sleep(WATCHED)
        cost = grown(before, bench.cost(app=worker.pid))
        seconds = time.monotonic() - began
        megabytes = shared_memory(worker.pid)
    signature = yardsticks.rsa_2048()
    here = _share(cost, seconds)
    return Row(
        [
            at_most(
                "CPU of an idle site, of a core that signs RSA-2048 in 1.2 ms",
                here * USUAL / signature,
                2,
                unit=" %",
            )
        ],
        [
            f"Here a signature takes {signature * 1000:.2f} ms and the site {here:.1f} % of a core:"
            f" workers {cost.app / seconds * 1000:.1f} ms, PostgreSQL"
            f" {cost.database / seconds * 1000:.1f} ms a second. `manage.py worker` holds"
            f" {megabytes:.0f} MB, pages that its processes share counted once."
        ],
    )


def _share(cost: Cost, seconds: float) -> float:
    return (cost.app + cost.database) / seconds * 100
