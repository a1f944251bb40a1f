"""Deliveries: one message to one person on one channel, what happened to it,
and the sums beside them.
"""

from django.db import models
from django.db.models import Case, F, Q, Value, When
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.followers.models import Address, Channel, Follower
from apps.lib.facts import Subject
from apps.lib.ids import uuid7
from apps.notifications.models.accounts import ProviderAccount
from apps.notifications.models.notifications import Notification


class DeliveryStatus(models.TextChoices):
    """One row's way. Only apps/notifications writes it; `sent` and after never go back."""

    PENDING = (
        "pending",
        pgettext_lazy("status", "Waiting"),
    )  # due at `due_at`, also between two tries
    HELD = "held", _("Held for a digest")  # gathered with others at `due_at` (digests/flush.py)
    QUEUED = "queued", _("Being sent")  # claimed by a sender, with a lease
    SENT = "sent", _("Sent")  # the provider answered that it took the message
    DELIVERED = "delivered", _("Delivered")  # the provider reported that it arrived
    FAILED = "failed", _("Failed")  # refused for good, or tries used up; `reason` says which
    SKIPPED = "skipped", _("Skipped")  # the follower's word or ours; `reason` says whose
    CANCELLED = "cancelled", _("Cancelled")  # the notification was cancelled before its turn
    IN_DOUBT = "in_doubt", _("Delivery unknown")  # handed over perhaps; held for a person


class Shelf(models.IntegerChoices):
    """The place of a delivery that has to be found among millions.

    The many lie on none: PostgreSQL updates a row in place, and leaves its indexes alone, as long
    as no value changes that an index names, and a status changes with each step.
    """

    NONE = 0  # in a slice, or sent
    WAITING = 1  # for its own claim
    IN_HAND = 2  # claimed, with a lease of its own
    HELD = 3
    FAILED = 4
    IN_DOUBT = 5
    SKIPPED = 6
    CANCELLED = 7


SHELVES = {status: Shelf[status.name] for status in DeliveryStatus if status.name in Shelf.names}
# of what waits or is in hand, where no slice has it
ALONE = {DeliveryStatus.PENDING: Shelf.WAITING, DeliveryStatus.QUEUED: Shelf.IN_HAND}
_SHELF = Case(
    *(When(status=status.value, then=Value(shelf.value)) for status, shelf in SHELVES.items()),
    *(
        When(status=status.value, in_slice=False, then=Value(shelf.value))
        for status, shelf in ALONE.items()
    ),
    default=Value(Shelf.NONE.value),
)


class Delivery(models.Model):
    """One message to one person on one channel: the outbox, and the truth about it."""

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    # Written by the million: no index, and no condition of one, names what changes between the plan
    # of a slice and the server's answer (`status`, `account`, `attempts` ...); see Shelf. A foreign
    # key that an index below begins with has no other.
    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="deliveries", db_index=False
    )
    # no constraint: each row planned would lock both (apps/followers/models/deletion.py)
    follower = models.ForeignKey(
        Follower,
        null=True,
        on_delete=models.SET_NULL,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
    )
    address = models.ForeignKey(
        Address,
        null=True,
        on_delete=models.SET_NULL,
        related_name="deliveries",
        db_index=False,
        db_constraint=False,
    )
    channel = models.CharField(max_length=10, choices=Channel)
    status = models.CharField(max_length=9, choices=DeliveryStatus, default=DeliveryStatus.PENDING)
    # apps.followers.consent.verdict.Reason, or an outcome's class
    reason = models.CharField(max_length=40, blank=True)
    error = models.CharField(max_length=500, blank=True)  # what the provider said last
    # this person's own values, over the notification's
    data = models.JSONField(null=True, blank=True)
    due_at = models.DateTimeField()
    # counted before the work, so a poison row can't loop
    attempts = models.PositiveSmallIntegerField(default=0)
    lease_owner = models.CharField(max_length=64, blank=True)
    # null: not in hand, or by the lease of its slice
    lease_until = models.DateTimeField(null=True, blank=True)
    # found by its Slice, until something happens to it but being sent
    in_slice = models.BooleanField(default=False, db_default=False)
    shelf = models.GeneratedField(
        expression=_SHELF, output_field=models.PositiveSmallIntegerField(), db_persist=True
    )
    # no index: nobody asks for an account's deliveries,
    # and deleting one rewrites most rows whatever finds them
    account = models.ForeignKey(
        ProviderAccount, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    provider_id = models.CharField(max_length=255, blank=True)  # the provider's own name for it
    created_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)  # when `status` became final
    # the person's own word that they have it: read in the inbox, or told by the app
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    # the first time each by a person; engagement/store.py writes them and the rows of Engagement
    # that they sum up
    opened_at = models.DateTimeField(null=True, blank=True)
    clicked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "deliveries"
        constraints = [
            # the address first: the same index finds the rows of an address that is deleted
            models.UniqueConstraint(
                fields=["address", "notification", "channel"],
                condition=Q(address__isnull=False),
                name="delivery_once_per_address",
            ),
            models.UniqueConstraint(
                fields=["notification", "follower", "channel"],
                # not where one person has many addresses:
                # those that are deleted leave many rows behind
                condition=Q(address__isnull=True) & ~Q(channel__in=["push", "web_push", "webhook"]),
                name="delivery_once_per_follower",
            ),
            models.CheckConstraint(
                condition=Q(status__in=DeliveryStatus.values), name="delivery_status_known"
            ),
        ]
        indexes = [
            # the claim, past the slices: the next rows of a notification that are due on a channel
            models.Index(
                fields=["notification", "channel", "due_at", "id"],
                condition=Q(shelf=Shelf.WAITING),
                name="delivery_due",
            ),
            # digests to be made
            models.Index(
                fields=["due_at", "id"], condition=Q(shelf=Shelf.HELD), name="delivery_held"
            ),
            # recovery: leases that ran out
            models.Index(
                fields=["lease_until"], condition=Q(shelf=Shelf.IN_HAND), name="delivery_leased"
            ),
            # the names behind a number of the delivery report, but for the many
            models.Index(
                fields=["notification", "shelf", "-id"],
                condition=Q(shelf__gt=Shelf.NONE),
                name="delivery_on_shelf",
            ),
            # a campaign's list of deliveries, newest first
            models.Index(fields=["notification", "-id"], name="delivery_of_notification"),
            # the list of all deliveries: the rare ones that a person looks for (an index for each,
            # because SQLite does not see that one shelf is among two)
            models.Index(fields=["-id"], condition=Q(shelf=Shelf.FAILED), name="delivery_failed"),
            models.Index(
                fields=["-id"], condition=Q(shelf=Shelf.IN_DOUBT), name="delivery_in_doubt"
            ),
            # a follower's history
            models.Index(fields=["follower", "-id"], name="delivery_of_follower"),
            # the list of a channel that few messages use, behind a campaign of millions; emails and
            # the inbox, which are the many, pay nothing, and no later step of a message does
            models.Index(
                fields=["channel", "-id"],
                condition=Q(channel__in=["sms", "voice", "webhook", "push", "web_push"]),
                name="delivery_by_channel",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.uid}"

    @property
    def fact_subject(self) -> Subject:
        return Subject("delivery", str(self.uid), str(self.follower or ""))


class Slice(models.Model):
    """The deliveries of a large notification that were planned together, for their first try: one
    row to claim in place of an entry for each in an index.

    Those of its numbers whose `in_slice` is true. A claim takes the whole or its beginning, which
    is then a slice of its own, and gives its owner and lease to this row. What comes back, or waits
    for something, leaves the slice and is claimed by itself.
    """

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="slices", db_index=False
    )
    channel = models.CharField(max_length=10, choices=Channel)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    owner = models.CharField(max_length=64, blank=True)  # as Delivery.lease_owner
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "channel", "first"], name="slice_begins_once"
            ),
            models.CheckConstraint(condition=Q(last__gte=F("first")), name="slice_has_an_end"),
            models.CheckConstraint(
                condition=Q(owner="", until=None) | (~Q(owner="") & Q(until__isnull=False)),
                name="slice_owned_for_a_time",
            ),
        ]
        indexes = [
            # what a sender holds, and leases that ran out
            models.Index(fields=["owner"], condition=~Q(owner=""), name="slice_owned"),
        ]

    def __str__(self) -> str:
        return f"{self.channel} {self.first} to {self.last}"


class EventKind(models.TextChoices):
    """What happened to a delivery, as the API shows it and in words."""

    WAITS = "waits", _("Put off")  # detail: {"reason", "until"}
    DEFERRED = "deferred", _("Not taken yet, tried again later")
    FAILED = "failed", _("Refused")
    DELIVERED = "delivered", _("The provider reported that it arrived")
    UNDELIVERED = "undelivered", _("The provider reported that it could not deliver it")
    COMPLAINED = "complained", _("The reader marked it as spam")
    UNSUBSCRIBED = "unsubscribed", _("The reader unsubscribed by it")
    IN_DOUBT = "in_doubt", _("Handed over perhaps: no answer came")
    CRASHED = "crashed", _("The sender died while preparing it")
    RETRIED = "retried", _("Sent back into the queue")
    SETTLED = "settled", _("Delivery unknown: marked as sent")
    IN_DIGEST = "in_digest", _("Sent in a digest")
    ACKNOWLEDGED = "acknowledged", _("The follower acknowledged it")


class DeliveryEvent(models.Model):
    """What happened to a delivery on the way,
    other than the plain hand-over that `finished_at` tells. Append-only.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    kind = models.CharField(max_length=20, choices=EventKind)
    detail = models.JSONField(default=dict)
    provider_event_id = models.CharField(max_length=255, null=True, blank=True, unique=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            # the few among the many that results count, and whose they are
            models.Index(
                fields=["kind", "delivery"],
                condition=Q(kind__in=["complained", "unsubscribed"]),
                name="delivery_event_told",
            )
        ]


class Tally(models.Model):
    """How many deliveries of a notification stand where:
    moved in the same transaction as the rows themselves.

    Sharded by writer so that senders don't wait for each other; one shard may be negative,
    the sum never is.
    """

    notification = models.ForeignKey(Notification, on_delete=models.CASCADE, related_name="tallies")
    channel = models.CharField(max_length=10, choices=Channel)
    status = models.CharField(max_length=9, choices=DeliveryStatus)
    reason = models.CharField(max_length=40, blank=True)
    shard = models.PositiveSmallIntegerField(default=0)
    count = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "channel", "status", "reason", "shard"],
                name="tally_one_per_place",
            )
        ]
        indexes = [
            # the page of what was not delivered, and a replay's next notification (two,
            # as for the deliveries)
            models.Index(
                fields=["notification"], condition=Q(status="failed"), name="tally_failed"
            ),
            models.Index(
                fields=["notification"], condition=Q(status="in_doubt"), name="tally_in_doubt"
            ),
        ]
