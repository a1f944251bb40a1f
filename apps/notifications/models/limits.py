"""Limits: caps per person, paces of accounts and domains, and what is used up of each."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from apps.followers.models import Follower
from apps.lib.facts import Subject
from apps.lib.ids import uuid7
from apps.notifications.models.accounts import ProviderAccount


class CapOutcome(models.TextChoices):
    """What becomes of a message that would be one too many."""

    DEFER = "defer", _("Wait until it may go")
    DIGEST = "digest", _("Add to digest")
    DROP = "drop", _("Is skipped")


class Cap(models.Model):
    """A cap: at most `limit` messages to one follower in a window. Critical ones count and pass."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100, unique=True)
    channels = models.JSONField(default=list)  # those that are counted together
    commercial = models.BooleanField(default=True)  # only commercial messages count; else all
    limit = models.PositiveSmallIntegerField()
    # calendar days in the follower's zone, today's first
    days = models.PositiveSmallIntegerField(null=True, blank=True)
    seconds = models.PositiveIntegerField(null=True, blank=True)  # or a rolling window
    outcome = models.CharField(max_length=6, choices=CapOutcome, default=CapOutcome.DEFER)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(days__isnull=True, seconds__gt=0) | Q(seconds__isnull=True, days__gt=0),
                name="cap_has_one_window",
            ),
            models.CheckConstraint(condition=Q(limit__gt=0), name="cap_lets_some_pass"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("cap", str(self.uid), self.name)


class BounceRule(models.Model):
    """When mails that come back for reasons that may pass stop an address: one row at most, without
    one the defaults hold.
    """

    enabled = models.BooleanField(default=True)
    bounces = models.PositiveSmallIntegerField(default=5)
    days = models.PositiveSmallIntegerField(default=3)  # on which they came, at least
    within_days = models.PositiveSmallIntegerField(default=30)
    only = models.BooleanField(default=True, unique=True, editable=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(bounces__gte=2, days__gte=1, within_days__gte=F("days")),
                name="bounce_rule_can_be_met",
            ),
            models.CheckConstraint(condition=Q(only=True), name="bounce_rule_is_one"),
        ]

    def __str__(self) -> str:
        return f"{self.bounces} on {self.days} days of {self.within_days}"

    @property
    def fact_subject(self) -> Subject:
        return Subject("bounce_rule", "1", "")


class Use(models.Model):
    """A delivery that counts towards a cap or a throttle, from its claim on.

    Written under the follower's row lock.
    """

    follower = models.ForeignKey(
        Follower, on_delete=models.CASCADE, related_name="+", db_index=False
    )
    bucket = models.CharField(max_length=200)  # cap:<id>, or throttle:<type id>:<key>
    delivery = models.ForeignKey(
        "Delivery", on_delete=models.CASCADE, related_name="uses", db_index=False
    )
    at = models.DateTimeField()

    class Meta:
        constraints = [
            # a delivery that is tried again counts once
            models.UniqueConstraint(fields=["delivery", "bucket"], name="use_once"),
        ]
        indexes = [
            # a claim: what its followers have got in a window
            models.Index(fields=["follower", "bucket", "at"], name="use_of_follower"),
            # the schedule: those that are in no window any more
            models.Index(fields=["at"], name="use_by_age"),
        ]


class Pace(models.Model):
    """How far one limit is used up, for all processes.

    A row that lies in the past says the same as no row.
    """

    # account:3, notification:7, domain:example.com, ...
    key = models.CharField(max_length=300, primary_key=True)
    # Unix time at which all that was given out is paid for (GCRA)
    free_at = models.FloatField(default=0)
    day = models.DateField(null=True, blank=True)  # UTC; what `used` counts
    used = models.PositiveIntegerField(default=0)


class DomainLimit(models.Model):
    """Staff's word on how fast a receiving domain may be written to, by all accounts together."""

    domain = models.CharField(max_length=253, unique=True)
    per_minute = models.FloatField()
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["domain"]
        constraints = [
            models.CheckConstraint(condition=Q(per_minute__gt=0), name="domain_limit_moves")
        ]

    def __str__(self) -> str:
        return self.domain

    @property
    def fact_subject(self) -> Subject:
        return Subject("domain_limit", self.domain, self.domain)


class SlowDomain(models.Model):
    """A domain that asked an account to slow down.

    The pace rises by itself with every quiet minute (slow_domains.py).
    """

    account = models.ForeignKey(
        ProviderAccount, on_delete=models.CASCADE, related_name="slow_domains", db_index=False
    )
    domain = models.CharField(max_length=253)
    rate = models.FloatField()  # messages a second at `heard_at`
    # the pace before it was slowed: reached again, the row means nothing any more
    goal = models.FloatField()
    said = models.CharField(max_length=500)
    slowed_at = models.DateTimeField()
    heard_at = models.DateTimeField()  # its last such answer

    class Meta:
        ordering = ["domain"]
        constraints = [
            models.UniqueConstraint(fields=["account", "domain"], name="slow_domain_once")
        ]

    def __str__(self) -> str:
        return self.domain
