"""What is counted ahead for reading, which can be counted again from the rows at any time, and how
long each kind of data is kept.
"""

from django.db import models
from django.db.models import Q

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


class Retention(models.Model):
    """How long one kind of data is kept, and how far the walk through it came
    (retention/kinds.py names the kinds).
    """

    kind = models.CharField(max_length=20, unique=True)
    days = models.PositiveIntegerField(null=True, blank=True)  # 0 = for ever; null = the default
    reached = models.BigIntegerField(default=0)  # as letting_go.Reached
    inner = models.BigIntegerField(default=0)
    rests_until = models.DateTimeField(null=True, blank=True)  # a walk came to its end

    def __str__(self) -> str:
        return f"{self.kind}: {self.days}"


class DayOfRetention(models.Model):
    """How many rows of one kind went on one day of UTC."""

    kind = models.CharField(max_length=20)
    day = models.DateField()
    rows = models.BigIntegerField(default=0)
    told = models.BooleanField(default=False)  # in the audit log

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "day"], name="retention_once_a_day"),
        ]
        indexes = [
            # days that are over and not in the audit log yet
            models.Index(fields=["day"], condition=Q(told=False), name="retention_untold"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} on {self.day}: {self.rows}"
