"""Followers for the people whom a caller names: known ones are found in a few queries,
unknown ones are added.
"""

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db.models import prefetch_related_objects
from rest_framework import serializers

from apps.api.errors import code_of
from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF, BadAddress, normalise
from apps.followers.consent.record import Proof
from apps.followers.fields.fitting import KnownFields
from apps.followers.models import Address, Follower
from apps.followers.people import contacts, in_bulk
from apps.followers.people.contacts import Newcomer
from apps.followers.people.profile import Profile
from apps.lib.refusals import NOT_FOUND, UNFIT, RefusalKind, Refused
from apps.lib.sql.compiled_query import Kept

People = list[tuple[Follower, dict[str, Any]]]
BY_KEY = Kept(
    lambda channel, key: Address.objects.filter(channel=channel, key=key).select_related(
        "follower"
    ),
    "channel",
    "key",
)

_NOT_THEIRS = (
    "This {thing} is not the one we know of this follower. Leave it out, or use a key with the "
    "scope followers:write, which may change it."
)


def find_or_add(person: dict[str, Any], *, place: str, may_write: bool, proof: Proof) -> Follower:
    """Do both halves of `NamedPeople` at once, for the one who stands in this place."""
    people = NamedPeople([person], places=place, may_write=may_write, proof=proof)
    [(follower, _)] = people.write()
    return follower


class NamedPeople:
    """The people whom a caller names. They are read and checked when it is made, so that the
    transaction in which `write` adds and changes them is short.

    Known by `id`, else `external_id`, else address. What else is said about a known one is taken
    over, except the consent, if the caller `may_write` followers. If not, nothing about a known one
    changes, and an address that is not theirs is refused: the message would not go where it was
    meant to. Both raise ValidationError naming the place, `places` with the number in the list; so
    do AddressTaken and ExternalIdTaken.
    """

    def __init__(
        self,
        people: list[dict[str, Any]],
        *,
        places: str = "recipients.{}",
        may_write: bool,
        proof: Proof,
    ) -> None:
        self._people = people
        self._places = places
        self._may_write = may_write
        self._proof = proof
        self._fields = KnownFields()
        self._look()

    def write(self) -> People:
        """Give each person as (follower, own values), in the order given; a follower named twice
        counts once. In the caller's transaction.
        """
        try:
            self._add()
        except in_bulk.AddedMeanwhile:
            self._look()
            self._add()
        self._change()
        found: dict[int, tuple[Follower, dict[str, Any]]] = {}
        for follower, person in zip(self._meant, self._people, strict=True):
            found.setdefault(follower.pk, (follower, person.get("data", {})))
        return list(found.values())

    def _look(self) -> None:
        self._known = _Known(self._people)
        self._new: dict[uuid.UUID, Newcomer] = {}
        self._meant: list[Follower] = []
        self._changes: list[tuple[int, Follower, Profile]] = []
        for place, person in enumerate(self._people):
            with self._naming(place):
                self._meant.append(self._find(place, person))

    def _find(self, place: int, person: dict[str, Any]) -> Follower:
        fields = {
            name: value
            for name, value in person.items()
            if name not in ("id", "data", "subscribed") and value
        }
        follower = self._known.of(person)
        if "id" in person and fields:
            raise Refused("A follower named by id takes only data beside it.", cause=UNFIT)
        if follower is None:
            return self._newcomer(person, fields)
        if not self._may_write:
            self._refuse_another_address(person, follower)
        elif len(fields) > 1:  # more than the one thing that found them
            values = Profile(**fields)
            if follower.pk is None or in_bulk.says_something_new(follower, values, self._fields):
                self._changes.append((place, follower, values))
        return follower

    def _newcomer(self, person: dict[str, Any], fields: dict[str, Any]) -> Follower:
        if set(fields) <= {"external_id"}:
            raise Refused(
                "There is no such follower. Give an email or phone to add one.",
                cause=NOT_FOUND,
            )
        new = contacts.newcomer(
            values=Profile(**fields),
            subscribed=person["subscribed"],
            now=self._proof.now,
            fields=self._fields,
        )
        self._new[new.row.uid] = new
        self._known.learn(new)
        return new.row

    def _refuse_another_address(self, person: dict[str, Any], follower: Follower) -> None:
        """Refuse what would lead this follower's messages elsewhere, now or later."""
        for field, channel in CHANNEL_OF.items():
            key = _key(person, field)
            if key and (channel, key) not in self._keys_of(follower):
                raise Refused(_NOT_THEIRS.format(thing=field), field=field, cause=UNFIT)
        outside = profile_fields.external_id(person.get("external_id"))
        if outside and outside != follower.external_id:
            said = _NOT_THEIRS.format(thing="external id")
            raise Refused(said, field="external_id", cause=UNFIT)

    def _keys_of(self, follower: Follower) -> set[tuple[str, str]]:
        if new := self._new.get(follower.uid):
            return {(CHANNEL_OF[field], key) for field, (_, key) in new.places.items()}
        return {(row.channel, row.key) for row in follower.addresses.all()}

    def _add(self) -> None:
        newcomers = list(self._new.values())
        if newcomers:
            in_bulk.add_followers(newcomers=newcomers, proof=self._proof)

    def _change(self) -> None:
        """Addresses one after the other, because they may be somebody else's; the rest at once."""
        rest = []
        for place, follower, values in self._changes:
            if follower.uid in self._new or in_bulk.says_an_address(follower, values):
                with self._naming(place):
                    contacts.upsert_follower(values=values, proof=self._proof)
            else:
                rest.append((follower, values))
        if rest:
            in_bulk.change_followers(said=rest, by=self._proof.by, now=self._proof.now)

    @contextmanager
    def _naming(self, number: int) -> Iterator[None]:
        """Let a refusal name the place of the person with this number."""
        place = self._places.format(number)
        try:
            yield
        except Refused as error:
            field = f"{place}.{error.field}".rstrip(".")
            if isinstance(error, BadAddress):  # is said of the person as a whole
                field = place
            if error.kind is not RefusalKind.VALUE:
                error.field = field
                raise
            raise serializers.ValidationError(
                {field: [error.discreet]}, code=code_of(error)
            ) from error


class _Known:
    """The followers that a list of people can mean, read in three queries."""

    def __init__(self, people: list[dict[str, Any]]) -> None:
        rows = Follower.objects.all()
        uids = [person["id"] for person in people if "id" in person]
        if uids:
            self.by_uid: dict[uuid.UUID, Follower] = {
                row.uid: row for row in rows.filter(uid__in=uids)
            }
        else:
            self.by_uid = {}
        outside = [person["external_id"] for person in people if person.get("external_id")]
        known: Iterable[Follower] = ()
        if outside:
            known = rows.filter(external_id__in=outside)
        self.by_external_id = {row.external_id: row for row in known}
        self.by_key: dict[tuple[str, str], Follower] = {}
        for field, channel in CHANNEL_OF.items():
            keys = [key for person in people if (key := _key(person, field))]
            if not keys:  # the ORM takes 0.3 ms to find out that nothing is in an empty list
                continue
            if len(keys) == 1:
                one = BY_KEY.first(channel=channel.value, key=keys[0])
                found: Iterable[Address] = []
                if one:
                    found = [one]
            else:
                found = Address.objects.filter(channel=channel, key__in=keys).select_related(
                    "follower"
                )
            self.by_key |= {(channel, address.key): address.follower for address in found}
        if len(people) > 1:
            everyone = [*self.by_uid.values(), *self.by_external_id.values(), *self.by_key.values()]
            prefetch_related_objects(everyone, "addresses", "tags")

    def of(self, person: dict[str, Any]) -> Follower | None:
        if "id" in person:
            if person["id"] not in self.by_uid:
                raise Refused("There is no follower with this id.", cause=NOT_FOUND)
            return self.by_uid[person["id"]]
        if person.get("external_id") in self.by_external_id:
            return self.by_external_id[person["external_id"]]
        for field, channel in CHANNEL_OF.items():
            if (key := _key(person, field)) and (channel, key) in self.by_key:
                return self.by_key[channel, key]
        return None

    def learn(self, new: Newcomer) -> None:
        """Remember the newcomer, so that the same new person twice in one list is one follower."""
        if new.row.external_id:
            self.by_external_id[new.row.external_id] = new.row
        for field, (_, key) in new.places.items():
            self.by_key[CHANNEL_OF[field], key] = new.row


def questions(people: list[dict[str, Any]]) -> list[tuple[Kept[Any], dict[str, str]]]:
    """What `NamedPeople` asks first about a single person."""
    if len(people) != 1 or "id" in people[0]:
        return []
    return [
        (BY_KEY, {"channel": channel.value, "key": key})
        for field, channel in CHANNEL_OF.items()
        if (key := _key(people[0], field))
    ]


def _key(person: dict[str, Any], field: str) -> str:
    if person.get(field, "").strip():
        return normalise(CHANNEL_OF[field], person[field])[1]
    return ""
