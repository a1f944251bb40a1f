"""What would happen to a message for a follower:
the answer that its sender would get at that moment.
"""

import datetime as dt
import uuid
from typing import Any

from django.utils import timezone
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.parsing import MomentField
from apps.followers.consent.verdict import Reason
from apps.followers.models import Channel, Follower, NotificationType
from apps.lib.refusals import NOT_FOUND, NOT_NOW
from apps.notifications.decide.decision import Act, Why
from apps.notifications.forecast import forecast
from apps.notifications.notify import FARTHEST_YEARS


class DeliveryCheckQuery(Strict):
    type = serializers.CharField(help_text="The message type's key.")
    channel = serializers.ChoiceField(Channel.choices)
    at = MomentField(required=False, help_text="When it is due; left out: now.")
    expires_at = MomentField(required=False, help_text="Left out: the type's lifetime.")
    throttle_key = serializers.CharField(required=False, max_length=120)

    def validate_at(self, at: dt.datetime) -> dt.datetime:
        if abs(at.year - timezone.now().year) > FARTHEST_YEARS:
            raise serializers.ValidationError(
                f"Choose a time within {FARTHEST_YEARS} years.", code=NOT_NOW
            )
        return at


class AccountOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    provider = serializers.CharField()


class TextPartsOut(serializers.Serializer[Any]):
    encoding = serializers.CharField(help_text="GSM-7 or UCS-2.")
    count = serializers.IntegerField(help_text="What it is paid for.")
    units = serializers.IntegerField()


class DeliveryCheckOut(serializers.Serializer[Any]):
    act = serializers.ChoiceField([(act.value, act.value) for act in Act], source="decision.act")
    reason = serializers.ChoiceField(
        [(str(each), str(each)) for each in (*Reason, *Why)], source="decision.reason"
    )
    explanation = serializers.CharField()
    planned_at = serializers.DateTimeField(
        allow_null=True,
        default_timezone=dt.UTC,
        help_text="When it leaves or is asked again; null: never.",
    )
    account = AccountOut(
        allow_null=True, help_text="The provider account it would take then; null: none is open."
    )
    segments = TextPartsOut(
        allow_null=True,
        help_text="Of a text message with the type's own template; null: not known, or no SMS.",
    )


class DeliveryChecks(Endpoint):
    """Nothing is sent, stored or counted."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Preferences",
        "followers_delivery_check",
        "Check what would happen to a message",
        query=DeliveryCheckQuery,
        answer=DeliveryCheckOut,
        refuses=(400, 404),
        details=(
            "Consent, quiet hours, digests, throttles and caps, as they would be asked when it is "
            "due."
        ),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        asked = self.query(DeliveryCheckQuery)
        kind = NotificationType.objects.filter(key=asked["type"]).first()
        if kind is None:
            raise ValidationError(
                {"type": [f"There is no message type {asked['type']!r}."]}, code=NOT_FOUND
            )
        said = forecast(
            follower=follower,
            notification_type=kind,
            channel=asked["channel"],
            at=asked.get("at") or self.now,
            expires_at=asked.get("expires_at"),
            throttle_key=asked.get("throttle_key", ""),
        )
        return Response(DeliveryCheckOut(said).data)
