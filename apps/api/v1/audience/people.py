"""Followers for the people whom a caller names: known ones are found in a few queries,
unknown ones are added.
"""

import datetime as dt
import uuid
from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF, BadAddress, normalise
from apps.followers.consent.record import Proof
from apps.followers.models import Address, Follower
from apps.followers.people import contacts
from apps.followers.people.profile import Profile
from apps.lib.actor import Actor
from apps.lib.refusals import Refused
from apps.lib.sql.compiled_query import Kept
from apps.lib.wallclock import UnknownZone

People = list[tuple[Follower, dict[str, Any]]]
_BY_KEY = Kept(
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


def find_or_add(
    people: list[dict[str, Any]], *, may_write: bool, source: str, by: Actor, now: dt.datetime
) -> People:
    """Each person as (follower, own values), in the order given;
    a follower named twice counts once.

    Known by `id`, else `external_id`, else address. What else is said about a known one is taken
    over, except the consent, if the caller `may_write` followers. If not, nothing about a known one
    changes, and an address that is not theirs is refused: the message would not go where it was
    meant to. Raises ValidationError naming the place in the list.
    """
    known = _Known(people)
    proof = Proof(source=source, by=by, now=now)
    found: dict[int, tuple[Follower, dict[str, Any]]] = {}
    for place, person in enumerate(people):
        try:
            follower = _find_or_add(person, known, proof, may_write=may_write)
        except Refused as error:
            message: Any = [error.discreet]
            # an address or a zone is said of the person as a whole
            if error.field and not isinstance(error, BadAddress | UnknownZone):
                message = {error.field: message}
            raise serializers.ValidationError({"recipients": {str(place): message}}) from error
        found.setdefault(follower.pk, (follower, person.get("data", {})))
    return list(found.values())


def _find_or_add(
    person: dict[str, Any], known: "_Known", proof: Proof, *, may_write: bool
) -> Follower:
    fields = {
        name: value
        for name, value in person.items()
        if name not in ("id", "data", "subscribed") and value
    }
    follower = known.of(person)
    if "id" in person and fields:
        raise Refused("A follower named by id takes only data beside it.")
    if follower is None:
        if set(fields) <= {"external_id"}:
            raise Refused("There is no such follower. Give an email or phone to add one.")
        follower = contacts.add_follower(
            values=Profile(**fields), subscribed=person["subscribed"], proof=proof
        )
        known.learn(follower)
    elif not may_write:
        _refuse_another_address(person, follower)
    elif len(fields) > 1:  # more than the one thing that found them
        follower, _ = contacts.upsert_follower(values=Profile(**fields), proof=proof)
    return follower


def _refuse_another_address(person: dict[str, Any], follower: Follower) -> None:
    """Refuse what would lead this follower's messages elsewhere, now or later."""
    for field, channel in CHANNEL_OF.items():
        key = _key(person, field)
        if key and not follower.addresses.filter(channel=channel, key=key).exists():
            raise Refused(_NOT_THEIRS.format(thing=field), field=field)
    outside = profile_fields.external_id(person.get("external_id"))
    if outside and outside != follower.external_id:
        raise Refused(_NOT_THEIRS.format(thing="external id"), field="external_id")


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
                one = _BY_KEY.first(channel=channel.value, key=keys[0])
                found: Iterable[Address] = []
                if one:
                    found = [one]
            else:
                found = Address.objects.filter(channel=channel, key__in=keys).select_related(
                    "follower"
                )
            self.by_key |= {(channel, address.key): address.follower for address in found}

    def of(self, person: dict[str, Any]) -> Follower | None:
        if "id" in person:
            if person["id"] not in self.by_uid:
                raise Refused("There is no follower with this id.")
            return self.by_uid[person["id"]]
        if person.get("external_id") in self.by_external_id:
            return self.by_external_id[person["external_id"]]
        for field, channel in CHANNEL_OF.items():
            if (key := _key(person, field)) and (channel, key) in self.by_key:
                return self.by_key[channel, key]
        return None

    def learn(self, follower: Follower) -> None:
        """Remember the follower, so that the same new person twice in one list is one follower."""
        if follower.external_id:
            self.by_external_id[follower.external_id] = follower
        for address in follower.addresses.all():
            self.by_key[address.channel, address.key] = follower


def _key(person: dict[str, Any], field: str) -> str:
    if person.get(field, "").strip():
        return normalise(CHANNEL_OF[field], person[field])[1]
    return ""
