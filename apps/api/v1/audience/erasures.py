"""Erasures: how far one is."""

import uuid

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, described, one
from apps.followers.models import Erasure, ErasureState


class ErasureOut(serializers.Serializer[Erasure]):
    id = serializers.UUIDField(source="uid")
    follower = serializers.UUIDField(help_text="The id that the follower had.")
    state = serializers.ChoiceField(
        ErasureState.choices,
        help_text=(
            "`stopped`: nothing is sent any more. `searching`: the follower is gone, and what "
            "others wrote about them is searched. `done`: nothing is left."
        ),
    )
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


class OneErasure(Endpoint):
    """How far an erasure is."""

    scopes = {"GET": Scope.FOLLOWERS_ERASE}

    @described(
        "Followers",
        "erasures_get",
        "See how far an erasure is",
        answer=ErasureOut,
        refuses=(404,),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        return Response(ErasureOut(one(Erasure.objects.all(), uid=id)).data)
