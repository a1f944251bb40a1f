"""The tags of one follower."""

import uuid

from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.v1.audience.followers.written import FOLLOWERS, FollowerOut
from apps.api.v1.audience.tags import words_field
from apps.followers.models import Follower, Tag
from apps.followers.people import tagging


class Names(Strict):
    tags = words_field(allow_empty=False, max_length=50, help_text="Names; made when missing.")


class FollowerTags(Endpoint):
    """The tags of one follower."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_tag",
        "Put tags on a follower",
        body=Names,
        answer=FollowerOut,
        refuses=(400, 404),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        tagging.tag(followers=[follower], **self.body(Names), by=self.by, now=self.now)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)


class FollowerTag(Endpoint):
    """One tag of one follower."""

    scopes = {"DELETE": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "followers_untag",
        "Take a tag off a follower",
        answer=FollowerOut,
        refuses=(404,),
        details="Safe to repeat. 404 where there is no such tag at all: a typo is told.",
    )
    def delete(self, request: Request, id: uuid.UUID, slug: str) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        tag = one(Tag.objects.all(), slug=slug)
        tagging.untag(followers=[follower], tags=[tag.name], by=self.by, now=self.now)
        return Response(FollowerOut(one(FOLLOWERS, uid=id)).data)
