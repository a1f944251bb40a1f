"""Campaigns and their runs."""

import datetime as dt

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import pgettext_lazy

from apps.campaigns import pacing
from apps.content.models import Template
from apps.followers.models import NotificationType
from apps.lib.facts import Subject
from apps.lib.ids import uuid7
from apps.notifications.models import Notification


class CampaignState(models.TextChoices):
    DRAFT = "draft", pgettext_lazy("campaign", "Draft")
    SCHEDULED = "scheduled", pgettext_lazy("campaign", "Scheduled")
    SENDING = "sending", pgettext_lazy("campaign", "Sending")
    PAUSED = "paused", pgettext_lazy("campaign", "Paused")
    SENT = "sent", pgettext_lazy("campaign", "Sent")
    CANCELLED = "cancelled", pgettext_lazy("campaign", "Cancelled")
    ARCHIVED = "archived", pgettext_lazy("campaign", "Archived")


class Campaign(models.Model):
    """Compose, audience, schedule, review, send. lifecycle.py is the only writer of `state`."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=9, choices=CampaignState, default=CampaignState.DRAFT)
    template = models.OneToOneField(
        Template, on_delete=models.PROTECT, related_name="campaign"
    )  # its own, private
    notification_type = models.ForeignKey(
        NotificationType, on_delete=models.PROTECT, related_name="+"
    )
    channels = models.JSONField(default=list)
    data = models.JSONField(default=dict, blank=True)  # values for the template's variables
    metadata = models.JSONField(default=dict, blank=True)  # the integrator's own
    tracking = models.BooleanField(default=True)  # count opens and clicks of those who allow it
    # {"everyone": bool, "tags": [slug], "segments": [uid], "followers": [uid],
    #  "exclude_tags": [slug], "exclude_segments": [uid], "exclude_followers": [uid]}
    audience = models.JSONField(default=dict)
    # what the editor typed (wall time and zone), and the instant it means
    send_at_wall = models.DateTimeField(
        null=True, blank=True
    )  # stored as if UTC; only its wall digits count
    send_at_zone = models.CharField(max_length=64, blank=True)
    send_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    # how fast: messages a second, or evenly over so many seconds; neither = as fast as it goes
    rate = models.FloatField(null=True, blank=True)
    spread = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    # in the public archive since then; null = not
    published_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=1)  # two editors: the second to save is told

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=CampaignState.values), name="campaign_state_known"
            ),
            models.CheckConstraint(
                condition=~Q(state="scheduled") | Q(send_at__isnull=False),
                name="campaign_scheduled_has_a_time",
            ),
            models.CheckConstraint(
                condition=Q(rate__isnull=True) | Q(rate__gt=0, spread__isnull=True),
                name="campaign_rate_or_spread",
            ),
        ]
        indexes = [
            # the tick's question every second: what is due?
            models.Index(fields=["send_at"], condition=Q(state="scheduled"), name="campaign_due"),
            # the public archive
            models.Index(
                fields=["-send_at", "-id"],
                condition=Q(published_at__isnull=False),
                name="campaign_public",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("campaign", str(self.uid), self.name)

    @property
    def state_word(self) -> str:
        """Name the state inside a sentence: `scheduled`."""
        return self.get_state_display().lower()

    @property
    def pace(self) -> str:
        return pacing.words(self.rate, self.spread)

    @property
    def wall(self) -> dt.datetime | None:
        """What the editor typed, without a zone, so that nothing on the way converts it."""
        if self.send_at_wall:
            return self.send_at_wall.replace(tzinfo=None)
        return None


class Launched(models.Model):
    """Something whose audience launch.py freezes in slices, under a lease that renews itself."""

    audience = models.JSONField(
        default=dict
    )  # as it was at the start, its segments' rules written in
    started_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)  # a launcher is at work on it

    class Meta:
        abstract = True


class Run(Launched):
    """One sending of a campaign. Exists from the moment it starts, once per (campaign, number)."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField(default=1)
    notification = models.OneToOneField(Notification, on_delete=models.PROTECT, related_name="run")

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["campaign", "number"], name="run_number_once")
        ]

    def __str__(self) -> str:
        return f"{self.campaign} run {self.number}"


class AudienceCount(models.Model):
    """A count of whom a campaign would reach; review/counting.py is its only writer.

    Under way until it has `numbers` (review/numbers.py says what is in them) or has `failed`.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    campaign = models.ForeignKey(Campaign, on_delete=models.CASCADE, related_name="counts")
    asked = models.CharField(max_length=64)  # digest of the question: another one, another count
    started_at = models.DateTimeField()
    counted_at = models.DateTimeField(null=True, blank=True)
    numbers = models.JSONField(null=True, blank=True)
    failed = models.BooleanField(default=False)

    class Meta:
        indexes = [
            # the newest answer to a question
            models.Index(fields=["asked", "-id"], name="audience_count_asked"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign} at {self.started_at}"
