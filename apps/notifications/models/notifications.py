"""Notifications: one intent each to tell some people something."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.content.models import Template, Version
from apps.followers.models import Follower, NotificationType
from apps.lib.facts import Subject
from apps.lib.ids import uuid7
from apps.lib.queue.lanes import Lane
from apps.notifications.models.sentences import in_words

LANES = [
    (Lane.CRITICAL.value, pgettext_lazy("priority", "critical")),
    (Lane.TRANSACTIONAL.value, pgettext_lazy("priority", "transactional")),
    (Lane.BULK.value, pgettext_lazy("priority", "bulk")),
]


class TypeTemplate(models.Model):
    """Which template speaks for a notification type when the caller names none."""

    notification_type = models.OneToOneField(
        NotificationType, on_delete=models.CASCADE, related_name="type_template"
    )
    template = models.ForeignKey(Template, on_delete=models.PROTECT, related_name="+")


class NotificationState(models.TextChoices):
    PLANNING = "planning", _("Planning")  # recipients are being frozen; nothing leaves yet
    SENDING = "sending", _("Sending")  # deliveries may be claimed
    PAUSED = "paused", _("Paused")
    CANCELLED = "cancelled", _("Cancelled")
    DONE = "done", _("Done")  # no delivery is waiting or in flight


class Source(models.TextChoices):
    """Who asked for a notification."""

    API = "api", pgettext_lazy("source", "API")
    CAMPAIGN = "campaign", pgettext_lazy("source", "Campaign")
    RECURRING = "recurring", pgettext_lazy("source", "Recurring")  # an occurrence of one
    EVENT = "event", pgettext_lazy("source", "Event")  # a rule of events
    DIGEST = "digest", pgettext_lazy("source", "Digest")  # gathers others (digests/flush.py)
    # a follower, at the preference center
    PUBLIC_PAGE = "public_page", pgettext_lazy("source", "Public page")


# Their words are those of staff, which many have got.
OF_STAFF = (Source.CAMPAIGN, Source.RECURRING)


class Notification(models.Model):
    """One intent to tell some people something, pinned to a published version."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    notification_type = models.ForeignKey(
        NotificationType, on_delete=models.PROTECT, related_name="+"
    )
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+")
    # each recipient gets one delivery per channel named here
    channels = models.JSONField(default=list)
    # nobody named the channels: those on which a recipient has no address are left out
    addressed_only = models.BooleanField(default=False)
    data = models.JSONField(default=dict, blank=True)
    # the caller's own name for this intent; the same one twice is one notification
    dedup_key = models.CharField(max_length=255, null=True, blank=True)
    source = models.CharField(max_length=20, choices=Source)
    lane = models.CharField(max_length=13, choices=LANES)
    state = models.CharField(
        max_length=9, choices=NotificationState, default=NotificationState.PLANNING
    )
    created_at = models.DateTimeField()
    send_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    # whether its mails carry the open pixel and links that count,
    # to followers who let themselves be measured
    tracking = models.BooleanField(default=False)
    planned_through = models.BigIntegerField(default=0)  # id of the last follower frozen
    planned_at = models.DateTimeField(null=True, blank=True)  # all recipients frozen
    # the sentence that people read where Carillon itself has paused it; "" = a person did
    paused_why = models.CharField(max_length=300, blank=True)
    # a person has let it go on though many refused it: the brake leaves it alone
    brake_off = models.BooleanField(default=False)
    # nothing of it is due before: claims don't look at it until then (sleep.py); null = awake
    wakes_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # taken back since then: its copies on the web and in inboxes are gone
    retracted_at = models.DateTimeField(null=True, blank=True)
    # since then its data, and what was personal in its messages, is not kept (books/let_go.py)
    words_gone_at = models.DateTimeField(null=True, blank=True)
    # at most so many messages a second; null = as fast as it goes
    rate = models.FloatField(null=True, blank=True)
    # seconds over which it goes out evenly; makes `rate`
    spread = models.PositiveIntegerField(null=True, blank=True)
    # what the type's throttle counts apart
    throttle_key = models.CharField(max_length=120, blank=True)
    # the type's at the time: one channel after the other, and the seconds that each of them gets
    fallback = models.JSONField(default=list, blank=True)
    fallback_after = models.PositiveIntegerField(default=300)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(rate__isnull=True) | Q(rate__gt=0), name="notification_rate_moves"
            ),
            models.UniqueConstraint(
                fields=["notification_type", "dedup_key"],
                condition=Q(dedup_key__isnull=False),
                name="notification_intended_once",
            ),
        ]
        indexes = [
            # those on their way: what the dashboard counts, and plans to go on with
            models.Index(
                fields=["lane", "id"],
                condition=Q(state__in=["planning", "sending"]),
                name="notification_live",
            ),
            # which of them a sender may claim from, which are through, and which may sleep
            models.Index(
                fields=["lane", "id"],
                condition=Q(state="sending", wakes_at__isnull=True),
                name="notification_awake",
            ),
            # the list of those that are paused, and what a person has to decide about
            models.Index(fields=["id"], condition=Q(state="paused"), name="notification_paused"),
            # whose hour has come
            models.Index(
                fields=["wakes_at"], condition=Q(wakes_at__isnull=False), name="notification_asleep"
            ),
            # leftovers: those that expire, asleep or not
            models.Index(
                fields=["expires_at"],
                condition=Q(state="sending", expires_at__isnull=False),
                name="notification_expiring",
            ),
            # cancelled ones that may still have waiting rows
            models.Index(
                fields=["finished_at"],
                condition=Q(state="cancelled"),
                name="notification_cancelled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.notification_type} {self.uid}"

    @property
    def fact_subject(self) -> Subject:
        return Subject("notification", str(self.uid), self.notification_type.name)

    @property
    def lost_its_words(self) -> bool:
        """Whether it can be written no more, neither to be shown nor to be sent."""
        return self.words_gone_at is not None and self.source not in OF_STAFF

    @property
    def paused_because(self) -> str:
        """Why Carillon has paused it, in the reader's language; "" where it has not."""
        return in_words(self.paused_why)


class Recipient(models.Model):
    """A follower named by the caller of /notify,
    until planning has turned the name into deliveries.
    """

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="recipients", db_index=False
    )
    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="+")
    # this person's own values, over the notification's
    data = models.JSONField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "follower"], name="recipient_named_once"
            )
        ]
