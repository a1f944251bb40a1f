"""Is a campaign fit to go out?

All that is wrong at once, each problem with the step where it is put right.
"""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.campaigns.audience import language
from apps.campaigns.audience.audience import NOBODY, Audience, BadAudience, SegmentRules
from apps.campaigns.models import Campaign
from apps.content import lint
from apps.content.models import Version, VersionState
from apps.followers.models import Channel


@dataclass(frozen=True, slots=True)
class Missing:
    """What stands in the way; `step` is where to put it right: content, audience or schedule.

    `where` names the place in that step, as TemplateProblem does, or `data.name` for a value.
    """

    step: str
    message: str
    where: str = ""


@dataclass(frozen=True, slots=True)
class Readiness:
    """All that is wrong, and the audience as it was read: NOBODY if it can't be meant.

    `warnings` stop nothing.
    """

    problems: tuple[Missing, ...]
    warnings: tuple[Missing, ...]
    audience: Audience


def current_version(campaign: Campaign) -> Version | None:
    """Find what would go out: the draft if there is one, else the published version."""
    wanted = [VersionState.DRAFT, VersionState.PUBLISHED]
    versions = campaign.template.versions.filter(state__in=wanted).order_by("-number")
    return versions.select_related("layout", "template").prefetch_related("translations").first()


def examine(campaign: Campaign, *, now: dt.datetime, ask_for_people: bool = True) -> Readiness:
    """Find everything that stands in the way.

    Without `ask_for_people` an audience that happens to be empty is no problem: at the start of a
    scheduled run it is sent to nobody, and a review counts the people later.
    """
    audience, wrong = _audience(campaign, now=now, may_be_empty=not ask_for_people)
    found = _choices(campaign)
    warnings: list[Missing] = []
    version = current_version(campaign)
    if version is None:
        found.append(Missing("content", _("Write the message first.")))
    else:
        found += _words(campaign, version)
        warnings += _findings(version, found)
        found += _values(campaign, version)
    found += [*wrong, *_times(campaign, now=now)]
    return Readiness(problems=tuple(found), warnings=tuple(warnings), audience=audience)


def _choices(campaign: Campaign) -> list[Missing]:
    found = []
    kind = campaign.notification_type
    if not kind.active:
        said = _("The message type “{type}” is switched off. Choose another one.")
        found.append(said.format(type=kind.name))
    if not campaign.channels:
        found.append(_("Choose at least one channel."))
    unoffered = [channel for channel in campaign.channels if channel not in kind.channels]
    if unoffered:
        labels = ", ".join(str(Channel(channel).label) for channel in unoffered)
        said = _("“{type}” is not offered by {channels}. Choose other channels.")
        found.append(said.format(type=kind.name, channels=labels))
    return [Missing("content", message) for message in found]


def _words(campaign: Campaign, version: Version) -> list[Missing]:
    """Find channels without words; readers of other languages get the default language there."""
    language = version.default_language
    parts = {row.language: row.parts for row in version.translations.all()}.get(language, {})
    found = []
    for channel in campaign.channels:
        if not any(map(str.strip, parts.get(channel, {}).values())):
            label = Channel(channel).label
            text = _("There are no words for {channel} in the default language “{language}”.")
            said = text.format(channel=label, language=language)
            found.append(Missing("content", said, language))
    return found


def _findings(version: Version, found: list[Missing]) -> list[Missing]:
    """Add what stops the send to what was found, and return what only warns.

    A language that was left behind is no mistake, but somebody has to say that it is meant.
    """
    warnings = []
    behind = lint.left_behind(version)
    for problem in lint.findings(version):
        missing = Missing("content", str(problem), problem.where)
        if problem.warns and problem.where not in behind:
            warnings.append(missing)
        else:
            found.append(missing)
    return warnings


def _values(campaign: Campaign, version: Version) -> list[Missing]:
    """Find values that the words on the chosen channels can't do without, or can't use."""
    try:
        lint.check_data(version, campaign.data, channels=campaign.channels)
    except lint.BadData as error:
        return [Missing("content", said, f"data.{name}") for name, said in error.told]
    return []


def _audience(
    campaign: Campaign, *, now: dt.datetime, may_be_empty: bool
) -> tuple[Audience, list[Missing]]:
    try:
        audience = Audience.parse(campaign.audience)
    except BadAudience as error:
        return NOBODY, [Missing("audience", str(error))]
    message = ""
    if audience.is_empty:
        message = _("Choose who gets it.")
    elif fault := _fault_of_segments(audience.segments.values()):
        message = fault
    elif not may_be_empty and not audience.followers(now=now).exists():
        return audience, [nobody_matches()]
    if message:
        return audience, [Missing("audience", message)]
    return audience, []


def nobody_matches() -> Missing:
    """Say that an audience finds nobody just now."""
    said = _("Nobody matches this audience. Choose more, or exclude fewer.")
    return Missing("audience", said)


def _fault_of_segments(segments: Iterable[SegmentRules]) -> str:
    """Name the first segment that asks for a tag or type which is gone."""
    for segment in segments:
        try:
            language.check_names(segment.group)
        except language.BadRules as error:
            said = _("In the segment “{segment}”: {problem}")
            return said.format(segment=segment.name, problem=error)
    return ""


def _times(campaign: Campaign, *, now: dt.datetime) -> list[Missing]:
    if not campaign.expires_at:
        return []
    start = max(campaign.send_at or now, now)
    if campaign.expires_at <= start:
        text = _("It would expire before it is sent. Choose a later expiry.")
        return [Missing("schedule", text)]
    lasts = dt.timedelta(seconds=campaign.spread or 0)
    if campaign.expires_at < start + lasts:
        text = _(
            "It would expire while it still goes out. Choose a later expiry, "
            "or let it go out over a shorter time."
        )
        return [Missing("schedule", text)]
    return []
