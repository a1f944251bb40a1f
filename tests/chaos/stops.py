"""A stop is bounded and loses nothing (R-09); what is scheduled happens once,
whoever dies (R-21).
"""

import datetime as dt
import os
import signal
import time
from argparse import Namespace
from contextlib import suppress

import psutil
from django.utils import timezone

from apps.campaigns import lifecycle
from apps.campaigns.models import Campaign, Run
from apps.followers.models import NotificationType
from tests.chaos.kills import GIVE_UP, SLOWNESS, judge
from tests.chaos.promises import Findings
from tests.chaos.world import Program, World, make_crowd, news
from tests.make import TESTER

STOPPED_WITHIN = 30.0


def stop(world: World, findings: Findings, asked: Namespace) -> None:
    """SIGTERM to the supervisor alone, and in another send to all of its processes,
    as a stop of the unit does.
    """
    make_crowd(asked.messages)
    kind = news()
    world.start_receiver(slowness=SLOWNESS)
    world.start_web()
    worker = world.start_worker()
    for whom in ("the supervisor", "the whole group"):
        began = time.time()
        run = world.send(world.make_campaign(f"SIGTERM to {whom}", kind))
        world.until(
            lambda run=run: world.arrived(run) > asked.messages * 0.3,
            "a third has left",
            within=120,
        )
        worker.wanted = False
        everyone = worker.family()
        at = time.monotonic()
        for process in everyone if whom == "the whole group" else everyone[:1]:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGTERM)
        world.until(lambda all_of=everyone: not _living(all_of), "all are gone", within=60)
        findings.at_most(
            f"SIGTERM to {whom}: all gone", time.monotonic() - at, STOPPED_WITHIN, " s"
        )
        before = world.arrived(run)
        time.sleep(2)
        findings.none(f"SIGTERM to {whom}: mails while stopped", world.arrived(run) - before)
        worker.start()
        worker.wanted = True
        world.wait_for(run, within=GIVE_UP)
        judge(world, findings, run, asked.messages, since=began, kills=[])


def _living(processes: list[psutil.Process]) -> list[psutil.Process]:
    living = []
    for each in processes:
        with suppress(psutil.NoSuchProcess):
            if each.status() != psutil.STATUS_ZOMBIE:
                living.append(each)
    return living


def schedules(world: World, findings: Findings, asked: Namespace) -> None:
    """Three supervisors, each with a tick; one dies every 5 s; a hundred campaigns are due,
    each in its own second.
    """
    seconds = asked.seconds or 60
    for n in range(asked.messages):
        make_crowd(1, tag=f"t{n}", first=n)
    kind = news()
    world.start_receiver()
    world.start_web()
    workers = [world.start_worker(f"worker{n}") for n in range(3)]
    time.sleep(15)
    began = time.time()
    drafts = [_draft(world, n, kind) for n in range(asked.messages)]
    # late enough for the last of them to be scheduled in time, however slow the machine is
    lead = 15 + 2 * (time.time() - began)
    first = timezone.now() + dt.timedelta(seconds=lead)
    campaigns = [
        _schedule(draft, first + dt.timedelta(seconds=n * seconds / asked.messages))
        for n, draft in enumerate(drafts)
    ]
    kills = 0
    end = first.timestamp() + seconds
    while time.time() < end:
        time.sleep(5)
        kills += _kill_one(world, workers)
    world.until(lambda: _all_sent(campaigns), "all are sent", within=180, every=1)
    runs = Run.objects.filter(campaign__in=campaigns).select_related("campaign", "notification")
    findings.note("supervisors killed", kills)
    findings.none(
        f"of {len(campaigns)} schedules, not fired exactly once",
        sum(one.runs.count() != 1 for one in campaigns),
    )
    log = world.log.read()
    arrived = {run.campaign_id: log.of(run.notification.uid) for run in runs}
    findings.none("lost", sum(not arrived.get(one.pk) for one in campaigns))
    doubles = sum(len(mails) - 1 for mails in arrived.values())
    findings.at_most("doubles, by transactions cut off", doubles, log.cut_off(began))
    late = max(run.started_at.timestamp() - run.campaign.send_at.timestamp() for run in runs)
    findings.note("started after its time, at most", f"{late:.1f} s")


def _draft(world: World, number: int, kind: NotificationType) -> Campaign:
    return world.make_campaign(f"Schedule {number}", kind, {"tags": [f"t{number}"]})


def _schedule(draft: Campaign, at: dt.datetime) -> Campaign:
    wall = at.replace(tzinfo=None)
    return lifecycle.schedule(campaign=draft, wall=wall, zone="UTC", by=TESTER, now=timezone.now())


def _kill_one(world: World, workers: list[Program]) -> int:
    alive = [each for each in workers if each.process and each.process.poll() is None]
    if alive:
        os.kill(world.dice.choice(alive).pid, signal.SIGKILL)
    return len(alive[:1])


def _all_sent(campaigns: list[Campaign]) -> bool:
    return Campaign.objects.filter(
        pk__in=[one.pk for one in campaigns], state="sent"
    ).count() == len(campaigns)
