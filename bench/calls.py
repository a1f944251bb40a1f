"""A program that calls the API: some kept connections, by the clock or one call after the other."""

import http.client
import json
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.processes import HERE, DidNotWork, percentile

ALLOWED = 500  # calls with one key: it may make 600 a minute
TAKEN = 202
REFUSED = 429


@dataclass(slots=True)
class Told:
    """What became of calls. `took` has the milliseconds of those that were taken."""

    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    later: Counter[str] = field(default_factory=Counter)  # what refusals say in Retry-After
    seconds: float = 0.0

    @property
    def calls(self) -> int:
        return self.statuses.total()

    def p95(self) -> float:
        return percentile(self.took, 0.95)

    def refused(self) -> float:
        """The share of calls that were told to come later."""
        return self.statuses[REFUSED] / self.calls

    def answered(self) -> "Told":
        """Give itself. Raises DidNotWork where a call was neither taken nor told to come later."""
        if self.statuses.keys() - {TAKEN, REFUSED} or not self.took:
            raise DidNotWork(f"Calls were answered with {dict(self.statuses)}.")
        return self

    def all_taken(self) -> "Told":
        """Give itself. Raises DidNotWork where one was not taken."""
        if self.statuses.keys() != {TAKEN}:
            raise DidNotWork(f"Calls were not taken: {dict(self.statuses)}.")
        return self


def people(number: int) -> list[str]:
    """Addresses of people that the site knows."""
    from apps.followers.models import Address

    rows = Address.objects.filter(channel="email").order_by("pk")
    return list(rows.values_list("value", flat=True)[:number])


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Whom it calls and about whom; as many API keys as its calls need."""

    port: int
    keys: Sequence[str]
    people: Sequence[str]
    repeatable: bool = False  # each call has an Idempotency-Key

    def call(self, total: int, *, lines: int, rate: float | None = None) -> Told:
        """Make so many calls on so many connections: so many a second by the clock, each timed from
        when it should begin; or each when the one before it on its connection was answered.
        """
        told = Told()
        turns = _turns(total)
        began = time.monotonic() + 0.1

        def work() -> None:
            line = http.client.HTTPConnection(HERE, self.port, timeout=60)
            for number in turns:
                due = time.monotonic()
                if rate:
                    due = began + number / rate
                    time.sleep(max(due - time.monotonic(), 0.0))
                status, later = self._tell(line, number)
                told.statuses[status] += 1
                if status == TAKEN:
                    told.took.append((time.monotonic() - due) * 1000)
                if status == REFUSED:
                    told.later[later] += 1

        threads = [threading.Thread(target=work) for _ in range(lines)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        told.seconds = time.monotonic() - began
        if told.calls < total:
            raise DidNotWork(f"{total - told.calls} of {total} calls were not answered.")
        return told

    def _tell(self, line: http.client.HTTPConnection, number: int) -> tuple[int, str]:
        asked: dict[str, Any] = {
            "type": "transactional",
            "template": "bench-code",
            "channels": ["email"],
            "recipients": [{"email": self.people[number % len(self.people)]}],
            "data": {"code": "123456"},
        }
        headers = {
            "Authorization": f"Bearer {self.keys[number % len(self.keys)]}",
            "Content-Type": "application/json",
            "X-Forwarded-Proto": "https",
            "X-Forwarded-For": HERE,
        }
        if self.repeatable:
            headers["Idempotency-Key"] = str(uuid.uuid4())
        line.request("POST", "/api/v1/notify", json.dumps(asked), headers)
        answer = line.getresponse()
        answer.read()
        return answer.status, answer.headers.get("Retry-After", "")


def _turns(total: int) -> Iterator[int]:
    """Numbers from 0, each given to one of the threads that ask."""
    numbers = iter(range(total))
    lock = threading.Lock()

    def take() -> int:
        with lock:
            return next(numbers, total)

    return iter(take, total)
