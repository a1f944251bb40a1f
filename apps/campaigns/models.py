"""Planned sending: whom, what, when, and each run of it."""

import datetime as dt

from django.conf import settings
from django.db import models
from django.db.models import Q

from apps.campaigns import pacing
from apps.content.models import Template
from apps.followers.models import Follower, NotificationType
from apps.lib.ids import uuid7
from apps.notifications.models import Notification


class Segment(models.Model):
    """A saved question about followers; audience.py explains the rules and turns them into SQL."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    description = models.CharField(max_length=300, blank=True)
    rules = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CampaignState(models.TextChoices):
    DRAFT = "draft", "Draft"
    SCHEDULED = "scheduled", "Scheduled"
    SENDING = "sending", "Sending"
    PAUSED = "paused", "Paused"
    SENT = "sent", "Sent"
    CANCELLED = "cancelled", "Cancelled"
    ARCHIVED = "archived", "Archived"


class Campaign(models.Model):
    """Compose, audience, schedule, review, send. lifecycle.py is the only writer of `state`."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=120)
    state = models.CharField(max_length=9, choices=CampaignState, default=CampaignState.DRAFT)
    template = models.OneToOneField(Template, on_delete=models.PROTECT, related_name="campaign")  # its own, private
    notification_type = models.ForeignKey(NotificationType, on_delete=models.PROTECT, related_name="+")
    channels = models.JSONField(default=list)
    data = models.JSONField(default=dict, blank=True)  # values for the template's variables
    metadata = models.JSONField(default=dict, blank=True)  # the integrator's own
    tracking = models.BooleanField(default=True)  # count opens and clicks of those who allow it
    # {"everyone": bool, "tags": [slug], "segments": [uid], "followers": [uid],
    #  "exclude_tags": [slug], "exclude_segments": [uid], "exclude_followers": [uid]}
    audience = models.JSONField(default=dict)
    # what the editor typed (wall time and zone), and the instant it means
    send_at_wall = models.DateTimeField(null=True, blank=True)  # stored as if UTC; only its wall digits count
    send_at_zone = models.CharField(max_length=64, blank=True)
    send_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    # how fast: messages a second, or evenly over so many seconds; neither = as fast as it goes
    rate = models.FloatField(null=True, blank=True)
    spread = models.PositiveIntegerField(null=True, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    revision = models.PositiveIntegerField(default=1)  # two editors: the second to save is told

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(condition=Q(state__in=CampaignState.values), name="campaign_state_known"),
            models.CheckConstraint(
                condition=~Q(state="scheduled") | Q(send_at__isnull=False), name="campaign_scheduled_has_a_time"
            ),
            models.CheckConstraint(
                condition=Q(rate__isnull=True) | Q(rate__gt=0, spread__isnull=True), name="campaign_rate_or_spread"
            ),
        ]
        indexes = [
            # the tick's question every second: what is due?
            models.Index(fields=["send_at"], condition=Q(state="scheduled"), name="campaign_due"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def pace(self) -> str:
        return pacing.words(self.rate, self.spread)

    @property
    def wall(self) -> dt.datetime | None:
        """What the editor typed, without a zone, so that nothing on the way converts it."""
        return self.send_at_wall.replace(tzinfo=None) if self.send_at_wall else None


class Launched(models.Model):
    """Something whose audience launch.py freezes in slices, under a lease that renews itself."""

    audience = models.JSONField(default=dict)  # as it was at the start, its segments' rules written in
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
        constraints = [models.UniqueConstraint(fields=["campaign", "number"], name="run_number_once")]

    def __str__(self) -> str:
        return f"{self.campaign} run {self.number}"


class ZoneMode(models.TextChoices):
    """Whose clock a cadence goes by."""

    SITE = "site", "The site's"
    NAMED = "named", "A named zone"
    FOLLOWER = "follower", "Each follower's own"


class Missed(models.TextChoices):
    """What becomes of a time at which nobody was at work."""

    SKIP = "skip", "Leave it out"
    ONCE = "once", "Send once when back"


class Recurring(models.Model):
    """A notification that goes out again and again. recurring.py is the only writer."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    notification_type = models.ForeignKey(NotificationType, on_delete=models.PROTECT, related_name="+")
    # null = the one that speaks for the type
    template = models.ForeignKey(Template, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    channels = models.JSONField(default=list, blank=True)  # [] = those of the type that have words
    audience = models.JSONField(default=dict)  # as a campaign's; asked anew each time
    data = models.JSONField(default=dict, blank=True)
    cadence = models.JSONField(default=dict)  # recurrence.parse says what is in it
    zone_mode = models.CharField(max_length=8, choices=ZoneMode, default=ZoneMode.SITE)
    zone = models.CharField(max_length=64, blank=True)  # of the mode "named"
    missed = models.CharField(max_length=4, choices=Missed, default=Missed.SKIP)
    tolerance = models.PositiveIntegerField(default=900)  # seconds: up to so late, a time is not missed
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


class RecurringZone(models.Model):
    """When a recurring notification is due by one clock; in the mode "follower" one for each zone of people."""

    recurring = models.ForeignKey(Recurring, on_delete=models.CASCADE, related_name="zones", db_index=False)
    zone = models.CharField(max_length=64, blank=True)  # "" = the site's
    next_at = models.DateTimeField(null=True, blank=True)  # null = paused, or over

    class Meta:
        ordering = ["next_at"]
        constraints = [models.UniqueConstraint(fields=["recurring", "zone"], name="recurring_zone_once")]
        indexes = [
            # the tick's question every second: what is due?
            models.Index(fields=["next_at"], condition=Q(next_at__isnull=False), name="recurring_due"),
        ]

    def __str__(self) -> str:
        return f"{self.recurring} {self.zone}"


class Occurrence(Launched):
    """One time of a recurring notification by one clock: what was sent, or why nothing was."""

    recurring = models.ForeignKey(Recurring, on_delete=models.CASCADE, related_name="occurrences", db_index=False)
    zone = models.CharField(max_length=64, blank=True)
    at = models.DateTimeField()  # when it was due
    wall = models.DateTimeField()  # its wall time, as if UTC: the same round is the same wall time in every zone
    notification = models.OneToOneField(
        Notification, null=True, blank=True, on_delete=models.PROTECT, related_name="occurrence"
    )
    problem = models.CharField(max_length=500, blank=True)  # why nothing was sent

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["recurring", "zone", "at"], name="occurrence_once"),
            models.CheckConstraint(
                condition=Q(notification__isnull=True) & ~Q(problem="") | Q(notification__isnull=False, problem=""),
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


class Event(models.Model):
    """Something that happened in an integrator's own system. events.py writes it, reactions.py works it off."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100)  # order.created
    follower = models.ForeignKey(
        Follower, null=True, blank=True, on_delete=models.CASCADE, related_name="events", db_index=False
    )  # null: it is about nobody in particular
    data = models.JSONField(default=dict, blank=True)
    occurred_at = models.DateTimeField()  # as the integrator says
    received_at = models.DateTimeField()
    dedup_id = models.CharField(max_length=200, null=True, blank=True)  # the integrator's own id of it
    due_at = models.DateTimeField(null=True, blank=True)  # when it is looked at (again); null = worked off

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["name", "dedup_id"], condition=Q(dedup_id__isnull=False), name="event_happened_once"
            ),
        ]
        indexes = [
            # the tick and the task: what is to be worked off, oldest first?
            models.Index(fields=["due_at", "id"], condition=Q(due_at__isnull=False), name="event_due"),
            # the list of one kind of events, newest first
            models.Index(fields=["name", "-id"], name="event_of_name"),
            # the events of one follower, newest first
            models.Index(fields=["follower", "-id"], name="event_of_follower"),
            # retention
            models.Index(fields=["received_at"], name="event_received"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.uid}"


class RuleTarget(models.TextChoices):
    FOLLOWER = "follower", "The person the event is about"
    SEGMENT = "segment", "Everybody in a segment"


class EventRule(models.Model):
    """When this happens, tell them that. event_rules.py is the only writer."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    event = models.CharField(max_length=102)  # order.created, or order.* for all that begin so
    conditions = models.JSONField(default=dict, blank=True)  # conditions.parse says what is in it; {} = always
    notification_type = models.ForeignKey(NotificationType, on_delete=models.PROTECT, related_name="+")
    # null = the one that speaks for the type
    template = models.ForeignKey(Template, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    channels = models.JSONField(default=list, blank=True)  # [] = those of the type that have words
    mapping = models.JSONField(default=dict, blank=True)  # {variable: path}; {} = all data of the event
    delay = models.PositiveIntegerField(default=0)  # seconds after it happened
    throttle_key = models.CharField(max_length=200, blank=True)  # path of what the type's throttle counts apart
    to = models.CharField(max_length=8, choices=RuleTarget, default=RuleTarget.FOLLOWER)
    segment = models.ForeignKey(Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="event_rules")
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(to="segment", segment__isnull=False) | Q(to="follower", segment__isnull=True),
                name="event_rule_has_one_target",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class OutcomeResult(models.TextChoices):
    """What a rule made of an event."""

    NOTIFIED = "notified", "Notified"
    NOT_MATCHED = "not_matched", "Did not match"
    FAILED = "failed", "Failed"


class EventOutcome(models.Model):
    """What one rule made of one event, and why. Written in the transaction that takes the event off the list."""

    event = models.ForeignKey(Event, on_delete=models.CASCADE, related_name="outcomes", db_index=False)
    rule = models.ForeignKey(EventRule, null=True, on_delete=models.SET_NULL, related_name="outcomes")
    rule_name = models.CharField(max_length=120)  # outlives the rule
    result = models.CharField(max_length=11, choices=OutcomeResult)
    because = models.CharField(max_length=500, blank=True)
    notification = models.ForeignKey(
        Notification, null=True, on_delete=models.SET_NULL, related_name="event_outcomes", db_index=True
    )

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["event", "rule"], name="event_outcome_once")]

    def __str__(self) -> str:
        return f"{self.rule_name}: {self.result}"
