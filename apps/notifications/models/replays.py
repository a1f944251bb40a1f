"""Orders to send again what was not delivered."""

from django.db import models
from django.db.models import Q

from apps.followers.models import NotificationType
from apps.lib.ids import uuid7
from apps.notifications.models.deliveries import DeliveryStatus
from apps.notifications.models.notifications import Notification


class Replay(models.Model):
    """A person's order to send undelivered ones again: those of one notification, or all of a type.

    Worked off in chunks (replay.py); `moved` is true at every moment.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    notification = models.ForeignKey(
        Notification, null=True, on_delete=models.CASCADE, related_name="replays"
    )
    notification_type = models.ForeignKey(
        NotificationType, on_delete=models.CASCADE, related_name="+"
    )
    status = models.CharField(max_length=9, choices=DeliveryStatus)  # failed or in_doubt
    reason = models.CharField(max_length=40, blank=True)  # '' = whatever the reason
    by = models.CharField(max_length=200)  # the label of who ordered it
    # what ended after that is not meant: it may just have failed again
    started_at = models.DateTimeField()
    position = models.BigIntegerField(default=0)  # id of the last notification that is through
    moved = models.PositiveIntegerField(default=0)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # the tick: orders whose task was lost
            models.Index(
                fields=["started_at"], condition=Q(finished_at__isnull=True), name="replay_open"
            ),
        ]
