"""People who were erased: the work on it, and the mark by which nobody brings them back."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.followers.models.consent import SuppressionReason
from apps.followers.models.people import Follower
from apps.lib.facts import Subject
from apps.lib.ids import uuid7


class ErasureState(models.TextChoices):
    # nothing is sent any more; the person's rows are about to go
    STOPPED = "stopped", pgettext_lazy("erasure", "Stopped")
    # they are gone; what others wrote about the person is searched
    SEARCHING = "searching", pgettext_lazy("erasure", "Being searched for")
    DONE = "done", pgettext_lazy("erasure", "Erased")


class Erasure(models.Model):
    """One person's way out. Of the person it keeps the id, and until it is done, encrypted, what
    to search for.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    follower = models.UUIDField(unique=True)  # the follower's public id
    state = models.CharField(max_length=9, choices=ErasureState, default=ErasureState.STOPPED)
    person = models.TextField(blank=True)  # encrypted; "" when it is done
    place = models.PositiveSmallIntegerField(default=0)  # how many tables are searched through
    last_id = models.BigIntegerField(default=0)  # and how far the next one
    found = models.PositiveIntegerField(default=0)  # rows in which something was taken out
    by_kind = models.CharField(max_length=10)
    by_id = models.CharField(max_length=64, blank=True)
    by_label = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()
    touched_at = models.DateTimeField()  # when a slice was done, or announced again
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            # the tick: those that are not done
            models.Index(
                fields=["touched_at"], condition=~models.Q(state="done"), name="erasure_open"
            ),
        ]

    def __str__(self) -> str:
        return str(self.uid)

    @property
    def fact_subject(self) -> Subject:
        return Subject("follower", str(self.follower))


class TombstoneKey(models.Model):
    """The key of all tombstones, encrypted by FIELD_KEYS. There is one row.

    A key of its own, because a tombstone can't be made anew when FIELD_KEYS change: nobody has the
    address any more.
    """

    key = models.TextField()


class Tombstone(models.Model):
    """The keyed hash of an address or an external id of somebody who was erased."""

    erasure = models.ForeignKey(Erasure, on_delete=models.CASCADE, related_name="tombstones")
    hashed = models.CharField(max_length=64, unique=True)  # HMAC-SHA256 in hexadecimal digits
    # the person's word from before: whoever comes back is not written to there
    suppressed = models.CharField(max_length=12, choices=SuppressionReason, blank=True)
    # when they came back by another address: it refuses nobody any more, and its word counts
    lifted_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()


class PrivacyWish(models.TextChoices):
    """What somebody asks for themselves, by a code that was mailed to them."""

    COPY = "copy", _("A copy of what is held about them")
    ERASE = "erase", _("To be erased")


class PrivacyCode(models.Model):
    """A wish that waits for the code which was mailed to the follower's address."""

    follower = models.ForeignKey(
        Follower, on_delete=models.CASCADE, related_name="privacy_codes", db_index=False
    )
    wish = models.CharField(max_length=5, choices=PrivacyWish)
    code_hash = models.CharField(
        max_length=64, blank=True
    )  # keyed; blank until the code is on its way
    tries = models.PositiveSmallIntegerField(default=0)
    ip = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField()
    failed_at = models.DateTimeField(null=True, blank=True)  # no provider took it
    ended_at = models.DateTimeField(null=True, blank=True)  # typed right

    class Meta:
        indexes = [
            # the latest one of a follower; and how many were asked for lately, by whom, from where
            models.Index(fields=["follower", "-created_at"], name="privacy_code_latest"),
            models.Index(fields=["ip", "created_at"], name="privacy_code_of_place"),
            # those that are over and go
            models.Index(fields=["created_at"], name="privacy_code_old"),
        ]
