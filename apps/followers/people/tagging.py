"""Tags: making them, putting them on followers and taking them off, one or a million.

The only writer of them.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils.text import slugify
from django.utils.translation import gettext

from apps.followers import profile_fields
from apps.followers.models import Follower, Tag, Tagging
from apps.followers.profile_fields import BadFollower
from apps.lib.actor import Actor
from apps.lib.facts import Fact, Kind, tell, tell_together
from apps.lib.refusals import RefusalKind

_TRIES = 3  # to make tags that somebody else may make at the same time
BATCH = 2000  # rows per statement in set-wise work


class TagTaken(BadFollower):
    """A tag of this name exists, perhaps in other case."""

    kind = RefusalKind.STATE

    def __init__(self, tag: Tag) -> None:
        self.tag = tag
        said = gettext("There is a tag {tag!r} already. Use that one.")
        super().__init__(said.format(tag=tag.name), field="name")


def create_tag(*, name: str, by: Actor, now: dt.datetime) -> Tag:
    """Create a tag. Raises TagTaken when one of this name exists in any case,
    BadFollower for an empty or long name.
    """
    try:
        names = profile_fields.tag_names([name])
    except BadFollower as error:
        raise BadFollower(error.sentence, field="name", cause=error.cause) from error
    if not names:
        raise BadFollower(gettext("A tag needs a name."), field="name")
    if taken := tags_by_name(names):
        raise TagTaken(next(iter(taken.values())))
    with transaction.atomic():
        return ensure_tags(names, by=by, now=now)[0]


def delete_tag(*, tag: Tag, by: Actor, now: dt.datetime) -> None:
    """Delete a tag, and take it off everybody."""
    with transaction.atomic():
        count = Tagging.objects.filter(tag=tag).delete()[0]
        tell(Kind.TAG_DELETED, by=by, now=now, about=tag, data={"followers": count})
        tag.delete()


def tag(*, followers: Iterable[Follower], tags: Iterable[str], by: Actor, now: dt.datetime) -> int:
    """Put tags, by name and made when missing,
    on followers (a list or a queryset of any size, set-wise).

    Returns how many were put on; those who have a tag already keep it. One follower: one fact about
    that follower; many: one fact per tag with the number of followers. Raises BadFollower.
    """
    names = profile_fields.tag_names(tags)
    with transaction.atomic():
        rows = ensure_tags(names, by=by, now=now)
        count = dict.fromkeys((row.pk for row in rows), 0)
        for ids in _batches_of_ids(followers, rows):
            known = Tagging.objects.filter(tag__in=rows, follower__in=ids)
            present = set(known.values_list("tag_id", "follower_id"))
            new = []
            for row in rows:
                missing = [pk for pk in ids if (row.pk, pk) not in present]
                new += [Tagging(tag=row, follower_id=pk, created_at=now) for pk in missing]
            # somebody else may tag at the same time
            Tagging.objects.bulk_create(new, ignore_conflicts=True)
            for tagging in new:
                count[tagging.tag_id] += 1
        _tell_of_tags(
            Kind.FOLLOWER_TAGGED, followers, [(row, count[row.pk]) for row in rows], by, now
        )
    return sum(count.values())


def tag_each(*, wanted: Mapping[Follower, Iterable[str]], by: Actor, now: dt.datetime) -> None:
    """Put tags of their own on each of some followers, set-wise: by name and made when missing.

    One fact about each follower who had not all of them. Raises BadFollower.
    """
    names = {follower: profile_fields.tag_names(said) for follower, said in wanted.items()}
    once = {name.casefold(): name for said in reversed(names.values()) for name in said}
    if not once:
        return
    with transaction.atomic():
        rows = dict(zip(once, ensure_tags(once.values(), by=by, now=now), strict=True))
        known = Tagging.objects.filter(follower__in=names)
        present = set(known.values_list("follower_id", "tag_id"))
        new: list[Tagging] = []
        facts = []
        for follower, said in names.items():
            missing = []
            for name in said:
                row = rows[name.casefold()]
                if (follower.pk, row.pk) in present:
                    continue
                missing.append(row.name)
                new.append(Tagging(tag=row, follower=follower, created_at=now))
            if missing:
                about = follower.fact_subject
                data = {"tags": missing}
                fact = Fact(kind=Kind.FOLLOWER_TAGGED, by=by, at=now, about=about, data=data)
                facts.append(fact)
        # somebody else may tag at the same time
        Tagging.objects.bulk_create(new, ignore_conflicts=True)
        tell_together(facts)


def untag(
    *, followers: Iterable[Follower], tags: Iterable[str], by: Actor, now: dt.datetime
) -> int:
    """Take tags, by name, off followers; the reverse of `tag`.

    Unknown names are nobody's tags and change nothing.
    """
    with transaction.atomic():
        rows = list(tags_by_name(profile_fields.tag_names(tags)).values())
        count = dict.fromkeys((row.pk for row in rows), 0)
        for ids in _batches_of_ids(followers, rows):
            for row in rows:
                count[row.pk] += Tagging.objects.filter(tag=row, follower__in=ids).delete()[0]
        _tell_of_tags(
            Kind.FOLLOWER_UNTAGGED, followers, [(row, count[row.pk]) for row in rows], by, now
        )
    return sum(count.values())


def set_tags(*, follower: Follower, names: list[str], by: Actor, now: dt.datetime) -> None:
    """Give a follower these tags and no others."""
    wanted = {name.casefold() for name in names}
    gone = [row.name for row in follower.tags.all() if row.name.casefold() not in wanted]
    untag(followers=[follower], tags=gone, by=by, now=now)
    tag(followers=[follower], tags=names, by=by, now=now)


def tags_by_name(names: Iterable[str]) -> dict[str, Tag]:
    """Find the tags that exist under these names in any case, by casefolded name."""
    # The slug narrows the search on an index.
    wanted = {name.strip().casefold() for name in names}
    alike = _with_slugs_like({_slug(name) for name in wanted})
    found = {tag.name.casefold(): tag for tag in alike}
    return {name: tag for name, tag in found.items() if name in wanted}


def ensure_tags(names: Iterable[str], *, by: Actor, now: dt.datetime) -> list[Tag]:
    """Find the tags of these names (as `profile_fields.tag_names` gives them), or make them,
    set-wise. Inside a transaction.
    """
    names = list(names)
    found = tags_by_name(names)
    for attempt in range(_TRIES):
        missing = [name for name in names if name.casefold() not in found]
        if not missing:
            break
        try:
            with transaction.atomic():
                made = Tag.objects.bulk_create(_new_tags(missing, now))
        except IntegrityError:  # one was made by someone else since we looked
            if attempt == _TRIES - 1:
                raise
            found = tags_by_name(names)
            continue
        found |= {tag.name.casefold(): tag for tag in made}
        tell_together(
            Fact(kind=Kind.TAG_CREATED, by=by, at=now, about=tag.fact_subject) for tag in made
        )
    return [found[name.casefold()] for name in names]


def _new_tags(names: Sequence[str], now: dt.datetime) -> list[Tag]:
    """Make tags, not stored yet; "C++" and "C#" both give "c": the second becomes "c-2"."""
    slugs = [_slug(name) for name in names]
    taken = {tag.slug for tag in _with_slugs_like(set(slugs))}
    last: dict[str, int] = {}
    tags = []
    for name, slug in zip(names, slugs, strict=True):
        number = last.get(slug, 1)
        free = slug
        while free in taken:
            number += 1
            free = f"{slug}-{number}"
        last[slug] = number
        taken.add(free)
        tags.append(Tag(name=name, slug=free, created_at=now))
    return tags


def _with_slugs_like(slugs: Iterable[str]) -> list[Tag]:
    """Find the tags that have one of the slugs, or one of them with a number."""
    found: list[Tag] = []
    ordered = sorted(slugs)
    for start in range(0, len(ordered), 100):  # SQLite takes at most 1,000 terms in one expression
        same_slug = Q(pk__in=[])
        for slug in ordered[start : start + 100]:
            same_slug |= Q(slug=slug) | Q(slug__startswith=f"{slug}-")
        found += Tag.objects.filter(same_slug)
    return found


def _slug(name: str) -> str:
    return slugify(name.casefold(), allow_unicode=True)[:70].strip("-") or "tag"


def _batches_of_ids(followers: Iterable[Follower], tags: list[Tag]) -> Iterator[list[int]]:
    """Give the followers' primary keys, BATCH at a time; none where there are no tags."""
    if not tags:
        return
    if isinstance(followers, QuerySet):
        ids = list(followers.values_list("pk", flat=True))  # 8 bytes each: a million is no burden
    else:
        ids = [follower.pk for follower in followers]
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH]


def _tell_of_tags(
    kind: Kind,
    followers: Iterable[Follower],
    counts: list[tuple[Tag, int]],
    by: Actor,
    now: dt.datetime,
) -> None:
    changed = [(row, count) for row, count in counts if count]
    if changed and isinstance(followers, list) and len(followers) == 1:
        [one] = followers
        names = [row.name for row, _ in changed]
        tell(kind, by=by, now=now, about=one, data={"tags": names})
        return
    for row, count in changed:
        tell(kind, by=by, now=now, about=row, data={"followers": count})
