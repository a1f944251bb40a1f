"""Preferences: what reaches a follower on which channel, why, and the follower's own words."""

import uuid
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.v1.audience.followers.written import SOURCE
from apps.followers.consent import acts, matrix
from apps.followers.consent.record import Proof
from apps.followers.consent.verdict import Reason
from apps.followers.models import Category, Channel, Follower, NotificationType


class CellOut(serializers.Serializer[matrix.Cell]):
    channel = serializers.ChoiceField(Channel.choices)
    offered = serializers.BooleanField()
    on = serializers.BooleanField(help_text="What happens today.")
    own = serializers.BooleanField(
        allow_null=True, help_text="The follower's own word; null: none, the default applies."
    )
    reason = serializers.ChoiceField([(reason.value, reason.value) for reason in Reason])
    explanation = serializers.CharField()
    source: Any = serializers.ChoiceField(
        ["address", "type", "admin", "follower", "channel", "cell", "default"],
        help_text="The level that decided.",
    )
    editable = serializers.BooleanField()


class RowOut(serializers.Serializer[matrix.MatrixRow]):
    type = serializers.CharField(source="key")
    name = serializers.CharField()
    description = serializers.CharField()
    category = serializers.ChoiceField(Category.choices)
    commercial = serializers.BooleanField()
    cells = CellOut(many=True)


_SWITCHES = 'Whole channels: {"email": true, "sms": false}; false is switched off.'
_SUBSCRIBED = "Whether anything commercial may be sent."


class PreferencesOut(serializers.Serializer[Any]):
    subscribed = serializers.BooleanField(help_text=_SUBSCRIBED)
    channels = serializers.DictField(child=serializers.BooleanField(), help_text=_SWITCHES)
    types = RowOut(many=True)


class Word(Strict):
    own = serializers.BooleanField(
        allow_null=True, help_text="null takes the word back: the default applies again."
    )


_AS_READ = "May be sent back as it was read; it is passed over."


class CellIn(Word):
    """A cell as it was read; `own` is what may be changed."""

    channel = serializers.ChoiceField(Channel.choices)
    offered = serializers.BooleanField(required=False, help_text=_AS_READ)
    on = serializers.BooleanField(required=False, help_text=_AS_READ)
    reason = serializers.CharField(required=False, help_text=_AS_READ)
    explanation = serializers.CharField(required=False, help_text=_AS_READ)
    source: Any = serializers.CharField(required=False, help_text=_AS_READ)
    editable = serializers.BooleanField(required=False, help_text=_AS_READ)


class RowIn(Strict):
    """A message type as it was read, with the cells to change."""

    type = serializers.CharField(help_text="Key of a message type.")
    cells = serializers.ListField(child=CellIn(), max_length=20)
    name = serializers.CharField(required=False, allow_blank=True, help_text=_AS_READ)
    description = serializers.CharField(required=False, allow_blank=True, help_text=_AS_READ)
    category = serializers.CharField(required=False, help_text=_AS_READ)
    commercial = serializers.BooleanField(required=False, help_text=_AS_READ)


class PreferencesIn(Strict):
    """What was read, with the words that change. What is left out stays."""

    subscribed = serializers.BooleanField(required=False, help_text=_SUBSCRIBED)
    channels = serializers.DictField(
        child=serializers.BooleanField(), required=False, default=dict, help_text=_SWITCHES
    )
    types = serializers.ListField(child=RowIn(), required=False, default=list, max_length=500)


class LanguageQuery(Strict):
    language = serializers.CharField(
        required=False, allow_blank=True, max_length=35, help_text="Of names and descriptions."
    )


def _answer(follower: Follower, language: str = "") -> Response:
    muted = matrix.muted_channels(follower)
    seen = {
        "subscribed": follower.subscribed,
        "channels": {channel: channel not in muted for channel in Channel.values},
        "types": matrix.matrix(follower, language or follower.language),
    }
    return Response(PreferencesOut(seen).data)


class Preferences(Edited):
    """The matrix of one follower."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "PATCH": Scope.FOLLOWERS_WRITE}
    rows = Follower.objects.all()

    @described(
        "Preferences",
        "preferences_get",
        "What reaches a follower, and why",
        query=LanguageQuery,
        answer=PreferencesOut,
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        asked = self.query(LanguageQuery)
        return _answer(one(Follower.objects.all(), uid=id), **asked)

    @described(
        "Preferences",
        "preferences_change",
        "Set several cells and channel switches",
        body=PreferencesIn,
        answer=PreferencesOut,
        refuses=(400, 404, 409),
        details="Takes what GET gives, or a part of it: all or nothing, what is not named stays.",
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        said = self.body(PreferencesIn)
        cells = {
            (row["type"], cell["channel"]): cell["own"]
            for row in said["types"]
            for cell in row["cells"]
        }
        change = acts.set_preferences(
            follower=follower,
            cells=cells,
            mutes={channel: not on for channel, on in said["channels"].items()},
            subscribed=said.get("subscribed"),
            proof=Proof(source=SOURCE, by=self.by, now=self.now),
        )
        return _answer(change.follower)


class OneCell(Endpoint):
    """One cell of the matrix."""

    scopes = {"PUT": Scope.FOLLOWERS_WRITE}

    @described(
        "Preferences",
        "preferences_put_cell",
        "Set one cell",
        body=Word,
        answer=PreferencesOut,
        refuses=(400, 404, 409),
        details="409 when the type is critical or locked on by an administrator.",
    )
    def put(self, request: Request, id: uuid.UUID, type: str, channel: str) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        one(NotificationType.objects.all(), key=type)
        if channel not in Channel.values:
            raise NotFound
        said = self.body(Word)
        acts.set_preferences(
            follower=follower,
            cells={(type, channel): said["own"]},
            mutes={},
            proof=Proof(source=SOURCE, by=self.by, now=self.now),
        )
        return _answer(follower)
