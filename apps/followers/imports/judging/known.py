"""Read what the database holds about the people of a slice."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from apps.followers.addresses import CHANNEL_OF
from apps.followers.consent import tombstones
from apps.followers.consent.suppression import states_of
from apps.followers.imports.columns import KEYS
from apps.followers.imports.judging.decisions import KnownFollower, Memory
from apps.followers.imports.person import ImportedPerson
from apps.followers.models import (
    Address,
    AddressState,
    Follower,
    Import,
    ImportedFollower,
    Tagging,
)
from apps.lib.sql.raw import fetch, parsed

_ASKED = 10_000  # names that one query asks for
# the columns of a person that a row may change
VALUES = ("name", "first_name", "last_name", "external_id", "language", "time_zone")
_FIELD_OF: Mapping[str, str] = {channel: name for name, channel in CHANNEL_OF.items()}


@dataclass(frozen=True, slots=True)
class Known:
    """What the database holds about the people of a slice.

    `states` are those of suppressed addresses, where a row may need them.
    """

    owners: dict[tuple[str, str], KnownFollower]
    tags: dict[int, set[str]]
    states: dict[tuple[str, str], AddressState]
    erased: set[tuple[str, str]] = field(default_factory=set)  # keys, by their name


def look_up(
    people: Sequence[ImportedPerson],
    memory: Memory,
    *,
    job: Import | None = None,
    lock: bool = False,
    listed: bool = False,
) -> Known:
    """Read what the database holds about these people.

    With `job`, the memory of its earlier slices is read; with `lock`, the followers are locked;
    `listed` asks of each address whether it is suppressed.
    """
    keys = keys_of(people)
    holders = holders_of(keys)
    dated = any(person.subscribed_at for person in people)
    followers = _followers(set(holders.values()), lock=lock, dated=dated)
    if job:
        imported = ImportedFollower.objects.filter(job=job, follower__pk__among=followers)
        memory.lines_by_follower |= dict(fetch(imported.values_list("follower_id", "line")))
    tags: dict[int, set[str]] = {}
    if any(person.tags for person in people):
        taggings = Tagging.objects.filter(follower__pk__among=followers)
        for pk, name in fetch(taggings.values_list("follower_id", "tag__name")):
            tags.setdefault(pk, set()).add(name.casefold())
    owners = {}
    for place, pk in holders.items():
        # whoever was deleted between two of these queries is not there any more
        if pk in followers and place not in memory.freed:
            owners[place] = followers[pk]
    _add_primary(people, owners)
    return Known(owners, tags, _states(people, owners, listed), erased_among(_named(keys)))


def keys_of(people: Iterable[ImportedPerson]) -> dict[str, list[str]]:
    """List by what these people are named, by the name of the key."""
    keys: dict[str, list[str]] = {name: [] for name in KEYS}
    for person in people:
        for name, key in person.keys.items():
            keys[name].append(key)
        for place in person.more:
            keys[place.field].append(place.key)
    return keys


def holders_of(keys: Mapping[str, Sequence[str]]) -> dict[tuple[str, str], int]:
    """Find who has each key: {(name of the key, key): primary key of the follower}."""
    holders: dict[tuple[str, str], int] = {}
    for name, channel in CHANNEL_OF.items():
        if keys[name]:
            rows = Address.objects.filter(channel=channel, key__among=keys[name])
            for key, pk in fetch(rows.values_list("key", "follower_id")):
                holders[name, key] = pk
    if keys["external_id"]:
        known = Follower.objects.filter(external_id__among=keys["external_id"])
        for external_id, pk in fetch(known.values_list("external_id", "pk")):
            holders["external_id", external_id] = pk
    return holders


def erased_among(named: Iterable[tuple[str, str]]) -> set[tuple[str, str]]:
    """Find the keys of people who were erased: {(name of the key, key)}."""
    kinds = [(CHANNEL_OF.get(name, name), key) for name, key in named]
    found: set[tuple[str, str]] = set()
    for start in range(0, len(kinds), _ASKED):
        marked = tombstones.among(kinds[start : start + _ASKED])
        found |= {(_FIELD_OF.get(kind, kind), key) for kind, key in marked}
    return found


def _named(keys: Mapping[str, Sequence[str]]) -> Iterable[tuple[str, str]]:
    return ((name, key) for name in KEYS for key in keys[name])


def _followers(pks: Collection[int], *, lock: bool, dated: bool) -> dict[int, KnownFollower]:
    if not pks:
        return {}
    rows = Follower.objects.filter(pk__among=pks).order_by("pk")
    if lock:
        # Locked in one order, so that two imports can't wait for each other; no_key, so that
        # planning can't wait for either.
        rows = rows.select_for_update(no_key=True)
    followers = {}
    columns = ("pk", "subscribed", "metadata", *VALUES)
    for pk, subscribed, metadata, *values in fetch(rows.values_list(*columns)):
        said = dict(zip(VALUES, values, strict=True))
        followers[pk] = KnownFollower(pk, said, bool(subscribed), None, parsed(metadata))
    if dated:
        since = Follower.objects.filter(pk__among=pks).values_list("pk", "subscribed_at")
        for pk, subscribed_at in since:
            if pk in followers:
                followers[pk].subscribed_at = subscribed_at
    return followers


def _add_primary(
    people: Iterable[ImportedPerson], owners: Mapping[tuple[str, str], KnownFollower]
) -> None:
    """Read the primary addresses, and the ids, of those who have no name or get another address."""
    asked: dict[int, KnownFollower] = {}
    for person in people:
        found = [owners.get(named) for named in person.keys.items()]
        for follower in found:
            if follower and not (follower.values["name"] and all(found)):
                asked[follower.pk] = follower
    if not asked:
        return
    rows = Address.objects.filter(follower__pk__among=asked, primary=True)
    columns = ("follower_id", "channel", "value", "key")
    for pk, channel, value, key in fetch(rows.values_list(*columns)):
        if channel in _FIELD_OF:
            asked[pk].primary[_FIELD_OF[channel]] = (value, key)
    for pk, uid in Follower.objects.filter(pk__among=asked).values_list("pk", "uid"):
        asked[pk].uid = uid


def _states(
    people: Iterable[ImportedPerson],
    owners: Mapping[tuple[str, str], KnownFollower],
    listed: bool,
) -> dict[tuple[str, str], AddressState]:
    """Read which addresses are suppressed: those of new people, and those that a row stops."""
    asked: dict[str, list[str]] = {name: [] for name in CHANNEL_OF}
    for person in people:
        stops = listed or bool(person.standings and person.suppressions)
        for place in person.all_places:
            if stops or (place.field, place.key) not in owners:
                asked[place.field].append(place.key)
    states: dict[tuple[str, str], AddressState] = {}
    for name, channel in CHANNEL_OF.items():
        for key, state in states_of(channel, asked[name]).items():
            states[name, key] = state
    return states
