"""The suppression list: addresses nothing is sent to, whoever has them."""

import uuid

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.consent import suppression
from apps.followers.models import Channel, Suppression, SuppressionReason

ADDRESSED = [(each.value, each.label) for each in (Channel.EMAIL, Channel.SMS)]


class SuppressionOut(serializers.Serializer[Suppression]):
    id = serializers.UUIDField(source="uid")
    channel = serializers.ChoiceField(Channel.choices)
    address = serializers.CharField(source="key")
    reason = serializers.ChoiceField(SuppressionReason.choices)
    note = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewSuppression(Strict):
    channel = serializers.ChoiceField(ADDRESSED)
    address = serializers.CharField(max_length=500)
    reason = serializers.ChoiceField(
        SuppressionReason.choices, required=False, default=SuppressionReason.MANUAL.value
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=300)


class SuppressionQuery(Strict):
    channel = serializers.ChoiceField(Channel.choices, required=False)
    reason = serializers.ChoiceField(SuppressionReason.choices, required=False)
    search = serializers.CharField(
        required=False, max_length=500, help_text="A part of the address."
    )


class Suppressions(Endpoint):
    """The whole list."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Suppressions",
        "suppressions_list",
        "List addresses nothing is sent to",
        query=SuppressionQuery,
        answer=SuppressionOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        asked = self.query(SuppressionQuery)
        if "search" in asked:
            asked["key__contains"] = asked.pop("search").casefold()
        return self.page(Suppression.objects.filter(**asked), SuppressionOut)

    @described(
        "Suppressions",
        "suppressions_add",
        "Send nothing to an address any more",
        body=NewSuppression,
        answer=SuppressionOut,
        status=201,
        refuses=(400,),
        details=(
            "At once and for every message type, critical ones too. An address that is on the "
            "list already stays as it is."
        ),
    )
    def post(self, request: Request) -> Response:
        asked = self.body(NewSuppression)
        made = suppression.suppress(value=asked.pop("address"), **asked, by=self.by, now=self.now)
        return Response(SuppressionOut(made).data, status=201)


class Release(Strict):
    note = serializers.CharField(
        max_length=300, help_text="Why we may write to this address again."
    )


class ReleaseSuppression(Endpoint):
    """Release from the list. It lets messages leave again, so it needs more than editing followers,
    as on the dashboard.
    """

    scopes = {"POST": Scope.NOTIFICATIONS_WRITE}
    also = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Suppressions",
        "suppressions_release",
        "Take an address off the list",
        body=Release,
        answer=None,
        refuses=(400, 404),
        details="Needs followers:write, too.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        found = one(Suppression.objects.all(), uid=id)
        suppression.release(suppression=found, **self.body(Release), by=self.by, now=self.now)
        return Response(status=204)
