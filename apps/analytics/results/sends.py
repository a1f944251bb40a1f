"""Campaigns with their numbers in a row each, and the numbers of days."""

import datetime as dt
from collections import Counter, defaultdict
from dataclasses import dataclass

from django.db.models import QuerySet, Sum
from django.db.models.functions import TruncDate

from apps.campaigns.models import Run
from apps.followers.models import Channel
from apps.notifications.models import (
    DeliveryStatus,
    EngagementTally,
    Notification,
    Tally,
    TallyKind,
)

SHOWN = 50  # the newest campaigns of a period
_SENT = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED)


@dataclass(frozen=True, slots=True)
class Send:
    """A campaign's run in a list; `mailed` are the emails among what was sent."""

    run: Run
    sent: int
    mailed: int
    opened: int
    clicked: int

    @property
    def opened_share(self) -> float | None:
        return self._share(self.opened)

    @property
    def clicked_share(self) -> float | None:
        return self._share(self.clicked)

    def _share(self, number: int) -> float | None:
        """A share in percent; None where nothing tells, as of mails that are not tracked."""
        if self.mailed and self.run.notification.tracking:
            return number * 100 / self.mailed
        return None


def sends_of(notifications: QuerySet[Notification], *, most: int = SHOWN) -> list[Send]:
    """The newest campaigns among these. Three queries."""
    chosen = notifications.order_by().values("pk")
    related = Run.objects.filter(notification__in=chosen).select_related("campaign", "notification")
    runs = list(related.order_by("-notification")[:most])
    pks = [run.notification_id for run in runs]
    sent: Counter[int] = Counter()
    mailed: Counter[int] = Counter()
    tallies = Tally.objects.filter(notification__in=pks, status__in=_SENT).order_by()
    for pk, channel, number in tallies.values_list("notification", "channel").annotate(
        n=Sum("count")
    ):
        sent[pk] += number
        if channel == Channel.EMAIL:
            mailed[pk] += number
    people: defaultdict[int, dict[str, int]] = defaultdict(dict)
    looks = EngagementTally.objects.filter(notification__in=pks, link=0).order_by()
    for pk, kind, number in looks.values_list("notification", "kind").annotate(n=Sum("people")):
        people[pk][kind] = number
    found = []
    for run in runs:
        pk = run.notification_id
        opened = people[pk].get(TallyKind.OPEN.value, 0)
        clicked = people[pk].get(TallyKind.CLICK.value, 0)
        found.append(Send(run, sent[pk], mailed[pk], opened, clicked))
    return found


@dataclass(frozen=True, slots=True)
class DayResults:
    """What became of what began on a day."""

    date: dt.date
    sent: int
    opened: int
    clicked: int


def days_of(notifications: QuerySet[Notification], *, zone: dt.tzinfo) -> list[DayResults]:
    """The days on which some of these began, oldest first. Two queries."""
    chosen = notifications.order_by().values("pk")
    sent: Counter[dt.date] = Counter()
    people: Counter[tuple[dt.date, str]] = Counter()
    day = TruncDate("notification__created_at", tzinfo=zone)
    tallies = Tally.objects.filter(notification__in=chosen, status__in=_SENT).order_by()
    for date, number in tallies.annotate(day=day).values_list("day").annotate(n=Sum("count")):
        sent[date] += number
    looks = EngagementTally.objects.filter(notification__in=chosen, link=0).order_by()
    grouped = looks.annotate(day=day).values_list("day", "kind")
    for date, kind, number in grouped.annotate(n=Sum("people")):
        people[date, kind] += number
    dates = sorted({*sent, *(date for date, _ in people)})
    return [
        DayResults(date, sent[date], people[date, TallyKind.OPEN], people[date, TallyKind.CLICK])
        for date in dates
        if sent[date] or people[date, TallyKind.OPEN]
    ]
