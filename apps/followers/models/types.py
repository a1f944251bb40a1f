"""Message types: what followers can have an opinion about."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.lib.facts import Subject


class Category(models.TextChoices):
    CRITICAL = "critical", pgettext_lazy("category", "Critical")  # can't be switched off
    ACTION_REQUIRED = "action_required", pgettext_lazy("category", "Action required")
    INFORMATIONAL = "informational", pgettext_lazy("category", "Informational")
    MARKETING = "marketing", pgettext_lazy("category", "Marketing")


class DoubtPolicy(models.TextChoices):
    """What happens to a message that was perhaps handed over when its sender died (RFC 1047)."""

    RESEND = "resend", _("Retry with the same Message-ID")
    HOLD = "hold", _("Hold for a person")


class NotificationType(models.Model):
    """A message type: what people can have an opinion about."""

    key = models.SlugField(max_length=60, unique=True)
    name = models.CharField(max_length=100)
    description = models.CharField(max_length=300, blank=True)
    # {"ru": {"name": ..., "description": ...}} for the preference center
    translations = models.JSONField(default=dict, blank=True)
    category = models.CharField(max_length=16, choices=Category, default=Category.INFORMATIONAL)
    # Commercial messages obey the global opt-out and carry one-click unsubscribe; the others don't.
    commercial = models.BooleanField(default=False)
    channels = models.JSONField(default=list)  # channels it is offered on, e.g. ["email", "in_app"]
    default_channels = models.JSONField(
        default=list
    )  # those that are on until the follower says otherwise
    locked_channels = models.JSONField(
        default=list, blank=True
    )  # an admin's word: on, and read-only
    doubt_policy = models.CharField(max_length=6, choices=DoubtPolicy, default=DoubtPolicy.RESEND)
    active = models.BooleanField(default=True)
    position = models.PositiveSmallIntegerField(default=100)
    # among what followers choose from; not what comes once, or only when they ask
    listed = models.BooleanField(default=True)
    schema = models.JSONField(
        null=True, blank=True
    )  # JSON Schema (2020-12) of the data of a call; null = any
    # asks people to confirm their address: nothing else goes to one that is unconfirmed
    confirms = models.BooleanField(default=False)
    lifetime = models.PositiveIntegerField(
        null=True, blank=True
    )  # seconds after which it is worthless
    digest = models.BooleanField(
        default=False
    )  # may wait for a follower's digest and be gathered there
    # at most so many to one follower in so many seconds, for each throttle key of the callers;
    # the rest is skipped
    throttle_count = models.PositiveSmallIntegerField(null=True, blank=True)
    throttle_seconds = models.PositiveIntegerField(null=True, blank=True)
    # one channel after the other, until one reached the follower, instead of all at once:
    # ["push", "sms"]
    fallback = models.JSONField(default=list, blank=True)
    fallback_after = models.PositiveIntegerField(default=300)  # seconds that each of them gets

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(category=Category.MARKETING) | Q(commercial=True),
                name="type_marketing_is_commercial",
            ),
            models.CheckConstraint(
                condition=~Q(category=Category.CRITICAL) | Q(commercial=False),
                name="type_critical_is_not_commercial",
            ),
            # a lock goes before the global opt-out (verdict.py),
            # so what it locks must not be commercial
            models.CheckConstraint(
                condition=Q(commercial=False) | Q(locked_channels=[]),
                name="type_commercial_is_not_locked",
            ),
            # who may refuse something must find it
            models.CheckConstraint(
                condition=Q(commercial=False) | Q(listed=True), name="type_commercial_is_listed"
            ),
            models.CheckConstraint(
                condition=~Q(category=Category.CRITICAL) | Q(digest=False),
                name="type_critical_is_not_digested",
            ),
            models.CheckConstraint(
                condition=Q(confirms=False) | Q(commercial=False),
                name="type_that_confirms_is_not_commercial",
            ),
            models.CheckConstraint(
                condition=Q(throttle_count__isnull=True, throttle_seconds__isnull=True)
                | Q(throttle_count__gt=0, throttle_seconds__gt=0),
                name="type_throttle_is_whole",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("notification_type", self.key, self.name)
