"""Which words leave in which language, and for how many people.

Every version of a campaign is shown before it goes: what it says, who reads it for want of their
own language, and what in it nobody has written for this campaign.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from apps.campaigns.models import Campaign
from apps.content.lint import left_behind
from apps.content.models import Version
from apps.content.problems import RenderError
from apps.content.render import Compiled, compiled, pick_language
from apps.notifications.preview import Sample, preview

_SHOWN = ("subject", "title", "body")  # the first that a channel has says what it is about


@dataclass(frozen=True, slots=True)
class LanguageReview:
    """The words in one language, and who gets them.

    `people` of those who are reached; `falling_back` of them read another language, by its tag.
    `frame_as_in` is a language whose readers see the same words of the layout, "" for none.
    """

    language: str
    people: int
    falling_back: Mapping[str, int]
    subject: str
    preheader: str
    left_behind: bool
    frame_as_in: str


def languages_of(
    campaign: Campaign, version: Version, readers: Mapping[str, int]
) -> tuple[LanguageReview, ...]:
    """Describe every version that would leave, those for most people first.

    `readers`: how many of those who are reached read which language.
    """
    written = [row.language for row in version.translations.all()]
    if not written:
        return ()
    getting: dict[str, dict[str, int]] = {language: {} for language in written}
    most_first = sorted(readers.items(), key=lambda each: -each[1])
    for wanted, count in most_first:
        language = pick_language(written, wanted, version.default_language)
        getting[language][wanted] = count
    ready = compiled(version)
    behind = left_behind(version)
    found = []
    for language, counts in getting.items():
        subject, preheader = _words(campaign, version, language)
        told = LanguageReview(
            language=language,
            people=sum(counts.values()),
            falling_back=_others(language, counts),
            subject=subject,
            preheader=preheader,
            left_behind=language in behind,
            frame_as_in=_frame_as_in(ready, language),
        )
        found.append(told)
    return tuple(sorted(found, key=lambda each: -each.people))


def _others(language: str, counts: Mapping[str, int]) -> dict[str, int]:
    """Leave those out who read a kind of the language itself."""
    return {wanted: n for wanted, n in counts.items() if _base(wanted) != _base(language)}


def _words(campaign: Campaign, version: Version, language: str) -> tuple[str, str]:
    sample = Sample(
        version=version,
        notification_type=campaign.notification_type,
        language=language,
        data=campaign.data,
    )
    for channel in campaign.channels:
        try:
            parts = preview(sample, channel=channel).parts
        except RenderError:
            continue  # a problem of its own, and told there
        shown = [parts[name] for name in _SHOWN if parts.get(name)]
        if shown:
            return shown[0], parts.get("preheader", "")
    return "", ""


def _frame_as_in(ready: Compiled, language: str) -> str:
    """Find a language that layouts fall back to, to whose readers this one says the same words."""
    words = ready.layout_words(language)
    if not any(map(str.isalpha, words)):
        return ""
    for other in ("en", ready.default_language):
        if _base(other) != _base(language) and ready.layout_words(other) == words:
            return other
    return ""


def _base(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].casefold()
