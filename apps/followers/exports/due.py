"""Begin the exports of schedules that are due."""

import datetime as dt

from django.conf import settings
from django.db import transaction

from apps.followers.exports.start import TooManyExports, start_export
from apps.followers.models import Export, ExportEvery, ExportSchedule, Shipment
from apps.lib import wallclock
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import Refused

_DAYS = 32  # the first of a month is never further away


def next_time(*, every: str, at: dt.time, zone: str, after: dt.datetime) -> dt.datetime:
    """Say when a schedule begins next, by the clock of a zone: the first such time after a moment.

    Weekly is on Mondays, monthly on the first, and hourly at the minutes of `at`.
    """
    tz = wallclock.zone(zone)
    if every == ExportEvery.HOURLY:
        found = after.replace(minute=at.minute, second=0, microsecond=0)
        if found <= after:
            found += dt.timedelta(hours=1)
        return found
    today = after.astimezone(tz).date()
    days = [today + dt.timedelta(days=number) for number in range(_DAYS + 1)]
    times = [wallclock.instant(dt.datetime.combine(day, at), tz) for day in days if _on(every, day)]
    return next(time for time in times if time > after)


def _on(every: str, day: dt.date) -> bool:
    match every:
        case ExportEvery.WEEKLY:
            return day.weekday() == 0
        case ExportEvery.MONTHLY:
            return day.day == 1
    return True


def start_due(*, now: dt.datetime) -> int:
    """Tick: begin what is due. Returns how many exports began.

    While too many exports run, the rest stays due.
    """
    due = ExportSchedule.objects.filter(active=True, next_at__lte=now)
    count = 0
    for schedule in due:
        try:
            began = _start_due(schedule, now)
        except TooManyExports:
            return count
        count += began
    return count


def _start_due(schedule: ExportSchedule, now: dt.datetime) -> bool:
    zone = settings.TIME_ZONE
    later = next_time(every=schedule.every, at=schedule.at, zone=zone, after=now)
    with transaction.atomic():
        due = ExportSchedule.objects.filter(pk=schedule.pk, active=True, next_at=schedule.next_at)
        # the update is the claim: of two ticks one begins it
        if not due.update(next_at=later):
            return False
        try:
            with transaction.atomic():
                start(schedule=schedule, by=SYSTEM, now=now)
        except TooManyExports:
            raise
        except Refused as error:
            fail(schedule=schedule, error=error.sentence, now=now)
            return False
    return True


def start(*, schedule: ExportSchedule, by: Actor, now: dt.datetime) -> Export:
    """Begin the export of a schedule now, whenever it is due. Raises BadExport, TooManyExports."""
    with transaction.atomic():
        job = start_export(kind=schedule.kind, asked=schedule.asked, by=by, now=now)
        Shipment.objects.create(export=job, schedule=schedule, due_at=now)
    return job


def fail(*, schedule: ExportSchedule, error: str, now: dt.datetime) -> None:
    """Note and tell that what a schedule wanted is not where it should be."""
    error = error[:300]
    with transaction.atomic():
        ExportSchedule.objects.filter(pk=schedule.pk).update(failed_at=now, error=error)
        tell(Kind.EXPORT_NOT_STORED, by=SYSTEM, now=now, about=schedule, data={"error": error})


def failed_schedules() -> int:
    """Count the schedules whose last export is not where it should be."""
    return ExportSchedule.objects.filter(active=True, failed_at__isnull=False).count()
