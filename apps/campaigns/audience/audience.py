"""Whom a campaign is for: its audience turned into one query, in which each follower appears once.

An audience is everyone, or whoever has one of the tags, matches one of the segments or is named;
less those with an excluded tag, in an excluded segment or excluded by name.
"""

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.campaigns.audience import language
from apps.campaigns.audience.language import BadRules
from apps.campaigns.models import Segment
from apps.followers.models import Follower, Tag
from apps.lib.refusals import Refused

Audience = dict[str, Any]
INCLUDES = ("tags", "segments", "followers")
EXCLUDES = ("exclude_tags", "exclude_segments", "exclude_followers")
MAX_NAMES = 5000


class BadAudience(Refused):
    """The audience can't be meant like this; the text says what to change."""

    field = "audience"


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a follower is in an audience, or not. `because` has one sentence per way in or out."""

    matches: bool
    because: tuple[str, ...]


# ------------------------------------------------------------------ checking
def validate(audience: Any) -> Audience:
    """The audience in its full form.

    An empty one is fine here (a draft may not know yet); `is_empty` tells.

    Raises BadAudience for wrong shapes and for tags, segments and followers that don't exist.
    """
    if not isinstance(audience, dict):
        raise BadAudience(
            "The audience must be an object with everyone, tags, segments, followers and excludes."
        )
    if unknown := set(audience) - {"everyone", *INCLUDES, *EXCLUDES}:
        raise BadAudience(
            f"The audience has unknown parts: {', '.join(sorted(map(str, unknown)))}."
        )
    if not isinstance(everyone := audience.get("everyone", False), bool):
        raise BadAudience("“everyone” in the audience must be true or false.")
    clean: Audience = {"everyone": everyone}
    for part in (*INCLUDES, *EXCLUDES):
        names = audience.get(part, [])
        if not isinstance(names, list) or not all(
            isinstance(name, str | uuid.UUID) for name in names
        ):
            raise BadAudience(f"“{part}” in the audience must be a list of names.")
        if len(names) > MAX_NAMES:
            raise BadAudience(
                f"“{part}” names more than {MAX_NAMES}. Give them a tag and choose the tag."
            )
        clean[part] = list(dict.fromkeys(str(name) for name in names))
    for part in ("tags", "exclude_tags"):
        known = set(Tag.objects.filter(slug__in=clean[part]).values_list("slug", flat=True))
        if missing := [slug for slug in clean[part] if slug not in known]:
            raise BadAudience(
                f"There is no tag “{missing[0]}”. Choose another one or create it first."
            )
    for part in ("segments", "exclude_segments"):
        _existing(Segment.objects.all(), clean[part], "segment")
    for part in ("followers", "exclude_followers"):
        _existing(Follower.objects.all(), clean[part], "follower")
    return clean


def _existing(rows: QuerySet[Any], uids: list[str], noun: str) -> None:
    try:
        wanted = {uuid.UUID(uid): uid for uid in uids}
    except ValueError as error:
        raise BadAudience(f"A {noun} is named by its id (a UUID).") from error
    known = set(rows.filter(uid__in=wanted).values_list("uid", flat=True))
    if missing := [uid for value, uid in wanted.items() if value not in known]:
        raise BadAudience(f"There is no {noun} {missing[0]} (any more). Choose another one.")


def is_empty(audience: Audience) -> bool:
    """Whether nobody has been chosen yet."""
    return not audience.get("everyone") and not any(audience.get(part) for part in INCLUDES)


def freeze(audience: Audience) -> Audience:
    """The audience with its segments' rules written in,
    so that a later edit of a segment doesn't reach a run.
    """
    uids = {*audience.get("segments", []), *audience.get("exclude_segments", [])}
    frozen = {str(segment.uid): segment.rules for segment in Segment.objects.filter(uid__in=uids)}
    return audience | {"rules": frozen}


# ------------------------------------------------------------------ asking
def rules_to_q(data: Any, *, now: dt.datetime | None = None) -> Q:
    """A segment's rules as a condition on Follower that never multiplies rows. Raises BadRules."""
    return language.to_q(language.parse(data), now=now or timezone.now())


def followers_of(audience: Audience, *, now: dt.datetime | None = None) -> QuerySet[Follower]:
    """Each follower of a validated (or frozen) audience once, by construction: no joins.

    Nobody for an empty one.
    """
    now = now or timezone.now()
    if is_empty(audience):
        return Follower.objects.none()
    chosen = Q()
    if not audience.get("everyone"):
        chosen = _any_of(audience, INCLUDES, now)
    return Follower.objects.filter(chosen).exclude(_any_of(audience, EXCLUDES, now))


def count(audience: Audience, *, now: dt.datetime | None = None) -> int:
    return followers_of(audience, now=now).order_by().count()


def _any_of(audience: Audience, parts: tuple[str, ...], now: dt.datetime) -> Q:
    tags, segments, followers = (audience.get(part, []) for part in parts)
    condition = Q(pk__in=[])  # nobody; each part adds some
    if tags:
        condition |= language.tagged(tags)
    for _, group in _segments(audience, segments):
        condition |= language.to_q(group, now=now)
    if followers:
        condition |= Q(uid__in=followers)
    return condition


def _segments(audience: Audience, uids: list[str]) -> list[tuple[str, language.Group]]:
    """(name, rules) of the segments named; from the frozen rules of a run where there are any."""
    if (frozen := audience.get("rules")) is not None:
        return [("", language.parse(frozen[uid])) for uid in uids]
    rows = {str(row.uid): row for row in Segment.objects.filter(uid__in=uids)}
    return [(rows[uid].name, language.parse(rows[uid].rules)) for uid in uids if uid in rows]


# ------------------------------------------------------------------ explaining
def in_words(audience: Audience) -> tuple[list[str], list[str]]:
    """Who is chosen and who is excluded, one phrase each: `the tag “VIP”`, `3 single people`."""
    if audience.get("everyone"):
        return ["everyone"], _phrases(audience, EXCLUDES)
    return _phrases(audience, INCLUDES), _phrases(audience, EXCLUDES)


def _phrases(audience: Audience, parts: tuple[str, ...]) -> list[str]:
    tags, segments, followers = (audience.get(part, []) for part in parts)
    phrases = [
        f"the tag “{name}”"
        for name in Tag.objects.filter(slug__in=tags).values_list("name", flat=True)
    ]
    names = Segment.objects.filter(uid__in=segments).values_list("name", flat=True)
    phrases += [f"the segment “{name}”" for name in names]
    if followers:
        phrases.append(
            "1 single person" if len(followers) == 1 else f"{len(followers):,} single people"
        )
    return phrases


def explain(
    follower: Follower, audience: Audience, *, now: dt.datetime | None = None
) -> Explanation:
    """Why this follower is (not) in the audience.

    An exclude beats everything else, and is then the only reason.
    """
    now = now or timezone.now()
    if out := _reasons(follower, audience, EXCLUDES, now):
        return Explanation(False, tuple(f"excluded: {reason}" for reason in out))
    if audience.get("everyone"):
        return Explanation(True, ("everyone is chosen",))
    found = _reasons(follower, audience, INCLUDES, now)
    return Explanation(
        bool(found), tuple(found) or ("has none of the tags, is in no segment and is not named",)
    )


def _reasons(
    follower: Follower, audience: Audience, parts: tuple[str, ...], now: dt.datetime
) -> list[str]:
    tags, segments, followers = (audience.get(part, []) for part in parts)
    names = follower.tags.filter(slug__in=tags).values_list("name", flat=True)
    reasons = [f"has the tag “{name}”" for name in names]
    for name, group in _segments(audience, segments):
        if why := why_match([follower.pk], group, now=now).get(follower.pk):
            reasons.append(f"is in the segment “{name}”: {'; '.join(why)}")
    if str(follower.uid) in followers:
        reasons.append("is named")
    return reasons


def why_match(ids: list[int], group: language.Group, *, now: dt.datetime) -> dict[int, list[str]]:
    """For those of the followers (by primary key) who match: the rules that are true of them,
    as sentences.

    One query per rule whatever the number of followers; meant for a page of names,
    not for a whole audience.
    """
    page = Follower.objects.filter(pk__in=ids).order_by()
    matching = page.filter(language.to_q(group, now=now)).values_list("pk", flat=True)
    why: dict[int, list[str]] = {pk: [] for pk in matching}
    for part in group.parts:
        said = language.sentence(part)
        for pk in page.filter(language.to_q(part, now=now)).values_list("pk", flat=True):
            if pk in why:
                why[pk].append(said)
    if group.unless is not None:
        for sentences in why.values():
            sentences.append(f"not ({language.sentence(group.unless)})")
    return why


__all__ = [
    "Audience",
    "BadAudience",
    "BadRules",
    "Explanation",
    "count",
    "explain",
    "followers_of",
    "freeze",
]
__all__ += ["in_words", "is_empty", "rules_to_q", "validate", "why_match"]
