"""Messages as they were at first: a title, a content and a type; tags are chosen when sending."""

import datetime as dt
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Strict
from apps.api.first.endpoint import ArrayQuery, CommaWords, FirstEndpoint, row_of
from apps.api.v1.audience.tags import slugs
from apps.api.v1.content.templates import type_of
from apps.api.v1.send.campaigns import deliveries_of
from apps.api.v1.send.deliveries import as_said
from apps.api.v1.send.messages import ROWS, WithContentAndTags
from apps.campaigns.models import Campaign, CampaignState
from apps.campaigns.simple_message import (
    create_from_template,
    create_message,
    recipient_counts,
    send_message,
    words_of,
)
from apps.notifications.models import Delivery
from apps.notifications.reports.balance import GROUPS, explain

NOT_YET = (CampaignState.DRAFT, CampaignState.SCHEDULED)
ARRIVED = GROUPS["sent"]


class PlainMessage(WithContentAndTags):
    """The context has `counts`, recipients by primary key."""

    id = serializers.UUIDField(source="uid")
    title = serializers.SerializerMethodField()
    content = serializers.SerializerMethodField()
    type = serializers.CharField(source="notification_type.key")
    status = serializers.CharField(source="state")
    tags = serializers.SerializerMethodField()
    recipient_count = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    sent_at = serializers.SerializerMethodField()

    def get_title(self, message: Campaign) -> str:
        return words_of(message)["subject"]

    def get_recipient_count(self, message: Campaign) -> int:
        number: int = self.context["counts"][message.pk]
        return number

    def get_sent_at(self, message: Campaign) -> Any:
        if message.state in NOT_YET:
            return None
        return _moment(message.send_at)


class NewPlainMessage(Strict):
    """A title and a content, or a template and the language of its words."""

    naming = {"template": Scope.CONTENT_READ}

    title = serializers.CharField(required=False, max_length=300)
    content = serializers.CharField(required=False, trim_whitespace=False)
    template = serializers.CharField(required=False, max_length=120)
    language = serializers.CharField(required=False, default="en", max_length=35)
    type = serializers.CharField(required=False, max_length=60)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = {"title", "content"}
        if "template" in attrs:
            needed = set()
        if missing := sorted(needed - attrs.keys()):
            raise serializers.ValidationError({name: ["Give one."] for name in missing})
        return attrs


class PlainMessagesQuery(ArrayQuery):
    limit = serializers.IntegerField(required=False, default=200, min_value=1, max_value=200)
    status = serializers.ChoiceField(CampaignState.choices, required=False)


class SendQuestion(Strict):
    naming = {"tags": Scope.FOLLOWERS_READ}

    tags = CommaWords(required=False, default=list, allow_null=True)


class PlainMessages(FirstEndpoint):
    """The list, and what is written."""

    scopes = {"GET": Scope.CAMPAIGNS_READ, "POST": Scope.CAMPAIGNS_WRITE}

    def get(self, request: Request) -> Response:
        asked = self.query(PlainMessagesQuery)
        rows = ROWS
        if "status" in asked:
            rows = rows.filter(state=asked["status"])
        return self.array(rows, asked, lambda found: _shown(found, self))

    def post(self, request: Request) -> Response:
        said = self.body(NewPlainMessage)
        kind = None
        if "type" in said:
            kind = type_of(said["type"])
        if "template" in said:
            made = create_from_template(
                key=said["template"],
                language=said["language"],
                notification_type=kind,
                by=self.by,
                now=self.now,
            )
        else:
            made = create_message(
                subject=said["title"],
                content=said["content"],
                notification_type=kind,
                language=said["language"],
                by=self.by,
                now=self.now,
            )
        return Response(_shown([made], self)[0], status=201)


class SendPlainMessage(FirstEndpoint):
    """The start of sending, to tags or to everyone."""

    scopes = {"POST": Scope.CAMPAIGNS_SEND}

    def post(self, request: Request, id: str) -> Response:
        message = row_of(ROWS, id)
        tags = slugs(self.body(SendQuestion)["tags"] or [])
        send_message(message=message, tags=tags, by=self.by, now=self.now)
        return Response(_shown([row_of(ROWS, id)], self)[0], status=202)


class PlainDelivery(serializers.Serializer[Any]):
    """The context has `message`, the public id, and the `view`."""

    id = serializers.UUIDField(source="uid")
    message_id = serializers.SerializerMethodField()
    follower_id = serializers.UUIDField(source="follower.uid", default=None)
    status = serializers.CharField()
    sent_at = serializers.SerializerMethodField()
    error_message = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()

    def get_message_id(self, delivery: Delivery) -> str:
        return str(self.context["message"])

    def get_sent_at(self, delivery: Delivery) -> Any:
        if delivery.status not in ARRIVED:
            return None
        return _moment(delivery.finished_at)

    def get_error_message(self, delivery: Delivery) -> str | None:
        if delivery.status in ARRIVED:
            return None
        if delivery.error:
            return as_said(delivery.error, self.context["view"])
        if delivery.status not in GROUPS["waiting"]:
            return explain(delivery.reason)
        return None


class PlainDeliveries(FirstEndpoint):
    """Results, person by person."""

    scopes = {"GET": Scope.CAMPAIGNS_READ}

    def get(self, request: Request, id: str) -> Response:
        message = row_of(ROWS, id)
        asked = self.query(ArrayQuery)
        context = {"message": message.uid, "view": self}
        return self.array(
            deliveries_of(message),
            asked,
            lambda found: PlainDelivery(found, many=True, context=context).data,
        )


def _shown(messages: list[Campaign], view: FirstEndpoint) -> list[Any]:
    counts = recipient_counts(messages, now=view.now)
    return [PlainMessage(each, context={"counts": counts}).data for each in messages]


def _moment(value: dt.datetime | None) -> Any:
    if value is None:
        return None
    return serializers.DateTimeField().to_representation(value)
