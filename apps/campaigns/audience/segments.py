"""Saved segments: make, change and delete,
each refused when it would leave a campaign pointing at nothing.
"""

import datetime as dt
from typing import Any

from django.db import IntegrityError, transaction

from apps.campaigns.audience import language
from apps.campaigns.models import Campaign, CampaignState, Segment
from apps.campaigns.recurring import edit
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import RefusalKind, Refused


class SegmentNameTaken(Refused):
    """Another segment has this name."""

    kind = RefusalKind.STATE
    field = "name"


class SegmentInUse(Refused):
    """A campaign that is not sent yet chooses or excludes this segment."""

    kind = RefusalKind.STATE


def make_segment(
    *, name: str, rules: Any, description: str = "", by: Actor, now: dt.datetime
) -> Segment:
    """Raises rules.BadRules, SegmentNameTaken."""
    segment = Segment(
        name=name.strip(), description=description, rules=rules, created_at=now, updated_at=now
    )
    _save(segment, by=by, now=now, data={"after": {"name": segment.name, "rules": rules}})
    return segment


def change_segment(
    *,
    segment: Segment,
    name: str | None = None,
    rules: Any = None,
    description: str | None = None,
    by: Actor,
    now: dt.datetime,
) -> Segment:
    """Only what is given changes.

    Runs that have started keep the rules they froze. Raises as `make_segment`.
    """
    before = {"name": segment.name, "rules": segment.rules, "description": segment.description}
    if name is not None:
        segment.name = name.strip()
    if rules is not None:
        segment.rules = rules
    if description is not None:
        segment.description = description
    segment.updated_at = now
    after = {"name": segment.name, "rules": segment.rules, "description": segment.description}
    changed = [key for key in after if before[key] != after[key]]
    if changed:
        data = {
            "before": {key: before[key] for key in changed},
            "after": {key: after[key] for key in changed},
        }
        _save(segment, by=by, now=now, data=data)
    return segment


def _save(segment: Segment, *, by: Actor, now: dt.datetime, data: dict[str, Any]) -> None:
    if not segment.name:
        raise language.BadRules("Give the segment a name.")
    language.check_names(language.parse(segment.rules))
    try:
        with transaction.atomic():
            segment.save()
            tell(Kind.SEGMENT_CHANGED, by=by, now=now, about=segment, data=data)
    except IntegrityError as error:
        raise SegmentNameTaken(
            f"There is already a segment called “{segment.name}”. Choose another name."
        ) from error


def delete_segment(*, segment: Segment, by: Actor, now: dt.datetime) -> None:
    """Raises SegmentInUse: an exclude that silently vanished would write to people who must not get
    it.
    """
    with transaction.atomic():
        for campaign in campaigns_using(segment):
            raise SegmentInUse(
                f"The campaign “{campaign.name}” uses this segment. Take it out of its audience first."
            )
        for name in others_using(segment):
            raise SegmentInUse(f"{name} uses this segment. Take it out there first.")
        tell(Kind.SEGMENT_DELETED, by=by, now=now, about=segment, data={"rules": segment.rules})
        segment.delete()


def campaigns_using(segment: Segment) -> list[Campaign]:
    """Drafts and scheduled campaigns that choose or exclude it."""
    uid = str(segment.uid)
    live = [CampaignState.DRAFT, CampaignState.SCHEDULED]
    return [
        campaign
        for campaign in Campaign.objects.filter(state__in=live)
        if uid in campaign.audience.get("segments", [])
        or uid in campaign.audience.get("exclude_segments", [])
    ]


def others_using(segment: Segment) -> list[str]:
    """Rules of events and recurring notifications that name it, as sentences begin."""
    rules_of_events = [f"The rule “{rule.name}”" for rule in segment.event_rules.all()]
    return [
        *rules_of_events,
        *(f"The recurring “{row.name}”" for row in edit.using(str(segment.uid))),
    ]
