"""Adding and changing many followers: a dozen statements whatever their number, so that the one
writer that SQLite has is free again soon.

The rules are those of `contacts`.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence

from django.db import IntegrityError, transaction
from django.db.models import prefetch_related_objects
from django.utils.translation import gettext

from apps.followers.addresses import CHANNEL_OF
from apps.followers.consent import tombstones
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import states_once_stored
from apps.followers.fields.fitting import KnownFields
from apps.followers.models import Address, AddressState, ConsentRecord, Follower
from apps.followers.people.contacts import Newcomer, named_by, set_columns
from apps.followers.people.profile import Profile
from apps.followers.people.tagging import tag_each
from apps.followers.profile_fields import BadFollower
from apps.lib.actor import Actor
from apps.lib.facts import Fact, Kind, tell_together
from apps.lib.partial import UNSET
from apps.lib.refusals import RefusalKind

_BATCH = 250  # rows per CASE of bulk_update: longer ones cost more than they save


class AddedMeanwhile(BadFollower):
    """One of the newcomers is there already; nobody was added."""

    kind = RefusalKind.STATE


def add_followers(*, newcomers: Sequence[Newcomer], proof: Proof) -> None:
    """Add all of them, each as `add_follower` would; their rows are stored then.

    No two of them may have an address or an external id in common. Raises AddedMeanwhile, Erased.
    """
    rows = [new.row for new in newcomers]
    with transaction.atomic():
        tombstones.refuse(
            each for new in newcomers for each in named_by(new.places, new.row.external_id)
        )
        try:
            with transaction.atomic():
                Follower.objects.bulk_create(rows)
                Address.objects.bulk_create(_addresses(newcomers, proof.now))
        except IntegrityError as error:
            for row in rows:
                row.pk = None
            raise AddedMeanwhile(
                gettext(
                    "Somebody has added one of these people at the same moment. Repeat the call."
                )
            ) from error
        prefetch_related_objects(rows, "addresses")  # facts name people without a name by them
        records = [proof.written(new.row, new.act, {"all": True}) for new in newcomers]
        ConsentRecord.objects.bulk_create(records)
        tell_together(fact for new in newcomers for fact in new.facts(proof))
        wanted = {new.row: new.tags for new in newcomers}
        tag_each(wanted=wanted, by=proof.by, now=proof.now)


def _addresses(newcomers: Sequence[Newcomer], now: dt.datetime) -> Iterable[Address]:
    for field, channel in CHANNEL_OF.items():
        places = {new.row: new.places[field] for new in newcomers if field in new.places}
        if not places:
            continue
        keys = [key for _, key in places.values()]
        states = states_once_stored(channel, keys, now=now)
        for follower, (value, key) in places.items():
            address = Address(follower=follower, channel=channel, value=value, key=key)
            address.state = states.get(key, AddressState.ACTIVE)
            address.created_at = now
            yield address


def says_something_new(
    follower: Follower, values: Profile, fields: KnownFields | None = None
) -> bool:
    """Whether `upsert_follower` would change this follower; asks for the tags and addresses, unless
    they were prefetched. Raises BadAddress, UnknownZone, BadFollower.
    """
    said = values.without_empty()
    names = {name.casefold() for name in said.tag_names() or []}
    if names and names - {row.name.casefold() for row in follower.tags.all()}:
        return True
    return says_an_address(follower, said) or _says_a_column(follower, said, fields)


def says_an_address(follower: Follower, values: Profile) -> bool:
    """Whether a primary address or the external id would be another one."""
    said = values.without_empty()
    if said.external_id is not UNSET and said.columns()["external_id"] != follower.external_id:
        return True
    places = {CHANNEL_OF[field]: place for field, place in said.places().items()}
    if not places:
        return False
    rows = [row for row in follower.addresses.all() if row.primary]
    primary = {row.channel: (row.value, row.key) for row in rows}
    return any(primary.get(channel) != place for channel, place in places.items())


def _says_a_column(follower: Follower, said: Profile, fields: KnownFields | None) -> bool:
    columns = said.columns()
    if metadata := columns.pop("metadata", {}):
        changes = Profile(metadata_changes=metadata)
        if changes.metadata_over(follower.metadata, fields) != follower.metadata:
            return True
    return any(getattr(follower, name) != value for name, value in columns.items())


def change_followers(
    *, said: Sequence[tuple[Follower, Profile]], by: Actor, now: dt.datetime
) -> None:
    """Take over what is said of known followers, as `upsert_follower` does: what is empty changes
    nothing, tags are added, metadata is merged.

    Addresses and external ids are not among it. Raises UnknownZone, BadFollower.
    """
    with transaction.atomic():
        keys = [follower.pk for follower, _ in said]
        locked = Follower.objects.select_for_update(no_key=True).order_by("pk")
        rows = locked.filter(pk__in=keys).prefetch_related("addresses").in_bulk()
        facts = []
        fields = KnownFields()
        touched: set[str] = set()
        tags: dict[Follower, list[str]] = {}
        for follower, values in said:
            row = rows[follower.pk]
            tags.setdefault(row, []).extend(values.tag_names() or [])
            data = _take_over(row, values, fields)
            if not data:
                continue
            touched |= data["after"].keys()
            row.updated_at = now
            about = row.fact_subject
            facts.append(Fact(kind=Kind.FOLLOWER_CHANGED, by=by, at=now, about=about, data=data))
        if touched:
            changed = [row for row in rows.values() if row.updated_at == now]
            names = [*sorted(touched), "updated_at"]
            Follower.objects.bulk_update(changed, names, batch_size=_BATCH)
            tell_together(facts)
        tag_each(wanted=tags, by=by, now=now)


def _take_over(
    row: Follower, values: Profile, fields: KnownFields
) -> Mapping[str, Mapping[str, object]]:
    said = values.without_empty()
    columns = said.columns()
    columns.pop("external_id", None)
    if "metadata" in columns:
        changes = Profile(metadata_changes=columns["metadata"])
        columns["metadata"] = changes.metadata_over(row.metadata, fields)
    before, after = set_columns(row, columns)
    if not after:
        return {}
    return {"before": before, "after": after}
