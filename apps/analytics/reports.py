"""Numbers for the first page, from the tallies and short ranges of indexes.

All deliveries are never counted.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Sum
from django.db.models.functions import TruncDate

from apps.campaigns.models import Campaign, CampaignState, Run
from apps.followers.models import Channel, Follower
from apps.lib.sql import keyset
from apps.notifications.models import DeliveryStatus, Notification, NotificationState, Tally
from apps.notifications.reports.balance import Balance

EXACT = 20_000  # followers that are counted
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
    """List campaigns that are going out or paused, the newest first. Three queries."""
    live = (CampaignState.SENDING, CampaignState.PAUSED)
    campaigns = list(Campaign.objects.filter(state__in=live)[:limit])
    runs = _newest_runs(campaigns)
    balances = _balances(run.notification_id for run in runs.values())
    found = []
    for campaign in campaigns:
        run = runs.get(campaign.pk)
        if run is None:
            continue
        balance = balances[run.notification_id]
        counting = run.notification.state == NotificationState.PLANNING
        found.append(Sending(campaign, balance, counting=counting))
    return found


def _newest_runs(campaigns: list[Campaign]) -> dict[int, Run]:
    """Find the newest run of each campaign, by the campaign's number."""
    rows = Run.objects.filter(campaign__in=campaigns).select_related("notification")
    newest = {}
    for run in rows.order_by("number"):  # a newer run takes the place of an older one
        newest[run.campaign_id] = run
    return newest


def _balances(notifications: Iterable[int]) -> defaultdict[int, Balance]:
    balances: defaultdict[int, Balance] = defaultdict(Balance)
    tallies = Tally.objects.filter(notification__in=list(notifications))
    rows = tallies.values_list("notification", "channel", "status", "reason")
    for notification, channel, status, reason, count in rows.annotate(Sum("count")):
        balances[notification].rows[channel, status, reason] = count
    return balances


def upcoming(*, limit: int = 5) -> list[Campaign]:
    """List scheduled campaigns, the next one first."""
    scheduled = Campaign.objects.filter(state=CampaignState.SCHEDULED)
    return list(scheduled.order_by("send_at")[:limit])


def waiting() -> dict[str, int]:
    """Count the deliveries that wait or are being sent, by channel (its label).

    Paused ones are not in the way of anybody.
    """
    running = (NotificationState.PLANNING, NotificationState.SENDING)
    unsent = (DeliveryStatus.PENDING, DeliveryStatus.HELD, DeliveryStatus.QUEUED)
    live = Tally.objects.filter(notification__state__in=running, status__in=unsent)
    found = live.values_list("channel").annotate(Sum("count"))
    return {str(Channel(channel).label): number for channel, number in found if number}


@dataclass(frozen=True, slots=True)
class Day:
    """What became of the deliveries of one day."""

    date: dt.date
    sent: int
    failed: int
    skipped: int

    @property
    def total(self) -> int:
        return self.sent + self.failed + self.skipped


def last_days(*, now: dt.datetime, zone: dt.tzinfo, days: int = 7) -> list[Day]:
    """Count what became of the deliveries of the last `days` days, today included.

    They count on the day their sending began, as the clocks of `zone` have it.
    """
    today = now.astimezone(zone).date()
    oldest = today - dt.timedelta(days=days - 1)
    first = dt.datetime.combine(oldest, dt.time(), zone)
    # Ids grow with time: the newest older one bounds a range of the tallies' own index.
    older = Notification.objects.filter(created_at__lt=first).order_by("-pk")
    before = older.values_list("pk", flat=True).first() or 0
    counts: Counter[tuple[dt.date, str]] = Counter()
    tallies = Tally.objects.filter(notification__gt=before, notification__created_at__gte=first)
    by_day = tallies.annotate(day=TruncDate("notification__created_at", tzinfo=zone))
    rows = by_day.values_list("day", "status").annotate(Sum("count"))
    for day, status, count in rows:
        for outcome, statuses in OUTCOMES.items():
            if status in statuses:
                counts[day, outcome] += count
    dates = [oldest + dt.timedelta(days=passed) for passed in range(days)]
    return [_day(date, counts) for date in dates]


def _day(date: dt.date, counts: Counter[tuple[dt.date, str]]) -> Day:
    return Day(
        date=date,
        sent=counts[date, "sent"],
        failed=counts[date, "failed"],
        skipped=counts[date, "skipped"],
    )


@dataclass(frozen=True, slots=True)
class FollowerCounts:
    """How many followers there are, subscribed ones and new ones among them."""

    total: keyset.Count
    subscribed: keyset.Count
    new: int


def follower_counts(*, now: dt.datetime, days: int = 7) -> FollowerCounts:
    """Count the followers, and those who came in the last `days` days.

    From EXACT on, the database's own idea of their number does: to count a million takes longer
    than all else of a page.
    """
    since = now - dt.timedelta(days=days)
    everybody = Follower.objects.all()
    total = keyset.count(everybody, limit=EXACT)
    subscribed = keyset.count(everybody.filter(subscribed=True), limit=EXACT)
    older = everybody.filter(created_at__lt=since).order_by("-pk")
    before = older.values_list("pk", flat=True).first() or 0
    new = everybody.filter(pk__gt=before).count()
    return FollowerCounts(total=total, subscribed=subscribed, new=new)
