"""Whether a one-time code waits behind a campaign."""

import json
import random
import threading
import time
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import mailservers, site
from bench.bench import Bench
from bench.processes import HERE, DidNotWork, free_port, percentile, wait_for
from bench.report import Line, Row, at_most

PAUSE = (0.1, 0.25)  # seconds between two codes: some 340 a minute, of the 600 that a key may call
ENOUGH = 50  # codes
# seconds from the call to the hand-over
BAR = 2.0
IDLE_BAR = 0.5


def measure(bench: Bench) -> Row:
    """Codes ordered by API from the web server, each timed from the call to the receiver's last
    byte: first with nothing else to do, then while a campaign drains through the same receiver.
    """
    key = make_key()
    site.forget_campaigns()
    port = free_port()
    with (
        mailservers.receiver(bench.folder) as (server, times),
        site.web(bench.folder, port),
        site.worker(bench.folder),
    ):
        site.send_through(server.port)
        api = f"http://{HERE}:{port}/api/v1/notify"
        _order(api, key, "warm")
        wait_for(lambda: times.exists() and times.read_text(), "the first code", within=30)
        idle = _codes(bench, api, key, times, "idle")
        notification = site.press_send(site.first(bench.sizes.draining))
        wait_for(lambda: site.booked(notification) > 0, "the campaign's first mail", within=120)
        began = site.booked(notification), time.monotonic()
        busy = _codes(bench, api, key, times, "busy", lambda: site.state_of(notification) != "done")
        ended = site.booked(notification), time.monotonic()
        _cancel()
    if len(busy) < ENOUGH:
        raise DidNotWork(
            f"The campaign was through after {len(busy)} codes: too few. Give it more recipients."
        )
    rate = (ended[0] - began[0]) / (ended[1] - began[1])
    return Row(
        [
            _within("one-time code while a campaign drains, p95", busy, BAR),
            _within("one-time code on an idle site, p95", idle, IDLE_BAR),
        ],
        [
            _spread("Idle", idle),
            _spread(f"Beside a campaign of {bench.sizes.draining:,}", busy),
            f"The campaign went on at {rate:,.0f} mails/s meanwhile, to a receiver in Python on the"
            " same cores.",
        ],
    )


def _within(name: str, seconds: Sequence[float], bar: float) -> Line:
    value = percentile(seconds, 0.95)
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
    address = f"{name}@code.example.net"
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
    still: Callable[[], bool] = lambda: True,
) -> list[float]:
    """Seconds each code took; no more are ordered once `still` is over."""
    ordered: dict[str, float] = {}
    threads = []
    for number in range(bench.sizes.codes):
        if not still():
            break

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
    arrived: dict[str, float] = {}

    def all_there() -> bool:
        arrived.update(
            (address, float(at)) for address, at in map(str.split, times.read_text().splitlines())
        )
        return ordered.keys() <= arrived.keys()

    wait_for(all_there, "the last code", within=60)
    return [arrived[address] - began for address, began in ordered.items()]


def _cancel() -> None:
    """Cancel the rest: what was to be shown has been shown."""
    from django.utils import timezone

    from apps.campaigns import lifecycle
    from apps.campaigns.models import Campaign, CampaignState
    from apps.lib.actor import command

    for campaign in Campaign.objects.filter(state=CampaignState.SENDING):
        lifecycle.cancel(campaign=campaign, by=command("bench"), now=timezone.now())
