"""Rates hold across processes, by the database's clock."""

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from apps.lib.steady_clock import database_now
from apps.notifications.limits import rates
from apps.notifications.models import Pace
from tests.ops.processes import environment
from tests.patience import PATIENCE

DRAW = """
import sys, time, django
django.setup()
from django.db import transaction
from apps.lib.steady_clock import database_now
from apps.notifications.limits import rates
total, keys = 0, sys.argv[1:]
limits = [rates.limit(key, {"a": 200.0, "b": 150.0}[key]) for key in keys]
database_now()
print("ready", flush=True)
most = int(input())
while total < most:
    now = database_now().timestamp()
    with transaction.atomic():
        rows = rates.hold(keys)
        count = min(each.available(rows[each.key].free_at, now) for each in limits)
        for each in limits:
            rows[each.key].free_at = each.after(rows[each.key].free_at, now, count)
        rates.store(rows.values())
    total += count
    if not count:
        time.sleep(0.002)
print(total, now)
"""


@pytest.mark.django_db(transaction=True)
def test_two_processes_together_never_exceed_the_rate(tmp_path: Path) -> None:
    share = 150  # for each, at 150 a second for both: two seconds of work
    drawing = [
        subprocess.Popen(
            [sys.executable, "-c", DRAW, *keys],
            env=environment(tmp_path, DJANGO_SETTINGS_MODULE="notifications_project.settings"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for keys in (
            ["a", "b"],
            ["b", "a"],
        )  # asked for in another order, and yet nobody waits for ever
    ]
    assert [each.stdout and each.stdout.readline() for each in drawing] == ["ready\n"] * 2
    began = database_now().timestamp()
    for each in drawing:
        assert each.stdin
        each.stdin.write(f"{share}\n")
        each.stdin.flush()
    said = [each.communicate(timeout=PATIENCE)[0].split() for each in drawing]
    counts = [int(count) for count, _ in said]
    assert min(counts) >= share, "both had a share"
    seconds = max(float(last) for _, last in said) - began
    patience = rates.limit("b", 150.0).patience
    assert sum(counts) <= 150 * (seconds + patience)
    free_at = Pace.objects.get(key="b").free_at
    assert free_at <= began + seconds + patience, "nothing was given out that the row does not know"


def test_the_clock_of_the_database_is_the_time(db: None) -> None:
    leeway = dt.timedelta(seconds=5)
    began = dt.datetime.now(dt.UTC)
    assert began - leeway < database_now() < dt.datetime.now(dt.UTC) + leeway
