"""A receiver that refuses, stammers, hangs up and forgets to answer:
each answer means what it says (R-05, R-07).
"""

import time
from argparse import Namespace
from collections import Counter, defaultdict
from typing import Any

from apps.campaigns.models import Run
from apps.notifications.models import Delivery, DeliveryEvent
from tests.chaos.kills import GIVE_UP
from tests.chaos.promises import Findings
from tests.chaos.receiver import fate
from tests.chaos.world import World, make_crowd, news

# Shares of recipients; of connections for CONNECT, of mails for MAIL.
FAULTS = {
    "CONNECT 421": 0.01,
    "CONNECT drop": 0.01,
    "MAIL 421": 0.0005,
    "MAIL 4xx": 0.0005,
    "RCPT 4xx": 0.01,
    "RCPT 5xx": 0.01,
    "RCPT 421": 0.002,
    "RCPT garbage": 0.001,
    "RCPT multiline": 0.002,
    "RCPT drop": 0.001,
    "DATA 4xx": 0.002,
    "DATA 421": 0.001,
    "DATA drop": 0.001,
    "BODY drop": 0.003,
    "DOT 4xx": 0.005,
    "DOT 5xx": 0.005,
    "DOT 421": 0.001,
    "DOT multiline": 0.002,
    "DOT garbage": 0.001,
    "DOT accept": 0.001,
}
REFUSED = ("RCPT 5xx", "DOT 5xx")
# No answer to a mail that had left whole: nobody can know (RFC 1047).
# A short one has left when its first line is read.
FORGOTTEN = ("DOT accept", "DOT garbage", "BODY drop")


def faults(world: World, findings: Findings, asked: Namespace) -> None:
    """One campaign whose message type is sent again when in doubt,
    one whose type is held for a person.
    """
    half = asked.messages // 2
    make_crowd(half, tag="again")
    make_crowd(half, tag="held", first=half)
    world.start_receiver(faults=FAULTS)
    world.start_web()
    world.start_worker()
    kinds = {"again": news(doubt_policy="resend"), "held": news(key="codes", doubt_policy="hold")}
    began = time.monotonic()
    runs = {
        tag: world.send(world.make_campaign(tag, kind, {"tags": [tag]}))
        for tag, kind in kinds.items()
    }
    for run in runs.values():
        world.wait_for(run, within=GIVE_UP)
    findings.note("time until the last one was settled", f"{time.monotonic() - began:.0f} s")
    met = Counter(fault for fault, _ in world.log.read().faults)
    findings.note(
        "faults met",
        f"{sum(met.values())}: " + ", ".join(f"{name} {n}" for name, n in sorted(met.items())),
    )
    for tag, run in runs.items():
        _judge(world, findings, tag, run, half)


def _judge(world: World, findings: Findings, tag: str, run: Run, people: int) -> None:
    copies = world.log.copies(run.notification.uid)
    ids: dict[str, set[str]] = defaultdict(set)
    for each in world.log.of(run.notification.uid):
        ids[each.recipient].add(each.id)
    rows: dict[str, Any] = {
        row.address.value: row
        for row in Delivery.objects.filter(notification=run.notification_id).select_related(
            "address"
        )
    }
    fates = {person: fate(FAULTS, world.seed, person) for person in rows}
    findings.none(f"{tag}: rows missing", people - len(rows))
    plain = [person for person, what in fates.items() if what not in REFUSED + FORGOTTEN]
    wrong = [person for person in plain if copies[person] != 1 or rows[person].status != "sent"]
    findings.none(f"{tag}: of {len(plain)} without a refusal, not exactly once", len(wrong))
    _show(wrong, fates, rows, copies)
    refused = [person for person, what in fates.items() if what in REFUSED]
    wrong = [
        p
        for p in refused
        if copies[p] or rows[p].status != "failed" or not rows[p].reason or not rows[p].error
    ]
    findings.none(
        f"{tag}: of {len(refused)} refused for good, not failed with the server's words", len(wrong)
    )
    _show(wrong, fates, rows, copies)
    forgotten = [person for person, what in fates.items() if what in FORGOTTEN]
    most = 1
    if tag == "again":
        most = 2
    wrong = [person for person in forgotten if copies[person] > most or len(ids[person]) > 1]
    findings.none(
        f"{tag}: of {len(forgotten)} without an answer, more than {most} copies or Message-IDs",
        len(wrong),
    )
    doubted = set(
        DeliveryEvent.objects.filter(
            delivery__notification=run.notification_id, kind="in_doubt"
        ).values_list("delivery__address__value", flat=True)
    )
    findings.none(f"{tag}: of those, not recorded as in doubt", len(set(forgotten) - doubted))
    if tag == "held":
        held = {person for person, row in rows.items() if row.status == "in_doubt"}
        findings.none("held: not listed for a person", len(set(forgotten) ^ held))
    uncharged = [person for person, what in fates.items() if what.endswith("421")]
    charged = [person for person in uncharged if rows[person].attempts > 1]
    findings.none(f"{tag}: of {len(uncharged)} that met a 421, charged an attempt", len(charged))
    _show(charged, fates, rows, copies)


def _show(
    people: list[str], fates: dict[str, str], rows: dict[str, Any], copies: Counter[str]
) -> None:
    for person in people[:5]:
        row = rows[person]
        said = f"{row.status} {row.reason} after {row.attempts} tries: {row.error}"
        print(f"    {person}: {fates[person] or 'no fault'}, {copies[person]} copies, {said}")
