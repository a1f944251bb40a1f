"""The channels on which a follower can be reached."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class Channel(models.TextChoices):
    """How a message reaches a person."""

    EMAIL = "email", pgettext_lazy("channel", "Email")
    SMS = "sms", _("SMS")
    PUSH = "push", _("Mobile push")
    WEB_PUSH = "web_push", _("Web push")
    IN_APP = "in_app", _("In-app")
    WEBHOOK = "webhook", _("Webhook")
    VOICE = "voice", _("Voice call")


# Where a person has many addresses of a kind, each of them gets the message.
EVERYWHERE = frozenset({Channel.PUSH, Channel.WEB_PUSH, Channel.WEBHOOK})


def channel_of_address(channel: str) -> str:
    """Which of a person's addresses a channel goes to:
    a call goes to the number that texts go to.
    """
    if channel == Channel.VOICE:
        return Channel.SMS
    return channel
