"""Two machines send one campaign: leases pass and nobody is robbed, then one of them is lost."""

import time
from argparse import Namespace
from contextlib import suppress

import psutil
from django.db.models import F

from apps.campaigns.models import Run
from apps.notifications.books import slices
from apps.notifications.models import Delivery, DeliveryEvent, Slice
from apps.notifications.sending import recover
from tests.chaos.kills import GIVE_UP, SLOWNESS, agree_with_books
from tests.chaos.promises import Findings
from tests.chaos.world import Program, World, make_crowd, news

LATE = 2 * slices.LEASE  # past its end, and still its owner's
LOST = 2 * recover.ELSEWHERE


def machines(world: World, findings: Findings, asked: Namespace) -> None:
    make_crowd(asked.messages)
    world.start_receiver(slowness=SLOWNESS)
    world.start_web()
    world.start_worker()
    other = world.start_worker("elsewhere", VAR_DIR=str(world.folder / "elsewhere"))
    run = world.send(world.make_campaign("Two machines", news()))
    world.until(
        lambda: world.arrived(run) > asked.messages * 0.2 and len(_owners(other)) > 0,
        "both are at work",
        within=GIVE_UP,
    )
    _age(LATE)  # as if nobody had renewed: a machine is slow, or the database was away
    world.until(
        lambda: world.arrived(run) > asked.messages * 0.5 and len(_owners(other)) > 0,
        "both are still at work",
        within=GIVE_UP,
    )
    copies = world.log.read().copies(run.notification.uid)
    findings.none("doubles while leases were late", sum(copies.values()) - len(copies))
    gone = _lose(other)
    held = Delivery.objects.filter(status="queued", lease_owner__in=gone)
    lost = set(held.values_list("pk", flat=True))
    findings.note("in the hands of the lost machine", len(lost))
    world.until(
        lambda: not _waits_here(run, lost),
        "the other one has sent all that is left",
        within=GIVE_UP,
    )
    findings.add(
        "before a quarter of an hour nobody touches it",
        bar=str(len(lost)),
        measured=held.count(),
        kept=held.count() == len(lost),
    )
    _age(LOST)
    world.wait_for(run, within=GIVE_UP)
    time.sleep(1)
    copies = world.log.read().copies(run.notification.uid)
    findings.none("lost", asked.messages - len(copies))
    findings.at_most("most copies of one mail", max(copies.values(), default=0), 2)
    doubles = sum(copies.values()) - len(copies)
    findings.at_most("doubles, of what the lost machine held", doubles, len(lost))
    known = DeliveryEvent.objects.filter(delivery__in=lost, kind="in_doubt")
    findings.none("of those not known as in doubt", len(lost) - known.count())
    world.until(lambda: not Slice.objects.exists(), "slices are closed", within=60)
    agree_with_books(findings, run, copies, asked.messages, world)


def _owners(program: Program) -> set[str]:
    """The senders of a machine that hold something: an owner begins with its process id."""
    alive = {str(process.pid) for process in program.family()}
    owners = Slice.objects.exclude(owner="").values_list("owner", flat=True)
    return {owner for owner in owners if owner.partition("-")[0] in alive}


def _age(by: object) -> None:
    Slice.objects.exclude(owner="").update(until=F("until") - by)
    waiting = Delivery.objects.filter(status="queued", lease_until__isnull=False)
    waiting.update(lease_until=F("lease_until") - by)


def _lose(machine: Program) -> set[str]:
    """End all of its processes at once, and its disk with them; the owners it had."""
    machine.wanted = False
    family = machine.family()
    for process in family:
        with suppress(psutil.Error):
            process.suspend()
    owners = {
        owner
        for owner in Delivery.objects.filter(status="queued").values_list("lease_owner", flat=True)
        if owner.partition("-")[0] in {str(process.pid) for process in family}
    }
    for process in family:
        with suppress(psutil.Error):
            process.kill()
    return owners


def _waits_here(run: Run, lost: set[int]) -> bool:
    waiting = Delivery.objects.filter(
        notification=run.notification_id, status__in=("pending", "queued")
    )
    return waiting.exclude(pk__in=lost).exists()
