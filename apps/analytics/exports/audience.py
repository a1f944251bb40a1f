"""What is around followers: forms, imports, tags, segments, webhooks."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.campaigns.models import Segment
from apps.followers.devices import webhook_calls
from apps.followers.exports.table import Table
from apps.followers.models import Import, SignUpForm, Tag, Webhook


class SignUpForms(Table):
    label = _("Sign-up forms")
    scope = "followers:read"
    model = SignUpForm
    joins = ("welcome",)
    cells = {
        "key": "key",
        "name": "name",
        "active": "active",
        "texts": "texts",
        "questions": "questions",
        "tags": "tags",
        "approval": "approval",
        "thanks_url": "thanks_url",
        "welcome": "welcome.key",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }


class Imports(Table):
    label = _("Imports")
    scope = "followers:read"
    model = Import
    cells = {
        "id": "uid",
        "file_name": "file_name",
        "state": "state",
        "rows": "rows_total",
        "created": "created",
        "updated": "updated",
        "unchanged": "unchanged",
        "suppressed": "suppressed",
        "refused": "refused",
        "error": "error",
        "by": "by_label",
        "created_at": "created_at",
        "finished_at": "finished_at",
    }


class Tags(Table):
    """Tags, each with how many followers have it."""

    label = _("Tags")
    scope = "followers:read"
    model = Tag
    cells = {
        "slug": "slug",
        "name": "name",
        "followers": "followers_tagged",
        "created_at": "created_at",
    }
    counted = ("followers",)

    def narrowed(self, asked: Mapping[str, Any]) -> QuerySet[Any]:
        return Tag.objects.annotate(followers_tagged=Count("taggings"))


class Segments(Table):
    label = _("Segments")
    scope = "campaigns:read"
    model = Segment
    cells = {
        "id": "uid",
        "name": "name",
        "description": "description",
        "rules": "rules",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }


class Webhooks(Table):
    """Webhooks of followers, without their secrets."""

    label = _("Webhooks")
    scope = "followers:read"
    model = Webhook
    cells = {
        "id": "address.uid",
        "follower": "address.follower.uid",
        "url": "address.value",
        "state": "address.state",
        "succeeded_at": "succeeded_at",
        "answer": "answer",
        "answered_at": "answered_at",
        "failing_since": "failing_since",
        "off_at": "off_at",
        "off_reason": "off_reason",
    }
    lookups = {"q": "address__value__icontains", "state": ""}

    def narrowed(self, asked: Mapping[str, Any]) -> QuerySet[Any]:
        rows: QuerySet[Webhook] = webhook_calls.listed(asked.get("state", ""))
        rows = rows.select_related("address__follower")
        if "q" in asked:
            return rows.filter(address__value__icontains=asked["q"])
        return rows
