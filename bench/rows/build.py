"""What each step of a mail costs this process: claimed, rendered, written as MIME, signed,
noted, booked.
"""

import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench import claimed, newsletter, site
from bench.bench import Bench
from bench.processes import median
from bench.report import Row, at_most
from bench.rows.dkim import keys

CLAIM = 500
FLUSH = 250
WORDS = "words: subject, links, HTML and text as lines"
HEAD = "head, and all put together"
GOAL = 0.2  # of what Django takes to write the same bodies as MIME
DJANGO = "beside: Django's EmailMultiAlternatives as MIME"


@dataclass(frozen=True, slots=True)
class Sample:
    size: int
    tracked: int
    one_click: bool


def sample() -> Sample:
    """One newsletter as it leaves."""
    from django.utils import timezone

    from apps.channels.mail.mime import as_bytes
    from apps.channels.messages import Mail
    from apps.notifications.messages.message import message_of

    claimed.plan(1000)
    rows = next(claimed.claims("bench-sample", 1))
    mail = message_of(rows[0], account=claimed.account_settings(), now=timezone.now(), lines=True)
    assert isinstance(mail, Mail)
    site.forget_campaigns()
    sent = as_bytes(mail)
    # a link's number stands behind its token, which ends a line
    return Sample(len(sent), len(re.findall(rb"/c/=\r\n[\w-]{75}=", sent)), b"One-Click" in sent)


def _each(act: Callable[[Any], object], things: Sequence[Any], rounds: int = 5) -> float:
    """µs of processor time of one `act`, the median of the rounds."""
    return median([_once(act, things, time.process_time) for _ in range(rounds)])


def _once(
    act: Callable[[Any], object],
    things: Iterable[Any],
    clock: Callable[[], float] = time.perf_counter,
) -> float:
    things = list(things)
    began = clock()
    for thing in things:
        act(thing)
    return (clock() - began) / len(things) * 1e6


def measure(bench: Bench) -> Row:
    """µs for one mail, in this one process, on the rows of a planned campaign."""
    from django.utils import timezone

    from apps.channels.contract import Outcome, Result
    from apps.channels.mail.dkim import Signer
    from apps.channels.mail.mime import as_bytes
    from apps.notifications.messages.message import message_of
    from apps.notifications.sending import outcomes
    from apps.notifications.sending.journal import Journal

    claimed.plan(bench.sizes.micro)
    settings = claimed.account_settings()
    now = timezone.now()
    found = {}
    with Journal() as journal:
        began = time.perf_counter()
        rows = [row for batch in claimed.claims(journal.owner, CLAIM) for row in batch]
        found[f"claim, {CLAIM} rows a statement"] = (time.perf_counter() - began) / len(rows) * 1e6

        def made(row: Any) -> Any:
            return message_of(row, account=settings, now=now, lines=True)

        found[WORDS] = _each(made, rows)
        mails = [made(row) for row in rows]
        found[HEAD] = _each(as_bytes, mails)
        contents = [as_bytes(mail) for mail in mails]
        for name, key in keys().items():
            found[f"DKIM {name}"] = _each(
                Signer(domain="news.example.org", selector="bench", key=key).sign, contents
            )
        taken = Outcome(Result.ACCEPTED, "250 2.0.0 Ok: queued", "2.0.0 Ok: queued")

        def note(row: Any) -> None:
            journal.preparing(row.pk)
            journal.handing_over(row.pk)
            journal.ended(row.pk, taken)

        found["journal, three lines"] = _each(note, rows)
        flushes = [
            [(row, taken) for row in rows[at : at + FLUSH]] for at in range(0, len(rows), FLUSH)
        ]
        found[f"book, {FLUSH} results a transaction"] = (
            _once(lambda flush: outcomes.record(journal.owner, flush), flushes)
            * len(flushes)
            / len(rows)
        )
    making = found[WORDS] + found[HEAD]
    beside = _beside(mails[:200])
    size = sum(map(len, contents)) / len(contents)
    return Row(
        [
            at_most(
                "a mail made, of what EmailMultiAlternatives takes to write it as MIME",
                making / beside[DJANGO],
                GOAL,
                unit="×",
                shown=f"{making / beside[DJANGO]:.2f}×",
            )
        ],
        [
            f"Rendered and written as MIME in {making:.0f} µs. {len(rows):,} mails of {size:,.0f}"
            f" bytes on average; medians of 5 rounds where"
            " nothing changes in between."
        ],
        [
            ["step", "µs a mail"],
            *([name, f"{cost:.1f}"] for name, cost in found.items()),
            *([name, f"{cost:.0f}"] for name, cost in beside.items()),
        ],
    )


def _beside(mails: Sequence[Any]) -> dict[str, float]:
    """What the standard library and Django take for the same bodies and headers."""
    from email.message import EmailMessage
    from email.policy import SMTP
    from email.utils import formataddr

    from django.core.mail import EmailMultiAlternatives
    from django.template import Context, Template

    def sender_of(mail: Any) -> str:
        return formataddr((mail.sender.name, mail.sender.address))

    def with_django(mail: Any) -> bytes:
        message = EmailMultiAlternatives(
            mail.subject, mail.text, sender_of(mail), [mail.to], headers=dict(mail.headers)
        )
        message.attach_alternative(str(mail.html), "text/html")
        return message.message().as_bytes()

    def with_email(mail: Any) -> bytes:
        message = EmailMessage(policy=SMTP)
        message["From"] = sender_of(mail)
        message["To"] = mail.to
        message["Subject"] = mail.subject
        for name, value in mail.headers.items():
            message[name] = value
        message.set_content(mail.text)
        message.add_alternative(str(mail.html), subtype="html")
        return message.as_bytes()

    sources = [
        Template(words) for words in (newsletter.SUBJECT, newsletter.html(), newsletter.text())
    ]
    items = [{"name": f"Seed packet {n}", "price": "1.50 €"} for n in range(5)]
    reader = {"name": "Zoë O'Hara", "first_name": "Zoë", "email": "zoe@example.net"}
    metadata = {"city": "Köln", "since": "2019", "plan": "pro", "items": items}
    values = {
        "follower": {**reader, "metadata": metadata},
        "links": {"unsubscribe": "https://news.example.org/u/1"},
    }
    return {
        "beside: Django templates, compiled once": _each(
            lambda _: [source.render(Context(values)) for source in sources], mails
        ),
        DJANGO: _each(with_django, mails),
        "beside: email.message.EmailMessage as MIME": _each(with_email, mails),
    }
