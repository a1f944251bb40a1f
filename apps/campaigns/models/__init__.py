"""Planned sending: segments, campaigns, what recurs, events. Import from here."""

from apps.campaigns.models.campaigns import (
    AudienceCount,
    Campaign,
    CampaignState,
    Launched,
    Run,
)
from apps.campaigns.models.events import Event, EventOutcome, EventRule, OutcomeResult, RuleTarget
from apps.campaigns.models.recurring import Missed, Occurrence, Recurring, RecurringZone, ZoneMode
from apps.campaigns.models.segments import Segment

__all__ = [
    "AudienceCount",
    "Campaign",
    "CampaignState",
    "Event",
    "EventOutcome",
    "EventRule",
    "Launched",
    "Missed",
    "Occurrence",
    "OutcomeResult",
    "Recurring",
    "RecurringZone",
    "RuleTarget",
    "Run",
    "Segment",
    "ZoneMode",
]
