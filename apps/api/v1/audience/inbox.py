"""The inbox of a follower: what is there, how much is new, and what was read,
archived or taken back.
"""

import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.models import Category, Follower
from apps.inbox import reading
from apps.inbox.models import InboxItem


class InboxItemOut(serializers.Serializer[InboxItem]):
    id = serializers.UUIDField(source="uid")
    delivery = serializers.UUIDField()
    category = serializers.ChoiceField(Category.choices)
    title = serializers.CharField()
    body = serializers.CharField()
    link = serializers.CharField()
    created_at = serializers.DateTimeField()
    read_at = serializers.DateTimeField(allow_null=True)
    archived_at = serializers.DateTimeField(allow_null=True)


class InboxQuery(Strict):
    unread = serializers.BooleanField(required=False)
    archived = serializers.BooleanField(
        required=False, default=False, help_text="The archive instead of the rest."
    )


class UnreadOut(serializers.Serializer[Any]):
    unread = serializers.IntegerField(help_text="Neither read nor archived.")


class ReadOut(serializers.Serializer[Any]):
    read = serializers.IntegerField(help_text="How many were new.")


def _follower(id: uuid.UUID) -> Follower:
    return one(Follower.objects.all(), uid=id)


class Inbox(Endpoint):
    """The in-app messages of one follower."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Inbox",
        "followers_inbox",
        "List a follower's in-app messages",
        query=InboxQuery,
        answer=InboxItemOut(many=True),
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        asked = self.query(InboxQuery)
        items = reading.items_of(_follower(id)).filter(archived_at__isnull=not asked["archived"])
        if "unread" in asked:
            items = items.filter(read_at__isnull=asked["unread"])
        return self.page(items, InboxItemOut)


class InboxCount(Endpoint):
    """The number on the bell."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Inbox", "followers_inbox_count", "Count what is new", answer=UnreadOut, refuses=(404,)
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response({"unread": reading.unread_count(_follower(id))})


class ReadAll(Endpoint):
    """Nothing is new any more."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Inbox",
        "followers_inbox_read_all",
        "Mark everything as read",
        answer=ReadOut,
        refuses=(404,),
        details="What waits for these people on other channels as a fallback is called off.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        return Response(
            {"read": reading.read_all(follower=_follower(id), by=self.by, now=self.now)}
        )


class _Item(Endpoint):
    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    def item(self, id: uuid.UUID, item: uuid.UUID) -> InboxItem:
        return one(reading.items_of(_follower(id)), uid=item)


class Read(_Item):
    """Reading of one message."""

    @described(
        "Inbox",
        "followers_inbox_read",
        "Mark as read",
        answer=InboxItemOut,
        refuses=(404,),
        details=(
            "The delivery counts as delivered, and its fallbacks on other channels are called "
            "off. The first time stays."
        ),
    )
    def post(self, request: Request, id: uuid.UUID, item: uuid.UUID) -> Response:
        found = self.item(id, item)
        reading.mark_read(item=found, by=self.by, now=self.now)
        return Response(InboxItemOut(found).data)


class Unread(_Item):
    """Taking back of a reading: it is as if it were new."""

    @described(
        "Inbox",
        "followers_inbox_unread",
        "Mark as unread",
        answer=InboxItemOut,
        refuses=(404,),
        details="What its reading called off stays so.",
    )
    def post(self, request: Request, id: uuid.UUID, item: uuid.UUID) -> Response:
        found = self.item(id, item)
        reading.mark_unread(item=found, by=self.by, now=self.now)
        return Response(InboxItemOut(found).data)


class ArchiveItem(_Item):
    """Archiving of one message, and the way back."""

    @described(
        "Inbox",
        "followers_inbox_archive",
        "Archive",
        answer=InboxItemOut,
        refuses=(404,),
        details="It is not read by that.",
    )
    def post(self, request: Request, id: uuid.UUID, item: uuid.UUID) -> Response:
        found = self.item(id, item)
        reading.archive(item=found, archived=True, by=self.by, now=self.now)
        return Response(InboxItemOut(found).data)


class Unarchive(_Item):
    """Back into the list."""

    @described(
        "Inbox",
        "followers_inbox_unarchive",
        "Take out of the archive",
        answer=InboxItemOut,
        refuses=(404,),
    )
    def post(self, request: Request, id: uuid.UUID, item: uuid.UUID) -> Response:
        found = self.item(id, item)
        reading.archive(item=found, archived=False, by=self.by, now=self.now)
        return Response(InboxItemOut(found).data)
