"""`python -m tests.scanners`: fifty scanners open every link of fifty mails at once.

A site of its own sends them: letters with links to click, a pixel and the ways out, and mails that
ask to confirm an address. Each scanner opens each link, by GET, HEAD, OPTIONS or as a browser does
ahead, in turns, so that each link meets every way. Afterwards every row of every table must be as
it was; only what the scanners opened may have been counted, and as a machine's. The exit code is 1
otherwise. `tests/subscriptions/test_scanners.py` does the same with a few, in the suite.
"""

import argparse
import http.client
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lxml.html

NAMED = (
    "GoogleImageProxy",
    "Mozilla/5.0 (compatible; Barracuda Sentinel)",
    "Mimecast-Link-Scanner",
    "ProofPoint URL Defense",
    "SafeLinks/1.0",
    "facebookexternalhit/1.1",
    "Slackbot-LinkExpanding 1.0",
    "curl/8.5.0",
    "",
)
AGENTS = [*NAMED, *(f"Mozilla/5.0 (compatible; Scanner/{number})" for number in range(41))]
AHEAD = {"Sec-Purpose": "prefetch;prerender", "Purpose": "prefetch", "X-Moz": "prefetch"}
WAYS: Sequence[tuple[str, Mapping[str, str]]] = (
    ("GET", {}),
    ("HEAD", {}),
    ("OPTIONS", {}),
    ("GET", AHEAD),
)
# What a look may add: opens and clicks, with the reason why they are a machine's.
COUNTED = ("notifications.Engagement", "notifications.EngagementTally")


def links_in(mail: EmailMessage, site: str) -> list[str]:
    """Find the addresses of the site in a mail, as paths: in its HTML, its text and its headers."""
    found = set()
    for part in mail.walk():
        if part.get_content_type() == "text/html":
            for each in lxml.html.fromstring(part.get_content()).iterlinks():
                found.add(each[2])
        elif part.get_content_type() == "text/plain":
            found |= set(part.get_content().split())
    found |= set(str(mail.get("List-Unsubscribe", "")).strip("<>").split())
    return sorted(each.removeprefix(site) for each in found if each.startswith(f"{site}/"))


def state() -> dict[str, Any]:
    """Every row of every table, but for what may be counted."""
    from tests.subscriptions.pages import everything_stored

    return {name: rows for name, rows in everything_stored().items() if name not in COUNTED}


def taken_for_people() -> int:
    """How many opens and clicks are held for a person's."""
    from apps.notifications.models import Engagement

    return Engagement.objects.filter(machine="").count()


def scan(
    links: Iterable[str], agent: int, opened: Callable[[str, str, Mapping[str, str]], int]
) -> Counter[int]:
    """Open each link as this scanner does, each in one way; gives the statuses of the answers."""
    seen: Counter[int] = Counter()
    for number, link in enumerate(links):
        method, headers = WAYS[(number + agent) % len(WAYS)]
        named = {"User-Agent": AGENTS[agent % len(AGENTS)], **headers}
        seen[opened(method, link, named)] += 1
    return seen


def send_mails(count: int) -> list[EmailMessage]:
    """Mail letters to people, and to every fifth a question whether the address is theirs."""
    from django.utils import timezone

    from apps.followers.sign_up.ask import Answers, Place, sign_up
    from apps.lib.queue.lanes import Lane
    from apps.notifications.models import ProviderAccount
    from apps.notifications.sending.sender import send_lane
    from apps.subscriptions.sign_up import mail
    from tests.make import make_follower, make_type
    from tests.notifications.world import make_accounts
    from tests.receiver import Receiver
    from tests.subscriptions.reading.world import make_letter
    from tests.subscriptions.sign_up.world import make_form

    asked = count // 5
    # a fresh site's own account leads to a mailbox that does not run here
    ProviderAccount.objects.update(enabled=False)
    with Receiver() as receiver:
        make_accounts(receiver)
        form = make_form()
        people = [make_follower(email=f"p{each}@example.com") for each in range(count - asked)]
        make_letter(make_type("letters", commercial=True, category="marketing"), people)
        for number in range(asked):
            answers = Answers(email=f"new{number}@example.com", language="en")
            row = sign_up(form=form, answers=answers, place=Place(), now=timezone.now())
            mail.send(sign_up_id=row.pk)
        for lane in Lane:
            send_lane(name=lane.value)
        return [each.mail for each in receiver.arrived]


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.scanners", description=__doc__)
    parser.add_argument("--mails", type=int, default=50)
    parser.add_argument("--scanners", type=int, default=50)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    asked = parser.parse_args(words)
    from tests.api.fuzz import site

    with tempfile.TemporaryDirectory(prefix="cs-", dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with site(folder, asked.database, demo=False) as (address, _key):
            mails = send_mails(asked.mails)
            links = [link for mail in mails for link in links_in(mail, address)]
            before = state()
            place = urlsplit(address).netloc

            def visit(agent: int) -> Counter[int]:
                line = http.client.HTTPConnection(place, timeout=120)

                def opened(method: str, link: str, headers: Mapping[str, str]) -> int:
                    line.request(method, link, headers=dict(headers))
                    answer = line.getresponse()
                    answer.read()
                    return answer.status

                return scan(links, agent, opened)

            with ThreadPoolExecutor(asked.scanners) as scanners:
                seen = sum(scanners.map(visit, range(asked.scanners)), Counter())
            after = state()
            people = taken_for_people()
    changed = [table for table, rows in before.items() if after[table] != rows]
    print(f"{len(mails)} mails, {len(links)} links, {asked.scanners} scanners at once:")
    print(f"{seen.total():,} looks, by status {dict(sorted(seen.items()))}.")
    print(f"Tables that changed: {changed or 'none'}. Taken for people: {people}.")
    whole = len(mails) == asked.mails and not any(status >= 500 for status in seen)
    return int(bool(changed or people or not whole))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
