"""Templates and their versions: write, publish, restore, look at them as somebody would."""

import uuid
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.document.typed import TranslationsField, VariablesField
from apps.api.edited import Edited
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.api.parsing import MomentField
from apps.channels.contract import Result
from apps.content import drafts
from apps.content.lint import TYPES, findings
from apps.content.models import Layout, Template, Version, VersionState
from apps.followers.models import Channel, Follower, NotificationType
from apps.lib.refusals import NOT_FOUND
from apps.lib.sql.compiled_query import Kept
from apps.notifications import preview
from apps.notifications.models import TypeTemplate

KEPT = "Languages to send with the words of the template they came from."
LIBRARY = Template.objects.filter(private=False).prefetch_related("versions")


class TemplateOut(serializers.Serializer[Template]):
    id = serializers.UUIDField(source="uid")
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    stock = serializers.BooleanField(help_text="Came with the product.")
    published = serializers.SerializerMethodField(
        help_text="Number of the version new messages use."
    )
    draft = serializers.SerializerMethodField(help_text="Number of the version that is edited.")
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)

    def get_published(self, template: Template) -> int | None:
        return _number(template, VersionState.PUBLISHED)

    def get_draft(self, template: Template) -> int | None:
        return _number(template, VersionState.DRAFT)


def _number(template: Template, state: VersionState) -> int | None:
    return next(
        (version.number for version in template.versions.all() if version.state == state), None
    )


class VersionOut(serializers.Serializer[Version]):
    id = serializers.UUIDField(source="uid")
    number = serializers.IntegerField()
    status = serializers.ChoiceField(VersionState.choices, source="state")
    default_language = serializers.CharField()
    variables = VariablesField(child=serializers.DictField())
    layout = serializers.CharField(source="layout.key", default=None, allow_null=True)
    translations = serializers.SerializerMethodField()
    note = serializers.CharField()
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()
    published_at = serializers.DateTimeField(allow_null=True)

    @extend_schema_field(TranslationsField)
    def get_translations(self, version: Version) -> dict[str, Any]:
        return {each.language: each.parts for each in version.translations.all()}


class FindingOut(serializers.Serializer[Any]):
    where = serializers.CharField(help_text="Such as en.email.html, layout.text.")
    line = serializers.IntegerField(allow_null=True)
    message = serializers.CharField()


class PublishedOut(VersionOut):
    warnings = serializers.SerializerMethodField(help_text="What may be a mistake, as a dead link.")

    @extend_schema_field(FindingOut(many=True))
    def get_warnings(self, version: Version) -> Any:
        warnings = [found for found in findings(version) if found.warns]
        return FindingOut(warnings, many=True).data


class VariableIn(Strict):
    """What a template declares; whether it can be used is said when it is published."""

    name = serializers.CharField(allow_blank=True)
    type = serializers.ChoiceField(list(TYPES), required=False)
    required: Any = serializers.BooleanField(required=False)
    default: Any = serializers.JSONField(required=False, allow_null=True)
    example = serializers.JSONField(required=False, allow_null=True)
    description = serializers.CharField(required=False, allow_blank=True)


class WordsIn(Strict):
    translations = TranslationsField(child=serializers.DictField(allow_null=True), required=False)
    variables = VariablesField(child=VariableIn(), required=False)
    layout = serializers.SlugRelatedField(
        "key",
        queryset=Layout.objects.all(),
        required=False,
        allow_null=True,
        help_text="Key of a layout; null: none.",
    )
    default_language = serializers.CharField(required=False, max_length=35)


class NewTemplate(WordsIn):
    key = serializers.SlugField(max_length=80)
    name = serializers.CharField(max_length=120)
    description = serializers.CharField(required=False, allow_blank=True, max_length=300)
    translations = TranslationsField(child=serializers.DictField(allow_null=True))

    def validate_translations(self, given: dict[str, Any]) -> dict[str, Any]:
        """Leave out what null takes away: nothing is there yet."""
        return {language: parts for language, parts in given.items() if parts is not None}


class DraftIn(WordsIn):
    """A language that is sent replaces that language whole; null removes it."""

    kept = serializers.ListField(
        child=serializers.CharField(max_length=35), required=False, help_text=KEPT
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=200)
    seen = MomentField(
        required=False,
        help_text="`updated_at` of what you read; a change by somebody else since then is a 409.",
    )


class TemplateQuery(Strict):
    archived = serializers.BooleanField(required=False, default=False)


class Templates(Endpoint):
    """The library."""

    scopes = {"GET": Scope.CONTENT_READ, "POST": Scope.CONTENT_WRITE}

    @described(
        "Templates",
        "templates_list",
        "List templates",
        query=TemplateQuery,
        answer=TemplateOut(many=True),
        refuses=(400,),
    )
    def get(self, request: Request) -> Response:
        archived = self.query(TemplateQuery)["archived"]
        return self.page(LIBRARY.filter(archived_at__isnull=not archived), TemplateOut)

    @described(
        "Templates",
        "templates_create",
        "Make a template with a first draft",
        body=NewTemplate,
        answer=TemplateOut,
        status=201,
        refuses=(400, 409),
    )
    def post(self, request: Request) -> Response:
        made = drafts.create_template(**self.body(NewTemplate), by=self.by, now=self.now)
        return Response(TemplateOut(made).data, status=201)


class OneTemplate(Endpoint):
    """One template."""

    scopes = {"GET": Scope.CONTENT_READ}

    @described("Templates", "templates_get", "Get a template", answer=TemplateOut, refuses=(404,))
    def get(self, request: Request, id: uuid.UUID) -> Response:
        return Response(TemplateOut(one(LIBRARY, uid=id)).data)


class Draft(Edited):
    """The draft of a template."""

    scopes = {"PATCH": Scope.CONTENT_WRITE}
    rows = LIBRARY

    def current(self, request: Request, **words: Any) -> Any:
        """The draft, or what a draft would be made from."""
        template = one(LIBRARY, uid=words["id"])
        version = drafts.draft_version(template) or drafts.published_version(template)
        return VersionOut(version).data

    @described(
        "Templates",
        "templates_edit_draft",
        "Edit the draft",
        body=DraftIn,
        answer=VersionOut,
        refuses=(400, 404, 409),
        details=(
            "Made from the published version when there is none. Nothing is sent with it before "
            "it is published."
        ),
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        template = one(LIBRARY, uid=id)
        changes = self.body(DraftIn, partial=True)
        seen = changes.pop("seen", None)
        draft = drafts.edit_draft(
            template=template,
            values=drafts.DraftValues(**changes),
            seen=seen,
            by=self.by,
            now=self.now,
        )
        return Response(VersionOut(draft).data)


class Publish(Endpoint):
    """The draft becomes what is sent."""

    scopes = {"POST": Scope.CONTENT_WRITE}

    @described(
        "Templates",
        "templates_publish",
        "Publish the draft",
        answer=PublishedOut,
        refuses=(404, 409),
        details="409 with every problem that keeps it from being sent, with its place and line.",
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        published = drafts.publish(template=one(LIBRARY, uid=id), by=self.by, now=self.now)
        return Response(PublishedOut(published).data)


class ArchiveTemplate(Endpoint):
    """Archiving: out of the library."""

    scopes = {"POST": Scope.CONTENT_WRITE}

    @described(
        "Templates",
        "templates_archive",
        "Take a template out of the library",
        answer=TemplateOut,
        refuses=(404,),
    )
    def post(self, request: Request, id: uuid.UUID) -> Response:
        template = one(LIBRARY, uid=id)
        drafts.archive(template=template, by=self.by, now=self.now)
        return Response(TemplateOut(template).data)


class Versions(Endpoint):
    """The history of a template."""

    scopes = {"GET": Scope.CONTENT_READ}

    @described(
        "Templates",
        "versions_list",
        "List a template's versions",
        answer=VersionOut(many=True),
        refuses=(400, 404),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        self.query()
        template = one(LIBRARY, uid=id)
        rows = (
            Version.objects.filter(template=template)
            .select_related("layout")
            .prefetch_related("translations")
        )
        return self.page(rows, VersionOut)


class OneVersion(Edited):
    """One version."""

    scopes = {"GET": Scope.CONTENT_READ}
    rows = Version.objects.all()

    @described("Templates", "versions_get", "Get a version", answer=VersionOut, refuses=(404,))
    def get(self, request: Request, id: uuid.UUID, number: int) -> Response:
        return Response(VersionOut(_version(id, number)).data)


class Restore(Endpoint):
    """An older version's words in a new draft."""

    scopes = {"POST": Scope.CONTENT_WRITE}

    @described(
        "Templates",
        "versions_restore",
        "Make a draft with the words of a version",
        answer=VersionOut,
        refuses=(404,),
    )
    def post(self, request: Request, id: uuid.UUID, number: int) -> Response:
        return Response(
            VersionOut(drafts.restore(version=_version(id, number), by=self.by, now=self.now)).data
        )


class SampleOfVersion(Strict):
    """A version as somebody would see it."""

    naming = {"follower": Scope.FOLLOWERS_READ}

    follower = serializers.UUIDField(
        required=False, help_text="Seen as this follower; else as a made-up one."
    )
    language = serializers.CharField(required=False, allow_blank=True, max_length=35)
    data: Any = serializers.DictField(
        required=False, help_text="Missing values come from the variables' examples."
    )
    type = serializers.CharField(
        required=False,
        help_text="Key of the message type; needed when no type uses this template.",
    )


class PreviewIn(SampleOfVersion):
    """What to look at, and as whom."""

    channel = serializers.ChoiceField(Channel.choices, default="email")


class TestIn(SampleOfVersion):
    """A test: what is sent, and to whom."""

    to = serializers.EmailField(max_length=320, help_text="Where the test goes, now and for real.")


TEST_RESULTS = [(each.value, each.value) for each in Result]


class TestOut(serializers.Serializer[Any]):
    result = serializers.ChoiceField(TEST_RESULTS)
    said = serializers.CharField(help_text="What the receiving server said.")


class PreviewOut(serializers.Serializer[Any]):
    channel = serializers.CharField()
    language = serializers.CharField()
    parts = serializers.DictField(child=serializers.CharField())


class Preview(Endpoint):
    """What somebody would see; nothing is sent."""

    scopes = {"POST": Scope.CONTENT_READ}

    @described(
        "Templates",
        "versions_preview",
        "Preview a version",
        body=PreviewIn,
        answer=PreviewOut,
        refuses=(400, 404),
        details="Nothing is sent, and its links lead nowhere. As a follower it shows what is known "
        "of that person, so naming one needs followers:read, too.",
    )
    def post(self, request: Request, id: uuid.UUID, number: int) -> Response:
        asked = self.body(PreviewIn)
        sample = _sample(_version(id, number), asked)
        seen = preview.preview(sample, channel=asked.get("channel", Channel.EMAIL))
        return Response({"channel": seen.channel, "language": seen.language, "parts": seen.parts})


class TestSend(Endpoint):
    """One real email, to look at in a mail program."""

    scopes = {"POST": Scope.NOTIFICATIONS_WRITE}
    also = {"POST": Scope.CONTENT_READ}
    one_transaction = False  # it waits for the receiving server

    @described(
        "Templates",
        "versions_test",
        "Send a test of a version",
        body=TestIn,
        answer=TestOut,
        refuses=(400, 404, 409),
        details="One email with “[Test]” before its subject, at once; nobody's preferences are "
        "asked, its links lead nowhere, and the history keeps who sent it where. It needs "
        "content:read, too.",
    )
    def post(self, request: Request, id: uuid.UUID, number: int) -> Response:
        asked = self.body(TestIn)
        sample = _sample(_version(id, number), asked)
        outcome = preview.send_test(sample=sample, to=asked["to"], by=self.by, now=self.now)
        return Response({"result": outcome.result, "said": outcome.detail})


def _sample(version: Version, asked: dict[str, Any]) -> preview.Sample:
    follower = None
    if named := asked.get("follower"):
        follower = one(Follower.objects.all(), uid=named)
    return preview.Sample(
        version=version,
        notification_type=_type(version.template, asked.get("type", "")),
        follower=follower,
        language=asked.get("language", ""),
        data=asked.get("data"),
    )


def _version(id: uuid.UUID, number: int) -> Version:
    rows = Version.objects.filter(template__private=False).select_related("layout", "template")
    return one(rows.prefetch_related("translations"), template__uid=id, number=number)


def _type(template: Template, key: str) -> NotificationType:
    if key:
        return type_of(key)
    link = (
        TypeTemplate.objects.filter(template=template).select_related("notification_type").first()
    )
    if link is None:
        raise serializers.ValidationError(
            {"type": ["No message type uses this template yet. Name one."]}, code=NOT_FOUND
        )
    return link.notification_type


def type_of(key: str) -> NotificationType:
    """The message type with this key; an unknown one is refused as a bad value of `type`."""
    if found := TYPE_BY_KEY.first(key=key):
        return found
    raise serializers.ValidationError(
        {"type": [f"There is no message type {key!r}."]}, code=NOT_FOUND
    )


TYPE_BY_KEY = Kept(lambda key: NotificationType.objects.filter(key=key), "key", remembers=True)
