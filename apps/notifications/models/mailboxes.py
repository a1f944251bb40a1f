"""The mailbox to which bounces, complaints and opt-outs come by mail."""

from django.db import models
from django.db.models import Q

from apps.lib.facts import Subject


class BounceMailbox(models.Model):
    """The mailbox that we read, one at most, and how far we have come in it."""

    settings = models.TextField()  # encrypted JSON (lib.crypto)
    enabled = models.BooleanField(default=True)
    only = models.BooleanField(default=True, unique=True, editable=False)
    # numbers of mails grow as long as this one is the same (RFC 3501 2.3.1.1)
    validity = models.BigIntegerField(null=True, blank=True)
    last_number = models.BigIntegerField(default=0)
    due_at = models.DateTimeField()
    lease_until = models.DateTimeField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)  # the last time that it could be read
    failures = models.PositiveIntegerField(default=0)  # in a row
    error = models.CharField(max_length=300, blank=True)
    # since it was set up
    mails = models.PositiveBigIntegerField(default=0)
    booked = models.PositiveBigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "bounce mailboxes"
        constraints = [models.CheckConstraint(condition=Q(only=True), name="bounce_mailbox_is_one")]

    def __str__(self) -> str:
        return f"bounce mailbox {self.pk}"

    @property
    def fact_subject(self) -> Subject:
        return Subject("bounce_mailbox", "1", "")
