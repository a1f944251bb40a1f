"""A follower as callers write and read one."""

from typing import Any

from rest_framework import serializers

from apps.api.endpoint import Strict
from apps.api.errors import code_of
from apps.api.v1.audience.tags import words_field
from apps.followers import profile_fields
from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent.record import Proof
from apps.followers.models import AddressState, Channel, Follower
from apps.followers.people import contacts
from apps.followers.people.profile import Profile
from apps.followers.profile_fields import BadFollower

FOLLOWERS = Follower.objects.prefetch_related("addresses", "tags")

SOURCE = "api"


class AddressOut(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uid")
    channel = serializers.ChoiceField(Channel.choices)
    value = serializers.CharField(source="label", help_text="Of a device its name.")
    status = serializers.ChoiceField(AddressState.choices, source="state")
    primary = serializers.BooleanField()


class FollowerOut(serializers.Serializer[Follower]):
    id = serializers.UUIDField(source="uid")
    name = serializers.CharField(help_text="The whole name.")
    first_name = serializers.CharField(help_text="As it was said; templates guess one without it.")
    last_name = serializers.CharField()
    email = serializers.CharField(help_text="The primary one, or empty.")
    phone = serializers.CharField(help_text="E.164, the primary one, or empty.")
    external_id = serializers.CharField(allow_null=True)
    language = serializers.CharField()
    time_zone = serializers.CharField(help_text="IANA name; empty means the site's.")
    subscribed = serializers.BooleanField(help_text="The word on everything commercial.")
    subscribed_at = serializers.DateTimeField(allow_null=True)
    unsubscribed_at = serializers.DateTimeField(allow_null=True)
    tracking = serializers.BooleanField(
        source="measured", help_text="Whether opens and clicks of theirs may be counted."
    )
    tags = serializers.SerializerMethodField(help_text="Names.")
    metadata = serializers.DictField()
    addresses = AddressOut(many=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()

    def get_tags(self, follower: Follower) -> list[str]:
        return [tag.name for tag in follower.tags.all()]


class FollowerIn(Strict):
    """All may be left out; a follower without an address is reached in-app only."""

    email = serializers.CharField(required=False, allow_blank=True, max_length=320)
    phone = serializers.CharField(
        required=False, allow_blank=True, max_length=40, help_text="Such as +49 30 901820."
    )
    name = serializers.CharField(
        required=False,
        allow_blank=True,
        max_length=200,
        help_text="The whole name; made of the parts when left out.",
    )
    first_name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    last_name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    external_id = serializers.CharField(
        required=False, allow_null=True, allow_blank=True, max_length=200
    )
    language = serializers.CharField(
        required=False, allow_blank=True, max_length=35, help_text="BCP 47: en, pt-BR."
    )
    time_zone = serializers.CharField(
        required=False, allow_blank=True, max_length=64, help_text="Europe/Berlin"
    )
    tags = words_field(
        required=False, help_text="Names; made when missing. In a change: the whole set."
    )
    metadata = serializers.DictField(
        required=False, help_text="Your own values. A change is merged by key; null removes one."
    )

    def validate_email(self, value: str) -> str:
        return _checked(Channel.EMAIL, value)

    def validate_phone(self, value: str) -> str:
        return _checked(Channel.SMS, value)

    def validate_external_id(self, value: str | None) -> str | None:
        """Give the id as it is kept: so it is found, too."""
        try:
            return profile_fields.external_id(value)
        except BadFollower as error:
            raise serializers.ValidationError(str(error), code=code_of(error)) from error


def _checked(channel: Channel, value: str) -> str:
    """Check the value as it was sent; refused here so that the answer names the field."""
    if value.strip():
        try:
            normalise(channel, value)
        except BadAddress as error:
            raise serializers.ValidationError(str(error), code=error.cause) from error
    return value


class FollowerChanges(FollowerIn):
    tracking = serializers.BooleanField(
        source="measured",
        required=False,
        help_text=(
            "Whether opens and clicks of theirs may be counted; theirs to say, as a preference."
        ),
    )


class NewFollower(FollowerIn):
    subscribed = serializers.BooleanField(default=True)


def upserted(said: dict[str, Any], proof: Proof) -> tuple[Follower, bool]:
    """Add or change whom a NewFollower speaks of; whether somebody was added."""
    subscribed = said.pop("subscribed")
    return contacts.upsert_follower(values=Profile(**said), subscribed=subscribed, proof=proof)
