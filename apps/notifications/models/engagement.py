"""Open and click tracking as they came in, and their sums."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.notifications.models.deliveries import Delivery
from apps.notifications.models.notifications import Notification


class EngagementKind(models.TextChoices):
    OPEN = "open", pgettext_lazy("engagement", "Opened")  # the pixel was loaded
    CLICK = "click", pgettext_lazy("engagement", "Clicked")


class TallyKind(models.TextChoices):
    """What an EngagementTally counts; what machines did is counted apart."""

    OPEN = "open", pgettext_lazy("engagement", "Opened")
    CLICK = "click", pgettext_lazy("engagement", "Clicked")
    MACHINE_OPEN = "machine_open", _("Opened by a machine")
    MACHINE_CLICK = "machine_click", _("Clicked by a machine")


class Engagement(models.Model):
    """One load of the pixel or one click, as it came in. Append-only.

    Without the IP address: nothing here asks where somebody was,
    and what is not kept can't get lost.
    """

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="engagements")
    kind = models.CharField(max_length=5, choices=EngagementKind)
    # its number in the version, for a click
    link = models.PositiveSmallIntegerField(null=True, blank=True)
    at = models.DateTimeField()
    user_agent = models.CharField(max_length=200, blank=True)
    # why it is held for a machine's (decide/machines.py); blank = a person's
    machine = models.CharField(max_length=20, blank=True)
    # a click that ends a chain of channels, once it is clear that it was no burst
    waits = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["at"], condition=Q(waits=True), name="engagement_waits"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="open", link__isnull=True) | Q(kind="click", link__isnull=False),
                name="engagement_click_has_a_link",
            )
        ]


class EngagementTally(models.Model):
    """How many people opened or clicked, and how often:
    moved in the transaction of the rows, sharded like Tally.

    Link 0 is the message as a whole.
    """

    notification = models.ForeignKey(
        Notification, on_delete=models.CASCADE, related_name="engagement_tallies", db_index=False
    )
    kind = models.CharField(max_length=13, choices=TallyKind)
    link = models.PositiveSmallIntegerField(default=0)
    shard = models.PositiveSmallIntegerField(default=0)
    people = models.BigIntegerField(default=0)
    times = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "engagement tallies"
        constraints = [
            models.UniqueConstraint(
                fields=["notification", "kind", "link", "shard"],
                name="engagement_tally_one_per_place",
            )
        ]
