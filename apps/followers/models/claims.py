"""Email addresses that somebody says are a follower's, before their mailbox has said so."""

from django.db import models
from django.db.models import Q

from apps.followers.models.people import Follower
from apps.lib.ids import uuid7


class AddressClaim(models.Model):
    """An email address that is asked whether it is this follower's; nobody's until it says yes."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    follower = models.ForeignKey(
        Follower, on_delete=models.CASCADE, related_name="address_claims", db_index=False
    )
    value = models.CharField(max_length=320)
    key = models.CharField(max_length=500)  # as in Address
    primary = models.BooleanField(default=False)  # written to, as soon as it is confirmed
    ip = models.GenericIPAddressField(null=True)  # of whoever asked, on a page of ours
    created_at = models.DateTimeField()
    mailed_at = models.DateTimeField(null=True, blank=True)
    failed_at = models.DateTimeField(null=True, blank=True)  # no provider took the mail
    confirmed_at = models.DateTimeField(null=True, blank=True)
    # forgotten, or overtaken by another: its link is worth nothing any more
    voided_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # which wait for their mailbox; and how many were asked lately, for whom, where, by whom
            models.Index(fields=["follower", "-created_at"], name="claim_of_follower"),
            models.Index(fields=["key", "created_at"], name="claim_of_address"),
            models.Index(fields=["ip", "created_at"], name="claim_of_place"),
            # those that go
            models.Index(fields=["created_at"], name="claim_old"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(confirmed_at=None) | Q(confirmed_at__gte=models.F("created_at")),
                name="claim_confirmed_after_it_was_made",
            ),
        ]

    def __str__(self) -> str:
        return self.value
