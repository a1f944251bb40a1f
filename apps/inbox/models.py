"""The in-app channel's own store."""

from django.db import models
from django.db.models import Q

from apps.followers.models import Category, Follower
from apps.lib.facts import Subject
from apps.lib.ids import uuid7


class InboxItem(models.Model):
    """One in-app message.

    `delivery` is the public id of the delivery that brought it, so it arrives once.
    """

    uid = models.UUIDField(default=uuid7, unique=True, editable=False)
    # both indexes below begin with it
    follower = models.ForeignKey(
        Follower, on_delete=models.CASCADE, related_name="inbox_items", db_index=False
    )
    delivery = models.UUIDField(unique=True)
    category = models.CharField(max_length=16, choices=Category)
    title = models.CharField(max_length=200)
    body = models.TextField(blank=True)
    link = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    # the follower's words about it; each can be taken back, and none implies another
    read_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    removed_at = models.DateTimeField(
        null=True, blank=True
    )  # retracted: kept, so that it can't arrive again

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["follower", "-id"], name="inbox_of_follower"
            ),  # the list, newest first
            # the badge
            models.Index(
                fields=["follower"],
                condition=Q(
                    read_at__isnull=True, archived_at__isnull=True, removed_at__isnull=True
                ),
                name="inbox_new",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def fact_subject(self) -> Subject:
        return Subject("inbox_item", str(self.uid), self.title)
