"""Deliveries: one message to one person on one channel, and its result."""

import re
import uuid
from dataclasses import replace
from typing import Any

from django.db.models import Model
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.verbs import Verb
from apps.followers.models import Channel, Follower
from apps.notifications.accounts.hold_ups import HoldUp, HoldUpKind, hold_ups_of_delivery
from apps.notifications.decide.fallback import acknowledge
from apps.notifications.models import Delivery, DeliveryEvent, DeliveryStatus, Notification
from apps.notifications.reports.balance import Balance, explain, narrow, where_tallied
from apps.notifications.reports.trail import Step, account_names, trail_of

DELIVERIES = Delivery.objects.select_related("notification", "follower", "address")
# Parameters of the list: public ids.
WHOSE: dict[str, type[Model]] = {"follower": Follower, "notification": Notification}

# Words of what a server says: it repeats whom it spoke of, as in 550 <ann@example.com>: unknown.
_WORD = re.compile(r"[^\s<>\"',;:()\[\]]+")
_LEAST_NUMBER = 7  # digits of a telephone number


def as_said(said: str, view: Endpoint) -> str:
    """What a provider said, as the caller may read it: addresses only with followers:read."""
    if view.may(Scope.FOLLOWERS_READ):
        return said
    return _WORD.sub(_unnamed, said)


def _unnamed(word: re.Match[str]) -> str:
    number = word[0].lstrip("+").rstrip(".")
    if "@" in word[0] or (number.isdigit() and len(number) >= _LEAST_NUMBER):
        return "…"
    return word[0]


class DeliveryOut(serializers.Serializer[Delivery]):
    id = serializers.UUIDField(source="uid")
    notification = serializers.UUIDField(source="notification.uid")
    follower = serializers.UUIDField(source="follower.uid", default=None, allow_null=True)
    channel = serializers.ChoiceField(Channel.choices)
    address = serializers.SerializerMethodField(
        help_text="Of a device its name; empty for a caller without followers:read."
    )
    status = serializers.ChoiceField(DeliveryStatus.choices)
    reason = serializers.CharField()
    explanation = serializers.SerializerMethodField(help_text="The reason in words.")
    error = serializers.SerializerMethodField(
        help_text="What the provider said last; without the addresses in it for a caller without "
        "followers:read."
    )
    attempts = serializers.IntegerField()
    due_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    opened_at = serializers.DateTimeField(
        allow_null=True,
        help_text="The first time by a person, as far as that can be told and the follower lets "
        "it be counted.",
    )
    clicked_at = serializers.DateTimeField(allow_null=True, help_text="The first time.")
    acknowledged_at = serializers.DateTimeField(
        allow_null=True, help_text="The first time it was read in the inbox, or acknowledged."
    )

    def get_address(self, delivery: Delivery) -> str:
        view: Endpoint = self.context["view"]
        if delivery.address and view.may(Scope.FOLLOWERS_READ):
            return delivery.address.label
        return ""

    def get_error(self, delivery: Delivery) -> str:
        return as_said(delivery.error, self.context["view"])

    def get_explanation(self, delivery: Delivery) -> str:
        if delivery.reason:
            return explain(delivery.reason)
        return ""


class EventOut(serializers.Serializer[Any]):
    at = serializers.DateTimeField()
    kind = serializers.CharField()
    detail = serializers.SerializerMethodField()

    def get_detail(self, event: DeliveryEvent) -> dict[str, Any]:
        detail = dict(event.detail)
        if "said" in detail:
            detail["said"] = as_said(str(detail["said"]), self.context["view"])
        return detail


class DeliveryDetail(DeliveryOut):
    events = EventOut(many=True)


class HoldUpOut(serializers.Serializer[HoldUp]):
    kind = serializers.ChoiceField([(kind.value, kind.value) for kind in HoldUpKind])
    channel = serializers.ChoiceField(Channel.choices)
    account = serializers.CharField(
        source="account.name", default="", help_text="The provider account that is in trouble."
    )
    service = serializers.CharField(help_text="The push service that has no account.")
    said = serializers.CharField(help_text="What is wrong, as the provider said it.")
    since = serializers.DateTimeField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True, help_text="When it goes on, if known.")
    explanation = serializers.CharField(source="sentence", help_text="All of this in words.")


class HoldUpsOut(serializers.Serializer[Any]):
    hold_ups = HoldUpOut(many=True, help_text="Empty: nothing but its turn is waited for.")


class StepOut(serializers.Serializer[Step]):
    kind = serializers.CharField(
        help_text="`allowed` or `decided_against`, then what happened, at last the status."
    )
    at = serializers.DateTimeField(allow_null=True, help_text="null: at this moment.")
    reason = serializers.CharField()
    attempt = serializers.IntegerField(help_text="0: none.")
    account = serializers.CharField(help_text="The provider account that was used.")
    said = serializers.CharField(help_text="What the provider or the sender said.")
    by = serializers.CharField(help_text="The person who did it.")
    until = serializers.DateTimeField(allow_null=True, help_text="When it is asked again.")
    digest = serializers.CharField(help_text="The delivery of the digest that carries it.")
    title = serializers.CharField(help_text="What happened, in words.")
    text = serializers.CharField(help_text="The details in words.")


class TimelineOut(HoldUpsOut):
    steps = StepOut(many=True, help_text="Oldest first; the last says where it stands.")


class BehindQuery(Strict):
    status = serializers.ChoiceField([*DeliveryStatus.values, "waiting"], required=False)
    reason = serializers.CharField(required=False, max_length=40)
    channel = serializers.ChoiceField(Channel.choices, required=False)


class DeliveryQuery(Strict):
    status = serializers.ChoiceField(DeliveryStatus.choices, required=False)
    reason = serializers.CharField(required=False, max_length=40)
    channel = serializers.ChoiceField(Channel.choices, required=False)
    follower = serializers.UUIDField(required=False)
    notification = serializers.UUIDField(required=False)


class BalanceOut(serializers.Serializer[Balance]):
    """Numbers of messages: total = sent + failed + skipped + in_doubt + cancelled + waiting,
    at every moment.
    """

    total = serializers.IntegerField()
    sent = serializers.IntegerField()
    failed = serializers.DictField(child=serializers.IntegerField(), help_text="By reason.")
    skipped = serializers.DictField(child=serializers.IntegerField(), help_text="By reason.")
    in_doubt = serializers.IntegerField(help_text="Handed over perhaps (RFC 1047).")
    cancelled = serializers.IntegerField()
    waiting = serializers.IntegerField()


class CountsOut(serializers.Serializer[Any]):
    """Numbers of messages: total = cancelled + handed_off + in_flight + waiting + skipped + failed,
    at every moment.
    """

    total = serializers.IntegerField()
    cancelled = serializers.IntegerField()
    handed_off = serializers.IntegerField(help_text="Gone already.")
    in_flight = serializers.IntegerField(
        help_text="Being handed over at this moment; can go either way."
    )
    waiting = serializers.IntegerField()
    skipped = serializers.IntegerField(help_text="They were not to get it.")
    failed = serializers.IntegerField()


class RetriedOut(serializers.Serializer[Any]):
    retried = serializers.IntegerField(help_text="Messages that go out again.")


RETRIED = (
    "Only those with status failed; nobody gets a second copy. Many go back in the background."
)
HOW_MANY = "Says truthfully how many were stopped and how many had left."


def retried(thing: object, number: int, view: object) -> dict[str, int]:
    """The body of RetriedOut."""
    return {"retried": number}


class LinkOut(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    url = serializers.CharField()
    people = serializers.IntegerField(help_text="Deliveries in which it was clicked.")
    times = serializers.IntegerField(help_text="Clicks.")


class EngagementOut(serializers.Serializer[Any]):
    """What followers who let themselves be measured opened and clicked; what scanners,
    prefetching mail programs and image proxies did is counted apart.
    """

    opened = serializers.IntegerField(
        help_text="Deliveries that were opened, those that were clicked among them."
    )
    opens = serializers.IntegerField(help_text="Loads of the pixel.")
    clicked = serializers.IntegerField(help_text="Deliveries in which something was clicked.")
    clicks = serializers.IntegerField()
    machine_opens = serializers.IntegerField(
        help_text="Loads of the pixel by machines, or through proxies that hide whether a person "
        "was there."
    )
    machine_clicks = serializers.IntegerField(help_text="Links opened by machines.")
    links = LinkOut(many=True, help_text="All links of its words, by number.")


class Deliveries(Endpoint):
    """All deliveries."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @described(
        "Deliveries",
        "deliveries_list",
        "List deliveries",
        query=DeliveryQuery,
        answer=DeliveryOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        asked = self.query(DeliveryQuery)
        whose = {name: asked.pop(name) for name in WHOSE if name in asked}
        rows = narrow(DELIVERIES, **asked)
        if not whose:
            rows = where_tallied(rows, **asked)
        for name, uid in whose.items():
            # looked up first: PostgreSQL goes by how many deliveries this one has
            holder = WHOSE[name]._default_manager.filter(uid=uid).values_list("pk", flat=True)
            rows = rows.filter(**{f"{name}__in": list(holder)})
        return self.page(rows, DeliveryOut)


class OneDelivery(Endpoint):
    """One delivery with what happened to it."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @described(
        "Deliveries", "deliveries_get", "Get a delivery", answer=DeliveryDetail, refuses=(404,)
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        delivery = one(DELIVERIES.prefetch_related("events"), uid=id)
        return Response(DeliveryDetail(delivery, context={"view": self}).data)


class DeliveryTimeline(Endpoint):
    """One delivery's way, and why it waits."""

    scopes = {"GET": Scope.NOTIFICATIONS_READ}

    @described(
        "Deliveries",
        "deliveries_timeline",
        "Get a delivery's timeline",
        answer=TimelineOut,
        refuses=(404,),
        details="Each step from its planning to where it stands, as values and in words; and what "
        "keeps it from leaving just now, beside its own time.",
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        delivery = one(DELIVERIES, uid=id)
        events = list(delivery.events.all())
        way = trail_of(delivery, events, account_names(delivery, events))
        steps = [replace(step, said=as_said(step.said, self)) for step in way]
        hold_ups = hold_ups_of_delivery(delivery, now=self.now)
        return Response(TimelineOut({"steps": steps, "hold_ups": hold_ups}).data)


def delivery_of(id: uuid.UUID) -> Delivery:
    """The delivery with this public id. Raises NotFound."""
    return one(DELIVERIES, uid=id)


def _as_it_is(delivery: Delivery, given: object, view: Endpoint) -> Any:
    return DeliveryOut(delivery_of(delivery.uid), context={"view": view}).data


VERBS: dict[str, Verb[Delivery]] = {
    "acknowledge": Verb(
        summary="Acknowledge a delivery",
        scope=Scope.NOTIFICATIONS_WRITE,
        do=lambda delivery, by, now: acknowledge(delivery=delivery, by=by, now=now),
        answer=DeliveryOut,
        says=_as_it_is,
        refuses=(404,),
        details=(
            "The follower has the message, as your app knows: what waits for them on other "
            "channels as a fallback is called off. For critical messages and those that want an "
            "action, only this or reading in the inbox does that. The first time stays."
        ),
    ),
}
