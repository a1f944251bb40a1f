"""Pause, cancel and "unsubscribe" mean it, in the middle of a send (R-11, R-13)."""

import time
import urllib.parse
import urllib.request
from argparse import Namespace
from concurrent.futures import ThreadPoolExecutor

from apps.campaigns.models import Run
from tests.chaos.kills import GIVE_UP, SLOWNESS, judge
from tests.chaos.promises import Findings
from tests.chaos.victims import everyone
from tests.chaos.world import World, make_crowd, news

LEAVING = 500
TOO_LATE = 5.0  # seconds after the 200


def control(world: World, findings: Findings, asked: Namespace) -> None:
    make_crowd(asked.messages)
    make_crowd(LEAVING, tag="leaving", first=asked.messages)
    people = asked.messages + LEAVING
    kind = news()
    world.start_receiver(slowness=SLOWNESS)
    world.start_web()
    world.start_worker()
    first = world.send(world.make_campaign("Greeting", kind, {"tags": ["leaving"]}))
    world.wait_for(first, within=120)
    links = {each.recipient: each.leave for each in world.log.read().of(first.notification.uid)}

    began = time.time()
    run = world.send(world.make_campaign("Pause", kind))
    _pause(world, findings, run, people)
    world.wait_for(run, within=GIVE_UP)
    judge(world, findings, run, people, since=began, kills=[])

    run = world.send(world.make_campaign("Cancel", kind))
    _cancel(world, findings, run, people)

    run = world.send(world.make_campaign("Unsubscribe", kind))
    _leave(world, findings, run, links)


def _pause(world: World, findings: Findings, run: Run, people: int) -> None:
    world.until(lambda: world.arrived(run) > people * 0.3, "a third has left", within=120)
    connections = _open_connections(world)
    status, _ = world.call("POST", f"/campaigns/{run.campaign.uid}/pause")
    at = time.time()
    time.sleep(6)
    later = [each.at - at for each in world.log.read().of(run.notification.uid) if each.at > at]
    findings.add("pause is answered", bar="200", measured=status, kept=status == 200)
    findings.at_most(
        f"mails after the 200 of pause ({connections} connections)", len(later), connections
    )
    findings.note("the last of them", f"{max(later, default=0.0):.2f} s after")
    before = world.arrived(run)
    time.sleep(5)
    findings.none("mails in 5 s of pause", world.arrived(run) - before)
    status, _ = world.call("POST", f"/campaigns/{run.campaign.uid}/resume")
    findings.add("resume is answered", bar="200", measured=status, kept=status == 200)


def _cancel(world: World, findings: Findings, run: Run, people: int) -> None:
    world.until(lambda: world.arrived(run) > people * 0.3, "a third has left", within=120)
    connections = _open_connections(world)
    status, said = world.call("POST", f"/campaigns/{run.campaign.uid}/cancel")
    at = time.time()
    findings.add("cancel is answered", bar="200", measured=status, kept=status == 200)
    time.sleep(10)
    later = [each.at - at for each in world.log.read().of(run.notification.uid) if each.at > at]
    findings.at_most(
        f"mails after the 200 of cancel ({connections} connections)", len(later), connections
    )
    findings.note(
        "the last of them", f"{max(later, default=0.0):.2f} s after; the answer said {said}"
    )
    sheet = world.sheet(run)
    copies = world.log.copies(run.notification.uid)
    fine = sheet.total == people and sheet.waiting == 0 and sheet.sent == len(copies)
    measured = f"{sheet.sent} sent, {sheet.cancelled} cancelled"
    findings.add(
        "cancelled: delivery report equals the log", bar="exactly", measured=measured, kept=fine
    )


def _open_connections(world: World) -> int:
    """To the receiver, of all senders; at least one for each busy worker."""
    processes = everyone(world).get("busy worker", [])
    found = [each for process in processes for each in process.net_connections("tcp")]
    return max(
        len(processes), sum(bool(each.raddr) and each.raddr.port == world.port for each in found)
    )


def _leave(world: World, findings: Findings, run: Run, links: dict[str, str]) -> None:
    """As a mail program does it (RFC 8058):
    one POST to the address in the header of an earlier mail.
    """
    world.until(lambda: world.arrived(run) > 500, "it has begun", within=120)
    gone: dict[str, float] = {}

    def leave(who: str) -> None:
        form = urllib.parse.urlencode({"List-Unsubscribe": "One-Click"}).encode()
        with urllib.request.urlopen(links[who], form, timeout=60) as response:
            if response.status == 200:
                gone[who] = time.time()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(leave, sorted(links)))
    world.wait_for(run, within=GIVE_UP)
    mails = world.log.read().of(run.notification.uid)
    late = [
        each.at - gone[each.recipient]
        for each in mails
        if each.at > gone.get(each.recipient, each.at)
    ]
    missed = len(gone) - len({each.recipient for each in mails} & set(gone))
    findings.add(
        "one-click unsubscribes answered with 200",
        bar=str(LEAVING),
        measured=len(gone),
        kept=len(gone) == LEAVING,
    )
    findings.none(
        f"mails later than {TOO_LATE:.0f} s after it", sum(each > TOO_LATE for each in late)
    )
    findings.note(
        "followers who left in time, and got none",
        f"{missed}; the latest mail {max(late, default=0):.2f} s after",
    )
