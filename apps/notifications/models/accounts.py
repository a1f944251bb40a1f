"""Provider accounts: the ways out, in the order in which they are tried."""

from django.db import models
from django.db.models import Q

from apps.followers.models import Channel
from apps.lib.facts import Subject
from apps.lib.ids import uuid7
from apps.notifications.models.sentences import in_words


class ProviderAccount(models.Model):
    """One way out: a provider (apps/channels) with its settings,
    in the order in which it is tried.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    name = models.CharField(max_length=100)
    provider = models.CharField(max_length=40)  # key in settings.PROVIDERS
    channel = models.CharField(max_length=10, choices=Channel)
    settings = models.TextField(blank=True)  # encrypted JSON (lib.crypto)
    position = models.PositiveSmallIntegerField(default=10)
    enabled = models.BooleanField(default=False)
    untried = models.BooleanField(default=False)  # no test has succeeded, and nobody switched it on
    revision = models.PositiveIntegerField(default=0)  # counts changes: senders see that one came
    created_at = models.DateTimeField()
    # what may leave through it (limits.py): messages a second,
    # and a UTC day with a slow start for a new sender
    rate = models.FloatField(null=True, blank=True)
    daily = models.PositiveIntegerField(null=True, blank=True)
    warmup_start = models.DateField(null=True, blank=True)
    warmup_first = models.PositiveIntegerField(null=True, blank=True)  # the first day's volume
    warmup_growth = models.FloatField(default=1.5)  # each day as many times the day before
    capped_until = models.DateTimeField(null=True, blank=True)  # today's volume is used up
    # what the last hand-over attempt met; shown on the channel page
    last_ok_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)
    last_error_at = models.DateTimeField(null=True, blank=True)
    # an account-level fault (refused password, server gone) keeps everybody away until then
    paused_until = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    # the circuit breaker (breaker.py): open since, how many times in a row, why;
    # one message tries it at a time
    tripped_at = models.DateTimeField(null=True, blank=True)
    trips = models.PositiveSmallIntegerField(default=0)
    trouble = models.CharField(max_length=200, blank=True)
    probing_until = models.DateTimeField(null=True, blank=True)
    # tries and faults of the last minute; senders add theirs at most every ten seconds,
    # or with a fault
    window_at = models.DateTimeField(null=True, blank=True)
    window_tries = models.PositiveIntegerField(default=0)
    window_faults = models.PositiveIntegerField(default=0)
    window_refusals = models.PositiveIntegerField(default=0)
    # what its ESP told of a mail last (sending/heard); noted every ten seconds at most
    heard_at = models.DateTimeField(null=True, blank=True)
    heard_what = models.CharField(max_length=20, blank=True)
    # web push (key_refusals.py): when a service last took our key,
    # and the followers for whom it was refused since
    key_taken_at = models.DateTimeField(null=True, blank=True)
    key_refusers = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["channel", "position", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(rate__isnull=True) | Q(rate__gt=0), name="account_rate_moves"
            ),
            models.CheckConstraint(condition=Q(warmup_growth__gte=1), name="account_warmup_grows"),
            models.CheckConstraint(
                condition=Q(enabled=False) | Q(untried=False), name="account_untried_is_off"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def fact_subject(self) -> Subject:
        return Subject("provider_account", str(self.uid), self.name)

    @property
    def trouble_in_words(self) -> str:
        """Why it is out of use, in the reader's language; "" where it is not."""
        return in_words(self.trouble)


class Examination(models.Model):
    """What the doctor found when it last looked at an account's domain."""

    account = models.OneToOneField(
        ProviderAccount, models.CASCADE, primary_key=True, related_name="examination"
    )
    at = models.DateTimeField()
    findings = models.JSONField()  # as channels.doctor.finding gives them


class WaitingKey(models.Model):
    """A DKIM key that signs nothing yet: its public half is not in the DNS."""

    account = models.OneToOneField(
        ProviderAccount, models.CASCADE, primary_key=True, related_name="waiting_key"
    )
    selector = models.CharField(max_length=63)
    key = models.TextField()  # encrypted PEM (lib.crypto)
    made_at = models.DateTimeField()


class DomainReport(models.Model):
    """What a receiver reports of one of our domains over some hours, as channels/doctor/reports
    reads it. Anybody can send one: nothing is decided by it.
    """

    sort = models.CharField(max_length=10)
    domain = models.CharField(max_length=255)
    organization = models.CharField(max_length=300, blank=True)
    name = models.CharField(max_length=300)  # the receiver's own
    begin = models.DateTimeField()
    end = models.DateTimeField()
    passed = models.BigIntegerField()
    failed = models.BigIntegerField()
    rows = models.JSONField()

    class Meta:
        constraints = [
            # receivers send a report again when they are not sure
            models.UniqueConstraint(
                fields=["domain", "sort", "organization", "name"], name="domain_report_once"
            )
        ]
        # what the doctor's page shows of a domain, and what is old
        indexes = [models.Index(fields=["domain", "-end"], name="domain_report_latest")]


class HeardEvent(models.Model):
    """What an ESP told of a mail and nobody has booked yet: a request leaves its events here, and
    is answered. Booked ones are gone; one that is early waits for its hand-over.
    """

    account = models.ForeignKey(ProviderAccount, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)  # of the event, equal for each copy
    told = models.JSONField()  # apps.channels.esp.told.MailEvent
    received_at = models.DateTimeField()
    due_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "name"], name="heard_event_once")]
        indexes = [
            # whoever books the next one
            models.Index(fields=["due_at", "id"], name="heard_event_due")
        ]

    def __str__(self) -> str:
        return self.name
