"""Message types: what people can subscribe to."""

from dataclasses import replace

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.models import Category, NotificationType
from apps.notifications.types.edit import change_type, template_of, values_of


class TypeOut(serializers.Serializer[NotificationType]):
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    category = serializers.ChoiceField(Category.choices)
    commercial = serializers.BooleanField(help_text="Obeys the global opt-out.")
    channels = serializers.ListField(child=serializers.CharField())
    default_channels = serializers.ListField(
        child=serializers.CharField(), help_text="On until a follower says no."
    )
    locked_channels = serializers.ListField(
        child=serializers.CharField(), help_text="Can't be switched off."
    )
    active = serializers.BooleanField()
    schema = serializers.DictField(
        allow_null=True, help_text="JSON Schema (2020-12) of the data of a call."
    )
    lifetime = serializers.IntegerField(
        allow_null=True, help_text="Seconds after which it is worthless."
    )
    digest = serializers.BooleanField(help_text="May wait for a follower's digest.")
    throttle_count = serializers.IntegerField(
        allow_null=True, help_text="So many to one follower and throttle key ..."
    )
    throttle_seconds = serializers.IntegerField(
        allow_null=True, help_text="... in so many seconds."
    )
    fallback = serializers.ListField(
        child=serializers.CharField(), help_text="One channel after the other."
    )
    fallback_after = serializers.IntegerField(
        help_text="Seconds that each channel of `fallback` gets."
    )


class TypeRules(Strict):
    """What programs may change; category, channels and words are staff's."""

    schema = serializers.DictField(
        required=False, allow_null=True, help_text="$ref may point into it only."
    )
    lifetime = serializers.IntegerField(required=False, allow_null=True)
    digest = serializers.BooleanField(required=False)
    throttle_count = serializers.IntegerField(required=False, allow_null=True)
    throttle_seconds = serializers.IntegerField(required=False, allow_null=True)
    fallback = serializers.ListField(child=serializers.CharField(), required=False)
    fallback_after = serializers.IntegerField(required=False)


class Types(Endpoint):
    """All message types."""

    scopes = {"GET": Scope.CONTENT_READ}

    @described(
        "Message types",
        "types_list",
        "List message types",
        answer=TypeOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(NotificationType.objects.all(), TypeOut)


class OneType(Edited):
    """One message type."""

    scopes = {"GET": Scope.CONTENT_READ, "PATCH": Scope.CONTENT_WRITE}
    rows = NotificationType.objects.all()
    by_key = "key"
    column = "key"

    @described("Message types", "types_get", "Get a message type", answer=TypeOut, refuses=(404,))
    def get(self, request: Request, key: str) -> Response:
        return Response(TypeOut(one(NotificationType.objects.all(), key=key)).data)

    @described(
        "Message types",
        "types_rules",
        "Change a type's rules",
        body=TypeRules,
        answer=TypeOut,
        refuses=(400, 404),
        details="Only what is sent changes; null takes a rule away.",
    )
    def patch(self, request: Request, key: str) -> Response:
        row = one(NotificationType.objects.all(), key=key)
        values = replace(values_of(row), **self.body(TypeRules))
        row = change_type(
            notification_type=row,
            values=values,
            template=template_of(row),
            by=self.by,
            now=self.now,
        )
        return Response(TypeOut(row).data)
