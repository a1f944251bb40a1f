"""The web addresses of a follower to which messages are posted, signed as Standard Webhooks says."""

import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers import webhooks
from apps.followers.models import Address, Channel, Follower

_ONCE = "whsec_…: check `webhook-signature` (v1) with it. Shown this once."


class WebhookOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uid")
    url = serializers.CharField(source="value")
    created_at = serializers.DateTimeField()


class NewWebhook(Strict):
    url = serializers.CharField(max_length=webhooks.LONGEST, help_text="https, in the open internet.")


class WebhookWithSecret(WebhookOut):
    secret = serializers.CharField(help_text=_ONCE)


class Secret(serializers.Serializer[Any]):
    secret = serializers.CharField(help_text=_ONCE)


class Webhooks(Endpoint):
    """The webhooks of one follower."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers", "webhooks_list", "Where a follower's messages are posted", answer=WebhookOut(many=True),
        refuses=(404,), details="At most 20. One that answered 410 is not called any more, and not listed.",
    )  # fmt: skip
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        return self.page(webhooks.webhooks_of(one(Follower.objects.all(), uid=id)), WebhookOut)

    @described(
        "Followers", "webhooks_add", "Post a follower's messages to an address", body=NewWebhook,
        answer=WebhookWithSecret, status=201, refuses=(400, 404, 409),
        details="One that had answered 410 is called again, with a new secret.",
    )  # fmt: skip
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        row, secret = webhooks.add_webhook(follower=follower, **self.body(NewWebhook), by=self.by, now=self.now)
        return Response({**WebhookOut(row).data, "secret": secret}, status=201)


class OneWebhook(Endpoint):
    """One of them."""

    scopes = {"DELETE": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers", "webhooks_remove", "Post there no more", answer=None, refuses=(404,),
        details="Messages that wait for it are skipped.",
    )  # fmt: skip
    def delete(self, request: Request, id: uuid.UUID, webhook: uuid.UUID) -> Response:
        webhooks.remove_webhook(webhook=_webhook(id, webhook), by=self.by, now=self.now)
        return Response(status=204)


class WebhookSecret(Endpoint):
    """Its secret."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Followers", "webhooks_rotate", "Give a webhook a new secret", answer=Secret, refuses=(404,),
        details="For 24 hours messages carry the signatures of both secrets.",
    )  # fmt: skip
    def post(self, request: Request, id: uuid.UUID, webhook: uuid.UUID) -> Response:
        return Response({"secret": webhooks.rotate_secret(webhook=_webhook(id, webhook), by=self.by, now=self.now)})


def _webhook(follower: uuid.UUID, webhook: uuid.UUID) -> Address:
    rows = Address.objects.filter(channel=Channel.WEBHOOK).select_related("follower")
    return one(rows, uid=webhook, follower__uid=follower)
