"""Message types: what people can subscribe to."""

from dataclasses import replace

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.content.models import Template
from apps.followers.models import Category, Channel, NotificationType
from apps.lib.refusals import NOT_FOUND
from apps.notifications.types.edit import (
    TypeValues,
    change_type,
    create_type,
    template_of,
    values_of,
)

TYPES = NotificationType.objects.select_related("type_template__template")


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
    template = serializers.CharField(
        source="type_template.template.key",
        default=None,
        allow_null=True,
        help_text="Key of the default template.",
    )
    listed = serializers.BooleanField(help_text="Among what followers choose from.")
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
        help_text="Seconds to wait before the next channel of `fallback`."
    )


class TypeIn(Strict):
    """What is said of a message type. Only administrators make one critical, on its page."""

    name = serializers.CharField(max_length=80, help_text="What followers read.")
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    category = serializers.ChoiceField(Category.choices, required=False)
    commercial = serializers.BooleanField(required=False, help_text="Obeys the global opt-out.")
    channels = serializers.ListField(child=serializers.ChoiceField(Channel.choices))
    default_channels = serializers.ListField(
        child=serializers.ChoiceField(Channel.choices),
        required=False,
        help_text="On until a follower says no.",
    )
    active = serializers.BooleanField(required=False)
    listed = serializers.BooleanField(
        required=False, help_text="Among what followers choose from; commercial ones always are."
    )
    template = serializers.CharField(
        required=False,
        allow_null=True,
        max_length=80,
        help_text="Key of the default template; null: none.",
    )
    schema = serializers.DictField(
        required=False, allow_null=True, help_text="$ref may point into it only."
    )
    lifetime = serializers.IntegerField(required=False, allow_null=True)
    digest = serializers.BooleanField(required=False)
    throttle_count = serializers.IntegerField(required=False, allow_null=True)
    throttle_seconds = serializers.IntegerField(required=False, allow_null=True)
    fallback = serializers.ListField(child=serializers.CharField(), required=False)
    fallback_after = serializers.IntegerField(required=False)

    def validate_category(self, category: str) -> str:
        if category == Category.CRITICAL:
            # a critical message passes every preference of every follower
            raise serializers.ValidationError(
                "Only an administrator can make a message type critical, in the dashboard."
            )
        return category

    def validate_template(self, key: str | None) -> Template | None:
        if key is None:
            return None
        found = Template.objects.filter(key=key, private=False).first()
        if found is None:
            raise serializers.ValidationError(f"There is no template {key!r}.", code=NOT_FOUND)
        return found


class NewType(TypeIn):
    """A new message type; its key is what programs name it by."""

    key = serializers.SlugField(max_length=60)


class Types(Endpoint):
    """All message types."""

    scopes = {"GET": Scope.CONTENT_READ, "POST": Scope.CONTENT_WRITE}

    @described(
        "Message types",
        "types_list",
        "List message types",
        answer=TypeOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(TYPES, TypeOut)

    @described(
        "Message types",
        "types_create",
        "Make a message type",
        body=NewType,
        answer=TypeOut,
        status=201,
        refuses=(400,),
    )
    def post(self, request: Request) -> Response:
        said = self.body(NewType)
        made = create_type(
            key=said.pop("key"),
            template=said.pop("template", None),
            values=TypeValues(**said),
            by=self.by,
            now=self.now,
        )
        return Response(TypeOut(one(TYPES, pk=made.pk)).data, status=201)


class OneType(Edited):
    """One message type."""

    scopes = {"GET": Scope.CONTENT_READ, "PATCH": Scope.CONTENT_WRITE}
    rows = NotificationType.objects.all()
    by_key = "key"
    column = "key"

    @described("Message types", "types_get", "Get a message type", answer=TypeOut, refuses=(404,))
    def get(self, request: Request, key: str) -> Response:
        return Response(TypeOut(one(TYPES, key=key)).data)

    @described(
        "Message types",
        "types_change",
        "Change a message type",
        body=TypeIn,
        answer=TypeOut,
        refuses=(400, 404),
        details="Only what is sent changes; null takes a rule away.",
    )
    def patch(self, request: Request, key: str) -> Response:
        row = one(NotificationType.objects.all(), key=key)
        said = self.body(TypeIn, partial=True)
        if "template" in said:
            template = said.pop("template")
        else:
            template = template_of(row)
        change_type(
            notification_type=row,
            values=replace(values_of(row), **said),
            template=template,
            by=self.by,
            now=self.now,
        )
        return Response(TypeOut(one(TYPES, key=key)).data)
