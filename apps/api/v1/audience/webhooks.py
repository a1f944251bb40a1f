"""The web addresses of a follower to which messages are posted,
signed as Standard Webhooks says.
"""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.devices import webhooks
from apps.followers.devices.webhook_calls import (
    WebhookState,
    listed,
    standing_of,
    switch_off,
    switch_on,
)
from apps.followers.models import Address, Channel, Follower, Webhook

_ONCE = "whsec_…: check `webhook-signature` (v1) with it. Shown this once."


class WebhookOut(serializers.Serializer[Webhook]):
    id = serializers.UUIDField(source="address.uid")
    follower = serializers.UUIDField(source="address.follower.uid")
    url = serializers.CharField(source="address.value")
    created_at = serializers.DateTimeField(source="address.created_at")
    status = serializers.SerializerMethodField()
    failing_since = serializers.DateTimeField(
        allow_null=True, help_text="The first failure since the last success."
    )
    succeeded_at = serializers.DateTimeField(
        allow_null=True, help_text="The last success, to the minute."
    )
    answer = serializers.CharField(help_text="The last one, or why there was none.")
    answered_at = serializers.DateTimeField(allow_null=True)
    off_at = serializers.DateTimeField(allow_null=True)
    off_reason = serializers.CharField(
        help_text="failing, gone (it answered 410), person; empty while it is on."
    )

    @extend_schema_field(serializers.ChoiceField(WebhookState.choices))
    def get_status(self, webhook: Webhook) -> str:
        return standing_of(webhook).value


class NewWebhook(Strict):
    url = serializers.CharField(
        max_length=webhooks.LONGEST, help_text="https, in the open internet."
    )


class WebhookWithSecret(WebhookOut):
    secret = serializers.CharField(help_text=_ONCE)


class WebhookQuery(Strict):
    status = serializers.ChoiceField(WebhookState.choices, required=False)


class Secret(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text=_ONCE)


class AllWebhooks(Endpoint):
    """Webhooks of everybody."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Followers",
        "webhooks_all",
        "List the webhooks of all followers",
        query=WebhookQuery,
        answer=WebhookOut(many=True),
        refuses=(400,),
        details="Look after those that are `off` or `failing`.",
    )
    def get(self, request: Request) -> Response:
        asked = self.query(WebhookQuery)
        return self.page(listed(asked.get("status", "")), WebhookOut)


class Webhooks(Endpoint):
    """The webhooks of one follower."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "webhooks_list",
        "Where a follower's messages are posted",
        answer=WebhookOut(many=True),
        refuses=(400, 404),
        details="At most 20, those that are switched off too.",
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        return self.page(
            listed().filter(address__follower=one(Follower.objects.all(), uid=id)), WebhookOut
        )

    @described(
        "Followers",
        "webhooks_add",
        "Post a follower's messages to an address",
        body=NewWebhook,
        answer=WebhookWithSecret,
        status=201,
        refuses=(400, 404, 409),
        details="One that is switched off is called again, with a new secret.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        row, secret = webhooks.create_webhook(
            follower=follower, **self.body(NewWebhook), by=self.by, now=self.now
        )
        return Response({**WebhookOut(row.webhook).data, "secret": secret}, status=201)


class OneWebhook(Endpoint):
    """One of them."""

    scopes = {"DELETE": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "webhooks_remove",
        "Post there no more",
        answer=None,
        refuses=(404,),
        details="Messages that wait for it are skipped.",
    )
    def delete(self, request: Request, id: uuid.UUID, webhook: uuid.UUID) -> Response:
        webhooks.delete_webhook(webhook=_webhook(id, webhook), by=self.by, now=self.now)
        return Response(status=204)


class WebhookSecret(Endpoint):
    """The secret of one webhook."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "webhooks_rotate",
        "Give a webhook a new secret",
        answer=Secret,
        refuses=(404,),
        details="For 24 hours messages carry the signatures of both secrets.",
    )
    def post(self, request: Request, id: uuid.UUID, webhook: uuid.UUID) -> Response:
        return Response(
            {
                "secret": webhooks.rotate_secret(
                    webhook=_webhook(id, webhook), by=self.by, now=self.now
                )
            }
        )


class SwitchOff(Endpoint):
    """Calls of one webhook, stopped by hand."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "webhooks_switch_off",
        "Call a webhook no more for now",
        answer=WebhookOut,
        refuses=(404,),
        details="Messages for it are skipped as `address_off`. Its secret stays.",
    )
    def post(self, request: Request, id: uuid.UUID, webhook: uuid.UUID) -> Response:
        row = _webhook(id, webhook)
        switch_off(webhook=row, by=self.by, now=self.now)
        return Response(WebhookOut(listed().get(pk=row.pk)).data)


class SwitchOn(Endpoint):
    """Calls of one webhook, begun again."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers",
        "webhooks_switch_on",
        "Call a webhook again",
        answer=WebhookOut,
        refuses=(404,),
        details=(
            "Whoever switched it off: what failed before does not count any more. What was "
            "skipped stays skipped."
        ),
    )
    def post(self, request: Request, id: uuid.UUID, webhook: uuid.UUID) -> Response:
        row = _webhook(id, webhook)
        switch_on(webhook=row, by=self.by, now=self.now)
        return Response(WebhookOut(listed().get(pk=row.pk)).data)


def _webhook(follower: uuid.UUID, webhook: uuid.UUID) -> Address:
    rows = Address.objects.filter(channel=Channel.WEBHOOK).select_related("follower")
    return one(rows, uid=webhook, follower__uid=follower)
