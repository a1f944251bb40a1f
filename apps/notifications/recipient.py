"""What a template may know about the person it speaks to: plain values only."""

from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.db.models import prefetch_related_objects

from apps.followers.models import Channel, Follower, NotificationType
from apps.notifications.links import preferences_url, unsubscribe_url


def prepare(followers: Iterable[Follower]) -> None:
    """Fetch addresses and tags of many followers in two queries, for `values`."""
    prefetch_related_objects([f for f in followers if f is not None], "addresses", "tags")


def values(follower: Follower) -> dict[str, Any]:
    """The `follower` of a template. One that was never saved (a preview's) has no addresses and no tags."""
    saved = follower.pk is not None
    by_channel = {each.channel: each.value for each in follower.addresses.all() if each.primary} if saved else {}
    return {
        "name": follower.name,
        "first_name": follower.name.split()[0] if follower.name.strip() else "",
        "email": by_channel.get(Channel.EMAIL, ""),
        "phone": by_channel.get(Channel.SMS, ""),
        "language": follower.language,
        "time_zone": follower.time_zone,
        "external_id": follower.external_id or "",
        "metadata": follower.metadata,
        "tags": [tag.name for tag in follower.tags.all()] if saved else [],
    }


def context(follower: Follower, notification_type: NotificationType, data: dict[str, Any]) -> dict[str, Any]:
    """Everything a template sees: the caller's data, and the reserved roots, which data can't replace."""
    commercial = notification_type.commercial
    return {
        **data,
        "follower": values(follower),
        "site": {"name": settings.SITE_NAME, "url": settings.SITE_URL, "address": settings.SITE_ADDRESS},
        "links": {
            "preferences": preferences_url(follower),
            "unsubscribe": unsubscribe_url(follower, notification_type) if commercial else "",
        },
    }
