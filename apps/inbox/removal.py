"""Retracted notifications leave the inbox."""

from collections.abc import Sequence

from apps.followers.models import Channel
from apps.inbox.models import InboxItem
from apps.lib.facts import Fact
from apps.notifications.models import Delivery, Notification


def on_retracted(facts: Sequence[Fact]) -> None:
    """Subscriber: take a notification's messages out of all inboxes, read or not."""
    for fact in facts:
        brought = Delivery.objects.filter(notification__uid=fact.about.id, channel=Channel.IN_APP)
        there = InboxItem.objects.filter(
            delivery__in=brought.values("uid"), removed_at__isnull=True
        )
        there.update(removed_at=fact.at)


def removed_of(notification: Notification) -> int:
    """Count the messages of a notification that were taken out of inboxes."""
    brought = Delivery.objects.filter(notification=notification, channel=Channel.IN_APP)
    gone = InboxItem.objects.filter(delivery__in=brought.values("uid"), removed_at__isnull=False)
    return gone.count()
