"""What holds for each kind of data, what it would mean now, and changing it."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Sum
from django.utils.translation import gettext

from apps.analytics.models import DayOfRetention, Retention
from apps.analytics.retention.decide import Limit, limit
from apps.analytics.retention.kinds import BY_KEY, KINDS, KindOfData
from apps.lib.actor import Actor
from apps.lib.erasing.letting_go import COUNTED, Reached
from apps.lib.facts import Kind, Subject, tell
from apps.lib.refusals import Refused

MOST_DAYS = 36_500


class BadRetention(Refused):
    """A time that can't be; `field` is the kind of data."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How one kind of data stands."""

    kind: KindOfData
    days: int  # 0 = for ever
    limit: Limit
    due: int  # rows that would go now; COUNTED + 1 = more than COUNTED
    gone: int  # so far

    @property
    def is_more(self) -> bool:
        return self.due > COUNTED


def days_of(kind: KindOfData, row: Retention | None) -> int:
    """How many days a kind is kept; 0 = for ever."""
    if row is None or row.days is None:
        return kind.default()
    return row.days


def chosen() -> dict[str, int]:
    """How many days each kind is kept now."""
    rows = {row.kind: row for row in Retention.objects.all()}
    return {kind.key: days_of(kind, rows.get(kind.key)) for kind in KINDS}


def limit_of(kind: KindOfData, *, days: int, now: dt.datetime) -> Limit:
    """Decide from which moment on data of a kind is too old."""
    read_for = 0
    if days:
        read_for = kind.read_for()
    return limit(days=days, read_for=read_for, now=now)


def standings(*, values: Mapping[str, int], now: dt.datetime) -> list[Standing]:
    """What would go now if these days held, and what has gone so far."""
    sums = DayOfRetention.objects.values_list("kind").annotate(rows=Sum("rows"))
    gone: dict[str, int] = dict(sums)
    rows = {row.kind: row for row in Retention.objects.all()}
    found = []
    for kind in KINDS:
        days = values[kind.key]
        decided = limit_of(kind, days=days, now=now)
        due = 0
        if decided.before:
            reached = Reached()
            if row := rows.get(kind.key):
                reached = Reached(row.reached, row.inner)
            found_due = kind.due(before=decided.before, reached=reached)
            due = found_due.order_by()[: COUNTED + 1].count()
        found.append(Standing(kind, days, decided, due, gone.get(kind.key, 0)))
    return found


def refuse_bad(values: Mapping[str, int]) -> None:
    """Raises BadRetention for the first time that can't be."""
    for key, days in values.items():
        if days and not BY_KEY[key].least <= days <= MOST_DAYS:
            said = gettext("Write from {least} to {most} days, or nothing to keep it for ever.")
            raise BadRetention(said.format(least=BY_KEY[key].least, most=MOST_DAYS), field=key)


def change(*, values: Mapping[str, int], by: Actor, now: dt.datetime) -> None:
    """Say how many days these kinds are kept (0 = for ever), all or none. Raises BadRetention.

    A walk that is under way goes on from where it is.
    """
    refuse_bad(values)
    with transaction.atomic():
        for key, days in values.items():
            Retention.objects.get_or_create(kind=key)
            row = Retention.objects.select_for_update().get(kind=key)
            before = days_of(BY_KEY[key], row)
            if days == before:
                continue
            row.days = days
            row.rests_until = None
            row.save(update_fields=["days", "rests_until"])
            about = Subject("retention", key, "")
            tell(Kind.RETENTION_CHANGED, by=by, now=now, about=about, data={"days": [before, days]})
