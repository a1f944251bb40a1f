"""What became of deliveries, as results count it and as lists are narrowed by it: one rule for a
number and for the names behind it.
"""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import StrIndex, Substr
from django.utils.translation import gettext_lazy as _

from apps.followers.models import Channel
from apps.lib.ids import read_uid
from apps.lib.wallclock import zone
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Engagement,
    EngagementKind,
    EventKind,
    Notification,
    Shelf,
)

SENT = Q(status__in=[DeliveryStatus.SENT, DeliveryStatus.DELIVERED])
# The address was refused, at the hand-over or later. What was refused for what is in it, or was
# given up, has failed and is no bounce.
BOUNCE_REASONS = ("refused_recipient", "undelivered")
BOUNCED = Q(shelf=Shelf.FAILED, reason__in=BOUNCE_REASONS)
# What stands behind the @ of a mailbox.
DOMAIN = Substr("address__key", StrIndex(F("address__key"), Value("@")) + 1)
NO_DOMAIN = "-"  # the address is gone by now; no domain's name


class Did(StrEnum):
    """What people, machines and servers did with a message."""

    OPENED = "opened"
    CLICKED = "clicked"
    UNOPENED = "unopened"
    MACHINE = "machine"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"


LABELS = {
    Did.OPENED: _("Opened"),
    Did.CLICKED: _("Clicked"),
    Did.UNOPENED: _("Sent and not opened"),
    Did.MACHINE: _("Opened or clicked by machines only"),
    Did.BOUNCED: _("Bounced"),
    Did.COMPLAINED: _("Marked as spam"),
    Did.UNSUBSCRIBED: _("Unsubscribed by it"),
}


def that(did: Did) -> Q:
    """The deliveries with which this was done, as a condition."""
    match did:
        case Did.OPENED:
            return Q(opened_at__isnull=False)
        case Did.CLICKED:
            return Q(clicked_at__isnull=False)
        case Did.UNOPENED:
            tracked = Q(notification__tracking=True, channel=Channel.EMAIL)
            return SENT & tracked & Q(opened_at__isnull=True)
        case Did.MACHINE:
            by_machine = Engagement.objects.filter(delivery=OuterRef("pk")).exclude(machine="")
            return Q(opened_at__isnull=True) & Q(Exists(by_machine))
        case Did.BOUNCED:
            return BOUNCED
        case Did.COMPLAINED:
            return _told(EventKind.COMPLAINED)
        case Did.UNSUBSCRIBED:
            return _told(EventKind.UNSUBSCRIBED)


def _told(kind: EventKind) -> Q:
    """Ask the events, which are few and have an index for it, and not from the deliveries."""
    return Q(pk__in=DeliveryEvent.objects.filter(kind=kind).values("delivery"))


@dataclass(frozen=True, slots=True)
class Narrowing:
    """What a list of deliveries is narrowed by, beside status, reason and channel; "" is any.

    As it stands in an address. `begin` and `end` are moments between which `did` (or, without one,
    the hand-over) fell; `since` and `to` the days on which the sending began, both included.
    """

    did: str = ""
    link: str = ""
    domain: str = ""
    language: str = ""
    begin: str = ""
    end: str = ""
    campaign: str = ""
    recurring: str = ""
    type: str = ""
    since: str = ""
    to: str = ""

    @classmethod
    def read(cls, asked: Mapping[str, str]) -> "Narrowing":
        """Read it from a query; what makes no sense is left out."""
        said = {each.name: str(asked.get(each.name, "")).strip() for each in fields(cls)}
        if said["did"] not in list(Did):
            said["did"] = ""
        if not (said["link"].isascii() and said["link"].isdigit() and len(said["link"]) < 5):
            said["link"] = ""
        for name in ("begin", "end"):
            if _moment(said[name]) is None:
                said[name] = ""
        for name in ("since", "to"):
            if _day(said[name]) is None:
                said[name] = ""
        for name in ("campaign", "recurring"):
            if read_uid(said[name]) is None:
                said[name] = ""
        return cls(**said)

    def __bool__(self) -> bool:
        return self != Narrowing()

    @property
    def given(self) -> dict[str, str]:
        """What is narrowed by, as it stands in an address."""
        named = {each.name: str(getattr(self, each.name)) for each in fields(self)}
        return {name: value for name, value in named.items() if value}

    def narrowed(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        rows = self._of_notifications(rows)
        if self.did:
            rows = rows.filter(that(Did(self.did)))
        if self.link:
            click = Engagement.objects.filter(delivery=OuterRef("pk"), link=int(self.link))
            rows = rows.filter(Exists(click.filter(kind=EngagementKind.CLICK, machine="")))
        if self.domain == NO_DOMAIN:
            rows = rows.filter(channel=Channel.EMAIL, address__isnull=True)
        elif self.domain:
            of_mail = rows.filter(channel=Channel.EMAIL, address__isnull=False)
            rows = of_mail.alias(domain=DOMAIN).filter(domain=self.domain)
        if self.language == NO_DOMAIN:
            rows = rows.filter(follower__isnull=True)
        elif self.language:
            rows = rows.filter(follower__language=self.language)
        return self._in_time(rows)

    def _of_notifications(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        if self.campaign or self.recurring or self.type or self.since or self.to:
            return rows.filter(notification__in=self.notifications().values("pk"))
        return rows

    def notifications(self) -> QuerySet[Notification]:
        """The notifications of a campaign, of a recurring one, of a type, of some days."""
        found = Notification.objects.order_by()
        if self.campaign:
            found = found.filter(run__campaign__uid=self.campaign)
        if self.recurring:
            found = found.filter(occurrence__recurring__uid=self.recurring)
        if self.type:
            found = found.filter(notification_type__key=self.type)
        if since := _day(self.since):
            first = _begin(since)
            # ids grow with time: what is older is a range of the primary key
            older = Notification.objects.filter(created_at__lt=first).order_by("-pk")
            before = older.values_list("pk", flat=True).first() or 0
            found = found.filter(pk__gt=before, created_at__gte=first)
        if to := _day(self.to):
            found = found.filter(created_at__lt=_begin(to + dt.timedelta(days=1)))
        return found

    def _in_time(self, rows: QuerySet[Delivery]) -> QuerySet[Delivery]:
        column = _WHEN.get(self.did, "finished_at")
        if begin := _moment(self.begin):
            rows = rows.filter(**{f"{column}__gte": begin})
        if end := _moment(self.end):
            rows = rows.filter(**{f"{column}__lt": end})
        return rows


YEARS = range(1970, 9000)  # others, a day on or in another zone, are no moments of Python's
NARROWINGS = tuple(each.name for each in fields(Narrowing))
_WHEN = {Did.OPENED.value: "opened_at", Did.CLICKED.value: "clicked_at"}


def _moment(text: str) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None or moment.year not in YEARS:
        return None
    return moment


def _day(text: str) -> dt.date | None:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        return None
    if day.year not in YEARS:
        return None
    return day


def _begin(day: dt.date) -> dt.datetime:
    """When a day begins by the site's clock: a number is the same for whoever reads it."""
    return dt.datetime.combine(day, dt.time(), zone(settings.TIME_ZONE))
