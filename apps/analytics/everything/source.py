"""The parts one after the other, as one export: an id has the number of its part on top."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_lazy as _

from apps.analytics.everything import profile, sent, told
from apps.analytics.everything.part import Part
from apps.campaigns.models import Event
from apps.followers.exports.people import Rows
from apps.followers.models import ConsentRecord, Follower
from apps.followers.privacy.erase import who_is
from apps.notifications.models import Delivery

PARTS: tuple[Part, ...] = (*profile.PARTS, *sent.PARTS, *told.PARTS)
_ROOM = 56  # bits of an id within its part


class Everything:
    """All that is held about one follower; each row says of which part it is."""

    label = _("Everything about one person")
    needs = "administer"
    scope = ""
    filters: Sequence[str] = ("follower",)
    columns = ("part", "told")
    types: Mapping[str, str] = {}

    def check(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        return dict(asked)

    def count(self, asked: Mapping[str, Any]) -> int:
        """Count what makes most of the rows; the rest is found on the way."""
        theirs = {"follower__uid": asked["follower"]}
        tables = (Delivery, Event, ConsentRecord)
        return sum(table._default_manager.filter(**theirs).count() for table in tables)

    def rows(self, asked: Mapping[str, Any], *, after: int, most: int) -> Rows:
        follower = Follower.objects.filter(uid=asked["follower"]).first()
        if follower is None:  # erased meanwhile
            return []
        person = who_is(follower)
        first, last_id = divmod(after, 1 << _ROOM)
        found: Rows = []
        for number, part in enumerate(PARTS):
            if number < first or len(found) >= most:
                continue
            begin = 0
            if number == first:
                begin = last_id
            for pk, said in part.read(person, begin, most - len(found)):
                found.append(((number << _ROOM) + pk, {"part": part.name, "told": said}))
        return found
