"""Who would get a campaign if it left now, who would not, and why.

Decided by the verdict that planning uses.
"""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.utils import timezone

from apps.campaigns import readiness
from apps.campaigns.models import Campaign
from apps.campaigns.readiness import Missing, Readiness
from apps.campaigns.review import counting
from apps.campaigns.review.counting import Counted
from apps.campaigns.review.languages import LanguageReview, languages_of
from apps.campaigns.review.numbers import Question, ReasonNumber
from apps.followers.consent.verdict import EXPLANATIONS, Reason
from apps.followers.consent.verdict_sql import ALLOWING
from apps.followers.models import Channel, Follower


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many followers one rule decided about on one channel, with the first few of them."""

    reason: str
    explanation: str
    allow: bool
    count: int
    samples: tuple[Follower, ...]

    @property
    def more(self) -> int:
        """How many are not among the samples."""
        return self.count - len(self.samples)


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

    `total` followers are in the audience, `reached` of them by at least one channel, as of
    `counted_at`; `kept`: that was before. `problems` stop the send, `warnings` don't.
    """

    total: int
    reached: int
    channels: tuple[ChannelReview, ...]
    languages: tuple[LanguageReview, ...]
    problems: tuple[Missing, ...]
    warnings: tuple[Missing, ...]
    counted_at: dt.datetime
    kept: bool


def look(campaign: Campaign, *, now: dt.datetime) -> Readiness:
    """Find what is wrong, all but whether anybody is in the audience: quick, whatever its size."""
    return readiness.examine(campaign, now=now, ask_for_people=False)


def question_of(campaign: Campaign, ready: Readiness) -> Question:
    """Say what is to be counted for the review."""
    return Question(ready.audience, tuple(campaign.channels), campaign.notification_type)


def review(campaign: Campaign, *, now: dt.datetime | None = None) -> Review:
    """Look and count in this call, however long that takes."""
    now = now or timezone.now()
    ready = look(campaign, now=now)
    counted = counting.at_once(question_of(campaign, ready), now=now)
    return with_numbers(campaign, ready, counted)


def with_numbers(campaign: Campaign, ready: Readiness, counted: Counted) -> Review:
    """Put together what `look` found and what was counted."""
    numbers = counted.numbers
    names = _people(numbers.channels.values())
    channels = []
    for channel in campaign.channels:
        reasons = numbers.channels.get(channel, ())
        channels.append(_channel(channel, reasons, names))
    languages: tuple[LanguageReview, ...] = ()
    if version := readiness.current_version(campaign):
        languages = languages_of(campaign, version, numbers.readers)
    problems = ready.problems
    is_asked = not any(problem.step == "audience" for problem in problems)
    if is_asked and not numbers.total:
        problems = (*problems, readiness.nobody_matches())
    return Review(
        total=numbers.total,
        reached=numbers.reached,
        channels=tuple(channels),
        languages=languages,
        problems=problems,
        warnings=ready.warnings,
        counted_at=counted.at,
        kept=counted.kept,
    )


def _people(channels: Iterable[tuple[ReasonNumber, ...]]) -> dict[int, Follower]:
    """Fetch all who are shown, by primary key."""
    ids = {pk for reasons in channels for each in reasons for pk in each.samples}
    return Follower.objects.prefetch_related("addresses").in_bulk(ids)


def _channel(
    channel: str, reasons: tuple[ReasonNumber, ...], names: Mapping[int, Follower]
) -> ChannelReview:
    told = [_reason(each, names) for each in reasons]
    told.sort(key=lambda each: (not each.allow, -each.count))
    return ChannelReview(
        channel=channel,
        label=str(Channel(channel).label),
        will_get=sum(each.count for each in told if each.allow),
        will_not=sum(each.count for each in told if not each.allow),
        reasons=tuple(told),
    )


def _reason(number: ReasonNumber, names: Mapping[int, Follower]) -> ReasonCount:
    # whoever was deleted since is not shown
    samples = [names[pk] for pk in number.samples if pk in names]
    return ReasonCount(
        reason=number.reason,
        explanation=str(EXPLANATIONS[Reason(number.reason)]),
        allow=number.reason in ALLOWING,
        count=number.count,
        samples=tuple(samples),
    )
