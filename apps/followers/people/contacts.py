"""Adding and changing followers: the only writer of their fields.

Nothing here brings back somebody who unsubscribed, or an address that is suppressed: that takes the
person's own word (consent/). Importing many at once has its own set-wise road with the same rules
(imports/).
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.followers import profile_fields
from apps.followers.addresses import CHANNEL_OF
from apps.followers.consent import acts, tombstones
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import states_once_stored
from apps.followers.fields.fitting import KnownFields
from apps.followers.models import Address, AddressState, Channel, Follower
from apps.followers.people.profile import Place, Profile
from apps.followers.people.tagging import set_tags, tag
from apps.followers.profile_fields import BadFollower
from apps.lib.actor import Actor
from apps.lib.facts import Fact, Kind, tell, tell_together
from apps.lib.partial import UNSET, merged
from apps.lib.refusals import RefusalKind

_THIS = {
    "email": _("This email"),
    "phone": _("This phone"),
    "url": _("This url"),
}


def _this(field: str) -> str:
    """Name the address that somebody gave, as a sentence begins."""
    return str(_THIS.get(field) or f"This {field}")


class AddressTaken(BadFollower):
    """Another follower has this address; an address belongs to one person."""

    kind = RefusalKind.STATE

    def __init__(self, field: str, follower: Follower) -> None:
        self.follower = follower
        self._address = _this(field)
        said = gettext(
            "{address} belongs to another follower already: {follower}. Change that one instead."
        )
        super().__init__(said.format(address=self._address, follower=follower.label), field=field)

    @property
    def discreet(self) -> str:
        said = gettext("{address} belongs to another follower already. Change that one instead.")
        return said.format(address=self._address)


class ExternalIdTaken(BadFollower):
    """Another follower has this external id."""

    kind = RefusalKind.STATE

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        said = gettext("This external id belongs to another follower already: {follower}.")
        super().__init__(said.format(follower=follower.label), field="external_id")

    @property
    def discreet(self) -> str:
        return gettext("This external id belongs to another follower already.")


@dataclass(frozen=True, slots=True)
class Newcomer:
    """Somebody to be added, checked: the row, not stored yet, the addresses by field ("email",
    "phone"), and the names of the tags.
    """

    row: Follower
    places: dict[str, Place]
    tags: list[str]

    @property
    def act(self) -> str:
        """What the consent record says."""
        if self.row.subscribed:
            return "subscribed"
        return "unsubscribed"

    def facts(self, proof: Proof) -> Iterator[Fact]:
        """Give what is to be told once the row is stored."""
        kinds = [Kind.FOLLOWER_ADDED]
        if self.row.subscribed:
            kinds.append(Kind.FOLLOWER_SUBSCRIBED)
        data = {"source": proof.source}
        for kind in kinds:
            about = self.row.fact_subject
            yield Fact(kind=kind, by=proof.by, at=proof.now, about=about, data=data)


def newcomer(
    *, values: Profile, subscribed: bool, now: dt.datetime, fields: KnownFields | None = None
) -> Newcomer:
    """Check what is said of somebody who is to be added. Raises as `add_follower`.

    Who adds many gives the site's `fields`, so that they are read once.
    """
    columns = {"language": settings.LANGUAGE_CODE} | values.columns()
    if not columns.get("name"):
        first = columns.get("first_name", "")
        columns["name"] = profile_fields.whole_name(first, columns.get("last_name", ""))
    columns["metadata"] = merged({}, values.metadata_over({}, fields))
    places = {field: place for field, place in values.places().items() if place}
    if not (places or columns.get("name") or columns.get("external_id")):
        said = gettext("Nobody to add: give an email, a phone, a name or an external id.")
        raise BadFollower(said, field="email")
    if subscribed:
        columns["subscribed_at"] = now
    else:
        columns["unsubscribed_at"] = now
    row = Follower(**columns, subscribed=subscribed, created_at=now, updated_at=now)
    return Newcomer(row, places, values.tag_names() or [])


def add_follower(*, values: Profile, subscribed: bool = True, proof: Proof) -> Follower:
    """Add a follower with addresses, tags and consent record.

    No address at all is fine: in-app reaches anyone. Tags are made when missing, metadata that is
    None is left out. A suppressed address keeps its state. `proof` says where the consent came
    from. Raises BadAddress, AddressTaken, ExternalIdTaken, UnknownZone, BadFollower, Erased.
    """
    new = newcomer(values=values, subscribed=subscribed, now=proof.now)
    follower = new.row
    with transaction.atomic():
        tombstones.refuse(named_by(new.places, follower.external_id))
        _store(new, AddressState.ACTIVE, proof.now)
        proof.record(follower, new.act, {"all": True})
        for fact in new.facts(proof):
            tell_together([fact])
        if new.tags:
            tag(followers=[follower], tags=new.tags, by=proof.by, now=proof.now)
    return follower


def add_unconfirmed(*, values: Profile, proof: Proof) -> Follower:
    """Add somebody who may have typed another person's address: it is unconfirmed, and nothing but
    the mail that asks for the confirmation goes there.

    Neither subscribed nor unsubscribed: nobody said either yet. Raises as `add_follower`.
    """
    new = newcomer(values=values, subscribed=False, now=proof.now)
    follower = new.row
    follower.unsubscribed_at = None
    with transaction.atomic():
        _store(new, AddressState.UNCONFIRMED, proof.now)
        proof.tell(Kind.FOLLOWER_ADDED, follower, {})
    return follower


def _store(new: Newcomer, state: AddressState, now: dt.datetime) -> None:
    """Write the row and the addresses, in this state unless they are suppressed.

    Raises AddressTaken, ExternalIdTaken.
    """
    with _clear_conflicts(new.places, new.row.external_id):
        new.row.save(force_insert=True)
        for field, place in new.places.items():
            _create_address(new.row, CHANNEL_OF[field], place, now, state)


def change_follower(
    *, follower: Follower, values: Profile, by: Actor, now: dt.datetime
) -> Follower:
    """Change what is said of the follower, and give the fresh row. Consent is not among it.

    A new email or phone takes the place of the primary one and starts fresh: active, unless it is
    suppressed. Publishes follower.changed with before and after of what really changed; nothing
    changed, no fact. Raises BadAddress, AddressTaken, ExternalIdTaken, UnknownZone, BadFollower,
    Erased.
    """
    columns = values.columns()
    places = values.places()
    names = values.tag_names()
    taken = {field: place for field, place in places.items() if place}
    with transaction.atomic():
        follower = Follower.objects.select_for_update().get(pk=follower.pk)
        tombstones.refuse_leaving(follower)
        if values.says_metadata:
            columns["metadata"] = values.metadata_over(follower.metadata)
        with _clear_conflicts(taken, columns.get("external_id"), but=follower):
            before, after = set_columns(follower, columns)
            tombstones.refuse(named_by(taken, after.get("external_id")))
            touched = {*columns, *after, "updated_at"}
            for field, place in places.items():
                old = _replace_address(follower, CHANNEL_OF[field], place, now)
                new = ""
                if place:
                    new = place[0]
                if old != new:
                    before[field] = old
                    after[field] = new
            if after:
                follower.updated_at = now
                follower.save(update_fields=touched)
        if after:
            data = {"before": before, "after": after}
            tell(Kind.FOLLOWER_CHANGED, by=by, now=now, about=follower, data=data)
        if names is not None:
            set_tags(follower=follower, names=names, by=by, now=now)
    return follower


def named_by(places: Mapping[str, Place], external_id: str | None) -> list[tombstones.Named]:
    """List what somebody is known by, as tombstones have it."""
    named: list[tombstones.Named] = [(CHANNEL_OF[field], key) for field, (_, key) in places.items()]
    if external_id:
        named.append((tombstones.EXTERNAL_ID, external_id))
    return named


def set_columns(
    follower: Follower, columns: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Set the columns on the row that is locked, without storing it; gives before and after of
    what really changes.
    """
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for name, value in _with_whole_name(follower, columns).items():
        if getattr(follower, name) != value:
            before[name] = getattr(follower, name)
            after[name] = value
            setattr(follower, name, value)
    return before, after


def _with_whole_name(follower: Follower, columns: Mapping[str, Any]) -> Mapping[str, Any]:
    """Let the whole name follow its parts, unless somebody wrote it otherwise."""
    if "name" in columns or not {"first_name", "last_name"} & set(columns):
        return columns
    made = profile_fields.whole_name(follower.first_name, follower.last_name)
    if follower.name not in ("", made):
        return columns
    first = columns.get("first_name", follower.first_name)
    last = columns.get("last_name", follower.last_name)
    return {**columns, "name": profile_fields.whole_name(first, last)}


def upsert_follower(
    *, values: Profile, subscribed: bool = True, proof: Proof
) -> tuple[Follower, bool]:
    """Change the one known by external id, else email, else phone, or add a new one.

    Returns `(follower, created)`. Empty values change nothing, tags are added to the present ones,
    metadata is merged by key. `subscribed=False` unsubscribes the known follower; `subscribed=True`
    (the default) never subscribes one again. Raises as `add_follower`; AddressTaken also when the
    address belongs to somebody with another external id.
    """
    said = values.without_empty()
    known_id = None
    if said.external_id is not UNSET:
        known_id = profile_fields.external_id(said.external_id)
        said = replace(said, external_id=known_id or UNSET)
    with transaction.atomic():
        follower = _known(said)
        if follower is None:
            try:
                with transaction.atomic():
                    return add_follower(values=said, subscribed=subscribed, proof=proof), True
            except (AddressTaken, ExternalIdTaken) as taken:
                # somebody added the person since we looked
                follower = taken.follower
        if known_id and follower.external_id and follower.external_id != known_id:
            field = "phone"
            if said.email is not UNSET:
                field = "email"
            raise AddressTaken(field, follower)
        change = replace(said, tags=UNSET, metadata=UNSET, metadata_changes=said.metadata)
        follower = change_follower(follower=follower, values=change, by=proof.by, now=proof.now)
        tag(followers=[follower], tags=said.tag_names() or [], by=proof.by, now=proof.now)
        if not subscribed and follower.subscribed:
            follower = acts.unsubscribe(follower=follower, proof=proof).follower
    return follower, False


def _known(profile: Profile) -> Follower | None:
    external_id = profile.external_id
    if external_id is not UNSET:
        follower = Follower.objects.filter(external_id=external_id).first()
        if follower:
            return follower
    for field, place in profile.places().items():
        if place is None:
            continue
        rows = Address.objects.filter(channel=CHANNEL_OF[field], key=place[1])
        address = rows.select_related("follower").first()
        if address:
            return address.follower
    return None


def _create_address(
    follower: Follower,
    channel: Channel,
    place: Place,
    now: dt.datetime,
    otherwise: AddressState = AddressState.ACTIVE,
) -> None:
    """Give the follower the address; its state is `otherwise` unless it is suppressed."""
    value, key = place
    state = states_once_stored(channel, [key], now=now).get(key, otherwise)
    Address.objects.create(
        follower=follower, channel=channel, value=value, key=key, state=state, created_at=now
    )


def _replace_address(
    follower: Follower, channel: Channel, place: Place | None, now: dt.datetime
) -> str:
    """Make `place` the primary address of the channel, None = none.

    Returns the value that was primary before.
    """
    rows = {row.key: row for row in follower.addresses.filter(channel=channel)}
    primary = next((row for row in rows.values() if row.primary), None)
    old = ""
    if primary:
        old = primary.value
    if place is None:
        if primary:
            primary.delete()
            heirs = [row for row in rows.values() if row is not primary]
            if heirs:
                Address.objects.filter(pk=heirs[0].pk).update(primary=True)
        return old
    value, key = place
    same = rows.get(key)
    if same and same is not primary:
        # one of the person's other addresses becomes the primary one
        follower.addresses.filter(channel=channel, primary=True).update(primary=False)
        Address.objects.filter(pk=same.pk).update(value=value, key=key, primary=True)
    elif same:
        # the same address; at most spelled in another way
        Address.objects.filter(pk=same.pk).update(value=value)
    elif primary:
        state = states_once_stored(channel, [key], now=now).get(key, AddressState.ACTIVE)
        Address.objects.filter(pk=primary.pk).update(
            value=value,
            key=key,
            primary=True,
            state=state,
            confirmed_at=None,
            replaced_at=None,
        )
    else:
        _create_address(follower, channel, place, now)
    return old


@contextmanager
def _clear_conflicts(
    places: Mapping[str, Place], external_id: str | None, *, but: Follower | None = None
) -> Iterator[None]:
    """Two at once, or a plain repeat: the database's unique constraints decide,
    and this says who was there first.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError:
        if but:
            others = Follower.objects.exclude(pk=but.pk)
        else:
            others = Follower.objects.all()
        if external_id and (holder := others.filter(external_id=external_id).first()):
            raise ExternalIdTaken(holder) from None
        for field, (_, key) in places.items():
            if holder := others.filter(
                addresses__channel=CHANNEL_OF[field], addresses__key=key
            ).first():
                raise AddressTaken(field, holder) from None
        raise
