"""Deliveries, as they are taken out: who got what, when, and why not."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.followers.exports.people import Rows, moment, only
from apps.followers.exports.source import WHOLE, BadExport, typed
from apps.lib.ids import row_with
from apps.lib.refusals import NOT_FOUND
from apps.notifications.models import Delivery, Notification
from apps.notifications.reports.balance import narrow
from apps.notifications.reports.became import NARROWINGS, Narrowing


class Deliveries:
    """Deliveries of all notifications, or of one."""

    label = _("Message log")
    needs = "send"
    scope = "notifications:read"
    filters: Sequence[str] = ("notification", "status", "channel", "reason", *NARROWINGS)
    columns = (
        "id",
        "notification",
        "type",
        "follower",
        "external_id",
        "channel",
        "address",
        "status",
        "reason",
        "error",
        "attempts",
        "created_at",
        "finished_at",
        "opened_at",
        "clicked_at",
        "acknowledged_at",
    )
    types = typed(columns, attempts=WHOLE)

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        said = only(asked, dict.fromkeys(self.filters, str))
        if "notification" in said and _notification(said) is None:
            raise BadExport(
                gettext("There is no such notification."), field="filter", cause=NOT_FOUND
            )
        return said

    def count(self, asked: Mapping[str, Any]) -> int:
        return self._asked(asked).count()

    def rows(self, asked: Mapping[str, Any], *, after: int, most: int) -> Rows:
        related = ("follower", "address", "notification__notification_type")
        found = self._asked(asked).filter(pk__gt=after).order_by("pk")
        return [(row.pk, _values(row)) for row in found.select_related(*related)[:most]]

    def _asked(self, asked: Mapping[str, Any]) -> QuerySet[Delivery]:
        rows = Delivery.objects.all()
        if "notification" in asked:
            rows = rows.filter(notification=_notification(asked))
        parts = [asked.get(name, "") for name in ("status", "reason", "channel")]
        return Narrowing.read(asked).narrowed(narrow(rows, *parts))


def _notification(asked: Mapping[str, Any]) -> Notification | None:
    return row_with(Notification.objects.all(), asked["notification"])


def _values(row: Delivery) -> dict[str, Any]:
    follower = None
    external_id = None
    if row.follower:
        follower = str(row.follower.uid)
        external_id = row.follower.external_id
    address = None
    if row.address:
        address = row.address.label
    return {
        "id": str(row.uid),
        "notification": str(row.notification.uid),
        "type": row.notification.notification_type.key,
        "follower": follower,
        "external_id": external_id,
        "channel": row.channel,
        "address": address,
        "status": row.status,
        "reason": row.reason,
        "error": row.error,
        "attempts": row.attempts,
        "created_at": moment(row.created_at),
        "finished_at": moment(row.finished_at),
        "opened_at": moment(row.opened_at),
        "clicked_at": moment(row.clicked_at),
        "acknowledged_at": moment(row.acknowledged_at),
    }
