"""A poison message, two who press at once, a caller who dies: R-08, R-10, R-14."""

import os
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import transaction
from django.utils import timezone

from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.models import Run
from apps.content.drafts import published_version
from apps.followers.models import Follower, NotificationType
from apps.notifications.models import Delivery, DeliveryEvent, Notification
from apps.notifications.notify import Intent, notify
from tests.chaos.kills import GIVE_UP
from tests.chaos.promises import Findings
from tests.chaos.world import ROOT, World, make_crowd, news
from tests.make import TESTER, make_template

POISON = ("Killing Bell", "Starving Bell")  # tests/chaos/poison/sitecustomize.py knows what they do
AT_ONCE = 200


# ------------------------------------------------------------------ poison
def poison(world: World, findings: Findings, asked: Namespace) -> None:
    """Two of the recipients end the process that renders their mail: by SIGKILL,
    and for want of memory.
    """
    people = make_crowd(asked.messages)
    for victim, name in zip(world.dice.sample(people, len(POISON)), POISON, strict=True):
        Follower.objects.filter(pk=victim.pk).update(name=name)
    world.start_receiver()
    world.start_web()
    world.start_worker(PYTHONPATH=str(ROOT / "tests/chaos/poison"))
    began = time.time()
    run = world.send(world.make_campaign("Poison", news()))
    world.wait_for(run, within=GIVE_UP)
    rows = Delivery.objects.filter(notification=run.notification_id)
    poisoned = rows.filter(follower__name__in=POISON)
    for row in poisoned.select_related("follower"):
        starts = DeliveryEvent.objects.filter(delivery=row, kind="crashed").count()
        findings.at_most(f"{row.follower}: starts", starts, 3)
        kept = (row.status, row.reason) == ("failed", "quarantined")
        findings.add(
            f"{row.follower}: set aside",
            bar="quarantined",
            measured=f"{row.status}: {row.error}",
            kept=kept,
        )
    copies = world.log.read().copies(run.notification.uid)
    findings.none("of the others, lost", asked.messages - len(POISON) - len(copies))
    doubles = sum(copies.values()) - len(copies)
    findings.at_most("doubles, by transactions cut off", doubles, world.log.cut_off(began))


# ------------------------------------------------------------------ races
def races(world: World, findings: Findings, asked: Namespace) -> None:
    """Two supervisors at work; 200 calls at once of everything that must happen once."""
    make_crowd(asked.messages, tag="all")
    kind = news()
    template = make_template("letter")
    world.start_receiver()
    world.start_web()
    world.start_worker("worker one")
    world.start_worker("worker two")
    world.call("GET", "/followers")
    person = Follower.objects.order_by("pk")[0]

    body = {
        "type": kind.key,
        "template": template.key,
        "recipients": [{"id": str(person.uid)}],
        "dedup_key": "once",
        "channels": ["email"],
    }
    answers = _at_once(lambda: world.call("POST", "/notify", body))
    findings.add(
        "calls with one dedup key",
        bar="all 202",
        measured=dict(answers),
        kept=set(answers) == {202},
    )
    findings.at_most("notifications made", Notification.objects.filter(dedup_key="once").count(), 1)

    rules: list[dict[str, Any]] = [
        {"all": [{"field": "name", "op": "starts_with", "value": "P"}]},
        {"all": [{"field": "metadata.plan", "op": "in", "value": ["pro", "free"]}]},
        {"all": [{"field": "tag", "op": "is", "value": "all"}]},
    ]
    made = [
        create_segment(
            values=SegmentValues(name=f"S{n}", rules=each), by=TESTER, now=timezone.now()
        )
        for n, each in enumerate(rules)
    ]
    audience = {"segments": [str(each.uid) for each in made], "tags": ["all"]}
    campaign = world.make_campaign("Overlap", kind, audience)
    answers = _at_once(lambda: world.call("POST", f"/campaigns/{campaign.uid}/send"))
    # 202 by whom it was started, 200 by whom it was under way already
    taken = set(answers) <= {202, 200} and answers[202] >= 1
    findings.add("presses on “send”", bar="202 or 200", measured=dict(answers), kept=taken)
    findings.at_most("runs made", campaign.runs.count(), 1)
    run = Run.objects.select_related("notification", "campaign").get(campaign=campaign)
    world.wait_for(run, within=120)
    time.sleep(5)
    log = world.log.read()
    single = log.copies(Notification.objects.get(dedup_key="once").uid)
    findings.add(
        "mails for one dedup key",
        bar="1",
        measured=sum(single.values()),
        kept=sum(single.values()) == 1,
    )
    copies = log.copies(run.notification.uid)
    findings.none(
        "followers in four overlapping groups, not exactly once", asked.messages - len(copies)
    )
    findings.at_most("most copies of one mail", max(copies.values()), 1)


def _at_once(call: Any) -> Counter[int]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return Counter(status for status, _ in pool.map(lambda _: call(), range(AT_ONCE)))


# ------------------------------------------------------------------ outbox
OUTSIDE = """
import os, signal, django
django.setup()
from django.db import transaction
from tests.chaos.oddities import tell
with transaction.atomic():
    tell("killed {when}")
    if "{when}" == "before":
        os.kill(os.getpid(), signal.SIGKILL)
os.kill(os.getpid(), signal.SIGKILL)
"""


class _Rollback(Exception):
    """The caller changed its mind."""


def outbox(world: World, findings: Findings, asked: Namespace) -> None:
    """A message is part of its caller's transaction: rolled back it never was,
    committed it goes, whoever dies.
    """
    make_crowd(1)
    news()
    make_template("letter")
    world.start_receiver()
    world.start_worker()
    for _ in range(asked.messages):
        try:
            with transaction.atomic():
                tell(f"rolled back {_}")
                raise _Rollback
        except _Rollback:
            continue
    codes = {}
    for when in ("before", "after"):
        command = [sys.executable, "-c", OUTSIDE.format(when=when)]
        codes[when] = subprocess.run(
            command, cwd=ROOT, env=dict(os.environ), check=False
        ).returncode
    findings.add(
        "callers were killed",
        bar="SIGKILL",
        measured=codes,
        kept=set(codes.values()) == {-signal.SIGKILL},
    )
    kept = Notification.objects.values_list("dedup_key", flat=True)
    findings.add(
        "what is left of them",
        bar="killed after",
        measured=list(kept),
        kept=list(kept) == ["killed after"],
    )
    uid = Notification.objects.get(dedup_key="killed after").uid
    began = time.monotonic()
    world.until(
        lambda: world.log.read().of(uid), "committed, then killed: the mail goes", within=60
    )
    findings.at_most(
        "committed, then killed: the mail goes after", time.monotonic() - began, 60, " s"
    )
    time.sleep(5)
    findings.none("mails of callers that rolled back", len(world.log.read().kept) - 1)


def tell(key: str) -> None:
    """What a caller of ours does in its own transaction."""
    from apps.content.models import Template

    version = published_version(Template.objects.get(key="letter"))
    intent = Intent(
        notification_type=NotificationType.objects.get(),
        version=version,
        channels=["email"],
        dedup_key=key,
        source="chaos",
    )
    people = list(Follower.objects.all())
    notify(intent=intent, recipients=people, by=TESTER, now=timezone.now())
