"""Write the decisions about a slice of an import: a dozen statements whatever its size."""

import datetime as dt
from collections.abc import Sequence

from django.conf import settings

from apps.followers.addresses import CHANNEL_OF
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import states_of
from apps.followers.imports.plan import Action, RowDecision
from apps.followers.imports.rows import ImportedPerson, Options
from apps.followers.models import (
    Address,
    AddressState,
    ConsentRecord,
    Follower,
    Import,
    ImportedFollower,
    ImportProblem,
    Tagging,
)
from apps.followers.people.tagging import ensure_tags
from apps.followers.profile_fields import tag_names
from apps.lib.actor import Actor

_BATCH = 250  # rows per CASE of bulk_update: longer ones cost more than they save


def write(
    job: Import, decisions: Sequence[RowDecision], options: Options, *, by: Actor, now: dt.datetime
) -> None:
    """Write people, addresses, consent, tags, opt-outs and problems of one slice.

    In the caller's transaction.
    """
    of: dict[Action, list[RowDecision]] = {action: [] for action in Action}
    for row in decisions:
        of[row.action].append(row)
    people = [row.person for row in of[Action.CREATE] if row.person]
    created = list(zip(of[Action.CREATE], _create(people, options, by, now), strict=True))
    updates = [(row, row.follower) for row in of[Action.UPDATE] if row.follower]
    unchanged = [(row, row.follower) for row in of[Action.UNCHANGED] if row.follower]
    _update(updates, now)
    _tag([*created, *updates], by, now)
    ImportedFollower.objects.bulk_create(
        ImportedFollower(job=job, follower=follower, line=row.line)
        for row, follower in [*created, *updates, *unchanged]
    )
    proof = Proof(source="import", by=by, now=now, wording=options.wording)
    for row, follower in updates:
        if "subscribed" in row.changes:
            acts.unsubscribe(follower=follower, proof=proof)
    ImportProblem.objects.bulk_create(
        ImportProblem(job=job, line=row.line, message=row.note[:300], row=row.cells)
        for row in of[Action.REFUSED]
    )


def _create(
    people: Sequence[ImportedPerson], options: Options, by: Actor, now: dt.datetime
) -> list[Follower]:
    followers = Follower.objects.bulk_create(_new_follower(person, now) for person in people)
    wanted = []
    records = []
    for follower, person in zip(followers, people, strict=True):
        for name, place in person.places.items():
            wanted.append((follower, name, place))
        records.append(_consent_record(follower, options, by, now))
    _add_addresses(wanted, now)
    ConsentRecord.objects.bulk_create(records)
    return followers


def _new_follower(person: ImportedPerson, now: dt.datetime) -> Follower:
    follower = Follower(
        name=person.values.get("name", ""),
        external_id=person.values.get("external_id"),
        language=person.values.get("language", settings.LANGUAGE_CODE),
        time_zone=person.values.get("time_zone", ""),
        metadata=person.metadata,
        subscribed=person.subscribed is not False,
        created_at=now,
        updated_at=now,
    )
    if follower.subscribed:
        follower.subscribed_at = now
    else:
        follower.unsubscribed_at = now
    return follower


def _consent_record(
    follower: Follower, options: Options, by: Actor, now: dt.datetime
) -> ConsentRecord:
    act = "unsubscribed"
    if follower.subscribed:
        act = "subscribed"
    return ConsentRecord(
        follower=follower,
        at=now,
        act=act,
        source="import",
        scope={"all": True},
        wording=options.wording,
        actor_kind=by.kind,
        actor_label=by.label[:200],
    )


def _update(updates: Sequence[tuple[RowDecision, Follower]], now: dt.datetime) -> None:
    touched: set[str] = set()
    rows: list[Follower] = []
    new_places: list[tuple[Follower, str, tuple[str, str]]] = []
    for row, follower in updates:
        if row.person is None:
            continue
        for name, (_, after) in row.changes.items():
            if name in CHANNEL_OF:
                new_places.append((follower, name, row.person.places[name]))
            elif name == "metadata":
                follower.metadata = follower.metadata | after
                touched.add(name)
            elif name in row.person.values:
                setattr(follower, name, after)
                touched.add(name)
        follower.updated_at = now
        rows.append(follower)
    if rows:
        Follower.objects.bulk_update(rows, [*sorted(touched), "updated_at"], batch_size=_BATCH)
    _replace_addresses(new_places, now)


def _replace_addresses(
    wanted: Sequence[tuple[Follower, str, tuple[str, str]]], now: dt.datetime
) -> None:
    """Put each new address in the place of the primary one, or add it where there is none."""
    holders = [follower for follower, _, _ in wanted]
    rows = Address.objects.filter(follower__in=holders, primary=True)
    primary = {(row.follower_id, row.channel): row for row in rows}
    states = _states([(name, key) for _, name, (_, key) in wanted])
    changed: list[Address] = []
    new: list[tuple[Follower, str, tuple[str, str]]] = []
    for follower, name, (value, key) in wanted:
        address = primary.get((follower.pk, CHANNEL_OF[name]))
        if address is None:
            new.append((follower, name, (value, key)))
            continue
        address.value = value
        address.key = key
        address.confirmed_at = None
        address.state = states.get((name, key), AddressState.ACTIVE)
        changed.append(address)
    if changed:
        Address.objects.bulk_update(
            changed, ["value", "key", "state", "confirmed_at"], batch_size=_BATCH
        )
    _add_addresses(new, now)


def _add_addresses(
    wanted: Sequence[tuple[Follower, str, tuple[str, str]]], now: dt.datetime
) -> None:
    states = _states([(name, key) for _, name, (_, key) in wanted])
    Address.objects.bulk_create(
        Address(
            follower=follower,
            channel=CHANNEL_OF[name],
            value=value,
            key=key,
            state=states.get((name, key), AddressState.ACTIVE),
            created_at=now,
        )
        for follower, name, (value, key) in wanted
    )


def _states(keys: Sequence[tuple[str, str]]) -> dict[tuple[str, str], AddressState]:
    found: dict[tuple[str, str], AddressState] = {}
    for name, channel in CHANNEL_OF.items():
        of_channel = [key for field, key in keys if field == name]
        for key, state in states_of(channel, of_channel).items():
            found[name, key] = state
    return found


def _tag(rows: Sequence[tuple[RowDecision, Follower]], by: Actor, now: dt.datetime) -> None:
    wanted: list[tuple[Follower, str]] = []
    for row, follower in rows:
        if "tags" in row.changes:
            _, names = row.changes["tags"]
            wanted += [(follower, name) for name in names]
    made = ensure_tags(tag_names(name for _, name in wanted), by=by, now=now)
    tags = {tag.name.casefold(): tag for tag in made}
    Tagging.objects.bulk_create(
        [
            Tagging(follower=follower, tag=tags[name.casefold()], created_at=now)
            for follower, name in wanted
        ],
        ignore_conflicts=True,  # somebody may put the same tag on at the same time
    )
