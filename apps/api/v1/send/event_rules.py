"""Rules of events: when this happens, tell them that; and a test that sends nothing."""

import uuid
from collections.abc import Iterator
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.document.typed import ConditionsField
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.v1.content.templates import type_of
from apps.campaigns.events import rules, run_rules
from apps.campaigns.events.rules import RuleValues
from apps.campaigns.models import Event, EventRule, OutcomeResult, RuleTarget, Segment
from apps.content.models import Template
from apps.followers.models import Channel, Follower
from apps.lib.refusals import NOT_FOUND
from apps.notifications.models import DeliveryStatus

ROWS = EventRule.objects.select_related("notification_type", "template", "segment")
MAPPING = (
    '{"order_number": "data.number"}: variable and path. {}: all data, and the event as `event`.'
)


class RuleOut(serializers.Serializer[EventRule]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField()
    event = serializers.CharField()
    conditions = ConditionsField()
    type = serializers.CharField(source="notification_type.key")
    template = serializers.CharField(source="template.key", default=None, allow_null=True)
    channels = serializers.ListField(child=serializers.CharField())
    mapping = serializers.DictField(child=serializers.CharField(), help_text=MAPPING)
    delay = serializers.IntegerField()
    throttle_key = serializers.CharField()
    to = serializers.ChoiceField(RuleTarget.choices)
    segment = serializers.UUIDField(source="segment.uid", default=None, allow_null=True)
    active = serializers.BooleanField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class RuleIn(Strict):
    naming = {"segment": Scope.CAMPAIGNS_READ}

    name = serializers.CharField(max_length=120)
    event = serializers.CharField(
        max_length=102, help_text="`order.created`, or `order.*` for all that begin so."
    )
    type = serializers.CharField(max_length=60, help_text="Key of a message type.")
    conditions = ConditionsField(required=False)
    template = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=80,
        help_text="Key; else the type's default template.",
    )
    channels = serializers.ListField(
        child=serializers.CharField(), required=False, help_text="[]: the type's."
    )
    mapping = serializers.DictField(
        child=serializers.CharField(), required=False, help_text=MAPPING
    )
    delay = serializers.IntegerField(
        required=False, min_value=0, help_text="Seconds after it happened."
    )
    throttle_key = serializers.CharField(
        required=False,
        allow_blank=True,
        help_text="Path, such as data.number, of what the type's throttle counts.",
    )
    to = serializers.ChoiceField(RuleTarget.choices, required=False)
    segment = serializers.UUIDField(
        required=False, allow_null=True, help_text="Who is told, if a segment is."
    )
    active = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "type" in attrs:
            attrs["notification_type"] = type_of(attrs.pop("type"))
        if attrs.get("template"):
            attrs["template"] = template_named(attrs["template"])
        if attrs.get("segment"):
            attrs["segment"] = Segment.objects.filter(uid=attrs["segment"]).first()
            if attrs["segment"] is None:
                raise serializers.ValidationError(
                    {"segment": ["There is no segment with this id."]}, code=NOT_FOUND
                )
        return attrs


def template_named(key: str) -> Template:
    """The library template with this key;
    an unknown one is refused as a bad value of `template`.
    """
    template = Template.objects.filter(key=key, private=False).first()
    if template is None:
        raise serializers.ValidationError(
            {"template": [f"There is no template {key!r}."]}, code=NOT_FOUND
        )
    return template


def _values(view: Endpoint, *, partial: bool = False) -> RuleValues:
    """What is said of a rule. What it reads of followers comes to light in its messages' data."""
    said = view.body(RuleIn, partial=partial)
    if any(path.startswith("follower.") for path in _paths(said)):
        view.need(Scope.FOLLOWERS_READ, "A path that begins with “follower.”")
    return RuleValues(**said)


def _paths(said: dict[str, Any]) -> Iterator[str]:
    """The paths that a rule reads, as far as they can be told before it is checked."""
    yield said.get("throttle_key", "")
    yield from said.get("mapping", {}).values()
    for rows in said.get("conditions", {}).values():
        if isinstance(rows, list):
            yield from (str(row.get("field")) for row in rows if isinstance(row, dict))


class EventRules(Endpoint):
    """All rules."""

    scopes = {"GET": Scope.CAMPAIGNS_READ, "POST": Scope.CAMPAIGNS_SEND}

    @described(
        "Events",
        "event_rules_list",
        "List rules of events",
        answer=RuleOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(ROWS, RuleOut)

    @described(
        "Events",
        "event_rules_create",
        "Make a rule",
        body=RuleIn,
        answer=RuleOut,
        status=201,
        refuses=(400, 409),
        details="It counts for events that are worked off from now on.",
    )
    def post(self, request: Request) -> Response:
        made = rules.create_rule(values=_values(self), by=self.by, now=self.now)
        return Response(RuleOut(made).data, status=201)


class OneEventRule(Edited):
    """One rule."""

    scopes = {
        "GET": Scope.CAMPAIGNS_READ,
        "PATCH": Scope.CAMPAIGNS_SEND,
        "DELETE": Scope.CAMPAIGNS_SEND,
    }
    rows = ROWS

    @described("Events", "event_rules_get", "Get a rule", answer=RuleOut, refuses=(404,))
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(RuleOut(one(ROWS, uid=id)).data)

    @described(
        "Events",
        "event_rules_change",
        "Change a rule",
        body=RuleIn,
        answer=RuleOut,
        refuses=(400, 404, 409),
        details="Only what is sent changes. `active: false` switches it off.",
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        rule = one(ROWS, uid=id)
        values = _values(self, partial=True)
        changed = rules.change_rule(rule=rule, values=values, by=self.by, now=self.now)
        return Response(RuleOut(changed).data)

    @described("Events", "event_rules_delete", "Delete a rule", answer=None, refuses=(404,))
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        rules.delete_rule(rule=one(ROWS, uid=id), by=self.by, now=self.now)
        return Response(status=204)


class SampleIn(Strict):
    data: Any = serializers.DictField(required=False, default=dict)
    name = serializers.CharField(
        required=False, max_length=100, help_text="Else the one that the rule names."
    )
    follower = serializers.UUIDField(required=False, help_text="Id of a follower.")


class SampleMessageOut(serializers.Serializer[Any]):
    follower = serializers.UUIDField(allow_null=True)
    who = serializers.CharField(help_text="The follower's name, or address.")
    channel = serializers.ChoiceField(Channel.choices)
    status = serializers.ChoiceField(DeliveryStatus.choices)
    reason = serializers.CharField()


class RehearsalOut(serializers.Serializer[Any]):
    result = serializers.ChoiceField(OutcomeResult.choices)
    because = serializers.CharField(help_text="What decided, in a sentence.")
    data: Any = serializers.DictField(help_text="What the template would get.")
    send_at = serializers.DateTimeField(allow_null=True)
    messages = SampleMessageOut(many=True, help_text="The first 20 that would be made.")


class TestEventRule(Endpoint):
    """What a rule would make of an event."""

    scopes = {"POST": Scope.CAMPAIGNS_READ}
    also = {"POST": Scope.FOLLOWERS_READ}

    @described(
        "Events",
        "event_rules_test",
        "Try a rule without sending",
        body=SampleIn,
        answer=RehearsalOut,
        refuses=(400, 404),
        details="Does all that a real event would do, looks at it, and takes it back. It tells "
        "who would get it and what the rule reads of them, so it needs followers:read, too.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        rule = one(ROWS, uid=id)
        asked = self.body(SampleIn)
        now = self.now
        follower = None
        if "follower" in asked:
            follower = Follower.objects.filter(uid=asked["follower"]).first()
        if "follower" in asked and follower is None:
            raise serializers.ValidationError(
                {"follower": ["There is no follower with this id."]}, code=NOT_FOUND
            )
        name = asked.get("name") or rule.event.removesuffix(".*")
        sample = Event(
            name=name, follower=follower, data=asked["data"], occurred_at=now, received_at=now
        )
        found = run_rules.rehearse(rule=rule, event=sample, now=now)
        said = {
            "result": found.outcome.result,
            "because": found.outcome.because,
            "data": found.data,
            "send_at": found.send_at,
            "messages": found.messages,
        }
        return Response(RehearsalOut(said).data)
