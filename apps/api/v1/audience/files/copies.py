"""Copies of all that is held about one follower: written in the background, fetched as an archive
for a day.
"""

import uuid

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, described, one
from apps.followers.exports.source import PERSON
from apps.followers.models import Export, ExportState, Follower
from apps.followers.privacy.copies import archive_of, ask_for_copy, file_name


class CopyOut(serializers.Serializer[Export]):
    id = serializers.UUIDField(source="uid")
    follower = serializers.SerializerMethodField()
    state = serializers.ChoiceField(ExportState.choices)
    rows_done = serializers.IntegerField()
    rows_total = serializers.IntegerField(help_text="As estimated at the start.")
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_follower(self, row: Export) -> uuid.UUID:
        return uuid.UUID(row.asked["follower"])


def _copy(id: uuid.UUID) -> Export:
    return one(Export.objects.filter(kind=PERSON), uid=id)


class CopyOfFollower(Endpoint):
    """Asking for a copy."""

    scopes = {"POST": Scope.FOLLOWERS_EXPORT}

    @described(
        "Followers",
        "followers_copy",
        "Take out everything about one follower",
        answer=CopyOut,
        status=202,
        refuses=(404, 409),
        details=(
            "Profile, addresses, choices, consent, each message with its words, opens and clicks, "
            "events, and what else names this person. Ask for the copy until its `state` is "
            "`ready`, then fetch its archive. It is kept encrypted, for a day. While one is "
            "written, it is the answer again."
        ),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        follower = one(Follower.objects.all(), uid=id)
        copy = ask_for_copy(follower=follower, by=self.by, now=self.now)
        return Response(CopyOut(copy).data, status=202)


class OneCopy(Endpoint):
    """How a copy stands."""

    scopes = {"GET": Scope.FOLLOWERS_EXPORT}

    @described(
        "Followers",
        "copies_get",
        "See how a copy stands",
        answer=CopyOut,
        refuses=(404,),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        return Response(CopyOut(_copy(id)).data)


MEDIA_TYPE = "application/octet-stream"  # makers of clients know no application/zip


class ArchiveOfCopy(Endpoint):
    """The archive."""

    scopes = {"GET": Scope.FOLLOWERS_EXPORT}

    @described(
        "Followers",
        "copies_archive",
        "Fetch a copy as a ZIP file",
        answer=OpenApiTypes.BINARY,
        media_type=MEDIA_TYPE,
        refuses=(404, 409),
        details="`everything.json` is for programs, `index.html` for people; mails have own pages.",
    )
    def get(self, request: Request, id: uuid.UUID) -> StreamingHttpResponse:
        self.query()
        copy = _copy(id)
        follower = one(Follower.objects.all(), uid=copy.asked["follower"])
        headers = {"Content-Disposition": f'attachment; filename="{file_name(copy)}"'}
        return StreamingHttpResponse(
            archive_of(copy, follower), content_type=MEDIA_TYPE, headers=headers
        )
