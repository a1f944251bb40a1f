"""What followers said about being written to, the proof of it, and the suppression list."""

import datetime as dt

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from apps.followers.models.channels import Channel
from apps.followers.models.people import Follower
from apps.followers.models.types import NotificationType
from apps.lib.ids import uuid7


class Preference(models.Model):
    """A follower's own word on one cell of the matrix; no row = the default applies."""

    follower = models.ForeignKey(
        Follower, on_delete=models.CASCADE, related_name="preferences", db_index=False
    )
    notification_type = models.ForeignKey(
        NotificationType, on_delete=models.CASCADE, related_name="preferences"
    )
    channel = models.CharField(max_length=10, choices=Channel)
    allowed = models.BooleanField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["follower", "notification_type", "channel"], name="preference_one_per_cell"
            )
        ]


class ChannelMute(models.Model):
    """The follower switched a whole channel off."""

    follower = models.ForeignKey(
        Follower, on_delete=models.CASCADE, related_name="channel_mutes", db_index=False
    )
    channel = models.CharField(max_length=10, choices=Channel)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["follower", "channel"], name="channel_mute_once")
        ]


class DigestCadence(models.TextChoices):
    """How often a follower wants what may wait."""

    INSTANT = "instant", _("At once")
    HOURLY = "hourly", _("Every hour")
    DAILY = "daily", _("Once a day")
    WEEKLY = "weekly", _("Once a week")


class Rhythm(models.Model):
    """When a follower wants to be written to. No row: at any time, everything at once."""

    follower = models.OneToOneField(
        Follower, on_delete=models.CASCADE, related_name="rhythm", primary_key=True
    )
    # {"0": ["22:00", "07:00"]}: by the weekday on which it begins (Monday is 0), in the follower's
    # zone; an end that is not after the start is on the next day
    quiet = models.JSONField(default=dict, blank=True)
    cadence = models.CharField(max_length=7, choices=DigestCadence, default=DigestCadence.INSTANT)
    digest_at = models.TimeField(default=dt.time(8))  # of daily and weekly digests
    digest_weekday = models.PositiveSmallIntegerField(default=0)  # of weekly ones; Monday is 0
    paused_until = models.DateTimeField(null=True, blank=True)
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(digest_weekday__lte=6), name="rhythm_weekday_exists")
        ]


class PhoneCode(models.Model):
    """A number that somebody says is theirs, and the code that was sent there;
    nobody's address until it is typed.
    """

    follower = models.ForeignKey(
        Follower, on_delete=models.CASCADE, related_name="phone_codes", db_index=False
    )
    value = models.CharField(max_length=20)  # E.164
    code_hash = models.CharField(
        max_length=64, blank=True
    )  # keyed; blank until the code is on its way
    tries = models.PositiveSmallIntegerField(default=0)
    ip = models.GenericIPAddressField(null=True)
    created_at = models.DateTimeField()
    failed_at = models.DateTimeField(null=True, blank=True)  # no provider took it
    ended_at = models.DateTimeField(null=True, blank=True)  # typed right, or not wanted any more

    class Meta:
        indexes = [
            # the latest one of a follower; and how many were asked for lately, by whom,
            # for which number, from where
            models.Index(fields=["follower", "-created_at"], name="phone_code_latest"),
            models.Index(fields=["value", "created_at"], name="phone_code_of_number"),
            models.Index(fields=["ip", "created_at"], name="phone_code_of_place"),
            # those that are over and go
            models.Index(fields=["created_at"], name="phone_code_old"),
        ]


class ConsentRecord(models.Model):
    """Proof of what a follower agreed to or refused: when, how,
    under which wording. Append-only.
    """

    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="consent_records")
    at = models.DateTimeField()
    act = models.CharField(max_length=30)  # subscribed, unsubscribed, preferences_changed
    source = models.CharField(
        max_length=30
    )  # preference_center, one_click, api, staff, import, command
    scope = models.JSONField(
        default=dict
    )  # what exactly: {"all": true} or the cells with before and after
    wording = models.CharField(max_length=40, blank=True)  # version of the text the person saw
    reason = models.CharField(max_length=300, blank=True)
    actor_kind = models.CharField(max_length=10)
    actor_label = models.CharField(max_length=200, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]


class SuppressionReason(models.TextChoices):
    MANUAL = "manual", _("Added by staff")
    HARD_BOUNCE = "hard_bounce", _("Address does not exist")
    SOFT_BOUNCE = "soft_bounce", _("Mail came back again and again")
    COMPLAINT = "complaint", _("Marked as spam")
    STOP = "stop", _("Replied STOP")


# what networks say of an address, and nobody's own word: that outweighs these
GUESSED = (SuppressionReason.HARD_BOUNCE, SuppressionReason.SOFT_BOUNCE)


class Suppression(models.Model):
    """An address nothing is sent to, not even critical messages;
    kept by key so that imports can't revive it.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    channel = models.CharField(max_length=10, choices=Channel)
    key = models.CharField(max_length=500)
    reason = models.CharField(max_length=12, choices=SuppressionReason)
    note = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["channel", "key"], name="suppression_once")]

    def __str__(self) -> str:
        return self.key
