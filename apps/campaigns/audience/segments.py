"""Segments: create, change and delete them.

Each act is refused when it would leave a campaign pointing at nothing.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext

from apps.campaigns.audience import language
from apps.campaigns.audience.field_rules import check_fields
from apps.campaigns.models import Campaign, CampaignState, Segment
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.partial import UNSET, Unset, changes, given
from apps.lib.refusals import RefusalKind, Refused


class SegmentNameTaken(Refused):
    """Another segment has this name."""

    kind = RefusalKind.STATE
    field = "name"


class SegmentInUse(Refused):
    """A campaign that is not sent yet chooses or excludes this segment."""

    kind = RefusalKind.STATE


@dataclass(frozen=True, slots=True)
class SegmentValues:
    """What people decide about a segment, named as the columns of Segment."""

    name: str | Unset = UNSET
    rules: Any | Unset = UNSET
    description: str | Unset = UNSET


def create_segment(*, values: SegmentValues, by: Actor, now: dt.datetime) -> Segment:
    """Raises language.BadRules, SegmentNameTaken."""
    segment = Segment(**_columns(values), created_at=now, updated_at=now)
    data = {"after": {"name": segment.name, "rules": segment.rules}}
    _save(segment, data, by=by, now=now)
    return segment


def change_segment(
    *, segment: Segment, values: SegmentValues, by: Actor, now: dt.datetime
) -> Segment:
    """Change a segment and return it as it is now.

    Runs that have started keep the rules they froze. Raises as `create_segment`.
    """
    with transaction.atomic():
        row = Segment.objects.select_for_update(no_key=True).get(pk=segment.pk)
        before = _described(row)
        for name, value in _columns(values).items():
            setattr(row, name, value)
        if data := changes(before, _described(row)):
            row.updated_at = now
            _save(row, data, by=by, now=now)
    return row


def delete_segment(*, segment: Segment, by: Actor, now: dt.datetime) -> None:
    """Delete a segment that nobody uses.

    Raises SegmentInUse: an exclude that silently vanished would write to people who must not get
    it.
    """
    with transaction.atomic():
        for campaign in campaigns_using(segment):
            said = gettext(
                "The campaign “{campaign}” uses this segment. Take it out of its audience first."
            )
            raise SegmentInUse(said.format(campaign=campaign.name))
        for name in others_using(segment):
            said = gettext("{name} uses this segment. Take it out there first.")
            raise SegmentInUse(said.format(name=name))
        tell(Kind.SEGMENT_DELETED, by=by, now=now, about=segment, data={"rules": segment.rules})
        segment.delete()


def _columns(values: SegmentValues) -> dict[str, Any]:
    columns = given(values)
    if "name" in columns:
        columns["name"] = columns["name"].strip()
    return columns


def _described(segment: Segment) -> dict[str, Any]:
    return {each.name: getattr(segment, each.name) for each in fields(SegmentValues)}


def _save(segment: Segment, data: dict[str, Any], *, by: Actor, now: dt.datetime) -> None:
    if not segment.name:
        raise language.BadRules(gettext("Give the segment a name."))
    group = language.parse(segment.rules)
    language.check_names(group)
    check_fields(group)
    try:
        with transaction.atomic():
            segment.save()
            tell(Kind.SEGMENT_CHANGED, by=by, now=now, about=segment, data=data)
    except IntegrityError as error:
        said = gettext("There is already a segment called “{name}”. Choose another name.")
        raise SegmentNameTaken(said.format(name=segment.name)) from error


# ------------------------------------------------------------------ who uses it
UsesOf = Callable[[Segment], list[str]]
_asked: list[UsesOf] = []


def ask_for_uses(uses_of: UsesOf) -> None:
    """Have `uses_of` asked for what uses a segment, besides campaigns.

    It answers as sentences begin: `The rule “Order paid”`.
    """
    _asked.append(uses_of)


def others_using(segment: Segment) -> list[str]:
    return [name for uses_of in _asked for name in uses_of(segment)]


def campaigns_using(segment: Segment) -> list[Campaign]:
    """Find drafts and scheduled campaigns that choose or exclude it."""
    live = Campaign.objects.filter(state__in=[CampaignState.DRAFT, CampaignState.SCHEDULED])
    return [campaign for campaign in live if names_segment(campaign.audience, segment)]


def names_segment(audience: Mapping[str, Any], segment: Segment) -> bool:
    """Whether an audience, as it is stored, chooses or excludes a segment."""
    uids = [*audience.get("segments", []), *audience.get("exclude_segments", [])]
    return str(segment.uid) in uids
