"""How quickly POST /notify is answered at a hundred a second,
while the workers send what it takes.
"""

import http.client
import json
import threading
import time
import uuid
from collections.abc import Iterator, Sequence

from bench import mailservers, site
from bench.bench import Bench
from bench.processes import HERE, DidNotWork, cpu, free_port, percentile, wait_for
from bench.report import Line, Row, at_most
from bench.rows.lanes import make_key

RATE = 100  # calls a second
BAR = 60.0  # ms, 19 of 20 calls
KEYS = 5  # each may call 600 times a minute
LINES = 20  # connections, kept open


def measure(bench: Bench) -> Row:
    """Calls begin by the clock and not when the one before was answered;
    each is timed from when it should begin.
    """
    from apps.notifications.models import Notification

    site.forget_campaigns()
    port = free_port()
    seconds = bench.sizes.calling
    with (
        mailservers.sink(bench.folder) as sink,
        site.web(bench.folder, port) as web,
        site.worker(bench.folder) as worker,
    ):
        site.send_through(sink.port)
        keys = [make_key() for _ in range(KEYS)]
        _call(
            port, keys, seconds=2, repeatable=False
        )  # the first calls load modules and open connections
        programs = {"web": web.pid, "database": bench.database.pid, "workers": worker.pid}
        before = {name: cpu(pid) for name, pid in programs.items()}
        plain = _call(port, keys, seconds=seconds, repeatable=False)
        ended = time.monotonic()
        open_still = Notification.objects.exclude(state="done")
        wait_for(lambda: not open_still.exists(), "the last notification", within=300, every=0.2)
        behind = time.monotonic() - ended
        cost = {
            name: (cpu(pid) - before[name]) / len(plain) * 1000 for name, pid in programs.items()
        }
        keyed = _call(port, keys, seconds=seconds, repeatable=True)
    late = percentile(plain, 0.95)
    shares = ", ".join(f"{name} {ms:.1f} ms" for name, ms in cost.items())
    return Row(
        [
            at_most(
                f"POST /notify at {RATE}/s with the workers at it, p95",
                late,
                BAR,
                unit=" ms",
                shown=f"{late:.0f} ms",
            ),
            Line("the same with an Idempotency-Key, p95", f"{percentile(keyed, 0.95):.0f} ms"),
        ],
        [
            _spread("Plain", plain),
            _spread("With a key", keyed),
            f"CPU of one call with all that follows: {shares}.",
            "Each call tells one known person something by email; the last was handed over "
            f"{behind:.1f} s after the calls had ended. The caller is a program on the same cores.",
        ],
    )


def _spread(name: str, took: Sequence[float]) -> str:
    middle = percentile(took, 0.5)
    high = percentile(took, 0.95)
    return (
        f"{name}: p50 {middle:.0f} ms, p95 {high:.0f} ms, most "
        f"{max(took):.0f} ms of {len(took):,} calls."
    )


def _call(port: int, keys: Sequence[str], *, seconds: float, repeatable: bool) -> list[float]:
    """Milliseconds that each call took. Raises DidNotWork when one was not taken."""
    from apps.followers.models import Address

    total = int(RATE * seconds)
    began = time.monotonic() + 0.1
    took: list[float] = []
    refused: list[int] = []
    turn = iter(range(total))
    people = list(Address.objects.filter(channel="email").values_list("value", flat=True)[:1000])
    lock = threading.Lock()

    def turns() -> Iterator[int]:
        while True:
            with lock:
                number = next(turn, None)
            if number is None:
                return
            yield number

    def work() -> None:
        line = http.client.HTTPConnection(HERE, port, timeout=60)
        for number in turns():
            due = began + number / RATE
            time.sleep(max(due - time.monotonic(), 0.0))
            status = _tell(line, keys[number % len(keys)], people[number % len(people)], repeatable)
            took.append((time.monotonic() - due) * 1000)
            if status != 202:
                refused.append(status)

    threads = [threading.Thread(target=work) for _ in range(LINES)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if refused or len(took) < total:
        raise DidNotWork(
            f"{total - len(took) + len(refused)} of {total} calls were not taken: {set(refused)}."
        )
    return took


def _tell(line: http.client.HTTPConnection, key: str, person: str, repeatable: bool) -> int:
    asked = {
        "type": "transactional",
        "template": "bench-code",
        "channels": ["email"],
        "recipients": [{"email": person}],
        "data": {"code": "123456"},
    }
    headers = {
        "Authorization": f"Bearer {key}",
        "Content-Type": "application/json",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": HERE,
    }
    if repeatable:
        headers["Idempotency-Key"] = str(uuid.uuid4())
    line.request("POST", "/api/v1/notify", json.dumps(asked), headers)
    answer = line.getresponse()
    answer.read()
    return answer.status
