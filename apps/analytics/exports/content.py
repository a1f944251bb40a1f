"""What is said, and how often: templates, layouts, message types, caps."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.content.models import Layout, Template
from apps.followers.exports.table import Table
from apps.followers.models import NotificationType
from apps.notifications.models import Cap


class Templates(Table):
    """The library: templates that are no campaign's own."""

    label = _("Templates")
    scope = "content:read"
    model = Template
    cells = {
        "id": "uid",
        "key": "key",
        "name": "name",
        "description": "description",
        "stock": "stock",
        "archived_at": "archived_at",
        "created_at": "created_at",
    }
    lookups = {"q": "", "show": ""}

    def narrowed(self, asked: Mapping[str, Any]) -> QuerySet[Any]:
        show = asked.get("show", "")
        rows = Template.objects.filter(private=False, archived_at__isnull=show != "archived")
        if show in ("stock", "own"):
            rows = rows.filter(stock=show == "stock")
        if text := asked.get("q", ""):
            named = Q(name__icontains=text) | Q(key__icontains=text)
            return rows.filter(named | Q(description__icontains=text))
        return rows


class Layouts(Table):
    label = _("Layouts")
    scope = "content:read"
    model = Layout
    cells = {
        "key": "key",
        "name": "name",
        "html": "html",
        "text": "text",
        "updated_at": "updated_at",
    }


class MessageTypes(Table):
    label = _("Message types")
    scope = "content:read"
    model = NotificationType
    cells = {
        "key": "key",
        "name": "name",
        "description": "description",
        "category": "category",
        "commercial": "commercial",
        "channels": "channels",
        "default_channels": "default_channels",
        "locked_channels": "locked_channels",
        "translations": "translations",
        "digest": "digest",
        "lifetime": "lifetime",
        "active": "active",
    }


class Caps(Table):
    label = _("Caps")
    scope = "content:read"
    model = Cap
    cells = {
        "id": "uid",
        "name": "name",
        "channels": "channels",
        "commercial": "commercial",
        "limit": "limit",
        "days": "days",
        "seconds": "seconds",
        "outcome": "outcome",
        "enabled": "enabled",
        "created_at": "created_at",
    }
