"""Imports: a file of followers is taken in, looked at, started, and watched."""

import base64
import binascii
import io
import uuid
from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.imports import run
from apps.followers.imports.columns import laid_over
from apps.followers.imports.csv_file import DELIMITERS, BadFile, Reading
from apps.followers.imports.encoding import ENCODINGS
from apps.followers.imports.options import DATES
from apps.followers.imports.preview import ImportPreview, preview_of
from apps.followers.imports.status_words import MEANINGS
from apps.followers.imports.upload import discard, start_upload
from apps.followers.models import Import, ImportProblem, ImportState
from apps.lib.refusals import Refused

EXAMPLES = 20  # rows that a preview shows


class ImportOut(serializers.Serializer[Import]):
    id = serializers.UUIDField(source="uid")
    file_name = serializers.CharField()
    status = serializers.ChoiceField(ImportState.choices, source="state")
    system = serializers.CharField(help_text="Whose export it is, where the headings tell; or “”.")
    columns = serializers.ListField(child=serializers.CharField())
    mapping = serializers.DictField(
        child=serializers.CharField(allow_blank=True),
        help_text="What each column is. Before the start a guess; “” must be decided.",
    )
    options = serializers.DictField(help_text="Before the start what is suggested.")
    rows_total = serializers.IntegerField(allow_null=True)
    rows_done = serializers.IntegerField()
    created = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    suppressed = serializers.IntegerField()
    refused = serializers.IntegerField()
    incomplete = serializers.IntegerField(help_text="Rows that lost a cell and went in.")
    error = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    started_at = serializers.DateTimeField(allow_null=True)
    finished_at = serializers.DateTimeField(allow_null=True)

    def to_representation(self, instance: Import) -> dict[str, Any]:
        setattr(instance, "system", instance.dialect.get("system", ""))  # noqa: B010  # no column
        setattr(instance, "columns", instance.dialect["columns"])  # noqa: B010  # likewise
        return super().to_representation(instance)


class ImportChoices(Strict):
    tags = serializers.ListField(
        child=serializers.CharField(max_length=80), required=False, max_length=100
    )
    update: Any = serializers.BooleanField(
        required=False, help_text="Whether followers that exist already are changed."
    )
    wording = serializers.CharField(
        required=False, max_length=40, allow_blank=True, help_text="Which consent text they saw."
    )
    country = serializers.CharField(
        required=False,
        max_length=2,
        allow_blank=True,
        help_text="Of phones without country code; “+” where they have one but no plus sign.",
    )
    do_not_contact = serializers.BooleanField(
        required=False, help_text="Suppress each address, and add nobody."
    )
    welcome = serializers.CharField(
        required=False,
        max_length=60,
        allow_blank=True,
        help_text="These are sign-ups: key of the message type that greets who is new. "
        "It needs notifications:write, too.",
    )
    standing = serializers.ChoiceField(
        ["", *MEANINGS], required=False, help_text="What all people in the file are."
    )
    dates = serializers.ChoiceField(
        DATES, required=False, help_text="What stands first in 03/04/2023."
    )
    values = serializers.DictField(
        child=serializers.DictField(child=serializers.CharField(allow_blank=True, max_length=200)),
        required=False,
        help_text="What is read instead of a word, by column: "
        '`{"Status": {"gold": "subscribed"}}`. “” reads nothing, `refuse` refuses the row.',
    )


class ImportChosen(Strict):
    # to greet people is to let messages leave
    naming = {"options.welcome": Scope.NOTIFICATIONS_WRITE}

    mapping = serializers.DictField(
        child=serializers.CharField(allow_blank=True, max_length=80),
        required=False,
        default=dict,
        help_text="Of the columns that are not as guessed: a field, `metadata.<key>` or `ignore`.",
    )
    options = ImportChoices(required=False)


class NewImport(ImportChosen):
    file_name = serializers.CharField(
        max_length=200, help_text="May tell what the people in it are: `unsubscribed.csv`."
    )
    content = serializers.CharField(help_text="The file, CSV or XLSX, in base64.")
    encoding = serializers.ChoiceField(
        ["", *ENCODINGS], required=False, default="", help_text="Found out without it."
    )
    delimiter = serializers.ChoiceField(
        ["", *DELIMITERS], required=False, default="", help_text="Found out without it."
    )
    sheet = serializers.CharField(
        required=False, max_length=60, default="", allow_blank=True, help_text="Of a workbook."
    )
    start = serializers.BooleanField(
        required=False, default=True, help_text="False: wait for a preview and the start."
    )


class ImportWordOut(serializers.Serializer[Any]):
    text = serializers.CharField()
    count = serializers.IntegerField()
    meaning = serializers.CharField(allow_null=True, help_text="Null: nobody knows.")


class ImportColumnOut(serializers.Serializer[Any]):
    column = serializers.CharField()
    words = ImportWordOut(many=True)


class ProblemSortOut(serializers.Serializer[Any]):
    sort = serializers.CharField()
    count = serializers.IntegerField()
    examples = serializers.SerializerMethodField()

    def get_examples(self, sort: Any) -> list[str]:
        return [f"Line {line}: {message}" for line, message in sort.examples]


class ImportPreviewOut(serializers.Serializer[ImportPreview]):
    counts = serializers.DictField(child=serializers.IntegerField())
    read = serializers.IntegerField(help_text="Rows that were looked at, from the first on.")
    complete = serializers.BooleanField()
    problems = ProblemSortOut(many=True, source="sorts")
    words = ImportColumnOut(many=True)


class ImportProblemOut(serializers.Serializer[ImportProblem]):
    line = serializers.IntegerField()
    message = serializers.CharField()
    cells = serializers.ListField(child=serializers.CharField(), source="row")
    taken = serializers.BooleanField(help_text="The rest of the row went in.")


def _found(id: uuid.UUID) -> Import:
    return one(Import.objects.all(), uid=id)


def _start(job: Import, asked: Mapping[str, Any], endpoint: Endpoint) -> Import:
    mapping = laid_over(job.mapping, asked["mapping"])
    options = asked.get("options", {})
    return run.start(job=job, mapping=mapping, options=options, by=endpoint.by, now=endpoint.now)


class Imports(Endpoint):
    """Files that were taken in, and taking in one more."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Imports", "imports_list", "List imports", answer=ImportOut(many=True), refuses=(400,)
    )
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(Import.objects.all(), ImportOut)

    @described(
        "Imports",
        "imports_add",
        "Import a file of followers",
        body=NewImport,
        answer=ImportOut,
        status=202,
        refuses=(400, 409),
        details=(
            "Columns are guessed from their headings, and exports of other programs are "
            "recognised; what is not said in `mapping` and `options` is as guessed. It runs in the "
            "background: ask for it until its `status` is `finished`. Where something about "
            "consent must be decided first, nothing is kept and the answer says what; with "
            "`start: false` the file waits. Larger files than a body may be come through the "
            "dashboard or `manage.py import_followers`."
        ),
    )
    def post(self, request: Request) -> Response:
        asked = self.body(NewImport)
        try:
            content = base64.b64decode(asked["content"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise BadContent("Give the file in base64.") from error
        job = start_upload(
            file=io.BytesIO(content),
            file_name=asked["file_name"],
            reading=Reading(asked["encoding"], asked["delimiter"], asked["sheet"]),
            by=self.by,
            now=self.now,
        )
        if asked["start"]:
            try:
                job = _start(job, asked, self)
            except Refused:
                discard(job=job)
                raise
        return Response(ImportOut(job).data, status=202)


class BadContent(BadFile):
    field = "content"


class OneImport(Endpoint):
    """How an import stands, and forgetting one that was not started."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "DELETE": Scope.FOLLOWERS_WRITE}

    @described(
        "Imports", "imports_get", "See how an import stands", answer=ImportOut, refuses=(404,)
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        return Response(ImportOut(_found(id)).data)

    @described(
        "Imports",
        "imports_discard",
        "Forget a file that was not started",
        answer=None,
        status=204,
        refuses=(404, 409),
    )
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        discard(job=_found(id))
        return Response(status=204)


class PreviewOfImport(Endpoint):
    """What an import would do."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Imports",
        "imports_preview",
        "See what an import would do",
        body=ImportChosen,
        answer=ImportPreviewOut,
        refuses=(400, 404, 409),
        details="Changes nothing. Of long files the first rows are looked at.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        asked = self.body(ImportChosen)
        job = _found(id)
        mapping = laid_over(job.mapping, asked["mapping"])
        found = preview_of(job, mapping, EXAMPLES, options=asked.get("options", {}))
        return Response(ImportPreviewOut(found).data)


class StartOfImport(Endpoint):
    """Letting a file run that waits."""

    scopes = {"POST": Scope.FOLLOWERS_WRITE}

    @described(
        "Imports",
        "imports_start",
        "Start an import that waits",
        body=ImportChosen,
        answer=ImportOut,
        status=202,
        refuses=(400, 404, 409),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        asked = self.body(ImportChosen)
        return Response(ImportOut(_start(_found(id), asked, self)).data, status=202)


class ProblemsOfImport(Endpoint):
    """The rows that were refused or lost a cell."""

    scopes = {"GET": Scope.FOLLOWERS_READ}

    @described(
        "Imports",
        "imports_problems",
        "List the rows with problems",
        answer=ImportProblemOut(many=True),
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        return self.page(ImportProblem.objects.filter(job=_found(id)), ImportProblemOut)
