"""Events of ESPs, kept until they are booked: a request is answered when they are stored, and one
that is about a hand-over which nobody has noted yet waits for it.
"""

import datetime as dt
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from apps.channels.esp.told import MailEvent, What
from apps.lib import steady_clock
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce, answer_all
from apps.lib.queue.lanes import Lane
from apps.notifications.models import HeardEvent, ProviderAccount
from apps.notifications.sending.heard.events import book
from apps.notifications.sending.heard.provider_reports import TooEarly

WORK_TASK = "apps.notifications.sending.heard.store.work_off"
WORK_SECONDS = 0.5  # a task is short: one-time messages wait for their turn in the same lane
UNHEARD = dt.timedelta(seconds=3)
AGAIN = dt.timedelta(seconds=30)  # an early one, or one that could not be booked
KEPT_FOR = dt.timedelta(days=2)
NOTED_EVERY = dt.timedelta(seconds=10)
log = logging.getLogger("carillon.answers")


def keep(*, account: ProviderAccount, told: Sequence[MailEvent], now: dt.datetime) -> None:
    """Store events, each once, and announce the work."""
    if not told:
        return
    rows = [
        HeardEvent(account=account, name=each.event, told=_plain(each), received_at=now, due_at=now)
        for each in told
    ]
    with transaction.atomic():
        HeardEvent.objects.bulk_create(rows, ignore_conflicts=True)
        announce(WORK_TASK, lane=Lane.TRANSACTIONAL)
    lately = Q(heard_at__isnull=True) | Q(heard_at__lt=now - NOTED_EVERY)
    mine = ProviderAccount.objects.filter(lately, pk=account.pk)
    mine.update(heard_at=now, heard_what=told[-1].what)


def work_off(**_nothing: object) -> None:
    """Task: book events for half a second, oldest first, then announce itself again.

    Any number may run at once.
    """
    answer_all(WORK_TASK, lane=Lane.TRANSACTIONAL)
    stop_at = time.monotonic() + WORK_SECONDS
    while _next():
        if time.monotonic() > stop_at:
            announce(WORK_TASK, lane=Lane.TRANSACTIONAL)
            return


def _next() -> bool:
    """Book the next event; False when there is none."""
    now = steady_clock.now()
    # SQLite has one writer at a time anyway
    skip = connection.features.has_select_for_update_skip_locked
    due = HeardEvent.objects.filter(due_at__lte=now).order_by("due_at", "id")
    row: HeardEvent | None = None
    try:
        with transaction.atomic():
            row = due.select_for_update(skip_locked=skip, of=("self",)).first()
            if row is not None:
                book(told=_told(row.told), account=row.account, now=now)
                row.delete()
    except TooEarly:
        pass
    except Exception:
        if row is None or connection.needs_rollback or not connection.is_usable():
            raise
        log.exception("Event %s could not be booked; it is tried again.", row.name)
    else:
        return row is not None
    _wait(row, now)
    return True


def _wait(row: HeardEvent | None, now: dt.datetime) -> None:
    """Put off an event that can't be booked yet, and forget one that waits for days."""
    if row is None:
        return
    mine = HeardEvent.objects.filter(pk=row.pk)
    if row.received_at < now - KEPT_FOR:
        mine.delete()
    else:
        mine.update(due_at=now + AGAIN)


def unheard(now: dt.datetime) -> QuerySet[HeardEvent]:
    """Find the events whose call was lost, or whose next try is due."""
    return HeardEvent.objects.filter(due_at__lte=now - UNHEARD)


@only_with(unheard)
def announce_due(*, now: dt.datetime) -> None:
    """Schedule: wake somebody up for events that nobody books."""
    if unheard(now).exists():
        announce(WORK_TASK, lane=Lane.TRANSACTIONAL)


def _plain(told: MailEvent) -> dict[str, Any]:
    """Make JSON of an event."""
    plain = asdict(told)
    plain["delivery"] = str(told.delivery or "")
    plain["at"] = None
    if told.at:
        plain["at"] = told.at.isoformat()
    return plain


def _told(plain: Mapping[str, Any]) -> MailEvent:
    values = dict(plain)
    values["what"] = What(plain["what"])
    if because := plain["because"]:
        values["because"] = What(because)
    values["delivery"] = None
    if named := plain["delivery"]:
        values["delivery"] = UUID(named)
    if at := plain["at"]:
        values["at"] = dt.datetime.fromisoformat(at)
    return MailEvent(**values)
