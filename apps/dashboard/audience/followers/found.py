"""Whom an address of a page means."""

from uuid import UUID

from django.shortcuts import get_object_or_404

from apps.followers.models import Follower


def found(uid: UUID) -> Follower:
    followers = Follower.objects.prefetch_related("addresses", "tags")
    return get_object_or_404(followers, uid=uid)
