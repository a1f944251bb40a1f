"""What of a campaign still waits for its readers' digests when all the rest was sent."""

import datetime as dt
from dataclasses import dataclass

from django.db.models import QuerySet

from apps.campaigns.models import Campaign, CampaignState
from apps.notifications.books import tallies
from apps.notifications.digests.flush import held_until
from apps.notifications.models import DeliveryStatus, Notification, NotificationState
from apps.notifications.reports.balance import balance


@dataclass(frozen=True, slots=True)
class ForDigests:
    """How many messages wait for digests, the last of them `until` then."""

    messages: int = 0
    until: dt.datetime | None = None


def for_digests(notification: Notification) -> ForDigests:
    """Count what the notification has held, from the tallies."""
    messages = balance(notification).held
    if not messages:
        return ForDigests()
    return ForDigests(messages, held_until(notification))


def only_held() -> QuerySet[Notification]:
    """Find the notifications of which nothing but digests is still to come."""
    going = Notification.objects.filter(
        state=NotificationState.SENDING, planned_at__isnull=False, run__isnull=False
    )
    leaving = tallies.standing(DeliveryStatus.PENDING, DeliveryStatus.QUEUED)
    counted = going.alias(leaving=leaving, held=tallies.standing(DeliveryStatus.HELD))
    return counted.filter(leaving=0, held__gt=0)


def sent_but_held(*, limit: int = 6) -> list[tuple[Campaign, ForDigests]]:
    """List the campaigns that were sent and still wait for digests, the newest first."""
    waiting = Notification.objects.filter(state=NotificationState.SENDING, run__isnull=False)
    held = waiting.alias(held=tallies.standing(DeliveryStatus.HELD)).filter(held__gt=0)
    sent = held.filter(run__campaign__state=CampaignState.SENT).select_related("run__campaign")
    return [(each.run.campaign, for_digests(each)) for each in sent[:limit]]
