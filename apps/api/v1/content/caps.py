"""Caps: at most so many messages to one follower in a window."""

import uuid
from dataclasses import replace

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.models import Channel
from apps.notifications.decide.cap_rules import (
    CapValues,
    change_cap,
    create_cap,
    delete_cap,
    values_of,
)
from apps.notifications.models import Cap, CapOutcome


class CapOut(serializers.Serializer[Cap]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    channels = serializers.ListField(child=serializers.ChoiceField(Channel.choices))
    limit = serializers.IntegerField()
    days = serializers.IntegerField(allow_null=True)
    seconds = serializers.IntegerField(allow_null=True)
    commercial = serializers.BooleanField()
    outcome = serializers.ChoiceField(CapOutcome.choices)
    enabled = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class CapIn(Strict):
    name = serializers.CharField(max_length=100)
    channels = serializers.ListField(
        child=serializers.ChoiceField(Channel.choices), help_text="Those that are counted together."
    )
    limit = serializers.IntegerField(
        help_text="So many pass. Critical ones count, and always pass."
    )
    days = serializers.IntegerField(
        required=False,
        allow_null=True,
        help_text="Calendar days of the follower, today the first. Or `seconds`.",
    )
    seconds = serializers.IntegerField(
        required=False, allow_null=True, help_text="A rolling window. Or `days`."
    )
    commercial = serializers.BooleanField(
        required=False, help_text="Only commercial ones count (true), or all."
    )
    outcome = serializers.ChoiceField(
        CapOutcome.choices, required=False, help_text="What becomes of one too many."
    )
    enabled = serializers.BooleanField(required=False)


class Caps(Endpoint):
    """All caps."""

    scopes = {"GET": Scope.CONTENT_READ, "POST": Scope.CONTENT_WRITE}

    @described("Caps", "caps_list", "List caps", answer=CapOut(many=True), refuses=(400,))
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(Cap.objects.all(), CapOut)

    @described(
        "Caps", "caps_add", "Add a cap", body=CapIn, answer=CapOut, status=201, refuses=(400,)
    )
    def post(self, request: Request) -> Response:
        cap = create_cap(values=CapValues(**self.body(CapIn)), by=self.by, now=self.now)
        return Response(CapOut(cap).data, status=201)


class OneCap(Edited):
    """One cap."""

    scopes = {
        "GET": Scope.CONTENT_READ,
        "PATCH": Scope.CONTENT_WRITE,
        "DELETE": Scope.CONTENT_WRITE,
    }
    rows = Cap.objects.all()

    @described("Caps", "caps_get", "Get a cap", answer=CapOut, refuses=(404,))
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(CapOut(one(Cap.objects.all(), uid=id)).data)

    @described(
        "Caps",
        "caps_change",
        "Change a cap",
        body=CapIn,
        answer=CapOut,
        refuses=(400, 404),
        details=(
            "Only what is sent changes. To go from days to seconds, send the other one as null."
        ),
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        cap = one(Cap.objects.all(), uid=id)
        said = self.body(CapIn, partial=True)
        for one_span, other in (("days", "seconds"), ("seconds", "days")):
            if said.get(one_span):  # it takes the place of the other one
                said.setdefault(other, None)
        values = replace(values_of(cap), **said)
        return Response(CapOut(change_cap(cap=cap, values=values, by=self.by, now=self.now)).data)

    @described("Caps", "caps_remove", "Remove a cap", answer=None, refuses=(404,))
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        delete_cap(cap=one(Cap.objects.all(), uid=id), by=self.by, now=self.now)
        return Response(status=204)
