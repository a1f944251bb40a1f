"""Recurring notifications: sent again and again, by the site's,
a named or each follower's own clock.
"""

import datetime as dt
import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.document.typed import AudienceField, CadenceField
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.parsing import MomentField
from apps.api.v1.content.templates import type_of
from apps.api.v1.send.campaigns import NAMED_IN_AUDIENCE
from apps.api.v1.send.event_rules import template_named
from apps.api.verbs import Verb
from apps.campaigns.models import Missed, Occurrence, Recurring, ZoneMode
from apps.campaigns.recurring import clocks, edit, recurrence
from apps.campaigns.recurring.edit import RecurringValues
from apps.lib import wallclock
from apps.lib.refusals import NOT_FOUND, NOT_NOW

ROWS = Recurring.objects.select_related("notification_type", "template").prefetch_related("zones")


class RecurringOut(serializers.Serializer[Recurring]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    type = serializers.CharField(source="notification_type.key")
    template = serializers.CharField(source="template.key", default=None, allow_null=True)
    channels = serializers.ListField(child=serializers.CharField())
    audience = AudienceField()
    data: Any = serializers.DictField()
    cadence = CadenceField()
    time_zone_mode = serializers.ChoiceField(ZoneMode.choices, source="zone_mode")
    time_zone = serializers.CharField(source="zone")
    missed = serializers.ChoiceField(Missed.choices)
    tolerance = serializers.IntegerField()
    starts_at = serializers.DateTimeField(allow_null=True)
    ends_at = serializers.DateTimeField(allow_null=True)
    active = serializers.BooleanField()
    next_at = serializers.SerializerMethodField(
        help_text="By the first clock that strikes; null: paused or over."
    )
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_next_at(self, row: Recurring) -> dt.datetime | None:
        return min((clock.next_at for clock in row.zones.all() if clock.next_at), default=None)


class RecurringDetail(RecurringOut):
    coming = serializers.SerializerMethodField(
        help_text="The next five times in the site's or the named zone."
    )

    def get_coming(self, row: Recurring) -> list[dt.datetime]:
        return clocks.coming(row, after=dt.datetime.now(dt.UTC))


class RecurringIn(Strict):
    naming = NAMED_IN_AUDIENCE

    name = serializers.CharField(max_length=120)
    type = serializers.CharField(max_length=60, help_text="Key of a message type.")
    audience = AudienceField()
    cadence = CadenceField()
    template = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=80,
        help_text="Key; else the type's default template.",
    )
    channels = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="[]: the type's."
    )
    data: Any = serializers.DictField(
        required=False, help_text="Values for the template's variables."
    )
    time_zone_mode = serializers.ChoiceField(
        ZoneMode.choices, source="zone_mode", required=False, help_text="The time zone it goes by."
    )
    time_zone = serializers.CharField(
        source="zone",
        required=False,
        allow_blank=True,
        max_length=64,
        help_text="Of the mode `named`.",
    )
    missed = serializers.ChoiceField(
        Missed.choices,
        required=False,
        help_text="A time at which nobody was at work: skip it, or send once when back.",
    )
    tolerance = serializers.IntegerField(
        required=False,
        min_value=0,
        max_value=edit.LONGEST_TOLERANCE,
        help_text="Up to so late it is in time.",
    )
    starts_at = MomentField(required=False, allow_null=True)
    ends_at = MomentField(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "type" in attrs:
            attrs["notification_type"] = type_of(attrs.pop("type"))
        if attrs.get("template"):
            attrs["template"] = template_named(attrs["template"])
        return attrs


class AllRecurring(Endpoint):
    """All recurring notifications."""

    scopes = {"GET": Scope.CAMPAIGNS_READ, "POST": Scope.CAMPAIGNS_SEND}

    @described(
        "Recurring",
        "recurring_list",
        "List recurring notifications",
        answer=RecurringOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(ROWS, RecurringOut)

    @described(
        "Recurring",
        "recurring_create",
        "Send something again and again",
        body=RecurringIn,
        answer=RecurringDetail,
        status=201,
        refuses=(400, 409),
        details="Active at once; the first time is the next one of its cadence.",
    )
    def post(self, request: Request) -> Response:
        made = edit.create_recurring(
            values=RecurringValues(**self.body(RecurringIn)), by=self.by, now=self.now
        )
        return Response(RecurringDetail(made).data, status=201)


class OneRecurring(Edited):
    """One recurring notification."""

    scopes = {
        "GET": Scope.CAMPAIGNS_READ,
        "PATCH": Scope.CAMPAIGNS_SEND,
        "DELETE": Scope.CAMPAIGNS_SEND,
    }
    rows = ROWS

    @described(
        "Recurring",
        "recurring_get",
        "Get a recurring notification",
        answer=RecurringDetail,
        refuses=(404,),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(RecurringDetail(one(ROWS, uid=id)).data)

    @described(
        "Recurring",
        "recurring_change",
        "Change a recurring notification",
        body=RecurringIn,
        answer=RecurringDetail,
        refuses=(400, 404, 409),
        details="Only what is sent changes. Counts from the next time on.",
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        row = one(ROWS, uid=id)
        values = RecurringValues(**self.body(RecurringIn, partial=True))
        changed = edit.change_recurring(recurring=row, values=values, by=self.by, now=self.now)
        return Response(RecurringDetail(changed).data)

    @described(
        "Recurring",
        "recurring_delete",
        "Delete a recurring notification",
        answer=None,
        refuses=(404,),
        details="What is on its way goes on; cancel its notification to stop that.",
    )
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        edit.delete_recurring(recurring=one(ROWS, uid=id), by=self.by, now=self.now)
        return Response(status=204)


def recurring_of(id: uuid.UUID) -> Recurring:
    """The recurring notification with this public id. Raises NotFound."""
    return one(ROWS, uid=id)


def _in_detail(recurring: Recurring, changed: Recurring, view: object) -> Any:
    return RecurringDetail(changed).data


VERBS: dict[str, Verb[Recurring]] = {
    "pause": Verb(
        summary="Pause it",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda recurring, by, now: edit.pause(recurring=recurring, by=by, now=now),
        answer=RecurringDetail,
        says=_in_detail,
        refuses=(404,),
    ),
    "resume": Verb(
        summary="Go on",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda recurring, by, now: edit.resume(recurring=recurring, by=by, now=now),
        answer=RecurringDetail,
        says=_in_detail,
        refuses=(404,),
        details="With the next time; those of the pause are not made up for.",
    ),
}


class OccurrenceOut(serializers.Serializer[Occurrence]):
    at = serializers.DateTimeField(help_text="When it was due.")
    time_zone = serializers.CharField(source="zone", help_text="By which clock; empty: the site's.")
    created_at = serializers.DateTimeField(source="started_at", help_text="When it began.")
    notification = serializers.UUIDField(source="notification.uid", default=None, allow_null=True)
    problem = serializers.CharField(help_text="Why nothing was sent.")


class Occurrences(Endpoint):
    """What a recurring notification has sent."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @described(
        "Recurring",
        "recurring_occurrences",
        "List what it has sent",
        answer=OccurrenceOut(many=True),
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        rows = Occurrence.objects.filter(recurring=one(ROWS, uid=id)).select_related("notification")
        return self.page(rows, OccurrenceOut)


class CadenceIn(Strict):
    cadence = CadenceField()
    time_zone = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=64, help_text="Else the site's."
    )
    after = MomentField(required=False, help_text="Else now.")


class CadenceOut(serializers.Serializer[Any]):
    sentence = serializers.CharField()
    coming = serializers.ListField(
        child=serializers.DateTimeField(), help_text="The next five times."
    )


class PreviewCadence(Endpoint):
    """When a cadence would strike."""

    scopes = {"POST": Scope.CAMPAIGNS_READ}

    @described(
        "Recurring",
        "recurring_preview",
        "See when a cadence strikes",
        body=CadenceIn,
        answer=CadenceOut,
        refuses=(400,),
    )
    def post(self, request: Request) -> Response:
        asked = self.body(CadenceIn)
        cadence = recurrence.parse(asked["cadence"])
        try:
            if asked["time_zone"]:
                zone = wallclock.zone(asked["time_zone"]).key
            else:
                zone = clocks.known_zone("")
        except wallclock.UnknownZone as error:
            raise serializers.ValidationError(
                {"time_zone": [str(error)]}, code=NOT_FOUND
            ) from error
        after = asked.get("after") or self.now
        if abs(after.year - self.now.year) > edit.FARTHEST_YEARS:
            raise serializers.ValidationError(
                {"after": [f"Choose a time within {edit.FARTHEST_YEARS} years."]},
                code=NOT_NOW,
            )
        coming = recurrence.coming(cadence, zone=zone, after=after, count=5)
        return Response(
            CadenceOut({"sentence": recurrence.sentence(cadence), "coming": coming}).data
        )
