"""Tags: the words followers are sorted by."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.permissions import Scope
from apps.api.endpoint import Endpoint, Strict, described, one
from apps.followers.models import Tag
from apps.followers.people import tagging
from apps.followers.profile_fields import MOST_TAGS
from apps.lib.refusals import NOT_FOUND


class TagOut(serializers.Serializer[Tag]):
    slug = serializers.CharField(help_text="Its id in addresses.")
    name = serializers.CharField()
    created_at = serializers.DateTimeField()


class NewTag(Strict):
    name = serializers.CharField(max_length=80)


class Tags(Endpoint):
    """All tags."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "POST": Scope.FOLLOWERS_WRITE}

    @described("Tags", "tags_list", "List tags", answer=TagOut(many=True), refuses=(400,))
    def get(self, request: Request) -> Response:
        self.query()
        return self.page(Tag.objects.all(), TagOut)

    @described(
        "Tags",
        "tags_create",
        "Make a tag",
        body=NewTag,
        answer=TagOut,
        status=201,
        refuses=(400, 409),
    )
    def post(self, request: Request) -> Response:
        made = tagging.create_tag(**self.body(NewTag), by=self.by, now=self.now)
        return Response(TagOut(made).data, status=201)


class OneTag(Endpoint):
    """One tag."""

    scopes = {"GET": Scope.FOLLOWERS_READ, "DELETE": Scope.FOLLOWERS_WRITE}

    @described("Tags", "tags_get", "Get a tag", answer=TagOut, refuses=(404,))
    def get(self, request: Request, slug: str) -> Response:
        return Response(TagOut(one(Tag.objects.all(), slug=slug)).data)

    @described(
        "Tags", "tags_delete", "Delete a tag and take it off everybody", answer=None, refuses=(404,)
    )
    def delete(self, request: Request, slug: str) -> Response:
        tagging.delete_tag(tag=one(Tag.objects.all(), slug=slug), by=self.by, now=self.now)
        return Response(status=204)


def slugs(words: Iterable[str]) -> list[str]:
    """The slugs of tags given by name or slug; a word that is no tag is refused,
    so that a typo is not "nobody".
    """
    words = list(words)
    by_name = tagging.tags_by_name(words)
    by_slug = {tag.slug: tag for tag in Tag.objects.filter(slug__in=words)}
    found = {word: by_slug.get(word) or by_name.get(word.strip().casefold()) for word in words}
    if missing := [word for word, tag in found.items() if tag is None]:
        raise serializers.ValidationError(
            {"tags": [f"There is no tag {missing[0]!r}. Make it first, or leave it out."]},
            code=NOT_FOUND,
        )
    return [tag.slug for tag in found.values() if tag is not None]


def words_field(**options: Any) -> serializers.ListField:
    """Tags by name or slug, as a list."""
    options.setdefault("max_length", MOST_TAGS)
    return serializers.ListField(child=serializers.CharField(max_length=80), **options)
