"""How one send parts by domain, language, channel and time: counted from its rows."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from django.db.models import Case, Count, F, Min, Q, Value, When
from django.db.models.functions import Coalesce, TruncMinute

from apps.followers.models import Channel
from apps.notifications.models import Delivery, Notification
from apps.notifications.reports.became import (
    BOUNCED,
    DOMAIN,
    NO_DOMAIN,
    SENT,
    Did,
    that,
)

MOST = 50  # domains with a line of their own
FIRST_DAY = 24 * 60  # minutes
MINUTE = dt.timedelta(minutes=1)


@dataclass(slots=True)
class Portion:
    """Numbers of one domain, language or channel. `tracked`: emails among what was sent, which
    opens and clicks are a share of.
    """

    planned: int = 0
    sent: int = 0
    tracked: int = 0
    opened: int = 0
    clicked: int = 0
    bounced: int = 0

    def add(self, other: "Portion") -> None:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(slots=True)
class Counts:
    """How the deliveries of one notification part.

    `others`: domains beyond the MOST largest, together. `began`: where the minutes begin.
    `minutes`, by what happened ("sent", "opened", "clicked"): how many in each minute of the first
    day. `days`: the same for each further 24 hours.
    """

    domains: dict[str, Portion] = field(default_factory=dict)
    others: Portion = field(default_factory=Portion)
    languages: dict[str, Portion] = field(default_factory=dict)
    channels: dict[str, Portion] = field(default_factory=dict)
    unopened: int = 0
    machine_only: int = 0
    began: str = ""
    minutes: dict[str, dict[int, int]] = field(default_factory=dict)
    days: dict[str, dict[int, int]] = field(default_factory=dict)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> "Counts":
        """Read what `as_data` gave, after it has been JSON: numbers as keys are texts there."""
        counts = cls(unopened=data["unopened"], machine_only=data["machine_only"])
        for name in ("domains", "languages", "channels"):
            parts = {key: Portion(**part) for key, part in data[name].items()}
            setattr(counts, name, parts)
        counts.others = Portion(**data["others"])
        counts.began = data["began"]
        for name in ("minutes", "days"):
            series = {
                what: {int(place): number for place, number in found.items()}
                for what, found in data[name].items()
            }
            setattr(counts, name, series)
        return counts


def count(notification: Notification) -> Counts:
    """Count the rows. Seven queries; each reads the deliveries of this notification once."""
    rows = Delivery.objects.filter(notification=notification).order_by()
    counts = Counts()
    _part(rows, counts)
    counts.unopened = rows.filter(that(Did.UNOPENED)).count()
    counts.machine_only = rows.filter(that(Did.MACHINE)).count()
    began = rows.filter(SENT).aggregate(at=Min("finished_at"))["at"] or notification.send_at
    began = began.replace(second=0, microsecond=0)
    counts.began = began.isoformat()
    series = {
        "sent": (rows.filter(SENT), "finished_at"),
        Did.OPENED.value: (rows, "opened_at"),
        Did.CLICKED.value: (rows, "clicked_at"),
    }
    for name, (found, column) in series.items():
        _in_time(found, column, began, name, counts)
    return counts


def _part(rows: Any, counts: Counts) -> None:
    is_mail = Q(channel=Channel.EMAIL)
    domain = Case(
        When(is_mail & Q(address__isnull=False), then=DOMAIN),
        When(is_mail, then=Value(NO_DOMAIN)),
        default=Value(""),
    )
    language = Coalesce(F("follower__language"), Value(NO_DOMAIN))
    grouped = rows.annotate(domain=domain, language=language)
    sums = grouped.values_list("channel", "domain", "language").annotate(
        planned=Count("pk"),
        sent=Count("pk", filter=SENT),
        tracked=Count("pk", filter=SENT & is_mail & Q(notification__tracking=True)),
        opened=Count("pk", filter=that(Did.OPENED)),
        clicked=Count("pk", filter=that(Did.CLICKED)),
        bounced=Count("pk", filter=BOUNCED),
    )
    domains: dict[str, Portion] = {}
    for channel, name, tongue, *numbers in sums:
        part = Portion(*numbers)
        counts.channels.setdefault(channel, Portion()).add(part)
        counts.languages.setdefault(tongue, Portion()).add(part)
        if name:
            domains.setdefault(name, Portion()).add(part)
    largest = sorted(domains, key=lambda name: (-domains[name].planned, name))
    counts.domains = {name: domains[name] for name in largest[:MOST]}
    for name in largest[MOST:]:
        counts.others.add(domains[name])
    tongues = sorted(counts.languages, key=lambda name: (-counts.languages[name].planned, name))
    counts.languages = {name: counts.languages[name] for name in tongues}


def _in_time(rows: Any, column: str, began: dt.datetime, name: str, counts: Counts) -> None:
    """Count by minutes of the first day, then by days of 24 hours.

    What came before the first hand-over was booked counts in the first minute.
    """
    minutes: Counter[int] = Counter()
    days: Counter[int] = Counter()
    known = rows.filter(**{f"{column}__isnull": False})
    by_minute = known.annotate(minute=TruncMinute(column, tzinfo=dt.UTC)).values_list("minute")
    for at, number in by_minute.annotate(n=Count("pk")):
        passed = max((at - began) // MINUTE, 0)
        if passed < FIRST_DAY:
            minutes[passed] += number
        else:
            days[passed // FIRST_DAY] += number
    counts.minutes[name] = dict(sorted(minutes.items()))
    counts.days[name] = dict(sorted(days.items()))
