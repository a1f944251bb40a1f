"""How much a distant server slows us: round trips, not bytes, are what a connection waits for."""

import smtplib
import threading
import time
import uuid
from collections.abc import Callable, Sequence

from apps.channels.contract import Outcome, Result
from apps.channels.mail.mime import as_bytes
from apps.channels.mail.smtp import Smtp
from apps.channels.messages import Mail, Sender
from bench import mailservers, newsletter, site
from bench.bench import Bench
from bench.processes import HERE, DidNotWork, median, spread
from bench.report import Line, Row, at_least

ROUND_TRIP = 0.02
MANY = 20


class Endless:
    """A flow that gives the same mail to everybody until its time is over,
    and notes when each one ended.
    """

    def __init__(self, mail: Mail, seconds: float) -> None:
        self.mail = mail
        self.until = time.perf_counter() + seconds
        self.ends = list[float]()

    def take(self, *, wait: bool) -> Mail | None:
        if time.perf_counter() < self.until:
            return self.mail
        return None

    def leaving(self, message: Mail) -> None:
        pass

    def ended(self, message: Mail, outcome: Outcome) -> None:
        if outcome.result is not Result.ACCEPTED:
            self.until = 0.0
            raise DidNotWork(f"A mail was not taken: {outcome}")
        self.ends.append(time.perf_counter())

    def give_back(self, message: Mail) -> None:
        pass


def _rate(ends: Sequence[float]) -> float:
    """From the first end to the last, so that the connection's own beginning does not count."""
    return (len(ends) - 1) / (max(ends) - min(ends))


def ours(mail: Mail, port: int, *, seconds: float, connections: int) -> float:
    """Our sessions in threads, as the sender drives them."""
    flow = Endless(mail, seconds)
    name, address = newsletter.SENDER
    settings = {"host": HERE, "port": port, "security": "none"}
    settings |= {"from_name": name, "from_address": address}

    def work() -> None:
        with Smtp.open(settings) as session:
            session.work(flow)

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds + 30)
    return _rate(flow.ends)


def smtplib_kept(mail: Mail, port: int, *, seconds: float) -> float:
    """Python's own client on one connection that is kept; the mail is made already."""
    content = as_bytes(mail)
    ends = []
    until = time.perf_counter() + seconds
    with smtplib.SMTP(HERE, port, timeout=30) as client:
        while time.perf_counter() < until:
            client.sendmail("news@news.example.org", [mail.to], content)
            ends.append(time.perf_counter())
    return _rate(ends)


def _mail() -> Mail:
    return Mail(
        delivery=uuid.uuid4(),
        message_id=f"<{uuid.uuid4().hex}@news.example.org>",
        sender=Sender(*newsletter.SENDER),
        to="reader@mail.example.net",
        to_name="Zoë O'Hara",
        subject="Spring has arrived",
        text=newsletter.text(),
        html=newsletter.html(),
    )


def measure(bench: Bench) -> Row:
    """In turns, over a line of 20 ms: smtplib, one session of ours, twenty;
    then a whole campaign.
    """
    seconds = bench.sizes.slow_seconds
    mail = _mail()
    rates: dict[str, list[float]] = {}
    with (
        mailservers.sink(bench.folder) as sink,
        mailservers.slow_line(sink.port, bench.folder, round_trip=ROUND_TRIP) as port,
    ):
        ways: dict[str, Callable[[], float]] = {
            "smtplib": lambda: smtplib_kept(mail, port, seconds=seconds),
            "one": lambda: ours(mail, port, seconds=seconds, connections=1),
            "many": lambda: ours(mail, port, seconds=seconds, connections=MANY),
        }
        for _ in range(bench.sizes.rounds):
            for name, way in ways.items():
                rates.setdefault(name, []).append(way())
        campaign = _campaign(bench, port)
    one = median(rates["one"])
    many = median(rates["many"])
    return Row(
        [
            at_least(
                "20 ms away, one connection vs smtplib on a kept one",
                one / median(rates["smtplib"]),
                3.5,
            ),
            at_least(f"20 ms away, {MANY} connections vs one", many / one, 15),
            Line(
                "20 ms away, a campaign with the account's default connections",
                f"{campaign.rate:,.0f} mails/s",
            ),
        ],
        [
            f"smtplib {spread(rates['smtplib'], 1)} mails/s, one session of ours"
            f" {spread(rates['one'], 1)}, {MANY} in threads of one process {spread(rates['many'])}."
            " The line is a program of ours on the same cores."
        ],
    )


def _campaign(bench: Bench, port: int) -> site.Sent:
    site.forget_campaigns()
    with site.worker(bench.folder):
        site.send_through(port)
        return site.run_campaign(site.first(bench.sizes.micro), within=300)
