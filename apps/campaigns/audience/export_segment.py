"""The people of a segment, as they are taken out: those who match when the export begins."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.campaigns.audience.sql import rules_to_q
from apps.campaigns.models import Segment
from apps.followers.exports.people import Followers, only
from apps.followers.exports.source import BadExport
from apps.followers.models import Follower
from apps.lib.ids import row_with
from apps.lib.refusals import NOT_FOUND


class SegmentMembers(Followers):
    """Followers whom the rules of a segment find, by the rules as they are now."""

    label = _("People of a segment")
    filters = ("segment",)

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        said = only(asked, {"segment": str})
        segment = row_with(Segment.objects.all(), said.get("segment", ""))
        if segment is None:
            said_so = gettext("Name a segment by its id: there is no such one.")
            raise BadExport(said_so, field="filter", cause=NOT_FOUND)
        at = timezone.now().isoformat()
        return {"segment": segment.name, "rules": segment.rules, "at": at}

    def _asked(self, asked: Mapping[str, Any]) -> QuerySet[Follower]:
        at = dt.datetime.fromisoformat(asked["at"])
        # a slice of ids at a time
        found = Follower.objects.filter(rules_to_q(asked["rules"], now=at, alone=False))
        return found.prefetch_related("addresses", "tags")
