"""What is counted ahead for reading. It can be counted again from the rows at any time."""

from django.db import models

from apps.notifications.models import Notification


class Breakdown(models.Model):
    """How the deliveries of a notification part by domain, language, channel and time;
    results/breakdowns.py is its only writer.

    `stood` says how the tallies stood when it was counted: as long as they do, it is exact.
    """

    notification = models.OneToOneField(
        Notification, on_delete=models.CASCADE, primary_key=True, related_name="+"
    )
    stood = models.CharField(max_length=64, blank=True)
    counts = models.JSONField(null=True)  # Counts of results/counts.py; null = not yet
    counted_at = models.DateTimeField(null=True)
    took = models.FloatField(default=0)  # seconds: what took long is not counted again soon
    asked_at = models.DateTimeField(null=True)  # when its count was announced last

    def __str__(self) -> str:
        return f"{self.notification} at {self.counted_at}"
