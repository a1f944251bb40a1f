"""Notification types ("message types" in the dashboard): what people can have an opinion about."""

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, described, one
from apps.followers.models import Category, NotificationType


class TypeOut(serializers.Serializer[NotificationType]):
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    category = serializers.ChoiceField(Category.choices)
    commercial = serializers.BooleanField(help_text="Obeys the global opt-out.")
    channels = serializers.ListField(child=serializers.CharField())
    default_channels = serializers.ListField(child=serializers.CharField(), help_text="On until a follower says no.")
    locked_channels = serializers.ListField(child=serializers.CharField(), help_text="Can't be switched off.")
    active = serializers.BooleanField()


class Types(Endpoint):
    """All notification types."""

    scopes = {"GET": Scope.CONTENT_READ}

    @described("Notification types", "types_list", "List notification types", answer=TypeOut(many=True), refuses=(400,))
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(NotificationType.objects.all(), TypeOut)


class OneType(Endpoint):
    """One notification type."""

    scopes = {"GET": Scope.CONTENT_READ}

    @described("Notification types", "types_get", "Get a notification type", answer=TypeOut, refuses=(404,))
    def get(self, request: Request, key: str) -> Response:
        return Response(TypeOut(one(NotificationType.objects.all(), key=key)).data)
