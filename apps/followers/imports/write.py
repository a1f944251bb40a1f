"""Write the decisions about a slice of an import: a dozen statements whatever its size."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence

from django.conf import settings

from apps.followers.addresses import CHANNEL_OF
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import states_once_stored, suppress_many
from apps.followers.imports.columns import KEYS
from apps.followers.imports.options import Options
from apps.followers.imports.plan import Action, RowDecision, holders_of
from apps.followers.imports.rows import KEPT, ImportedPerson, Place
from apps.followers.models import (
    Address,
    AddressState,
    Channel,
    ConsentRecord,
    Follower,
    Import,
    ImportedFollower,
    ImportProblem,
    SuppressionReason,
    Tagging,
)
from apps.followers.people.tagging import ensure_tags
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell_together

_BATCH = 250  # rows per CASE of bulk_update: longer ones cost more than they save


def write(
    job: Import, decisions: Sequence[RowDecision], options: Options, *, by: Actor, now: dt.datetime
) -> None:
    """Write people, addresses, consent, tags, opt-outs, suppressions and problems of one slice.

    In the caller's transaction.
    """
    of: dict[Action, list[RowDecision]] = {action: [] for action in Action}
    for row in decisions:
        of[row.action].append(row)
    proof = Proof(source="import", by=by, now=now, wording=options.wording)
    people = [row.person for row in of[Action.CREATE] if row.person]
    created = list(zip(of[Action.CREATE], _create(people, proof), strict=True))
    updates = [(row, row.follower) for row in of[Action.UPDATE] if row.follower]
    unchanged = [(row, row.follower) for row in of[Action.UNCHANGED] if row.follower]
    _update(updates, now)
    _tag([*created, *updates], by, now)
    ImportedFollower.objects.bulk_create(
        ImportedFollower(job=job, follower=follower, line=row.line)
        for row, follower in [*created, *updates, *unchanged]
    )
    leaving = [follower for row, follower in updates if "subscribed" in row.changes]
    leaving += _owners_of_refused(of[Action.REFUSED])
    leaving += [follower for row in decisions for follower in row.also_out]
    acts.unsubscribe_many(followers=leaving, proof=proof)
    _suppress(job, decisions, options, by, now)
    if options.welcome:
        _sign_up(created, job, options.welcome, proof)
    ImportProblem.objects.bulk_create(_problem(job, row) for row in decisions if row.problems)


def _sign_up(
    created: Sequence[tuple[RowDecision, Follower]], job: Import, welcome: str, proof: Proof
) -> None:
    """Tell that these people signed up: whoever greets them hears of it."""
    about = {"import": str(job.uid), "welcome": welcome}
    new = [follower for _, follower in created if follower.subscribed]
    tell_together(proof.fact(Kind.FOLLOWER_SIGNED_UP, row, about) for row in new)


def _problem(job: Import, row: RowDecision) -> ImportProblem:
    cells = [cell[:KEPT] for cell in row.cells]
    taken = row.action != Action.REFUSED
    message = row.message[:300]
    return ImportProblem(job=job, line=row.line, message=message, row=cells, taken=taken)


def _owners_of_refused(refused: Sequence[RowDecision]) -> list[Follower]:
    """Find the people who opted out by a row that is refused for another reason."""
    keys: dict[str, list[str]] = {name: [] for name in KEYS}
    for row in refused:
        if row.person and row.person.opted_out:
            for name, key in row.person.keys.items():
                keys[name].append(key)
            for place in row.person.more:
                keys[place.field].append(place.key)
    if not any(keys.values()):
        return []
    return list(Follower.objects.filter(pk__in=set(holders_of(keys).values())))


def _suppress(
    job: Import, decisions: Sequence[RowDecision], options: Options, by: Actor, now: dt.datetime
) -> None:
    wanted: dict[tuple[Channel, SuppressionReason], list[str]] = defaultdict(list)
    for row in decisions:
        if row.person is None:
            continue
        stopped = row.person.suppressions
        if options.do_not_contact:
            stopped = dict.fromkeys(row.person.all_places, SuppressionReason.MANUAL) | stopped
        for place, reason in stopped.items():
            wanted[CHANNEL_OF[place.field], reason].append(place.key)
    for (channel, reason), keys in wanted.items():
        note = f"Import of {job.file_name}"
        suppress_many(channel=channel, keys=keys, reason=reason, note=note, by=by, now=now)


def _create(people: Sequence[ImportedPerson], proof: Proof) -> list[Follower]:
    now = proof.now
    followers = Follower.objects.bulk_create(_new_follower(person, now) for person in people)
    wanted = []
    confirmed = {}
    records = []
    further = []
    for follower, person in zip(followers, people, strict=True):
        wanted += [(follower, place) for place in person.places.values()]
        further += [(follower, place) for place in person.more]
        if person.proof.confirmed_at:
            confirmed[follower.pk] = person.proof.confirmed_at
        act = "unsubscribed"
        if follower.subscribed:
            act = "subscribed"
        record = proof.written(follower, act, {"all": True})
        _add_proof(record, person)
        records.append(record)
    _add_addresses(wanted, now, confirmed=confirmed)
    _add_addresses(further, now, primary=False)
    ConsentRecord.objects.bulk_create(records)
    return followers


def _add_proof(record: ConsentRecord, person: ImportedPerson) -> None:
    """Keep what the other program knew of how somebody came or left."""
    if said := person.proof.as_json(person.subscribed_at):
        record.scope = record.scope | {"said_elsewhere": said}
    record.wording = person.proof.wording or record.wording
    record.ip = person.proof.subscribed_ip or record.ip


def _new_follower(person: ImportedPerson, now: dt.datetime) -> Follower:
    follower = Follower(metadata=person.metadata, created_at=now, updated_at=now)
    follower.language = settings.LANGUAGE_CODE
    for name, value in person.values.items():
        setattr(follower, name, value)
    follower.subscribed = person.subscribes
    if follower.subscribed:
        follower.subscribed_at = person.subscribed_at or now
    else:
        follower.unsubscribed_at = person.proof.unsubscribed_at or now
    return follower


def _update(updates: Sequence[tuple[RowDecision, Follower]], now: dt.datetime) -> None:
    touched: set[str] = set()
    rows: list[Follower] = []
    new_places: list[tuple[Follower, Place]] = []
    further: list[tuple[Follower, Place]] = []
    for row, follower in updates:
        if row.person is None:
            continue
        for name, (_, after) in row.changes.items():
            if name in CHANNEL_OF:
                new_places.append((follower, row.person.places[name]))
            elif name == "addresses":
                further += [(follower, place) for place in row.person.more if place.value in after]
            elif name == "metadata":
                follower.metadata = follower.metadata | after
                touched.add(name)
            elif name in row.person.values or name == "subscribed_at":
                setattr(follower, name, after)
                touched.add(name)
        follower.updated_at = now
        rows.append(follower)
    if rows:
        Follower.objects.bulk_update(rows, [*sorted(touched), "updated_at"], batch_size=_BATCH)
    _replace_addresses(new_places, now)
    _add_addresses(further, now, primary=False)


def _replace_addresses(wanted: Sequence[tuple[Follower, Place]], now: dt.datetime) -> None:
    """Put each new address in the place of the primary one, or add it where there is none."""
    holders = [follower for follower, _ in wanted]
    rows = Address.objects.filter(follower__in=holders, primary=True)
    primary = {(row.follower_id, row.channel): row for row in rows}
    states = _states(wanted, now)
    changed: list[Address] = []
    new: list[tuple[Follower, Place]] = []
    for follower, place in wanted:
        address = primary.get((follower.pk, CHANNEL_OF[place.field]))
        if address is None:
            new.append((follower, place))
            continue
        address.value = place.value
        address.key = place.key
        address.confirmed_at = None
        address.state = states.get((place.field, place.key), AddressState.ACTIVE)
        changed.append(address)
    if changed:
        Address.objects.bulk_update(
            changed, ["value", "key", "state", "confirmed_at"], batch_size=_BATCH
        )
    _add_addresses(new, now)


def _add_addresses(
    wanted: Sequence[tuple[Follower, Place]],
    now: dt.datetime,
    *,
    primary: bool = True,
    confirmed: Mapping[int, dt.datetime] | None = None,
) -> None:
    """Add addresses; `confirmed` says when followers, by primary key, confirmed their email."""
    states = _states(wanted, now)
    new = []
    for follower, place in wanted:
        address = Address(follower=follower, value=place.value, key=place.key)
        address.channel = CHANNEL_OF[place.field]
        address.state = states.get((place.field, place.key), AddressState.ACTIVE)
        address.primary = primary
        address.created_at = now
        if confirmed and place.field == "email":
            address.confirmed_at = confirmed.get(follower.pk)
        new.append(address)
    Address.objects.bulk_create(new)


def _states(
    wanted: Sequence[tuple[Follower, Place]], now: dt.datetime
) -> dict[tuple[str, str], AddressState]:
    found: dict[tuple[str, str], AddressState] = {}
    for name, channel in CHANNEL_OF.items():
        of_channel = [place.key for _, place in wanted if place.field == name]
        for key, state in states_once_stored(channel, of_channel, now=now).items():
            found[name, key] = state
    return found


def _tag(rows: Sequence[tuple[RowDecision, Follower]], by: Actor, now: dt.datetime) -> None:
    wanted: list[tuple[Follower, str]] = []
    for row, follower in rows:
        if "tags" in row.changes:
            _, names = row.changes["tags"]
            wanted += [(follower, name) for name in names]
    once: dict[str, str] = {}
    for _, name in wanted:
        once.setdefault(name.casefold(), name)
    made = ensure_tags(once.values(), by=by, now=now)
    tags = {tag.name.casefold(): tag for tag in made}
    Tagging.objects.bulk_create(
        [
            Tagging(follower=follower, tag=tags[name.casefold()], created_at=now)
            for follower, name in wanted
        ],
        ignore_conflicts=True,  # somebody may put the same tag on at the same time
    )
