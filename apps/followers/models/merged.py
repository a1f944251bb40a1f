"""Followers who are another one by now."""

from django.db import models

from apps.followers.models.people import Follower


class MergedFollower(models.Model):
    """A follower who was merged into another: links that were mailed to them open the other's
    pages, and whoever erases the other erases what names this one.
    """

    uid = models.UUIDField(unique=True)  # as the follower's was
    follower = models.ForeignKey(Follower, on_delete=models.CASCADE, related_name="merged")
    external_id = models.CharField(max_length=200, blank=True)
    links_since = models.DateTimeField(null=True)  # of links that were made for this uid
    merged_at = models.DateTimeField()
