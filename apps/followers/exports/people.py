"""Followers, addresses on the suppression list, and consent records, as they are taken out."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

from django.db.models import QuerySet
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.followers.exports.source import TRUTH, BadExport, typed
from apps.followers.models import ConsentRecord, Follower, Suppression
from apps.followers.people import search
from apps.lib.refusals import UNFIT

Rows = list[tuple[int, dict[str, Any]]]


def moment(at: dt.datetime | None) -> str | None:
    """Write a moment in UTC (RFC 3339)."""
    if at is None:
        return None
    return at.astimezone(dt.UTC).isoformat().replace("+00:00", "Z")


def only(asked: Mapping[str, Any], known: Mapping[str, type]) -> dict[str, Any]:
    """Take the parts of a filter that say something. Raises BadExport for others."""
    said = {name: value for name, value in asked.items() if value not in (None, "", [])}
    for name, value in said.items():
        if name not in known or not isinstance(value, known[name]):
            sentence = gettext("{name!r} is no filter of this export. Known: {known}.")
            words = {"name": name, "known": ", ".join(known) or "-"}
            raise BadExport(sentence.format(**words), field="filter", cause=UNFIT)
    return said


class Followers:
    """Followers, by the filters of their list."""

    label = _("Followers")
    needs = "send"
    scope = "followers:read"
    filters: Sequence[str] = ("search", "language", "subscribed", "tags")
    # never "id": imports take that for another system's
    columns = (
        "follower_id",
        "external_id",
        "email",
        "phone",
        "name",
        "first_name",
        "last_name",
        "language",
        "time_zone",
        "subscribed",
        "subscribed_at",
        "unsubscribed_at",
        "tags",
        "metadata",
        "created_at",
    )
    types = typed(columns, subscribed=TRUTH)

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        known = {"search": str, "language": str, "subscribed": bool, "tags": list}
        return only(asked, known)

    def count(self, asked: Mapping[str, Any]) -> int:
        return self._asked(asked).count()

    def rows(self, asked: Mapping[str, Any], *, after: int, most: int) -> Rows:
        found = self._asked(asked).filter(pk__gt=after).order_by("pk")[:most]
        return [(row.pk, self.values(row)) for row in found]

    def _asked(self, asked: Mapping[str, Any]) -> QuerySet[Follower]:
        return search.followers(**asked)

    def values(self, row: Follower) -> dict[str, Any]:
        """Give a follower's values by column; addresses and tags are at hand."""
        return {
            "follower_id": str(row.uid),
            "external_id": row.external_id,
            "email": row.email,
            "phone": row.phone,
            "name": row.name,
            "first_name": row.first_name,
            "last_name": row.last_name,
            "language": row.language,
            "time_zone": row.time_zone,
            "subscribed": row.subscribed,
            "subscribed_at": moment(row.subscribed_at),
            "unsubscribed_at": moment(row.unsubscribed_at),
            "tags": [tag.name for tag in row.tags.all()],
            "metadata": row.metadata,
            "created_at": moment(row.created_at),
        }


class Suppressions:
    """The suppression list."""

    label = _("Suppression list")
    needs = "send"
    scope = "followers:read"
    filters = ("reason", "search")
    columns = ("channel", "address", "reason", "note", "created_at")
    types = typed(columns)

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return only(asked, dict.fromkeys(self.filters, str))

    def count(self, asked: Mapping[str, Any]) -> int:
        return self._asked(asked).count()

    def _asked(self, asked: Mapping[str, Any]) -> QuerySet[Suppression]:
        rows = Suppression.objects.filter(key__contains=asked.get("search", "").casefold())
        if "reason" in asked:
            return rows.filter(reason=asked["reason"])
        return rows

    def rows(self, asked: Mapping[str, Any], *, after: int, most: int) -> Rows:
        rows = []
        for row in self._asked(asked).filter(pk__gt=after).order_by("pk")[:most]:
            values = {
                "channel": row.channel,
                "address": row.key,
                "reason": row.reason,
                "note": row.note,
                "created_at": moment(row.created_at),
            }
            rows.append((row.pk, values))
        return rows


class Consent:
    """All consent records: who agreed to what, when, and under which words."""

    label = _("Consent records")
    needs = "send"
    scope = "followers:read"
    filters = ()
    columns = (
        "at",
        "follower",
        "act",
        "source",
        "scope",
        "wording",
        "reason",
        "by",
        "ip",
        "user_agent",
    )
    types = typed(columns)

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return only(asked, {})

    def count(self, asked: Mapping[str, Any]) -> int:
        return ConsentRecord.objects.count()

    def rows(self, asked: Mapping[str, Any], *, after: int, most: int) -> Rows:
        records = ConsentRecord.objects.filter(pk__gt=after).order_by("pk")
        rows = []
        for row in records.select_related("follower")[:most]:
            values = {
                "at": moment(row.at),
                "follower": str(row.follower.uid),
                "act": row.act,
                "source": row.source,
                "scope": row.scope,
                "wording": row.wording,
                "reason": row.reason,
                "by": f"{row.actor_kind}: {row.actor_label}",
                "ip": row.ip,
                "user_agent": row.user_agent,
            }
            rows.append((row.pk, values))
        return rows
