"""When something is sent: a moment, or a time on the wall of a named zone."""

from typing import Any

from rest_framework import serializers

from apps.api.endpoint import Strict
from apps.api.parsing import MomentField, WallField


class WhenIn(Strict):
    """A time: `send_at`, or `wall` and `time_zone`."""

    send_at = MomentField(required=False, help_text="With its zone: 2027-05-31T09:00:00+02:00.")
    wall = WallField(
        required=False,
        help_text="Or what the clocks of `time_zone` show: 2027-05-31T09:00. A time that they skip "
        "is refused, one that happens twice means the first.",
    )
    time_zone = serializers.CharField(
        required=False, max_length=64, help_text="IANA name such as Europe/Berlin, for `wall`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "send_at" in attrs and ("wall" in attrs or "time_zone" in attrs):
            raise serializers.ValidationError(
                {"send_at": "Give send_at, or wall and time_zone, not both."}
            )
        if "wall" in attrs and "time_zone" not in attrs:
            raise serializers.ValidationError(
                {"time_zone": "Say in which time zone the clock hangs, such as Europe/Berlin."}
            )
        if "time_zone" in attrs and "wall" not in attrs:
            raise serializers.ValidationError(
                {"wall": "Give the time on the wall, such as 2027-05-31T09:00."}
            )
        return attrs


class ScheduleIn(WhenIn):
    """A time that has to be said: `send_at`, or `wall` and `time_zone`."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not attrs:
            raise serializers.ValidationError({"send_at": "Give send_at, or wall and time_zone."})
        return super().validate(attrs)
