"""Custom fields: what the keys of the followers' metadata mean."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.fields.define import (
    KEY,
    LONGEST_LABEL,
    MOST_OPTIONS,
    FieldValues,
    change_field,
    create_field,
    delete_field,
)
from apps.followers.models import CustomField, FieldKind


class OptionOut(serializers.Serializer[Any]):
    value = serializers.CharField()
    labels = serializers.DictField(child=serializers.CharField())


class FieldOut(serializers.Serializer[CustomField]):
    key = serializers.CharField(help_text="The key in `metadata`.")
    type = serializers.ChoiceField(FieldKind.choices, source="kind")
    labels = serializers.DictField(child=serializers.CharField(), help_text="By language.")
    options = OptionOut(many=True, help_text="The values of a list, in its order.")
    searchable = serializers.BooleanField()
    public = serializers.BooleanField()
    position = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class OptionIn(Strict):
    value = serializers.CharField(max_length=LONGEST_LABEL)
    labels = serializers.DictField(
        child=serializers.CharField(max_length=LONGEST_LABEL), required=False
    )


class FieldIn(Strict):
    type = serializers.ChoiceField(FieldKind.choices, source="kind")
    labels = serializers.DictField(
        child=serializers.CharField(max_length=LONGEST_LABEL),
        help_text='By language; the site\'s must be there: {"en": "Plan"}.',
    )
    options = serializers.ListField(
        child=OptionIn(),
        required=False,
        max_length=MOST_OPTIONS,
        help_text="Of `choice` and `choices`: what may be chosen.",
    )
    searchable = serializers.BooleanField(
        required=False, help_text="The search for followers looks at it."
    )
    public = serializers.BooleanField(
        required=False, help_text="Followers see and change it in their preference center."
    )
    position = serializers.IntegerField(
        required=False, min_value=0, max_value=10_000, help_text="The order of lists and forms."
    )


class NewField(FieldIn):
    key = serializers.RegexField(
        KEY, max_length=60, help_text="The key in `metadata`, such as city. It stays."
    )


class CustomFields(Endpoint):
    """All custom fields."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Custom fields",
        "fields_list",
        "List custom fields",
        answer=FieldOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(CustomField.objects.all(), FieldOut)

    @described(
        "Custom fields",
        "fields_create",
        "Define a custom field",
        body=NewField,
        answer=FieldOut,
        status=201,
        refuses=(400, 409),
        details=(
            "From then on a value under its key in a follower's `metadata` has to fit. What "
            "followers have already stays."
        ),
    )
    def post(self, request: Request) -> Response:
        said = self.body(NewField)
        key = said.pop("key")
        made = create_field(key=key, values=FieldValues(**said), by=self.by, now=self.now)
        return Response(FieldOut(made).data, status=201)


class OneCustomField(Edited):
    """One custom field."""

    scopes = {
        "GET": Scope.FOLLOWERS_READ,
        "PATCH": Scope.FOLLOWERS_WRITE,
        "DELETE": Scope.FOLLOWERS_WRITE,
    }
    rows = CustomField.objects.all()
    by_key = "key"
    column = "key"

    @described("Custom fields", "fields_get", "Get a custom field", answer=FieldOut, refuses=(404,))
    def get(self, request: Request, key: str) -> Response:
        return Response(FieldOut(one(CustomField.objects.all(), key=key)).data)

    @described(
        "Custom fields",
        "fields_change",
        "Change a custom field",
        body=FieldIn,
        answer=FieldOut,
        refuses=(400, 404),
        details="Only what is sent changes; `labels` and `options` are the whole of them.",
    )
    def patch(self, request: Request, key: str) -> Response:
        row = one(CustomField.objects.all(), key=key)
        values = FieldValues(**self.body(FieldIn, partial=True))
        changed = change_field(field=row, values=values, by=self.by, now=self.now)
        return Response(FieldOut(changed).data)

    @described(
        "Custom fields",
        "fields_delete",
        "Delete a custom field; the followers keep what they have under its key",
        answer=None,
        refuses=(404,),
    )
    def delete(self, request: Request, key: str) -> Response:
        row = one(CustomField.objects.all(), key=key)
        delete_field(field=row, by=self.by, now=self.now)
        return Response(status=204)
