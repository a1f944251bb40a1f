"""When a follower wants to be written to: quiet hours, digests, a pause."""

import datetime as dt
import uuid
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.document.typed import CLOCK
from apps.api.edited import Edited
from apps.api.endpoint import Strict, described, one
from apps.api.parsing import MomentField
from apps.api.v1.audience.followers.written import SOURCE
from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, rhythm_of, set_rhythm, zone_of
from apps.followers.models import DigestCadence, Follower

_TO_DEFAULT = "null: the default."
_QUIET = (
    'By the weekday on which it begins, "0" is Monday: {"0": ["22:00", "07:00"]}. '
    "An end before the start is next day."
)


def _quiet_field(**options: Any) -> serializers.DictField:
    span = serializers.ListField(child=serializers.CharField(), min_length=2, max_length=2)
    return serializers.DictField(child=span, **options)


@extend_schema_field(CLOCK)
class _ClockField(serializers.TimeField):
    """A time of day as HH:MM."""


class DeliveryPreferencesOut(serializers.Serializer[Any]):
    time_zone = serializers.SerializerMethodField(
        help_text="What the times are in: the follower's, else the site's."
    )
    quiet_hours = _quiet_field(source="quiet", help_text=_QUIET)
    digest_frequency = serializers.ChoiceField(
        DigestCadence.choices, source="cadence", help_text="How often what may wait comes."
    )
    digest_at = _ClockField(format="%H:%M", help_text="Of daily and weekly digests.")
    digest_weekday = serializers.IntegerField(help_text="Of weekly ones; Monday is 0.")
    paused_until = serializers.DateTimeField(
        allow_null=True,
        default_timezone=dt.UTC,
        help_text="Nothing but critical messages until then.",
    )

    def get_time_zone(self, rhythm: Any) -> str:
        return zone_of(rhythm.follower).key


class DeliveryPreferencesIn(Strict):
    """What is not named stays. The zone belongs to the follower: PATCH /followers/{id}."""

    quiet_hours = _quiet_field(
        source="quiet",
        required=False,
        allow_null=True,
        help_text=f"All of them. {_QUIET} {_TO_DEFAULT}",
    )
    digest_frequency = serializers.ChoiceField(
        DigestCadence.choices,
        source="cadence",
        required=False,
        allow_null=True,
        help_text=f"How often what may wait comes. {_TO_DEFAULT}",
    )
    digest_at = serializers.CharField(
        required=False, allow_null=True, help_text=f"HH:MM. {_TO_DEFAULT}"
    )
    digest_weekday = serializers.IntegerField(
        required=False,
        allow_null=True,
        min_value=0,
        max_value=6,
        help_text=f"Of weekly digests; Monday is 0. {_TO_DEFAULT}",
    )
    paused_until = MomentField(
        required=False,
        allow_null=True,
        help_text="Within a year. null ends the pause.",
    )


class DeliveryPreferences(Edited):
    """The delivery preferences of one follower."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "PATCH": Scope.FOLLOWERS_WRITE}
    rows = Follower.objects.all()

    @described(
        "Preferences",
        "delivery_preferences_get",
        "Get when a follower wants to be written to",
        answer=DeliveryPreferencesOut,
        refuses=(404,),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(DeliveryPreferencesOut(rhythm_of(one(Follower.objects.all(), uid=id))).data)

    @described(
        "Preferences",
        "delivery_preferences_change",
        "Set quiet hours, digests, a pause",
        body=DeliveryPreferencesIn,
        answer=DeliveryPreferencesOut,
        refuses=(400, 404),
        details="All or nothing; what is not named stays.",
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        wishes = Wishes(**self.body(DeliveryPreferencesIn))
        proof = Proof(source=SOURCE, by=self.by, now=self.now)
        set_rhythm(follower=follower, values=wishes, proof=proof)
        return Response(DeliveryPreferencesOut(rhythm_of(follower)).data)
