"""Segments: saved questions about followers, and who answers them now."""

import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.document.typed import RulesField
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.v1.audience.followers.written import FOLLOWERS, FollowerOut
from apps.campaigns.audience import segments
from apps.campaigns.audience.how_many import exactly
from apps.campaigns.audience.segments import SegmentValues
from apps.campaigns.audience.sql import rules_to_q
from apps.campaigns.models import Segment
from apps.followers.models import Follower

# rules can ask whether one certain person has one certain value
COUNTED = (
    "A count answers questions about people, so it needs followers:read, too. 409 if it takes more "
    "than half a minute."
)


class SegmentOut(serializers.Serializer[Segment]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    description = serializers.CharField()
    rules = RulesField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SegmentIn(Strict):
    name = serializers.CharField(max_length=100)
    rules = RulesField()
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)


class Segments(Endpoint):
    """All segments."""

    scopes = {"GET": Scope.CAMPAIGNS_READ, "POST": Scope.CAMPAIGNS_WRITE}

    @described(
        "Segments", "segments_list", "List segments", answer=SegmentOut(many=True), refuses=(400,)
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(Segment.objects.all(), SegmentOut)

    @described(
        "Segments",
        "segments_create",
        "Make a segment",
        body=SegmentIn,
        answer=SegmentOut,
        status=201,
        refuses=(400, 409),
    )
    def post(self, request: Request) -> Response:
        values = SegmentValues(**self.body(SegmentIn))
        made = segments.create_segment(values=values, by=self.by, now=self.now)
        return Response(SegmentOut(made).data, status=201)


class OneSegment(Edited):
    """One segment."""

    scopes = {
        "GET": Scope.CAMPAIGNS_READ,
        "PATCH": Scope.CAMPAIGNS_WRITE,
        "DELETE": Scope.CAMPAIGNS_WRITE,
    }
    rows = Segment.objects.all()

    @described("Segments", "segments_get", "Get a segment", answer=SegmentOut, refuses=(404,))
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(SegmentOut(one(Segment.objects.all(), uid=id)).data)

    @described(
        "Segments",
        "segments_change",
        "Change a segment",
        body=SegmentIn,
        answer=SegmentOut,
        refuses=(400, 404, 409),
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        values = SegmentValues(**self.body(SegmentIn, partial=True))
        segment = one(Segment.objects.all(), uid=id)
        changed = segments.change_segment(segment=segment, values=values, by=self.by, now=self.now)
        return Response(SegmentOut(changed).data)

    @described(
        "Segments",
        "segments_delete",
        "Delete a segment",
        answer=None,
        refuses=(404, 409),
        details="409 while a draft or scheduled campaign uses it.",
    )
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        segments.delete_segment(
            segment=one(Segment.objects.all(), uid=id), by=self.by, now=self.now
        )
        return Response(status=204)


class CountOut(serializers.Serializer[Any]):
    count = serializers.IntegerField()


class RulesIn(Strict):
    rules = RulesField()


class SegmentFollowers(Endpoint):
    """Who is in a segment now."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Segments",
        "segments_followers",
        "List who is in a segment now",
        answer=FollowerOut(many=True),
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        condition = rules_to_q(one(Segment.objects.all(), uid=id).rules, now=self.now)
        return self.page(FOLLOWERS.filter(condition), FollowerOut)


class SegmentCount(Endpoint):
    """How many are in a segment now."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}
    also = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Segments",
        "segments_count",
        "Count who is in a segment now",
        answer=CountOut,
        refuses=(404, 409),
        details=COUNTED,
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response({"count": _matching(one(Segment.objects.all(), uid=id).rules, self)})


class RulesCount(Endpoint):
    """How many a question would find, before it is saved."""

    scopes = {"POST": Scope.CAMPAIGNS_READ}
    also = {"POST": Scope.FOLLOWERS_READ}

    @described(
        "Segments",
        "segments_try",
        "Count who matches rules",
        body=RulesIn,
        answer=CountOut,
        refuses=(400, 409),
        details=COUNTED,
    )
    def post(self, request: Request) -> Response:
        return Response({"count": _matching(self.body(RulesIn)["rules"], self)})


def _matching(rules: Any, view: Endpoint) -> int:
    return exactly(Follower.objects.filter(rules_to_q(rules, now=view.now)))
