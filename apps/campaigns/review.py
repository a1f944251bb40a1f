"""Who would get a campaign if it left now, who would not, and why.

Decided by the verdict that planning uses.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import Count, Q, QuerySet
from django.utils import timezone

from apps.campaigns import readiness
from apps.campaigns.audience.audience import Audience
from apps.campaigns.models import Campaign
from apps.campaigns.readiness import Missing
from apps.campaigns.review_languages import LanguageReview, languages_of
from apps.followers.consent.verdict import EXPLANATIONS, Reason
from apps.followers.consent.verdict_sql import ALLOWING, with_verdict
from apps.followers.models import Channel, Follower

SAMPLE = 10


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many followers one rule decided about on one channel, with the first few of them."""

    reason: str
    explanation: str
    allow: bool
    count: int
    samples: tuple[Follower, ...]


@dataclass(frozen=True, slots=True)
class ChannelReview:
    """What one channel would bring, and the reasons, those that allow first."""

    channel: str
    label: str
    will_get: int
    will_not: int
    reasons: tuple[ReasonCount, ...]


@dataclass(frozen=True, slots=True)
class Review:
    """All about a campaign that is about to leave.

    `total` followers are in the audience, `reached` of them by at least one channel; `problems`
    stop the send, `warnings` don't.
    """

    total: int
    reached: int
    channels: tuple[ChannelReview, ...]
    languages: tuple[LanguageReview, ...]
    problems: tuple[Missing, ...]
    warnings: tuple[Missing, ...]
    audience: Audience


def review(campaign: Campaign, *, now: dt.datetime | None = None) -> Review:
    """Judge the whole audience by sets: a few queries, whatever its size."""
    now = now or timezone.now()
    ready = readiness.examine(campaign, now=now)
    followers = ready.audience.followers(now=now).order_by()
    channels = tuple(_channel(campaign, followers, channel) for channel in campaign.channels)
    languages: tuple[LanguageReview, ...] = ()
    version = readiness.current_version(campaign)
    reached = followers.filter(_reached(campaign, followers))
    if version:
        languages = languages_of(campaign, version, reached)
    return Review(
        total=followers.count(),
        reached=reached.count(),
        channels=channels,
        languages=languages,
        problems=ready.problems,
        warnings=ready.warnings,
        audience=ready.audience,
    )


def _reached(campaign: Campaign, followers: QuerySet[Follower]) -> Q:
    anyone = Q(pk__in=[])
    for channel in campaign.channels:
        judged = with_verdict(followers, campaign.notification_type, channel)
        allowed = judged.filter(verdict__in=ALLOWING)
        anyone |= Q(pk__in=allowed.values("pk"))
    return anyone


def _channel(campaign: Campaign, followers: QuerySet[Follower], channel: str) -> ChannelReview:
    judged = with_verdict(followers, campaign.notification_type, channel)
    counted = dict(judged.values_list("verdict").annotate(n=Count("pk")).order_by())
    reasons = [_reason(judged, reason, count) for reason, count in counted.items()]
    reasons.sort(key=lambda each: (not each.allow, -each.count))
    return ChannelReview(
        channel=channel,
        label=str(Channel(channel).label),
        will_get=sum(each.count for each in reasons if each.allow),
        will_not=sum(each.count for each in reasons if not each.allow),
        reasons=tuple(reasons),
    )


def _reason(judged: QuerySet[Any], reason: str, count: int) -> ReasonCount:
    decided = judged.filter(verdict=reason).order_by("name", "pk")
    return ReasonCount(
        reason=reason,
        explanation=str(EXPLANATIONS[Reason(reason)]),
        allow=reason in ALLOWING,
        count=count,
        samples=tuple(decided.prefetch_related("addresses")[:SAMPLE]),
    )
