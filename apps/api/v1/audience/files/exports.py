"""Exports: rows of one kind, written in the background, to be fetched in pieces for a day."""

import uuid

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described
from apps.followers.exports.source import sources
from apps.followers.exports.start import start_export
from apps.followers.exports.write import unpack
from apps.followers.models import Export, ExportState


class ExportOut(serializers.Serializer[Export]):
    id = serializers.UUIDField(source="uid")
    kind = serializers.CharField()
    filter = serializers.DictField(source="asked")
    columns = serializers.ListField(child=serializers.CharField())
    state = serializers.ChoiceField(ExportState.choices)
    rows_done = serializers.IntegerField()
    rows_total = serializers.IntegerField(help_text="As counted at the start.")
    pages = serializers.IntegerField(source="chunks_done", help_text="To be fetched when ready.")
    error = serializers.CharField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)


# By kind, what it takes beside this section's own scope. The others are for administrators alone.
SCOPES = {name: Scope(source.scope) for name, source in sources().items() if source.scope}


class NewExport(Strict):
    kind = serializers.ChoiceField(
        [(name, name) for name in SCOPES],
        help_text="It takes the scope that reading these rows takes, too.",
    )
    filter = serializers.DictField(
        required=False,
        default=dict,
        help_text=(
            "`followers`: `search`, `language`, `subscribed`, `tags`; `segment`: `segment`; "
            "`suppressions`: `reason`, `search`; `deliveries`: `notification`, `status`, "
            "`channel`, `reason`; `undelivered`: `status`, `type`; `events`: `name`, `follower`; "
            "`notifications`: `type`, `state`; `campaigns`: `state`, `q`; `templates`: `q`, "
            "`show`; `webhooks`: `q`, `state`; others: none."
        ),
    )
    columns = serializers.ListField(
        child=serializers.CharField(max_length=40),
        required=False,
        default=list,
        max_length=30,
        help_text="Empty: all of the kind.",
    )


def _readable(view: Endpoint) -> QuerySet[Export]:
    """Find the exports of those kinds whose rows the caller may read."""
    return Export.objects.filter(kind__in=[kind for kind in SCOPES if view.may(SCOPES[kind])])


class Exports(Endpoint):
    """What was taken out within a day, and taking out more."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_READ}

    @described(
        "Exports",
        "exports_list",
        "List exports",
        answer=ExportOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(_readable(self), ExportOut)

    @described(
        "Exports",
        "exports_start",
        "Take rows out in the background",
        body=NewExport,
        answer=ExportOut,
        status=202,
        refuses=(400, 409),
        details=(
            "Ask for the export until its `state` is `ready`, then fetch its pages. It is kept "
            "for a day. A few can run at once; more answer 409."
        ),
    )
    def post(self, request: Request) -> Response:
        asked = self.body(NewExport)
        self.need(SCOPES[asked["kind"]], "kind")
        job = start_export(
            kind=asked["kind"],
            asked=asked["filter"],
            columns=asked["columns"],
            by=self.by,
            now=self.now,
        )
        return Response(ExportOut(job).data, status=202)


class OneExport(Endpoint):
    """How an export stands."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Exports",
        "exports_get",
        "See how an export stands",
        answer=ExportOut,
        refuses=(404,),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        return Response(ExportOut(get_object_or_404(_readable(self), uid=id)).data)


class ExportPage(serializers.Serializer[Export]):
    rows = serializers.ListField(child=serializers.DictField())


class ExportRows(Endpoint):
    """The rows of an export, a page at a time."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Exports",
        "exports_rows",
        "Fetch a page of an export",
        answer=ExportPage,
        refuses=(404,),
        details="Pages are numbered from 1 to `pages`. One that is not written yet is not there.",
    )
    def get(self, request: Request, id: uuid.UUID, number: int) -> Response:
        self.query()
        export = get_object_or_404(_readable(self), uid=id)
        if not 1 <= number <= export.chunks_done:
            raise Http404
        chunk = export.chunks.get(number=number - 1)
        rows = [dict(zip(export.columns, row, strict=True)) for row in unpack(chunk.body)]
        return Response({"rows": rows})
