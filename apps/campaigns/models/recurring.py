"""What recurs: its clock in each zone, and each occurrence."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.campaigns.models.campaigns import Launched
from apps.campaigns.models.what_is_sent import WhatIsSent
from apps.lib.facts import Subject
from apps.lib.ids import uuid7
from apps.notifications.models import Notification


class ZoneMode(models.TextChoices):
    """Whose clock a cadence goes by."""

    SITE = "site", _("Site time zone")
    NAMED = "named", _("A named zone")
    FOLLOWER = "follower", _("Each follower's own")


class Missed(models.TextChoices):
    """What becomes of a time at which nobody was at work."""

    SKIP = "skip", _("Leave it out")
    ONCE = "once", _("Send once when back")


class Recurring(WhatIsSent):
    """A notification that goes out again and again. recurring/edit.py is the only writer."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    audience = models.JSONField(default=dict)  # as a campaign's; asked anew each time
    data = models.JSONField(default=dict, blank=True)
    cadence = models.JSONField()  # recurrence.parse says what is in it
    zone_mode = models.CharField(max_length=8, choices=ZoneMode, default=ZoneMode.SITE)
    zone = models.CharField(max_length=64, blank=True)  # of the mode "named"
    missed = models.CharField(max_length=4, choices=Missed, default=Missed.SKIP)
    tolerance = models.PositiveIntegerField(
        default=900
    )  # seconds: up to so late, a time is not missed
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(zone_mode="named") & ~Q(zone="") | ~Q(zone_mode="named") & Q(zone=""),
                name="recurring_zone_is_named",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("recurring", str(self.uid), self.name)


class RecurringZone(models.Model):
    """When a recurring notification is due by one clock;
    in the mode "follower" one for each zone of people.
    """

    recurring = models.ForeignKey(
        Recurring, on_delete=models.CASCADE, related_name="zones", db_index=False
    )
    zone = models.CharField(max_length=64, blank=True)  # "" = the site's
    next_at = models.DateTimeField(null=True, blank=True)  # null = paused, or over

    class Meta:
        ordering = ["next_at"]
        constraints = [
            models.UniqueConstraint(fields=["recurring", "zone"], name="recurring_zone_once")
        ]
        indexes = [
            # the tick's question every second: what is due?
            models.Index(
                fields=["next_at"], condition=Q(next_at__isnull=False), name="recurring_due"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.recurring} {self.zone}"


class Occurrence(Launched):
    """One time of a recurring notification by one clock: what was sent, or why nothing was."""

    recurring = models.ForeignKey(
        Recurring, on_delete=models.CASCADE, related_name="occurrences", db_index=False
    )
    zone = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()  # when it was due
    wall = (
        models.DateTimeField()
    )  # its wall time, as if UTC: the same round is the same wall time in every zone
    notification = models.OneToOneField(
        Notification, null=True, blank=True, on_delete=models.PROTECT, related_name="occurrence"
    )
    problem = models.CharField(max_length=500, blank=True)  # why nothing was sent

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["recurring", "zone", "at"], name="occurrence_once"),
            models.CheckConstraint(
                condition=Q(notification__isnull=True) & ~Q(problem="")
                | Q(notification__isnull=False, problem=""),
                name="occurrence_sent_or_says_why",
            ),
        ]
        indexes = [
            # the history on its page, newest first
            models.Index(fields=["recurring", "-id"], name="occurrence_of_recurring"),
            # launches that stopped half-way are looked for among the youngest
            models.Index(fields=["started_at"], name="occurrence_started"),
        ]

    def __str__(self) -> str:
        return f"{self.recurring} {self.at:%Y-%m-%d %H:%M}"
