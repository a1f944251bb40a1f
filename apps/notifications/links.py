"""The links a message carries: signed, never expiring, and opening them changes nothing."""

from functools import cache

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
    return settings.SITE_URL + _path(name).replace("TOKEN", token)


@cache
def _path(name: str) -> str:
    """The address with TOKEN in it: looking it up for each of a million mails would cost more than signing."""
    return reverse(name, args=["TOKEN"])
