"""Events: what happened in an integrator's own system.

They are stored with the call to work them off, and forgotten later.
"""

import datetime as dt
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from apps.campaigns.models import Event
from apps.content.liquid.plain_data import Unrenderable, plain
from apps.followers.models import Follower
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import NOT_NOW, TOO_MUCH, Refused

WORK_TASK = "apps.campaigns.events.run_rules.work_off"
NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
MAX_NAME = 100
MAX_DATA = 256 * 1024  # bytes of JSON
AHEAD = dt.timedelta(minutes=10)  # clocks differ
FARTHEST_YEARS = 10
CHUNK = 1000  # forgotten at once
UNHEARD = dt.timedelta(seconds=3)


class BadEvent(Refused):
    """An event that can't have happened like this; `field` is the one to change."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event to store. Without `follower` it is about nobody; without `occurred_at` it is now."""

    name: str
    follower: Follower | None = None
    data: dict[str, Any] = field(default_factory=dict)
    occurred_at: dt.datetime | None = None
    dedup_key: str | None = None


def check(event: NewEvent, *, now: dt.datetime) -> None:
    """Raises BadEvent."""
    if len(event.name) > MAX_NAME or not NAME.fullmatch(event.name):
        said = _("{name!r} is no name of an event. Write words with dots, such as order.created.")
        raise BadEvent(said.format(name=event.name), field="name")
    if len(json.dumps(event.data)) > MAX_DATA:
        said = _("The data has more than {most} kB. Send what messages need.")
        raise BadEvent(said.format(most=MAX_DATA // 1024), field="data", cause=TOO_MUCH)
    try:
        # a rule without a mapping shows templates the whole event, as `event.data`
        plain(event.data, depth=2)
    except Unrenderable as error:
        said = _("The data is nested more than 10 levels deep, which no template reads.")
        raise BadEvent(said, field="data", cause=TOO_MUCH) from error
    if event.occurred_at and event.occurred_at > now + AHEAD:
        said = _("That is in the future. Send the event when it has happened.")
        raise BadEvent(said, field="occurred_at", cause=NOT_NOW)
    # year 1 can't be shown in every zone
    if event.occurred_at and event.occurred_at.year < now.year - FARTHEST_YEARS:
        said = _("That is more than {years} years ago.").format(years=FARTHEST_YEARS)
        raise BadEvent(said, field="occurred_at", cause=NOT_NOW)


def record(*, events: Sequence[NewEvent], now: dt.datetime) -> list[tuple[Event, bool]]:
    """Store events and announce the work.

    Returns for each the row, and whether it is new (False: its `dedup_key` was known). Who sent
    them is in the request's log and not in the audit trail: there may be millions. Raises BadEvent
    for the first that can't be taken, and stores none then.
    """
    for event in events:
        check(event, now=now)
    with transaction.atomic():
        stored = [_store(event, now) for event in events]
        if any(new for _row, new in stored):
            announce(WORK_TASK, lane=Lane.TRANSACTIONAL)
    return stored


def _store(event: NewEvent, now: dt.datetime) -> tuple[Event, bool]:
    known = Event.objects.filter(name=event.name, dedup_key=event.dedup_key)
    if event.dedup_key and (row := known.first()):
        return row, False
    try:
        with transaction.atomic():
            row = Event.objects.create(
                name=event.name,
                follower=event.follower,
                data=event.data,
                occurred_at=event.occurred_at or now,
                received_at=now,
                dedup_key=event.dedup_key or None,
                due_at=now,
            )
    except IntegrityError:
        if event.dedup_key and (row := known.first()):  # another request was faster
            return row, False
        raise
    return row, True


def unheard(now: dt.datetime) -> QuerySet[Event]:
    """Find the events whose call was lost, or whose second try is due."""
    return Event.objects.filter(due_at__lte=now - UNHEARD)


@only_with(unheard)
def announce_due(*, now: dt.datetime) -> None:
    """Schedule: wake somebody up for events that nobody works off."""
    if unheard(now).exists():
        announce(WORK_TASK, lane=Lane.TRANSACTIONAL)


def old(*, before: dt.datetime) -> QuerySet[Event]:
    """Find what was worked off and came before this moment."""
    return Event.objects.filter(received_at__lt=before, due_at=None)


def forget_old(*, before: dt.datetime) -> int:
    """Delete the oldest of what was worked off and came before this moment, CHUNK at a time.

    Returns how many. The notifications made of them stay.
    """
    oldest = old(before=before).order_by("received_at")
    chosen = set(oldest.values_list("pk", flat=True)[:CHUNK])
    Event.objects.filter(pk__among=chosen).delete()
    return len(chosen)


def take_over(*, kept: Follower, gone: Follower, now: dt.datetime) -> None:
    """Give the events of a follower who is merged into another to the one who stays."""
    Event.objects.filter(follower=gone).update(follower=kept)
