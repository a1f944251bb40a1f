"""A machine that has no time: slow is not hung, so nothing is replaced and everything ends."""

import io
import os
import sys
import time
from argparse import Namespace

from django.utils import timezone

from apps.followers.imports import run as imports_run
from apps.followers.imports.upload import start_upload
from apps.followers.models import Import
from apps.ops.heartbeat import GROUPS
from apps.ops.models import LaneHeartbeat
from tests.chaos.kills import GIVE_UP, judge
from tests.chaos.promises import Findings
from tests.chaos.world import World, make_crowd, news
from tests.make import TESTER

LOOPS = 4


def crowded(world: World, findings: Findings, asked: Namespace) -> None:
    """Worker, receiver and driver share one core with four busy loops, from its start on."""
    make_crowd(asked.messages, tag="crowd")
    kind = news()
    core = min(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {core})
    for number in range(LOOPS):
        world.run(f"loop {number}", [sys.executable, "-c", "while True: pass"])
    world.start_receiver()
    began = time.time()
    world.start_worker()
    job = _import(asked.messages)
    run = world.send(world.make_campaign("Crowded", kind, {"tags": ["crowd"]}))
    world.until(lambda: _all_live(), "every lane shows life", within=GIVE_UP, every=1)
    findings.note(f"all lanes worked, beside {LOOPS} busy loops", f"{time.time() - began:.0f} s")
    world.until(lambda: _done(job), "the import has ended", within=GIVE_UP, every=1)
    findings.note("the import ended", f"{time.time() - began:.0f} s")
    world.wait_for(run, within=GIVE_UP)
    findings.note("the campaign ended", f"{time.time() - began:.0f} s")
    job.refresh_from_db()
    findings.none("rows that were not imported", asked.messages - job.rows_done)
    judge(world, findings, run, asked.messages, since=began, kills=[])
    rows = LaneHeartbeat.objects.all()
    findings.none("lanes replaced", sum(row.restarts for row in rows))
    findings.at_most("starts of the supervisor", world.programs["worker"].starts, 1)


def _import(people: int) -> Import:
    lines = ["email,name", *(f"new{n}@example.org,New {n}" for n in range(people))]
    now = timezone.now()
    file = io.BytesIO("\n".join(lines).encode())
    job = start_upload(file=file, file_name="people.csv", by=TESTER, now=now)
    imports_run.start(job=job, mapping=job.mapping, options={}, by=TESTER, now=now)
    return job


def _all_live() -> bool:
    return LaneHeartbeat.objects.filter(beat_at__isnull=False).count() == len(GROUPS)


def _done(job: Import) -> bool:
    return Import.objects.filter(pk=job.pk, finished_at__isnull=False).exists()
