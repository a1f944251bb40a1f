"""The job that lets go of what was kept long enough.

Each portion is a transaction: the rows, how far the walk came, and how many went on this day. Who
is killed between two goes on where the last was committed. Of two at once one waits for the row of
the kind.
"""

import datetime as dt
import time

from django.db import transaction
from django.db.models import F

from apps.analytics.models import DayOfRetention, Retention
from apps.analytics.retention.kinds import KINDS, KindOfData
from apps.analytics.retention.rules import days_of, limit_of
from apps.lib.actor import SYSTEM
from apps.lib.erasing.letting_go import Reached
from apps.lib.facts import Kind, Subject, tell

WORK_SECONDS = 0.5  # of the tick, which has other work
REST = dt.timedelta(hours=6)  # after a walk came to its end: the next looks for what aged since


def let_go(*, now: dt.datetime) -> None:
    """Schedule: let go of the next portions, for half a second."""
    tell_days(now=now)
    rows = {row.kind: row for row in Retention.objects.all()}
    until = time.monotonic() + WORK_SECONDS
    for kind in KINDS:
        row = rows.get(kind.key)
        if days_of(kind, row) and not _rests(row, now):
            while portion(kind=kind, now=now) and time.monotonic() < until:
                pass


def portion(*, kind: KindOfData, now: dt.datetime) -> bool:
    """Let go of the next rows of a kind; True where there may be more."""
    with transaction.atomic():
        Retention.objects.get_or_create(kind=kind.key)
        row = Retention.objects.select_for_update().get(kind=kind.key)
        decided = limit_of(kind, days=days_of(kind, row), now=now)
        if decided.before is None or _rests(row, now):
            return False
        walked = kind.walk(before=decided.before, reached=Reached(row.reached, row.inner), now=now)
        row.reached = walked.reached.row
        row.inner = walked.reached.inner
        if not walked.more:
            row.rests_until = now + REST
        row.save(update_fields=["reached", "inner", "rests_until"])
        if walked.rows:
            day = now.astimezone(dt.UTC).date()
            DayOfRetention.objects.get_or_create(kind=kind.key, day=day)
            mine = DayOfRetention.objects.filter(kind=kind.key, day=day)
            mine.update(rows=F("rows") + walked.rows, told=False)
    return walked.more


def tell_days(*, now: dt.datetime) -> None:
    """Tell the audit log what went on days that are over: one fact for each."""
    today = now.astimezone(dt.UTC).date()
    untold = DayOfRetention.objects.filter(day__lt=today, told=False)
    if not untold.exists():
        return
    with transaction.atomic():
        days: dict[dt.date, dict[str, int]] = {}
        locked = list(untold.select_for_update().order_by("day", "kind"))
        for row in locked:
            days.setdefault(row.day, {})[row.kind] = row.rows
        for day, rows in days.items():
            about = Subject("retention", day.isoformat(), "")
            tell(Kind.RETENTION_APPLIED, by=SYSTEM, now=now, about=about, data={"rows": rows})
        DayOfRetention.objects.filter(pk__in=[row.pk for row in locked]).update(told=True)


def _rests(row: Retention | None, now: dt.datetime) -> bool:
    return row is not None and row.rests_until is not None and row.rests_until > now
