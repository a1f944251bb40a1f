"""The channels on which a follower can be reached."""

from django.db import models


class Channel(models.TextChoices):
    """How a message reaches a person."""

    EMAIL = "email", "Email"
    SMS = "sms", "SMS"
    PUSH = "push", "Mobile push"
    WEB_PUSH = "web_push", "Web push"
    IN_APP = "in_app", "In-app"
    WEBHOOK = "webhook", "Webhook"
    VOICE = "voice", "Voice call"


# Where a person has many addresses of a kind, each of them gets the message.
EVERYWHERE = frozenset({Channel.PUSH, Channel.WEB_PUSH, Channel.WEBHOOK})


def channel_of_address(channel: str) -> str:
    """Which of a person's addresses a channel goes to:
    a call goes to the number that texts go to.
    """
    if channel == Channel.VOICE:
        return Channel.SMS
    return channel
