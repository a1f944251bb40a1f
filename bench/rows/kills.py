"""What a kill in mid-send costs: mails that nobody gets, and mails that somebody gets twice."""

import os
import signal
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench import mailservers, site
from bench.bench import Bench
from bench.processes import DidNotWork, Program, family, wait_for
from bench.receiver import CUT_OFF
from bench.report import Line, Row, at_most

if TYPE_CHECKING:
    from apps.notifications.models import Notification

AT = (0.2, 0.4, 0.6)  # shares of the campaign that were booked at the kills
SLOWEST = 50.0  # mails a second


def measure(bench: Bench) -> Row:
    """Every process of `manage.py worker` is killed at once (kill -9), thrice in one campaign, and
    started anew; the receiver keeps count of whom it got a mail for.
    """
    size = bench.sizes.draining
    site.forget_campaigns()
    with mailservers.receiver(bench.folder) as (server, times):
        site.send_through(server.port)
        with site.worker(bench.folder) as worker:
            notification = site.press_send(site.first(size))
            _kill_at(worker, notification, round(AT[0] * size))
        for share in AT[1:]:
            with site.worker(bench.folder) as worker:
                _kill_at(worker, notification, round(share * size))
        killed = time.monotonic()
        with site.worker(bench.folder):
            wait_for(
                lambda: site.state_of(notification) == "done",
                "the campaign's end",
                within=60 + size / SLOWEST,
                every=0.2,
            )
        seconds = time.monotonic() - killed
        received = _received(times)
    cut_off = received.pop(CUT_OFF, 0)
    lost = size - len(received)
    doubles = received.total() - len(received)
    places = Counter(notification.deliveries.values_list("status", flat=True))
    site.forget_campaigns()
    if max(received.values()) > len(AT) + 1:
        raise DidNotWork("Somebody got more mails than there were starts.")
    return Row(
        [
            Line("kill -9 in mid-send, thrice: mails lost", f"{lost:,}", "0", lost == 0),
            at_most(
                "of these kills mails twice, by connections that they cut off",
                doubles,
                cut_off,
                unit="",
                shown=f"{doubles:,}",
            ),
        ],
        [
            f"{size:,} recipients, all processes of `manage.py worker` killed when"
            f" {', '.join(f'{share:.0%}' for share in AT)} were booked. {len(received):,} people"
            f" got a mail; {cut_off} connections ended in the middle. The books say:"
            f" {', '.join(f'{count:,} {status}' for status, count in places.items())}."
            f" Done {seconds:.0f} s after the last kill, its start included."
        ],
    )


def _kill_at(worker: Program, notification: "Notification", booked: int) -> None:
    """Kill them all once so many are booked. Raises DidNotWork where the campaign was quicker."""
    wait_for(
        lambda: site.booked(notification) >= booked,
        "mails before the kill",
        within=60 + booked / SLOWEST,
    )
    for process in family(worker.pid):
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    if site.state_of(notification) == "done":
        raise DidNotWork("The campaign was through before the kill. Give it more recipients.")


def _received(times: Path) -> Counter[str]:
    """How many mails each address got, and connections cut off."""
    return Counter(line.partition(" ")[0] for line in times.read_text().splitlines())
