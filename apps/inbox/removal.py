"""Retracted notifications leave the inbox."""

from collections.abc import Sequence

from apps.followers.models import Channel
from apps.inbox.models import InboxItem
from apps.lib.facts import Fact
from apps.notifications.models import Delivery, Notification


def on_retracted(facts: Sequence[Fact]) -> None:
    """Subscriber: take its messages out of all inboxes, read or not.

    In the transaction of the fact.
    """
    for fact in facts:
        brought = Delivery.objects.filter(
            notification__uid=fact.about.id, channel=Channel.IN_APP
        ).values("uid")
        InboxItem.objects.filter(delivery__in=brought, removed_at__isnull=True).update(
            removed_at=fact.at
        )


def removed_of(notification: Notification) -> int:
    """How many of its messages were taken out of inboxes."""
    brought = Delivery.objects.filter(notification=notification, channel=Channel.IN_APP).values(
        "uid"
    )
    return InboxItem.objects.filter(delivery__in=brought, removed_at__isnull=False).count()
