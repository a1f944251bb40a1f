"""Events of integrators, the rules that listen to them, and what came of each."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.campaigns.models.segments import Segment
from apps.campaigns.models.what_is_sent import WhatIsSent
from apps.followers.models import Follower
from apps.lib.facts import Subject
from apps.lib.ids import uuid7
from apps.notifications.models import Notification


class Event(models.Model):
    """Something that happened in an integrator's own system. events/store.py writes it,
    events/run_rules.py works it off.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100)  # order.created
    follower = models.ForeignKey(
        Follower,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="events",
        db_index=False,
    )  # null: it is about nobody in particular
    data = models.JSONField(default=dict, blank=True)
    occurred_at = models.DateTimeField()  # as the integrator says
    received_at = models.DateTimeField()
    dedup_key = models.CharField(
        max_length=200, null=True, blank=True
    )  # the integrator's own id of it
    due_at = models.DateTimeField(
        null=True, blank=True
    )  # when it is looked at (again); null = worked off

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["name", "dedup_key"],
                condition=Q(dedup_key__isnull=False),
                name="event_happened_once",
            ),
        ]
        indexes = [
            # the tick and the task: what is to be worked off, oldest first?
            models.Index(
                fields=["due_at", "id"], condition=Q(due_at__isnull=False), name="event_due"
            ),
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
    FOLLOWER = "follower", _("The person the event is about")
    SEGMENT = "segment", _("Everybody in a segment")


class EventRule(WhatIsSent):
    """When this happens, tell them that. events/rules.py is the only writer."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    event = models.CharField(max_length=102)  # order.created, or order.* for all that begin so
    conditions = models.JSONField(
        default=dict, blank=True
    )  # conditions.parse says what is in it; {} = always
    mapping = models.JSONField(
        default=dict, blank=True
    )  # {variable: path}; {} = all data of the event
    delay = models.PositiveIntegerField(default=0)  # seconds after it happened
    throttle_key = models.CharField(
        max_length=200, blank=True
    )  # path of what the type's throttle counts apart
    to = models.CharField(max_length=8, choices=RuleTarget, default=RuleTarget.FOLLOWER)
    segment = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.PROTECT, related_name="event_rules"
    )
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(to="segment", segment__isnull=False)
                | Q(to="follower", segment__isnull=True),
                name="event_rule_has_one_target",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("event_rule", str(self.uid), self.name)


class OutcomeResult(models.TextChoices):
    """What a rule made of an event."""

    NOTIFIED = "notified", pgettext_lazy("event", "Notified")
    NOT_MATCHED = "not_matched", pgettext_lazy("event", "Did not match")
    FAILED = "failed", pgettext_lazy("event", "Failed")


class EventOutcome(models.Model):
    """What one rule made of one event, and why.

    Written in the transaction that takes the event off the list.
    """

    event = models.ForeignKey(
        Event, on_delete=models.CASCADE, related_name="outcomes", db_index=False
    )
    rule = models.ForeignKey(
        EventRule, null=True, on_delete=models.SET_NULL, related_name="outcomes"
    )
    rule_name = models.CharField(max_length=120)  # outlives the rule
    result = models.CharField(max_length=11, choices=OutcomeResult)
    because = models.CharField(max_length=500, blank=True)
    notification = models.ForeignKey(
        Notification,
        null=True,
        on_delete=models.SET_NULL,
        related_name="event_outcomes",
        db_index=True,
    )

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["event", "rule"], name="event_outcome_once")]

    def __str__(self) -> str:
        return f"{self.rule_name}: {self.result}"
