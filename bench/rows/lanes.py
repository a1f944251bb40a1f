"""Whether a one-time code waits behind a campaign."""

import json
import random
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bench import mailservers, site, yardsticks
from bench.bench import Bench
from bench.processes import HERE, DidNotWork, free_port, percentile, spread, wait_for
from bench.report import Line, Row, at_most

if TYPE_CHECKING:
    from apps.notifications.models import Notification

PAUSE = (0.1, 0.25)  # seconds between two codes: some 340 a minute, of the 600 that a key may call
DOMAIN = "code.example.net"
# seconds from the call to the hand-over
BAR = 0.5
FIRST_BAR = 0.3
FIRST = 5  # starts whose first message is timed


def measure(bench: Bench) -> Row:
    """Codes ordered by API from the web server, each timed from the call to the receiver's last
    byte: the first one of fresh processes, with nothing else to do, and while campaigns drain
    through the same receiver.
    """
    key = make_key()
    site.forget_campaigns()
    port = free_port()
    with (
        mailservers.receiver(bench.folder, domain=DOMAIN) as (server, times),
        site.web(bench.folder, port),
    ):
        site.send_through(server.port)
        api = f"http://{HERE}:{port}/api/v1/notify"
        first = [
            _first(bench, lambda name: _order(api, key, name), times, number)
            for number in range(FIRST)
        ]
        with site.worker(bench.folder):
            idle = _codes(bench, api, key, times, "idle", lambda: None)
            campaigns = Campaigns(bench.sizes.draining)
            began = campaigns.booked(), time.monotonic()
            busy = _codes(bench, api, key, times, "busy", campaigns.keep_going)
            ended = campaigns.booked(), time.monotonic()
            _cancel()
    rate = (ended[0] - began[0]) / (ended[1] - began[1])
    return Row(
        [
            _within("one-time code while a campaign drains, p95", busy, BAR),
            _within("one-time code on an idle site, p95", idle, BAR),
            _within("first message of fresh processes, median", first, FIRST_BAR, share=0.5),
        ],
        [
            _spread("Idle", idle),
            _spread("Beside campaigns", busy),
            f"Campaigns of {bench.sizes.draining:,}, {len(campaigns.pressed)} of them, went on at"
            f" {rate:,.0f} mails/s meanwhile, to a receiver in Python on the same cores.",
            f"First messages of {FIRST} starts of `manage.py worker`, once its lanes have answered:"
            f" {spread(first, 2)} s. An RSA-2048 signature takes"
            f" {yardsticks.rsa_2048() * 1000:.2f} ms.",
        ],
    )


class Campaigns:
    """A campaign that drains, and the next one as soon as half of it has left: one that fits the
    machine of today is over in a moment on the next one.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.pressed = [self._press()]
        wait_for(lambda: self.booked() > 0, "the campaign's first mail", within=120)

    def booked(self) -> int:
        return sum(map(site.booked, self.pressed))

    def keep_going(self) -> None:
        if self.booked() > (len(self.pressed) - 0.5) * self.size:
            self.pressed.append(self._press())

    def _press(self) -> "Notification":
        return site.press_send(site.first(self.size))


def _first(bench: Bench, order: Callable[[str], str], times: Path, number: int) -> float:
    """Seconds that the first message took of a worker that has just started."""
    with site.worker(bench.folder):
        began = time.time()
        address = order(f"first{number}")
        wait_for(lambda: address in _arrived(times), "the first code", within=60, every=0.01)
        return _arrived(times)[address] - began


def _arrived(times: Path) -> dict[str, float]:
    """When each mail was whole, by address."""
    if not times.exists():
        return {}
    said = map(str.split, times.read_text().splitlines())
    return {address: float(at) for address, at in said}


def _within(name: str, seconds: Sequence[float], bar: float, *, share: float = 0.95) -> Line:
    value = percentile(seconds, share)
    return at_most(name, value, bar, unit=" s", shown=f"{value:.2f} s")


def _spread(name: str, seconds: Sequence[float]) -> str:
    middle = percentile(seconds, 0.5)
    high = percentile(seconds, 0.95)
    return (
        f"{name}: p50 {middle:.2f} s, p95 {high:.2f} s, most {max(seconds):.2f} s "
        f"of {len(seconds)} codes."
    )


def make_key() -> str:
    """A key that may notify, and the template of a code."""
    from django.utils import timezone

    from apps.accounts import keys
    from apps.accounts.permissions import Scope
    from apps.content import drafts
    from apps.content.models import Template
    from apps.lib.actor import command

    by = command("bench")
    now = timezone.now()
    if not Template.objects.filter(key="bench-code").exists():
        words = {
            "email": {
                "subject": "{{ code }} is your code",
                "html": "<p>Your code is <b>{{ code }}</b>.</p>",
            }
        }
        template = drafts.create_template(
            key="bench-code",
            name="Code",
            translations={"en": words},
            variables=[{"name": "code", "type": "string", "required": True}],
            by=by,
            now=now,
        )
        drafts.publish(template=template, by=by, now=now)
    return keys.issue(
        name="bench", scopes=[Scope.NOTIFICATIONS_WRITE, Scope.FOLLOWERS_WRITE], by=by, now=now
    )[1]


def _order(api: str, key: str, name: str) -> str:
    """Ask for a code for a new person; the address."""
    address = f"{name}@{DOMAIN}"
    asked = {
        "type": "security_alert",
        "template": "bench-code",
        "channels": ["email"],
        "recipients": [{"email": address}],
        "data": {"code": "123456"},
    }
    request = urllib.request.Request(
        api,
        json.dumps(asked).encode(),
        {
            "Authorization": f"Bearer {key}",
            "Content-Type": "application/json",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": HERE,
        },
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        if answer.status != 202:
            raise DidNotWork(f"The API answered {answer.status}.")
    return address


def _codes(
    bench: Bench,
    api: str,
    key: str,
    times: Path,
    name: str,
    meanwhile: Callable[[], None],
) -> list[float]:
    """Seconds each code took; `meanwhile` is done between two orders."""
    ordered: dict[str, float] = {}
    threads = []
    for number in range(bench.sizes.codes):
        meanwhile()

        def order(number: int = number) -> None:
            began = time.time()
            ordered[_order(api, key, f"{name}{number}")] = began

        threads.append(threading.Thread(target=order))
        threads[-1].start()
        time.sleep(random.uniform(*PAUSE))
    for thread in threads:
        thread.join()
    if len(ordered) < len(threads):
        raise DidNotWork(f"The API took {len(ordered)} of {len(threads)} codes.")
    wait_for(lambda: ordered.keys() <= _arrived(times).keys(), "the last code", within=60)
    arrived = _arrived(times)
    return [arrived[address] - began for address, began in ordered.items()]


def _cancel() -> None:
    """Cancel the rest: what was to be shown has been shown."""
    from django.utils import timezone

    from apps.campaigns import lifecycle
    from apps.campaigns.models import Campaign, CampaignState
    from apps.lib.actor import command

    for campaign in Campaign.objects.filter(state=CampaignState.SENDING):
        lifecycle.cancel(campaign=campaign, by=command("bench"), now=timezone.now())
