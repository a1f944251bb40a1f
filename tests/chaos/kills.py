"""Kill anything at any time: nothing lost, doubles bounded by what was cut off,
nobody need help (R-01, R-02, R-04).
"""

import http.cookiejar
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from argparse import Namespace
from collections import Counter
from typing import Any

from django.utils import timezone

from apps.campaigns.models import Run
from apps.notifications.models import Delivery
from apps.ops.heartbeat import signs
from tests.chaos import victims
from tests.chaos.promises import Findings
from tests.chaos.victims import KINDS, Kill
from tests.chaos.world import World, make_crowd, news
from tests.make import make_staff

GIVE_UP = 900  # seconds; nothing here should need them
SLOWNESS = 0.001  # the receiver thinks that long, as a near mail server does


def kills(world: World, findings: Findings, asked: Namespace) -> None:
    number = asked.kills or 40
    make_crowd(asked.messages)
    kind = news()
    world.start_receiver(slowness=SLOWNESS)
    world.start_web()
    world.start_worker()
    quiet, seconds = _send_all(world, world.make_campaign("Quiet", kind))
    findings.note("rate of the quiet run", f"{asked.messages / seconds:.0f}/s")
    findings.none("quiet run: lost or doubled", _lost_and_doubled(world, quiet, asked.messages))
    started = time.time()
    campaign = world.make_campaign("Chaos", kind)
    done: list[Kill] = []
    began = time.monotonic()
    run = world.send(campaign)
    _kill_along(world, run, asked.messages, number, done)
    world.wait_for(run, within=max(GIVE_UP, 4 * seconds))
    wall = time.monotonic() - began
    judge(world, findings, run, asked.messages, since=started, kills=done)
    findings.at_most("time, of the quiet run's", wall / seconds, 3, "×")


def judge(
    world: World,
    findings: Findings,
    run: Run,
    people: int,
    *,
    since: float,
    kills: list[Kill],
    most: int | None = None,
) -> None:
    """Lost, doubled, known and booked: from the receiver's log alone, then the books against it."""
    time.sleep(1)
    log = world.log.read()
    copies = log.copies(run.notification.uid)
    doubles = sum(copies.values()) - len(copies)
    cut = log.cut_off(since)
    if kills:
        by_kind = Counter(kill.kind for kill in kills)
        findings.note(
            "kills",
            f"{len(kills)}: "
            + ", ".join(f"{kind} {by_kind[kind]}" for kind in KINDS if by_kind[kind]),
        )
        middle = [kill for kill in kills if log.was_open(set(kill.ports), kill.at)]
        findings.note(
            "kills in mid-transaction",
            f"{len(middle)}, of {sum(bool(k.ports) for k in kills)} with a connection",
        )
    findings.none("lost", people - len(copies))
    if most is None:
        bar = cut
    else:
        bar = min(most, cut)
    findings.at_most(f"doubles ({cut} SMTP transactions were cut off)", doubles, bar)
    findings.at_most("most copies of one mail", max(copies.values(), default=0), 2)
    agree_with_books(findings, run, copies, people, world)


def agree_with_books(
    findings: Findings, run: Run, copies: Counter[str], people: int, world: World
) -> None:
    sheet = world.sheet(run)
    said = (
        f"{sheet.sent} sent, {sheet.in_doubt} in doubt, {sum(sheet.failed.values())} failed,"
        f" {sheet.waiting} waiting"
    )
    # a mail in doubt may or may not be in the log; everything else must agree, name by name
    rows = Delivery.objects.filter(notification=run.notification_id)
    sent = set(rows.filter(status="sent").values_list("address__value", flat=True))
    doubtful = set(rows.filter(status="in_doubt").values_list("address__value", flat=True))
    wrong = len(sent - set(copies)) + len(set(copies) - sent - doubtful)
    fine = sheet.total == people and sheet.waiting == 0 and sheet.sent == len(sent) and not wrong
    findings.add(
        "delivery report equals the receiver's log", bar="name by name", measured=said, kept=fine
    )


def _lost_and_doubled(world: World, run: Run, people: int) -> int:
    copies = world.log.read().copies(run.notification.uid)
    return people - len(copies) + sum(copies.values()) - len(copies)


def _send_all(world: World, campaign: Any) -> tuple[Run, float]:
    began = time.monotonic()
    run = world.send(campaign)
    world.wait_for(run, within=GIVE_UP)
    return run, time.monotonic() - began


def _kill_along(world: World, run: Run, people: int, number: int, done: list[Kill]) -> None:
    """One kill for each share of the mails, every kind in turn, the order shuffled;
    after 20 s without, one anyway.
    """
    kinds = [KINDS[n % len(KINDS)] for n in range(number)]
    world.dice.shuffle(kinds)
    last = time.monotonic()
    while kinds and not world.finished(run):
        due = world.arrived(run) >= people * (len(done) + world.dice.random()) / number
        if due or time.monotonic() - last > 20:
            kind = next(
                (
                    each
                    for each in kinds
                    if (one := victims.kill(world, each)) and not done.append(one)
                ),
                "",
            )
            if kind:
                kinds.remove(kind)
                last = time.monotonic()
        time.sleep(0.05)


def helpers(world: World, findings: Findings, asked: Namespace) -> None:
    """One at a time: courier, an idle worker of the lane that sends, and its main process;
    each must be made good.
    """
    make_crowd(asked.messages)
    make_crowd(20, tag="few", first=asked.messages)
    kind = news()
    world.start_receiver(slowness=0.002)
    world.start_web()
    world.start_worker()
    world.until(
        lambda: all(sign.alive for sign in signs(now=timezone.now())), "all lanes live", within=60
    )
    for each in ("courier", "main", "idle worker"):
        began = time.time()
        if each != "idle worker":
            first = world.send(world.make_campaign(f"During {each}", kind))
        else:
            first = None
        if first:
            world.until(lambda run=first: world.arrived(run) > 100, "it has begun", within=60)
        killed = victims.kill(world, each, lane="bulk")
        findings.note(f"{each}: killed", "yes" if killed else "there was none")
        at = time.monotonic()
        second = world.send(world.make_campaign(f"After {each}", kind, {"tags": ["few"]}))
        world.wait_for(second, within=300)
        findings.at_most(f"{each}: later messages wait", time.monotonic() - at, 60, " s")
        for run, people in ((first, asked.messages + 20), (second, 20)):
            if run:
                world.wait_for(run, within=300)
                copies = world.log.read().copies(run.notification.uid)
                findings.none(f"{each}: lost", people - len(copies))
                findings.at_most(
                    f"{each}: doubles", sum(copies.values()) - len(copies), world.log.cut_off(began)
                )
        waited = time.monotonic() - at
        reason = next(sign.reason for sign in signs(now=timezone.now()) if sign.group == "bulk")
        if waited > 20:
            findings.add(
                f"{each}: the page says why",
                bar="a reason",
                measured=reason or "nothing",
                kept=bool(reason),
            )
    before = len(world.log.read().kept)
    time.sleep(asked.seconds or 60)
    findings.none(
        f"repeats in the {asked.seconds or 60:.0f} s after", len(world.log.read().kept) - before
    )


# ------------------------------------------------------------------ SQLite
def sqlite(world: World, findings: Findings, asked: Namespace) -> None:
    make_crowd(asked.messages)
    make_staff("ada", role="admin")
    world.start_receiver()
    world.start_web()
    world.start_worker()
    browsing = Browsing(world)
    browsing.start()
    done: list[Kill] = []
    began = time.monotonic()
    started = time.time()
    run = world.send(world.make_campaign("SQLite", news()))
    _kill_along(world, run, asked.messages, asked.kills or 10, done)
    world.wait_for(run, within=GIVE_UP)
    wall = time.monotonic() - began
    browsing.stop()
    judge(world, findings, run, asked.messages, since=started, kills=done, most=10)
    findings.add(
        "rate",
        bar="≥ 150/s",
        measured=f"{asked.messages / wall:.0f}/s",
        kept=asked.messages / wall >= 150,
    )
    findings.note("pages looked at beside", f"{browsing.seen}, slowest {browsing.slowest:.1f} s")
    findings.none("pages that failed", len(browsing.failed))
    for each in browsing.failed[:5]:
        print(f"    {each}")
    locked = sum(
        program.log.read_text(errors="replace").count("database is locked")
        for program in world.programs.values()
    )
    findings.none("“database is locked” in any log or page", locked + browsing.locked)


class Browsing(threading.Thread):
    """A member of staff who logs in and reads page after page.

    A dead web server is not a page that failed.
    """

    PATHS = (
        "/",
        "/campaigns/",
        "/followers/",
        "/deliveries/",
        "/notifications/",
        "/channels/",
        "/audit/",
    )

    def __init__(self, world: World) -> None:
        super().__init__(daemon=True)
        self._world = world
        self._over = threading.Event()
        jar = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(jar)
        self.seen = 0
        self.locked = 0
        self.slowest = 0.0
        self.failed: list[str] = []

    def stop(self) -> None:
        self._over.set()
        self.join(60)

    def run(self) -> None:
        while not self._over.wait(0.2):
            for path in self.PATHS:
                if self._over.is_set():
                    return
                address, text = self._open(path)
                if "/login" in address and (
                    token := re.search(r'csrfmiddlewaretoken" value="(\w+)"', text)
                ):
                    self._log_in(address, token[1])

    def _log_in(self, address: str, token: str) -> None:
        form = {
            "csrfmiddlewaretoken": token,
            "username": "ada",
            "password": "correct-horse-battery",
        }
        self._open(address.removeprefix(self._world.site), urllib.parse.urlencode(form).encode())

    def _open(self, path: str, form: bytes | None = None) -> tuple[str, str]:
        began = time.monotonic()
        request = urllib.request.Request(
            self._world.site + path, form, {"Referer": self._world.site}
        )
        try:
            with self._opener.open(request, timeout=60) as page:
                text = page.read().decode(errors="replace")
                address = page.url
        except urllib.error.HTTPError as error:
            text = error.read().decode(errors="replace")
            address = path
            self.failed.append(f"{error.code} {path}")
        except OSError:
            return "", ""
        self.seen += 1
        self.slowest = max(self.slowest, time.monotonic() - began)
        self.locked += "database is locked" in text
        return address, text
