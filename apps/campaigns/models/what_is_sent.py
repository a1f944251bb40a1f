"""What rules of events and recurring notifications have in common: the message they send."""

from django.db import models
from django.utils.translation import gettext as _

from apps.content.models import Template
from apps.followers.models import Channel, NotificationType


class WhatIsSent(models.Model):
    """A type, the template with its words, and the channels."""

    notification_type = models.ForeignKey(
        NotificationType, on_delete=models.PROTECT, related_name="+"
    )
    # null = the one that speaks for the type
    template = models.ForeignKey(
        Template, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    channels = models.JSONField(default=list, blank=True)  # [] = those of the type that have words

    class Meta:
        abstract = True

    def not_offered(self) -> str:
        """Say on which of the channels the type is not offered; "" if on all."""
        offered = self.notification_type.channels
        unknown = [channel for channel in self.channels if channel not in offered]
        if not unknown:
            return ""
        said = _("{type} is not offered on {channels}.")
        labels = ", ".join(map(_label, unknown))
        return said.format(type=self.notification_type.name, channels=labels)


def _label(channel: str) -> str:
    if channel in Channel.values:
        return str(Channel(channel).label)
    return channel
