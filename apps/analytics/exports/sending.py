"""What is sent, and what makes it: campaigns, notifications, events, rules, what recurs."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.campaigns.models import Campaign, CampaignState, Event, EventRule, Recurring
from apps.followers.exports.source import BadExport
from apps.followers.exports.table import Table
from apps.followers.people.find_follower import find_one
from apps.lib.refusals import NOT_FOUND
from apps.notifications.models import SHELVES, Delivery, Notification
from apps.notifications.reports.balance import narrow
from apps.notifications.reports.export_deliveries import Deliveries
from apps.notifications.reports.standing import NotificationStatus, standing, status_of
from apps.notifications.reports.undelivered import STATUSES


class Campaigns(Table):
    """Campaigns of a state; of none, all but the archived ones."""

    label = _("Campaigns")
    scope = "campaigns:read"
    model = Campaign
    joins = ("notification_type", "created_by")
    cells = {
        "id": "uid",
        "name": "name",
        "status": "state",
        "type": "notification_type.key",
        "channels": "channels",
        "audience": "audience",
        "metadata": "metadata",
        "tracking": "tracking",
        "send_at": "send_at",
        "created_by": "created_by.username",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }
    lookups = {"state": "state", "q": "name__icontains"}

    def narrowed(self, asked: Mapping[str, Any]) -> QuerySet[Any]:
        rows = super().narrowed(asked)
        if "state" in asked:
            return rows
        return rows.exclude(state=CampaignState.ARCHIVED)


class Notifications(Table):
    """Sends, each with the status it has when it is written."""

    label = _("Notifications")
    scope = "notifications:read"
    model = Notification
    joins = ("notification_type", "version__template")
    cells = {
        "id": "uid",
        "type": "notification_type.key",
        "template": "version.template.key",
        "version": "version.number",
        "channels": "channels",
        "source": "source",
        "priority": "lane",
        "dedup_key": "dedup_key",
        "status": "state",
        "created_at": "created_at",
        "send_at": "send_at",
        "expires_at": "expires_at",
        "finished_at": "finished_at",
    }
    lookups = {"type": "notification_type__key", "state": ""}

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        said = super().check(asked)
        if said.get("state", "") not in ("", *NotificationStatus.values):
            raise BadExport(gettext("There is no such status."), field="filter", cause=NOT_FOUND)
        return said

    def narrowed(self, asked: Mapping[str, Any]) -> QuerySet[Any]:
        others = {name: value for name, value in asked.items() if name != "state"}
        rows = super().narrowed(others)
        if "state" in asked:
            return standing(rows, asked["state"], now=timezone.now())
        return rows

    def told(self, row: Notification) -> dict[str, Any]:
        return super().told(row) | {"status": status_of(row, now=timezone.now()).value}


class Undelivered(Deliveries):
    """Messages that failed or whose delivery is unknown."""

    label = _("Failed messages")
    filters: Sequence[str] = ("status", "type")

    def _asked(self, asked: Mapping[str, Any]) -> QuerySet[Delivery]:
        rows = Delivery.objects.filter(shelf__in=[SHELVES[status] for status in STATUSES])
        if "status" in asked:
            rows = narrow(rows, asked["status"])
        if "type" in asked:
            rows = rows.filter(notification__notification_type__key=asked["type"])
        return rows


class Events(Table):
    """What integrators said had happened."""

    label = _("Events")
    scope = "notifications:read"
    model = Event
    joins = ("follower",)
    cells = {
        "id": "uid",
        "name": "name",
        "follower": "follower.uid",
        "external_id": "follower.external_id",
        "data": "data",
        "dedup_key": "dedup_key",
        "occurred_at": "occurred_at",
        "received_at": "received_at",
    }
    lookups = {"name": "name", "follower": "follower__uid"}

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        said = super().check(asked)
        if "follower" in said:
            follower = find_one(said["follower"])
            if follower is None:
                sentence = gettext("There is no such follower.")
                raise BadExport(sentence, field="filter", cause=NOT_FOUND)
            said["follower"] = str(follower.uid)
        return said


class EventRules(Table):
    label = _("Event rules")
    scope = "campaigns:read"
    model = EventRule
    joins = ("notification_type", "template", "segment")
    cells = {
        "id": "uid",
        "name": "name",
        "event": "event",
        "conditions": "conditions",
        "type": "notification_type.key",
        "template": "template.key",
        "channels": "channels",
        "to": "to",
        "segment": "segment.name",
        "delay": "delay",
        "active": "active",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }


class RecurringOnes(Table):
    label = _("Recurring notifications")
    scope = "campaigns:read"
    model = Recurring
    joins = ("notification_type", "template")
    cells = {
        "id": "uid",
        "name": "name",
        "type": "notification_type.key",
        "template": "template.key",
        "channels": "channels",
        "audience": "audience",
        "cadence": "cadence",
        "zone_mode": "zone_mode",
        "zone": "zone",
        "missed": "missed",
        "starts_at": "starts_at",
        "ends_at": "ends_at",
        "active": "active",
        "created_at": "created_at",
        "updated_at": "updated_at",
    }
