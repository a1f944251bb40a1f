"""Reading the inbox: what is there, how much is new, and what the follower said about it.

Who read a message here needs it on no other channel:
the fallbacks that wait are called off in the same transaction.
"""

import datetime as dt

from django.db import transaction
from django.db.models import QuerySet

from apps.followers.models import Follower
from apps.inbox.models import InboxItem
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.notifications.decide import fallback


def items_of(follower: Follower) -> QuerySet[InboxItem]:
    """Everything in the follower's inbox, newest first, archived or not."""
    return InboxItem.objects.filter(follower=follower, removed_at__isnull=True)


def new_of(follower: Follower) -> QuerySet[InboxItem]:
    """What the badge counts: neither read nor archived."""
    return items_of(follower).filter(read_at__isnull=True, archived_at__isnull=True)


def unread_count(follower: Follower) -> int:
    return new_of(follower).count()


def mark_read(*, item: InboxItem, by: Actor, now: dt.datetime) -> bool:
    """Keep when it was read first. Says whether that changed anything."""
    with transaction.atomic():
        unread = InboxItem.objects.filter(pk=item.pk, read_at__isnull=True)
        changed = bool(unread.update(read_at=now))
        if changed:
            tell(Kind.INBOX_ITEM_READ, by=by, now=now, about=item)
            fallback.read(deliveries=[item.delivery], now=now)
    item.refresh_from_db(fields=["read_at"])
    return changed


def mark_unread(*, item: InboxItem, by: Actor, now: dt.datetime) -> bool:
    """Make an item new again; what its reading called off stays so.

    Says whether that changed anything.
    """
    return _change(item, "read_at", None, by, now)


def archive(*, item: InboxItem, archived: bool, by: Actor, now: dt.datetime) -> bool:
    """Put an item out of the way, or back. Says whether that changed anything."""
    archived_at = None
    if archived:
        archived_at = now
    return _change(item, "archived_at", archived_at, by, now)


def read_all(*, follower: Follower, by: Actor, now: dt.datetime) -> int:
    """Mark all that is new at this moment as read; returns how many that were."""
    with transaction.atomic():
        rows = new_of(follower).select_for_update().order_by("pk")
        new = dict(rows.values_list("pk", "delivery"))
        if new:
            InboxItem.objects.filter(pk__among=set(new)).update(read_at=now)
            data = {"items": len(new)}
            tell(Kind.INBOX_READ, by=by, now=now, about=follower, data=data)
            fallback.read(deliveries=list(new.values()), now=now)
    return len(new)


def _change(
    item: InboxItem, field: str, value: dt.datetime | None, by: Actor, now: dt.datetime
) -> bool:
    with transaction.atomic():
        rows = InboxItem.objects.filter(pk=item.pk, **{f"{field}__isnull": value is not None})
        changed = bool(rows.update(**{field: value}))
        if changed:
            data = {field.removesuffix("_at"): value is not None}
            tell(Kind.INBOX_ITEM_CHANGED, by=by, now=now, about=item, data=data)
    item.refresh_from_db(fields=[field])
    return changed
