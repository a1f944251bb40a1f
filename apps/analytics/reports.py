"""Numbers for the first page: from the tallies and short ranges of indexes,
never by counting all deliveries.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q, Sum
from django.db.models.functions import TruncDate

from apps.campaigns.models import Campaign, CampaignState, Run
from apps.followers.models import Channel, Follower
from apps.notifications.models import DeliveryStatus, Notification, NotificationState, Tally
from apps.notifications.reports.balance import Balance

OUTCOMES = {
    "sent": {DeliveryStatus.SENT, DeliveryStatus.DELIVERED},
    "failed": {DeliveryStatus.FAILED, DeliveryStatus.IN_DOUBT},
    "skipped": {DeliveryStatus.SKIPPED},
}


@dataclass(frozen=True, slots=True)
class Sending:
    """A campaign that is going out; `counting` while its recipients are still being frozen."""

    campaign: Campaign
    balance: Balance
    counting: bool

    @property
    def done(self) -> int:
        return self.balance.total - self.balance.waiting


def sending(*, limit: int = 6) -> list[Sending]:
    """Campaigns that are going out or paused, the newest first. Three queries."""
    campaigns = Campaign.objects.filter(state__in=(CampaignState.SENDING, CampaignState.PAUSED))[
        :limit
    ]
    # oldest run first, so that the dict ends with the newest one of each campaign
    runs = {
        run.campaign_id: run
        for run in Run.objects.filter(campaign__in=list(campaigns))
        .select_related("notification")
        .order_by("number")
    }
    balances = _balances(run.notification_id for run in runs.values())
    return [
        Sending(
            campaign,
            balances[run.notification_id],
            counting=run.notification.state == NotificationState.PLANNING,
        )
        for campaign in campaigns
        if (run := runs.get(campaign.pk))
    ]


def _balances(notifications: Iterable[int]) -> defaultdict[int, Balance]:
    balances: defaultdict[int, Balance] = defaultdict(Balance)
    tallies = Tally.objects.filter(notification__in=list(notifications))
    for notification, channel, status, reason, count in tallies.values_list(
        "notification", "channel", "status", "reason"
    ).annotate(Sum("count")):
        balances[notification].rows[channel, status, reason] = count
    return balances


def upcoming(*, limit: int = 5) -> list[Campaign]:
    """What is scheduled, the next one first."""
    return list(Campaign.objects.filter(state=CampaignState.SCHEDULED).order_by("send_at")[:limit])


def waiting() -> dict[str, int]:
    """Deliveries that wait or are being sent, by channel (its label);
    paused ones are not in the way of anybody.
    """
    live = Tally.objects.filter(
        notification__state__in=(NotificationState.PLANNING, NotificationState.SENDING),
        status__in=(DeliveryStatus.PENDING, DeliveryStatus.HELD, DeliveryStatus.QUEUED),
    )
    found = live.values_list("channel").annotate(Sum("count"))
    return {Channel(channel).label: count for channel, count in found if count}


@dataclass(frozen=True, slots=True)
class Day:
    date: dt.date
    sent: int
    failed: int
    skipped: int

    @property
    def total(self) -> int:
        return self.sent + self.failed + self.skipped


def last_days(*, now: dt.datetime, zone: dt.tzinfo, days: int = 7) -> list[Day]:
    """What became of the deliveries of the last `days` days, today included,
    by the day their sending began.

    Days as the clocks of `zone` have them.
    """
    today = now.astimezone(zone).date()
    first = dt.datetime.combine(today - dt.timedelta(days=days - 1), dt.time(), zone)
    # Ids grow with time: the newest older one bounds a range of the tallies' own index.
    before = (
        Notification.objects.filter(created_at__lt=first)
        .order_by("-pk")
        .values_list("pk", flat=True)
        .first()
        or 0
    )
    counts: Counter[tuple[dt.date, str]] = Counter()
    tallies = Tally.objects.filter(notification__gt=before, notification__created_at__gte=first)
    by_day = tallies.annotate(day=TruncDate("notification__created_at", tzinfo=zone))
    for day, status, count in by_day.values_list("day", "status").annotate(Sum("count")):
        for outcome, statuses in OUTCOMES.items():
            if status in statuses:
                counts[day, outcome] += count
    dates = [today - dt.timedelta(days=back) for back in range(days - 1, -1, -1)]
    return [Day(date, *(counts[date, outcome] for outcome in OUTCOMES)) for date in dates]


@dataclass(frozen=True, slots=True)
class AudienceCounts:
    total: int
    subscribed: int
    new: int


def audience(*, now: dt.datetime, days: int = 7) -> AudienceCounts:
    """All followers (one pass over the index on `subscribed`),
    and how many came in the last `days` days.
    """
    since = now - dt.timedelta(days=days)
    counted = Follower.objects.aggregate(
        total=Count("pk"), subscribed=Count("pk", filter=Q(subscribed=True))
    )
    before = (
        Follower.objects.filter(created_at__lt=since)
        .order_by("-pk")
        .values_list("pk", flat=True)
        .first()
        or 0
    )
    return AudienceCounts(
        counted["total"], counted["subscribed"], Follower.objects.filter(pk__gt=before).count()
    )
