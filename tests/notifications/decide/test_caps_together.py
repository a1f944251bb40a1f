"""Two senders at the same people: together they keep to a cap and to a throttle."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.lib.queue.lanes import Lane
from apps.notifications.accounts import edit
from apps.notifications.models import Cap, Delivery
from apps.notifications.sending import claim
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, tell
from tests.ops.processes import environment
from tests.patience import PATIENCE

PEOPLE = 3
KEYS = 8
MOST = 6
SENDER = """
import time, django
django.setup()
from apps.notifications.models import Delivery
from apps.notifications.sending.sender import send_lane
Delivery.objects.exists()
print("ready", flush=True)
input()
while Delivery.objects.filter(status__in=["pending", "queued"]).exists():
    send_lane(name="transactional")
    time.sleep(0.02)
"""


ONE_WRITER = pytest.mark.skipif(
    connection.vendor == "sqlite", reason="SQLite has one writer at a time"
)


def _take() -> list[int]:
    """What a sender on a connection of its own gets."""
    try:
        batch = claim.claim(Lane.TRANSACTIONAL, owner="other", size=10)
        if batch:
            return [row.pk for row in batch.rows]
        return []
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
@ONE_WRITER
def test_whoever_comes_while_another_counts_comes_again_and_does_not_wait() -> None:
    edit.create_account(
        enabled=True,
        name="Inbox",
        provider_key="in_app",
        settings={},
        by=TESTER,
        now=timezone.now(),
    )
    kind = make_type("alert", category="informational", throttle_count=1, throttle_seconds=86400)
    person = make_follower(email="p@example.com")
    words = make_version()
    first, second = (tell(kind, [person], version=words, channels=["in_app"]) for _ in range(2))
    with ThreadPoolExecutor(1) as other, transaction.atomic():
        mine = claim.claim(Lane.TRANSACTIONAL, owner="me", size=1)
        assert mine
        assert mine.rows[0].notification == first
        assert other.submit(_take).result(timeout=PATIENCE) == [], (
            "the first is counted, and nobody can know it yet"
        )
    row = second.deliveries.get()
    assert (row.status, row.attempts, row.events.count()) == ("pending", 0, 0)
    Delivery.objects.filter(pk=row.pk).update(due_at=timezone.now())
    with ThreadPoolExecutor(1) as other:
        assert other.submit(_take).result(timeout=PATIENCE) == []
    row.refresh_from_db()
    assert (row.status, row.reason) == ("skipped", "throttled")


@pytest.mark.django_db(transaction=True)
@ONE_WRITER
def test_two_processes_never_give_a_follower_more_than_a_cap_or_a_throttle_allows(
    tmp_path: Path,
) -> None:
    now = timezone.now()
    edit.create_account(
        enabled=True, name="Inbox", provider_key="in_app", settings={}, by=TESTER, now=now
    )
    people = [make_follower(email=f"p{number}@example.com") for number in range(PEOPLE)]
    words = make_version()
    Cap.objects.create(
        name="a day",
        channels=["in_app"],
        commercial=False,
        limit=MOST,
        seconds=86400,
        outcome="drop",
        created_at=now,
    )
    kind = make_type("alert", category="informational", throttle_count=1, throttle_seconds=86400)
    for key in range(KEYS):
        for _ in range(2):  # neighbours: both senders are at one of them
            tell(kind, people, version=words, channels=["in_app"], throttle_key=str(key))
    senders = [
        subprocess.Popen(
            [sys.executable, "-c", SENDER],
            env=environment(tmp_path, DJANGO_SETTINGS_MODULE="notifications_project.settings"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    assert [each.stdout and each.stdout.readline() for each in senders] == ["ready\n"] * 2
    for each in senders:
        assert each.stdin
        each.stdin.write("go\n")
        each.stdin.flush()
    assert [each.wait(timeout=PATIENCE) for each in senders] == [0, 0]
    for person in people:
        rows = Delivery.objects.filter(follower=person)
        sent = rows.filter(status="sent").values_list("notification__throttle_key", flat=True)
        assert len(set(sent)) == len(sent), "one of each key"
        assert len(sent) == MOST, "no more, and no less"
        assert set(rows.exclude(status="sent").values_list("status", flat=True)) == {"skipped"}
