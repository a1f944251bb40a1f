"""Followers as they were at first: an email, a name, tags, and whether they are subscribed."""

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Strict
from apps.api.first.endpoint import ArrayQuery, CommaWords, FirstEndpoint, row_of
from apps.api.v1.audience.followers.one import ConsentReason
from apps.api.v1.audience.followers.written import FOLLOWERS, SOURCE
from apps.api.v1.audience.tags import slugs
from apps.campaigns.audience.questions import tagged
from apps.followers.addresses import BadAddress, normalise
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Channel, Follower
from apps.followers.people import contacts
from apps.followers.people import search as people_search
from apps.followers.people.profile import Profile


class PlainFollower(serializers.Serializer[Any]):
    id = serializers.UUIDField(source="uid")
    email = serializers.CharField()
    name = serializers.CharField()
    tags = serializers.SerializerMethodField()
    subscribed = serializers.BooleanField()
    subscribed_at = serializers.DateTimeField()
    unsubscribed_at = serializers.DateTimeField()
    created_at = serializers.DateTimeField()

    def get_tags(self, follower: Follower) -> list[str]:
        return [tag.name for tag in follower.tags.all()]


class NewPlainFollower(Strict):
    email = serializers.CharField(max_length=320)
    name = serializers.CharField(required=False, allow_blank=True, max_length=200)
    tags = CommaWords(required=False)
    subscribed = serializers.BooleanField(default=True)

    def validate_email(self, value: str) -> str:
        try:
            normalise(Channel.EMAIL, value)
        except BadAddress as error:
            raise serializers.ValidationError(str(error)) from error
        return value


class PlainFollowersQuery(ArrayQuery):
    tags = CommaWords(required=False, default=list)
    subscribed = serializers.BooleanField(required=False, allow_null=True, default=None)


class PlainFollowers(FirstEndpoint):
    """The list, and who is added to it."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    def get(self, request: Request) -> Response:
        asked = self.query(PlainFollowersQuery)
        rows = people_search.followers(subscribed=asked["subscribed"])
        if asked["tags"]:
            rows = rows.filter(tagged(slugs(asked["tags"])))
        return self.array(rows, asked, lambda found: PlainFollower(found, many=True).data)

    def post(self, request: Request) -> Response:
        said = self.body(NewPlainFollower)
        added = contacts.add_follower(
            subscribed=said.pop("subscribed"),
            values=Profile(**said),
            proof=Proof(source=SOURCE, by=self.by, now=self.now),
        )
        return Response(PlainFollower(added).data, status=201)


class OnePlainFollower(FirstEndpoint):
    """One of them."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    def get(self, request: Request, id: str) -> Response:
        return Response(PlainFollower(row_of(FOLLOWERS, id)).data)


class PlainUnsubscribe(FirstEndpoint):
    """The global opt-out."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    def post(self, request: Request, id: str) -> Response:
        follower = row_of(FOLLOWERS, id)
        said: dict[str, Any] = self.body(ConsentReason)
        proof = Proof(source=SOURCE, by=self.by, now=self.now, wording=said["wording"])
        acts.unsubscribe(follower=follower, reason=said["reason"], proof=proof)
        return Response(PlainFollower(row_of(FOLLOWERS, id)).data)
