"""Two entries of one person, and one made by mistake."""

import uuid

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.v1.audience.erasures import ErasureOut
from apps.api.v1.audience.followers.written import FOLLOWERS, FollowerOut
from apps.followers.merging.merge import Compared, merge
from apps.followers.merging.merge import preview as lines_of
from apps.followers.models import Follower
from apps.notifications.books.mistaken import delete_mistake


class OtherFollower(Strict):
    other = serializers.UUIDField(help_text="The id of the follower who becomes part of this one.")


class MergeLine(serializers.Serializer[Compared]):
    name = serializers.CharField()
    kept = serializers.JSONField(help_text="What this one has.")
    other = serializers.JSONField(source="gone", help_text="What the other has.")
    after = serializers.JSONField(help_text="What it will be.")


class MergePreview(serializers.Serializer[dict[str, list[Compared]]]):
    lines = MergeLine(many=True)


class Merge(Endpoint):
    """The other follower becomes part of this one."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_merge_preview",
        "See what a merge would make of two followers",
        query=OtherFollower,
        answer=MergePreview,
        refuses=(400, 404, 409),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        asked = self.query(OtherFollower)
        kept = one(Follower.objects.all(), uid=id)
        gone = one(Follower.objects.all(), uid=asked["other"])
        return Response(MergePreview({"lines": list(lines_of(kept=kept, gone=gone))}).data)

    @described(
        "Followers",
        "followers_merge",
        "Merge another follower into this one",
        body=OtherFollower,
        answer=FollowerOut,
        refuses=(400, 404, 409),
        details=(
            "It can't be undone. What this one says wins, gaps are filled from the other; tags, "
            "addresses, messages, events and consent records of both stay. Whatever either stopped "
            "is stopped. Links that were mailed to the other still find the right person."
        ),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        asked = self.body(OtherFollower)
        kept = one(Follower.objects.all(), uid=id)
        gone = one(Follower.objects.all(), uid=asked["other"])
        merge(kept=kept, gone=gone, by=self.by, now=self.now)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)


class Mistake(Endpoint):
    """The end of a follower who was made by mistake."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_delete_mistake",
        "Delete a follower who was made by mistake",
        answer=ErasureOut,
        status=202,
        refuses=(404, 409),
        details=(
            "Only where nothing was ever sent to them and they never said anything: the answer 409 "
            "says what to do with others. Unlike an erasure it keeps nobody from adding them again."
        ),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        erasure = delete_mistake(follower=follower, by=self.by, now=self.now)
        return Response(ErasureOut(erasure).data, status=202)
