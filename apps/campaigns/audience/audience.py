"""Whom a campaign is for: an audience read once, then asked, counted, frozen and put in words.

An audience is everyone, or whoever has one of the tags, matches one of the segments or is named;
less those with an excluded tag, in an excluded segment or excluded by name. It is stored as JSON:

    {"everyone": bool, "tags": [slug], "segments": [uid], "followers": [uid],
     "exclude_tags": [slug], "exclude_segments": [uid], "exclude_followers": [uid]}

A run stores it frozen, with "rules": {uid: the segment's rules as they were at the start}.
"""

import datetime as dt
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from apps.campaigns.audience import language, questions, sql
from apps.campaigns.audience.explain import Explanation, why_match
from apps.campaigns.models import Segment
from apps.followers.models import Follower, Tag
from apps.lib.refusals import NOT_FOUND, UNFIT, Refused
from apps.lib.written import grouped

INCLUDES = ("tags", "segments", "followers")
EXCLUDES = ("exclude_tags", "exclude_segments", "exclude_followers")
MAX_NAMES = 5000


class BadAudience(Refused):
    """The audience can't be meant like this; the text says what to change."""

    field = "audience"


@dataclass(frozen=True, slots=True)
class Named:
    """What one side of an audience names: tags by slug, segments and followers by uid."""

    tags: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    followers: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tags or self.segments or self.followers)


@dataclass(frozen=True, slots=True)
class SegmentRules:
    """A segment as the audience found it: `rules` as JSON, `group` what they mean.

    `name` is empty in a frozen audience.
    """

    name: str
    rules: Any
    group: language.Group


@dataclass(frozen=True, slots=True)
class _Asked:
    """When, and whether an index may find whom (`alone` of sql.to_q)."""

    now: dt.datetime
    alone: bool


@dataclass(frozen=True, slots=True)
class Audience:
    """A parsed audience. `segments` has the segments of both sides by uid."""

    everyone: bool = False
    chosen: Named = Named()
    excluded: Named = Named()
    segments: Mapping[str, SegmentRules] = field(default_factory=dict)

    # -------------------------------------------------------------- reading
    @classmethod
    def parse(cls, data: Any) -> Self:
        """Read what somebody chose. Nobody chosen is fine here: a draft may not know yet.

        Raises BadAudience for wrong shapes and for tags, segments and followers that don't exist.
        """
        if not isinstance(data, dict):
            raise BadAudience(
                _(
                    "The audience must be an object with everyone, tags, segments, followers "
                    "and excludes."
                )
            )
        if unknown := set(data) - {"everyone", *INCLUDES, *EXCLUDES}:
            names = ", ".join(sorted(map(str, unknown)))
            said = _("The audience has unknown parts: {names}.")
            raise BadAudience(said.format(names=names))
        if not isinstance(data.get("everyone", False), bool):
            raise BadAudience(_("“everyone” in the audience must be true or false."))
        clean = {part: _names(data, part) for part in (*INCLUDES, *EXCLUDES)}
        for part in ("tags", "exclude_tags"):
            _check_tags(clean[part])
        for part in ("segments", "exclude_segments"):
            clean[part] = _known_uids(Segment.objects.all(), clean[part])
        for part in ("followers", "exclude_followers"):
            clean[part] = _known_uids(Follower.objects.all(), clean[part])
        return cls.stored({"everyone": data.get("everyone", False), **clean})

    @classmethod
    def stored(cls, data: Mapping[str, Any]) -> Self:
        """Read what `as_data` or `frozen` has stored; names that are gone since find nobody."""
        chosen = _named(data, INCLUDES)
        excluded = _named(data, EXCLUDES)
        uids = [*chosen.segments, *excluded.segments]
        if "rules" in data:
            segments = {uid: _segment("", data["rules"][uid]) for uid in uids}
        else:
            rows = Segment.objects.filter(uid__in=uids)
            segments = {str(row.uid): _segment(row.name, row.rules) for row in rows}
        return cls(bool(data.get("everyone")), chosen, excluded, segments)

    # -------------------------------------------------------------- writing
    def as_data(self) -> dict[str, Any]:
        """Write it as JSON, in its full form."""
        sides = ((INCLUDES, self.chosen), (EXCLUDES, self.excluded))
        data: dict[str, Any] = {"everyone": self.everyone}
        for (tags, segments, followers), named in sides:
            data[tags] = list(named.tags)
            data[segments] = list(named.segments)
            data[followers] = list(named.followers)
        return data

    def frozen(self) -> dict[str, Any]:
        """Write it with its segments' rules, so that a later edit of one doesn't reach a run."""
        return self.as_data() | {"rules": {uid: each.rules for uid, each in self.segments.items()}}

    # -------------------------------------------------------------- asking
    @property
    def is_empty(self) -> bool:
        """Whether nobody has been chosen yet."""
        return not self.everyone and not self.chosen

    def followers(
        self, *, now: dt.datetime | None = None, sliced: bool = False
    ) -> QuerySet[Follower]:
        """Find each follower in it once, by construction: no joins. Nobody for an empty one.

        `sliced`: they are read a slice of ids at a time.
        """
        now = now or timezone.now()
        if self.is_empty:
            return Follower.objects.none()
        asked = _Asked(now, alone=not sliced)
        chosen = Q()
        if not self.everyone:
            chosen = self._any_of(self.chosen, asked)
        return Follower.objects.filter(chosen, self._none_of(self.excluded, asked))

    def count(self, *, now: dt.datetime | None = None) -> int:
        return self.followers(now=now).order_by().count()

    def _any_of(self, named: Named, asked: "_Asked") -> Q:
        condition = Q(pk__in=[])  # nobody; each part adds some
        segments = self._segments_of(named)
        alone = asked.alone and len(segments) == 1 and not named.tags and not named.followers
        if named.tags:
            condition |= questions.tagged(named.tags)
        for segment in segments:
            condition |= sql.to_q(segment.group, now=asked.now, alone=alone)
        if named.followers:
            condition |= Q(uid__in=named.followers)
        return condition

    def _none_of(self, named: Named, asked: "_Asked") -> Q:
        """Deny each part by itself, so that PostgreSQL makes a join of it (see sql.py)."""
        condition = Q()
        if named.tags:
            condition &= ~questions.tagged(named.tags)
        for segment in self._segments_of(named):
            condition &= sql.to_q(segment.group, now=asked.now, denied=True, alone=asked.alone)
        if named.followers:
            condition &= ~Q(uid__in=named.followers)
        return condition

    def _segments_of(self, named: Named) -> list[SegmentRules]:
        return [self.segments[uid] for uid in named.segments if uid in self.segments]

    # -------------------------------------------------------------- telling
    def words(self) -> tuple[list[str], list[str]]:
        """Say who is chosen and who is excluded, one phrase each: `the tag “VIP”`."""
        excluded = self._phrases(self.excluded)
        if self.everyone:
            return [_("everyone")], excluded
        return self._phrases(self.chosen), excluded

    def _phrases(self, named: Named) -> list[str]:
        tags = Tag.objects.filter(slug__in=named.tags).values_list("name", flat=True)
        phrases = [_("the tag “{name}”").format(name=name) for name in tags]
        segments = [each for uid, each in self.segments.items() if uid in named.segments]
        phrases += [_("the segment “{name}”").format(name=each.name) for each in segments]
        if count := len(named.followers):
            said = ngettext("{number} single person", "{number} single people", count)
            phrases.append(said.format(number=grouped(count)))
        return phrases

    def explain(self, follower: Follower, *, now: dt.datetime | None = None) -> Explanation:
        """Say why this follower is (not) in it.

        An exclude beats everything else, and is then the only reason.
        """
        now = now or timezone.now()
        if out := self._reasons(follower, self.excluded, now):
            excluded = _("excluded: {reason}")
            return Explanation(False, tuple(excluded.format(reason=reason) for reason in out))
        if self.everyone:
            return Explanation(True, (_("everyone is chosen"),))
        if found := self._reasons(follower, self.chosen, now):
            return Explanation(True, tuple(found))
        nothing = _("has none of the tags, is in no segment and is not named")
        return Explanation(False, (nothing,))

    def _reasons(self, follower: Follower, named: Named, now: dt.datetime) -> list[str]:
        tags = follower.tags.filter(slug__in=named.tags).values_list("name", flat=True)
        reasons = [_("has the tag “{name}”").format(name=name) for name in tags]
        for segment in self._segments_of(named):
            if why := why_match([follower.pk], segment.group, now=now).get(follower.pk):
                said = _("is in the segment “{name}”: {reasons}")
                reasons.append(said.format(name=segment.name, reasons="; ".join(why)))
        if str(follower.uid) in named.followers:
            reasons.append(_("is named"))
        return reasons


NOBODY = Audience()


def _named(data: Mapping[str, Any], parts: tuple[str, str, str]) -> Named:
    tags, segments, followers = (tuple(data.get(part, ())) for part in parts)
    return Named(tags=tags, segments=segments, followers=followers)


def _segment(name: str, rules: Any) -> SegmentRules:
    try:
        group = language.parse(rules)
    except language.BadRules as error:
        said = _("In the segment “{segment}”: {problem}")
        said = said.format(segment=name, problem=error)
        raise BadAudience(said, cause=UNFIT) from error
    return SegmentRules(name=name, rules=rules, group=group)


# ------------------------------------------------------------------ checking
def _names(data: Mapping[str, Any], part: str) -> list[str]:
    names = data.get(part, [])
    are_names = isinstance(names, list) and all(isinstance(name, str | uuid.UUID) for name in names)
    if not are_names:
        said = _("“{part}” in the audience must be a list of names.")
        raise BadAudience(said.format(part=part))
    if len(names) > MAX_NAMES:
        said = _("“{part}” names more than {most}. Give them a tag and choose the tag.")
        raise BadAudience(said.format(part=part, most=MAX_NAMES))
    return list(dict.fromkeys(str(name) for name in names))


def _check_tags(slugs: Iterable[str]) -> None:
    known = set(Tag.objects.filter(slug__in=slugs).values_list("slug", flat=True))
    if missing := [slug for slug in slugs if slug not in known]:
        said = _("There is no tag “{tag}”. Choose another one or create it first.")
        raise BadAudience(said.format(tag=missing[0]), cause=NOT_FOUND)


def _known_uids(rows: QuerySet[Any], uids: list[str]) -> list[str]:
    """Return the uids as they are stored; a UUID may be written in several ways."""
    try:
        wanted = {uuid.UUID(uid): uid for uid in uids}
    except ValueError as error:
        said = _("A follower is named by its id (a UUID).")
        if rows.model is Segment:
            said = _("A segment is named by its id (a UUID).")
        raise BadAudience(said) from error
    known = set(rows.filter(uid__in=wanted).values_list("uid", flat=True))
    if missing := [uid for value, uid in wanted.items() if value not in known]:
        said = _("There is no follower {id} (any more). Choose another one.")
        if rows.model is Segment:
            said = _("There is no segment {id} (any more). Choose another one.")
        raise BadAudience(said.format(id=missing[0]), cause=NOT_FOUND)
    return [str(uid) for uid in wanted]
