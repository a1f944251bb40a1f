"""Messages: a subject, a text, and off it goes to everyone or by tags;
campaigns in their plainest dress.
"""

import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.v1.audience.tags import slugs, words_field
from apps.api.v1.content.templates import type_of
from apps.api.v1.send.campaigns import deliveries_of, sent
from apps.api.v1.send.deliveries import BehindQuery, DeliveryOut
from apps.api.verbs import Verb
from apps.campaigns import lifecycle
from apps.campaigns.models import Campaign, CampaignState
from apps.campaigns.simple_message import create_message, words_of

ROWS = Campaign.objects.select_related("notification_type").prefetch_related(
    "template__versions__translations"
)


# What both dresses of a message say alike. No docstring: the document would show it to callers.
class WithContentAndTags(serializers.Serializer[Campaign]):
    def get_content(self, message: Campaign) -> str:
        words = words_of(message)
        return words["html"] or words["text"]

    def get_tags(self, message: Campaign) -> list[str]:
        slugs: list[str] = message.audience.get("tags", [])
        return slugs


class MessageOut(WithContentAndTags):
    id = serializers.UUIDField(source="uid")
    subject = serializers.SerializerMethodField()
    content = serializers.SerializerMethodField(help_text="HTML where there is some, else text.")
    status = serializers.ChoiceField(CampaignState.choices, source="state")
    type = serializers.CharField(source="notification_type.key")
    tags = serializers.SerializerMethodField(help_text="Slugs; empty: everyone.")
    metadata = serializers.DictField()
    created_at = serializers.DateTimeField()
    send_at = serializers.DateTimeField(allow_null=True)

    def get_subject(self, message: Campaign) -> str:
        return words_of(message)["subject"]


class NewMessage(Strict):
    naming = {"tags": Scope.FOLLOWERS_READ}

    subject = serializers.CharField(max_length=300)
    content = serializers.CharField(
        trim_whitespace=False, help_text="HTML or plain text; Liquid: {{ follower.name }}."
    )
    metadata = serializers.DictField(required=False, help_text="Your own values.")
    tags = words_field(
        required=False, default=list, max_length=50, help_text="Names or slugs; none: everyone."
    )
    type = serializers.CharField(
        required=False,
        max_length=60,
        help_text="Key of a message type; else the first commercial one.",
    )


class MessageQuery(Strict):
    status = serializers.ChoiceField(CampaignState.choices, required=False, source="state")


class Messages(Endpoint):
    """All messages."""

    scopes = {"GET": Scope.CAMPAIGNS_READ, "POST": Scope.CAMPAIGNS_WRITE}

    @described(
        "Messages",
        "messages_list",
        "List messages",
        query=MessageQuery,
        answer=MessageOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        return self.page(ROWS.filter(**self.query(MessageQuery)), MessageOut)

    @described(
        "Messages",
        "messages_create",
        "Write a message",
        body=NewMessage,
        answer=MessageOut,
        status=201,
        refuses=(400, 409),
        details="A draft; nothing is sent before send.",
    )
    def post(self, request: Request) -> Response:
        asked: dict[str, Any] = self.body(NewMessage)
        key = asked.pop("type", "")
        asked["tags"] = slugs(asked["tags"])
        kind = None
        if key:
            kind = type_of(key)
        made = create_message(notification_type=kind, **asked, by=self.by, now=self.now)
        return Response(MessageOut(made).data, status=201)


class OneMessage(Endpoint):
    """One message."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @described("Messages", "messages_get", "Get a message", answer=MessageOut, refuses=(404,))
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(MessageOut(one(ROWS, uid=id)).data)


def message_of(id: uuid.UUID) -> Campaign:
    """The message with this public id. Raises NotFound."""
    return one(ROWS, uid=id)


def _as_it_is(message: Campaign, given: object, view: object) -> Any:
    return MessageOut(message_of(message.uid)).data


VERBS: dict[str, Verb[Campaign]] = {
    "send": Verb(
        summary="Send a message",
        scope=Scope.CAMPAIGNS_SEND,
        do=lambda message, by, now: lifecycle.send_now(campaign=message, by=by, now=now),
        answer=MessageOut,
        says=_as_it_is,
        status=202,
        done=sent,
        details=(
            "Answers at once; the work goes on in the background. Unsubscribed followers get "
            "status skipped. A second call changes nothing."
        ),
    ),
}


class MessageDeliveries(Endpoint):
    """Results, person by person."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}

    @described(
        "Messages",
        "messages_deliveries",
        "List a message's deliveries",
        query=BehindQuery,
        answer=DeliveryOut(many=True),
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return self.page(deliveries_of(one(ROWS, uid=id), **self.query(BehindQuery)), DeliveryOut)
