"""Reading the inbox: what is there, how much is new, and that it was read."""

import datetime as dt

from django.db import transaction
from django.db.models import QuerySet

from apps.followers.models import Follower
from apps.inbox.models import InboxItem
from apps.lib.actor import Actor
from apps.lib.events import Fact, Kind, publish


def items_of(follower: Follower) -> QuerySet[InboxItem]:
    """Everything in the follower's inbox, newest first."""
    return InboxItem.objects.filter(follower=follower)


def unread_count(follower: Follower) -> int:
    return items_of(follower).filter(read_at__isnull=True).count()


def mark_read(*, item: InboxItem, by: Actor, now: dt.datetime) -> bool:
    """Keep when it was read first. Says whether that changed anything."""
    with transaction.atomic():
        changed = bool(InboxItem.objects.filter(pk=item.pk, read_at__isnull=True).update(read_at=now))
        if changed:
            publish(Fact(Kind.INBOX_ITEM_READ, by, now, "inbox_item", str(item.uid), item.title))
    item.refresh_from_db(fields=["read_at"])
    return changed
