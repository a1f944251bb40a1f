"""A database that was restored from a backup sends nothing again unasked.

It can't see that it is old. So its generation counts on while the site works, and is marked in
VAR_DIR, beside the journals, where no backup of the database brings it back. A database whose
generation is behind the mark is older than what was sent: all sends that it knows are held, and a
person says how to go on. What is new goes out meanwhile.
"""

import datetime as dt
import json
import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.utils.translation import gettext

from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Fact, Kind, tell, tell_together
from apps.lib.refusals import WrongState
from apps.notifications import control
from apps.notifications.books import tallies
from apps.notifications.models import (
    Generation,
    Notification,
    NotificationState,
    Source,
    Tally,
)
from apps.notifications.models.sentences import RESTORED

log = logging.getLogger("carillon.restored")

WHY = RESTORED
GOING = (NotificationState.PLANNING, NotificationState.SENDING)


class Answer(StrEnum):
    """How a person wants to go on after a restore."""

    RESUME = "resume"  # send what waits, again perhaps
    CANCEL = "cancel"  # none of it
    KEEP = "keep"  # leave each send paused: somebody looks at them one by one


@dataclass(frozen=True, slots=True)
class RestoreMark:
    """What VAR_DIR remembers."""

    database: str
    number: int


def is_older(mark: RestoreMark | None, *, database: str, number: int) -> bool:
    """Whether a database of this generation was restored since the mark was made."""
    return mark is not None and mark.database == database and number < mark.number


def look(*, now: dt.datetime) -> bool:
    """Hold what the database knows if it was restored; whether anything is held until a person
    answers. A statement where nothing is the matter.
    """
    row = Generation.objects.first()
    if row is None:
        return False
    if is_older(_read(), database=str(row.database), number=row.number):
        _hold(now)
        return True
    return row.held_at is not None


def count_on(*, now: dt.datetime) -> None:
    """Schedule: move the generation and its mark on, unless the database is older."""
    Generation.objects.get_or_create(id=1)
    if look(now=now):
        return
    Generation.objects.filter(id=1).update(number=F("number") + 1)
    row = Generation.objects.get()
    # after the commit: a mark without its generation would look like a restore
    _write(RestoreMark(str(row.database), row.number))


def held() -> Generation | None:
    """The generation whose sends are held; None where nothing is."""
    return Generation.objects.filter(held_at__isnull=False).first()


def go_on(*, how: Answer, by: Actor, now: dt.datetime) -> int:
    """Go on after a restore as a person says; how many sends it was about. Raises WrongState."""
    with transaction.atomic():
        freed = Generation.objects.filter(held_at__isnull=False)
        if not freed.update(held_at=None):
            raise WrongState(gettext("Nothing is held after a restore any more."))
        row = Generation.objects.get()
        tell(Kind.RESTORE_ANSWERED, by=by, now=now, about=row, data={"how": how.value})
    waiting = Notification.objects.filter(state=NotificationState.PAUSED, paused_why=WHY)
    found = list(waiting.order_by("pk"))
    for notification in found:
        if how is Answer.RESUME:
            control.resume(notification=notification, by=by, now=now)
            # that was no word about its refusals
            Notification.objects.filter(pk=notification.pk).update(brake_off=False)
        elif how is Answer.CANCEL:
            control.cancel(notification=notification, by=by, now=now)
    return len(found)


def _hold(now: dt.datetime) -> None:
    """Pause all that is on its way, and raise the generation above the mark."""
    mark = _read()
    if mark is None:
        return
    with transaction.atomic():
        row = Generation.objects.select_for_update().get()
        if row.number >= mark.number:  # another process was first
            return
        live = Notification.objects.filter(state__in=GOING)
        waits = Tally.objects.filter(notification__in=live, status__in=tallies.WAITING)
        count = waits.aggregate(n=Sum("count"))["n"] or 0
        campaigns = list(live.filter(source=Source.CAMPAIGN))
        live.update(state=NotificationState.PAUSED, wakes_at=None, paused_why=WHY)
        row.number = mark.number + 1
        row.held_at = now
        row.may_repeat = count
        row.save()
        data = {"may_repeat": count, "why": WHY}
        tell(Kind.DATABASE_RESTORED, by=SYSTEM, now=now, about=row, data=data)
        tell_together(
            Fact(
                kind=Kind.NOTIFICATION_PAUSED,
                by=SYSTEM,
                at=now,
                about=each.fact_subject,
                data={"why": WHY},
            )
            for each in campaigns
        )
    _write(RestoreMark(str(row.database), row.number))
    log.error("%s Up to %d messages would be sent again.", WHY, count)


# ------------------------------------------------------------------ the mark
def _path() -> Path:
    return Path(settings.JOURNAL_DIR).parent / "generation"


def _read() -> RestoreMark | None:
    """The mark; None where there is none yet, or a disk has damaged it."""
    try:
        said = json.loads(_path().read_text(encoding="ascii"))
        return RestoreMark(str(said["database"]), int(said["number"]))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _write(mark: RestoreMark) -> None:
    path = _path()
    unseen = path.with_suffix(".new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        said = {"database": mark.database, "number": mark.number}
        unseen.write_text(json.dumps(said), encoding="ascii")
        unseen.replace(path)  # whole, or not at all
    except OSError as error:
        log.error("The generation can't be marked in %s: %s", path, error.strerror)
