"""The links a message carries: signed, never expiring, and opening them changes nothing."""

from django.conf import settings
from django.urls import reverse

from apps.followers.models import Follower, NotificationType
from apps.lib import tokens


def preferences_url(follower: Follower) -> str:
    """The follower's subscription center."""
    return _absolute("subscriptions:preferences", tokens.make("preferences", {"f": str(follower.uid)}))


def unsubscribe_url(follower: Follower, notification_type: NotificationType) -> str:
    """One-click target (RFC 8058): a POST there opts out of this type, a GET only asks."""
    token = tokens.make("unsubscribe", {"f": str(follower.uid), "t": notification_type.key})
    return _absolute("subscriptions:unsubscribe", token)


def _absolute(name: str, token: str) -> str:
    return f"{settings.SITE_URL}{reverse(name, args=[token])}"
