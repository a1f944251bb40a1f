"""`python -m tests.timing`: does the time of an answer tell whether an address is known here?

A site of its own is asked by HTTP: to sign up, for the link, and to confirm, for as many addresses
of followers as of strangers, in an order made by chance. Welch's t-test compares the times; the
slowest twentieth of both together is left out, which other work on the machine makes. The exit code
is 1 where chance alone would make such a difference less than once in a hundred times.

To confirm is shown and not judged: it takes less for who is signed up already, as there is less to
write. Only who reads that mailbox has the link, and learns about nobody else.

Not part of the suite: what it measures depends on how quiet the machine is.
"""

import argparse
import http.client
import math
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

KNOWN = 200  # followers who are asked about again and again
WARM = 40  # requests that are not counted
BATCH = 40  # requests after which the queue is emptied, as the lanes would
SURE = 0.01
JUDGED = ("sign-up", "link")


@dataclass(frozen=True, slots=True)
class Difference:
    """Two samples compared: their means in seconds, Welch's t, and how often chance makes it."""

    known: float
    unknown: float
    t: float
    p: float


def compared(known: Sequence[float], unknown: Sequence[float]) -> Difference:
    """Compare two samples of times without the slowest twentieth of both together. With hundreds
    of each the t distribution is the normal one.
    """
    slowest = sorted([*known, *unknown])[int((len(known) + len(unknown)) * 0.95)]
    one = [each for each in known if each < slowest]
    other = [each for each in unknown if each < slowest]
    means = statistics.mean(one), statistics.mean(other)
    spread = statistics.variance(one) / len(one) + statistics.variance(other) / len(other)
    t = (means[0] - means[1]) / math.sqrt(spread)
    return Difference(*means, t, math.erfc(abs(t) / math.sqrt(2)))


class Visitor:
    """Somebody who sends forms to the site, each from another network, and looks at the clock."""

    def __init__(self, address: str) -> None:
        self._line = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
        self._count = 0

    def post(self, path: str, expected: int = 200, **fields: str) -> float:
        """Send the form; gives the seconds until the whole answer was there."""
        self._count += 1
        a, b = divmod(self._count, 250)
        headers = {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Forwarded-For": f"11.{a}.{b}.7",
        }
        began = time.perf_counter()
        self._line.request("POST", path, urlencode(fields), headers)
        answer = self._line.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.status != expected:
            raise AssertionError(f"{path} answered {answer.status}: {body[:300]!r}")
        return took


def measured(ask: Callable[[bool, int], float], requests: int) -> Difference:
    """Ask so often, half for known addresses; `ask` takes whether it is one, and a number."""
    from django_q.models import OrmQ

    turns = [True, False] * ((requests + WARM) // 2)
    random.shuffle(turns)
    times: dict[bool, list[float]] = {True: [], False: []}
    for number, known in enumerate(turns):
        if number % BATCH == 0:
            OrmQ.objects.all().delete()
        took = ask(known, number)
        if number >= WARM:
            times[known].append(took)
    return compared(times[True], times[False])


def questions(visitor: Visitor) -> dict[str, Callable[[bool, int], float]]:
    """What is asked, by name."""
    import datetime as dt

    from django.utils import timezone

    from apps.subscriptions.sign_up import work
    from tests.make import make_follower
    from tests.subscriptions.sign_up.world import make_form

    form = make_form("letters", questions=[])
    people = [make_follower(email=f"known{each:04}@example.com") for each in range(KNOWN)]
    step = work.step(form.key, now=timezone.now() - dt.timedelta(seconds=5))

    def email(known: bool, number: int) -> str:
        if known:
            return f"known{number % KNOWN:04}@example.com"
        return f"other{number:04}@example.com"

    def sign_up(known: bool, number: int) -> float:
        return visitor.post("/p/join/letters/", email=email(known, number), step=step, hosted="1")

    def link(known: bool, number: int) -> float:
        return visitor.post("/p/link/", email=email(known, number))

    def confirm(known: bool, number: int) -> float:
        follower = people[number % KNOWN] if known else None
        token = _mailed(form, email(known, number), follower)
        return visitor.post(f"/p/confirm/{token}/")

    return {"sign-up": sign_up, "link": link, "confirm": confirm}


def _mailed(form: Any, email: str, follower: Any) -> str:
    """Make a sign-up whose mail is out; gives the token of its link."""
    from django.utils import timezone

    from apps.followers.consent.record import Proof
    from apps.followers.models import SignUp, SignUpState
    from apps.followers.people import contacts
    from apps.followers.people.profile import Profile
    from apps.followers.sign_up.begin import SOURCE
    from apps.followers.sign_up.edit import wording_of
    from apps.notifications.messages.links import managing_token
    from tests.make import TESTER

    now = timezone.now()
    if follower is None:
        values = Profile(email=email, language="en")
        proof = Proof(source=SOURCE, by=TESTER, now=now)
        follower = contacts.add_unconfirmed(values=values, proof=proof)
    SignUp.objects.create(
        form=form,
        wording=wording_of(form),
        follower=follower,
        email=email,
        key=email,
        language="en",
        types=["letters_news"],
        state=SignUpState.MAILED,
        created_at=now,
        mail_at=now,
    )
    return managing_token(follower)


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.timing", description=__doc__)
    parser.add_argument("--requests", type=int, default=2000, help="of each kind")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args(words)
    random.seed(asked.seed)
    os.environ["PROXY_COUNT"] = "1"
    from tests.api.fuzz import site

    told = 0
    with tempfile.TemporaryDirectory(prefix="ct-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with site(folder, asked.database, demo=False) as (address, _key):
            for what, ask in questions(Visitor(address)).items():
                found = measured(ask, asked.requests)
                told += what in JUDGED and found.p < SURE
                print(
                    f"{what}: known {found.known * 1000:.3f} ms, "
                    f"unknown {found.unknown * 1000:.3f} ms, "
                    f"t = {found.t:+.2f}, p = {found.p:.3f}",
                    flush=True,
                )
    return int(bool(told))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
