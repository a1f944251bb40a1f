"""Is a campaign fit to go out?

All that is wrong at once, each problem with the step where it is put right.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from apps.campaigns.audience import language
from apps.campaigns.audience.audience import NOBODY, Audience, BadAudience, SegmentRules
from apps.campaigns.models import Campaign
from apps.content import lint
from apps.content.models import Version, VersionState
from apps.followers.models import Channel


@dataclass(frozen=True, slots=True)
class Missing:
    """What stands in the way; `step` is where to put it right: content, audience or schedule."""

    step: str
    message: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """All that is wrong, and the audience as it was read: NOBODY if it can't be meant."""

    problems: tuple[Missing, ...]
    audience: Audience


def current_version(campaign: Campaign) -> Version | None:
    """Find what would go out: the draft if there is one, else the published version."""
    wanted = [VersionState.DRAFT, VersionState.PUBLISHED]
    return campaign.template.versions.filter(state__in=wanted).order_by("-number").first()


def examine(campaign: Campaign, *, now: dt.datetime, starting: bool = False) -> Readiness:
    """Find everything that stands in the way.

    At the start of a scheduled run (`starting`) an audience that happens to be empty is no problem:
    it is sent to nobody.
    """
    audience, wrong = _audience(campaign, now=now, may_be_empty=starting)
    found = [*_content(campaign), *wrong, *_times(campaign, now=now)]
    return Readiness(problems=tuple(found), audience=audience)


def _content(campaign: Campaign) -> list[Missing]:
    found = []
    kind = campaign.notification_type
    if not kind.active:
        found.append(f"The message type “{kind.name}” is switched off. Choose another one.")
    if not campaign.channels:
        found.append("Choose at least one channel.")
    unoffered = [channel for channel in campaign.channels if channel not in kind.channels]
    if unoffered:
        labels = ", ".join(str(Channel(channel).label) for channel in unoffered)
        found.append(f"“{kind.name}” is not offered by {labels}. Choose other channels.")
    version = current_version(campaign)
    if version is None:
        return [Missing("content", message) for message in [*found, "Write the message first."]]
    # other languages may lack a channel: their readers get the default language there
    words = version.translations.filter(language=version.default_language).first()
    for channel in campaign.channels:
        if words is None or not any(map(str.strip, words.parts.get(channel, {}).values())):
            language = version.default_language
            label = Channel(channel).label
            found.append(f"There are no words for {label} in the default language “{language}”.")
    found += [str(problem) for problem in lint.problems(version)]
    try:
        lint.check_data(version, campaign.data)
    except lint.BadData as error:
        found.append(str(error))
    return [Missing("content", message) for message in found]


def _audience(
    campaign: Campaign, *, now: dt.datetime, may_be_empty: bool
) -> tuple[Audience, list[Missing]]:
    try:
        audience = Audience.parse(campaign.audience)
    except BadAudience as error:
        return NOBODY, [Missing("audience", str(error))]
    message = ""
    if audience.is_empty:
        message = "Choose who gets it."
    elif fault := _fault_of_segments(audience.segments.values()):
        message = fault
    elif not may_be_empty and not audience.followers(now=now).exists():
        message = "Nobody matches this audience. Choose more, or exclude fewer."
    if message:
        return audience, [Missing("audience", message)]
    return audience, []


def _fault_of_segments(segments: Iterable[SegmentRules]) -> str:
    """Name the first segment that asks for a tag or type which is gone."""
    for segment in segments:
        try:
            language.check_names(segment.group)
        except language.BadRules as error:
            return f"In the segment “{segment.name}”: {error}"
    return ""


def _times(campaign: Campaign, *, now: dt.datetime) -> list[Missing]:
    if not campaign.expires_at:
        return []
    start = max(campaign.send_at or now, now)
    if campaign.expires_at <= start:
        return [Missing("schedule", "It would expire before it is sent. Choose a later expiry.")]
    lasts = dt.timedelta(seconds=campaign.spread or 0)
    if campaign.expires_at < start + lasts:
        text = (
            "It would expire while it still goes out. Choose a later expiry, "
            "or let it go out over a shorter time."
        )
        return [Missing("schedule", text)]
    return []
