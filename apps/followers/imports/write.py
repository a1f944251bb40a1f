"""Write the decisions about a slice of an import: a dozen statements whatever its size.

There is no stage beside the tables: who is who is decided before, so new rows go by COPY straight
to where they belong, each written once. The database's keys refuse what somebody else has added
meanwhile; then the slice starts over.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings

from apps.followers.addresses import CHANNEL_OF
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import states_once_stored, suppress_many
from apps.followers.imports.judging.decisions import Action, KnownFollower, RowDecision
from apps.followers.imports.judging.known import VALUES, holders_of, keys_of
from apps.followers.imports.options import Options
from apps.followers.imports.person import NO_PROOF, ImportedPerson, Place
from apps.followers.imports.rows import KEPT
from apps.followers.models import (
    Address,
    AddressState,
    Channel,
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
from apps.lib.ids import uuid7
from apps.lib.sql.writing.many_rows import insert_like, next_keys, update_rows

_EMPTY: Mapping[str, str | None] = {**dict.fromkeys(VALUES, ""), "external_id": None}
_Wanted = Sequence[tuple[int, Place]]  # by the primary key of a follower


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
    created = _create(people, proof)
    updates = [(row, row.follower) for row in of[Action.UPDATE] if row.follower]
    _update(updates, now)
    about = [(row, pk) for row, pk in zip(of[Action.CREATE], created, strict=True)]
    about += [(row, follower.pk) for row, follower in updates]
    _tag(about, by, now)
    about += [(row, row.follower.pk) for row in of[Action.UNCHANGED] if row.follower]
    said = [(pk, row.line) for row, pk in about]
    insert_like(ImportedFollower(job=job), ("follower_id", "line"), said)
    _unsubscribe(decisions, updates, proof)
    _suppress(job, decisions, options, by, now)
    if options.welcome:
        _sign_up(people, created, job, options.welcome, proof)
    problems = [_problem(row) for row in decisions if row.problems]
    insert_like(ImportProblem(job=job), ("line", "message", "row", "taken"), problems)


def _sign_up(
    people: Sequence[ImportedPerson],
    created: Mapping[int, UUID],
    job: Import,
    welcome: str,
    proof: Proof,
) -> None:
    """Tell that these people signed up: whoever greets them hears of it."""
    about = {"import": str(job.uid), "welcome": welcome}
    facts = []
    for person, (pk, uid) in zip(people, created.items(), strict=True):
        if person.subscribes:
            new = Follower(pk=pk, uid=uid, name=person.values.get("name", ""))
            facts.append(proof.fact(Kind.FOLLOWER_SIGNED_UP, new, about))
    tell_together(facts)


def _problem(row: RowDecision) -> tuple[Any, ...]:
    cells = [cell[:KEPT] for cell in row.cells]
    return row.line, row.message[:300], cells, row.action != Action.REFUSED


def _unsubscribe(
    decisions: Sequence[RowDecision],
    updates: Sequence[tuple[RowDecision, KnownFollower]],
    proof: Proof,
) -> None:
    """Obey all opt-outs, also those of rows that are refused for another reason."""
    leaving = {follower.pk for row, follower in updates if "subscribed" in row.changes}
    refused = []
    for row in decisions:
        leaving |= {follower.pk for follower in row.also_out}
        if row.action == Action.REFUSED and row.person and row.person.opted_out:
            refused.append(row.person)
    if refused:
        leaving |= set(holders_of(keys_of(refused)).values())
    if leaving:
        followers = Follower.objects.filter(pk__among=leaving)
        acts.unsubscribe_many(followers=followers, proof=proof)


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


def _create(people: Sequence[ImportedPerson], proof: Proof) -> dict[int, UUID]:
    """Add these people; gives their primary keys and public ids."""
    if not people:
        return {}
    now = proof.now
    uids = {pk: uuid7() for pk in next_keys(Follower, len(people))}
    followers = []
    records = []
    wanted = []
    further = []
    confirmed = {}
    for person, (pk, uid) in zip(people, uids.items(), strict=True):
        followers.append((pk, uid, *_columns(person, now)))
        records.append((pk, *_said(person, proof)))
        wanted += [(pk, place) for place in person.places.values()]
        further += [(pk, place) for place in person.more]
        if person.proof.confirmed_at:
            confirmed[pk] = person.proof.confirmed_at
    columns = ("id", "uid", "subscribed", "subscribed_at", "unsubscribed_at", "metadata", *VALUES)
    insert_like(Follower(created_at=now, updated_at=now), columns, followers)
    _add_addresses(wanted, now, confirmed=confirmed)
    _add_addresses(further, now, primary=False)
    record = proof.written(Follower(), "subscribed", {})
    insert_like(record, ("follower_id", "act", "scope", "wording", "ip"), records)
    return uids


def _columns(person: ImportedPerson, now: dt.datetime) -> tuple[Any, ...]:
    """Give what somebody new is, from `subscribed` on."""
    said = {**_EMPTY, "language": settings.LANGUAGE_CODE, **person.values}
    values = [said[name] for name in VALUES]
    if person.subscribes:
        return True, person.subscribed_at or now, None, person.metadata, *values
    return False, None, person.proof.unsubscribed_at or now, person.metadata, *values


def _said(person: ImportedPerson, proof: Proof) -> tuple[Any, ...]:
    """Give act, scope, wording and network address of a record, with what the other program knew of
    how somebody came or left.
    """
    act = "unsubscribed"
    if person.subscribes:
        act = "subscribed"
    scope: dict[str, Any] = {"all": True}
    knows_more = person.subscribed_at or person.proof is not NO_PROOF
    if knows_more and (said := person.proof.as_json(person.subscribed_at)):
        scope["said_elsewhere"] = said
    wording = person.proof.wording or proof.wording
    ip = person.proof.subscribed_ip or proof.ip or proof.by.ip or None
    return act, scope, wording, ip


def _update(updates: Sequence[tuple[RowDecision, KnownFollower]], now: dt.datetime) -> None:
    touched: set[str] = set()
    new_places: list[tuple[int, Place]] = []
    further: list[tuple[int, Place]] = []
    changed: list[tuple[int, dict[str, Any]]] = []
    for row, follower in updates:
        if row.person is None:
            continue
        new: dict[str, Any] = {}
        for name, (_, after) in row.changes.items():
            if name in CHANNEL_OF:
                new_places.append((follower.pk, row.person.places[name]))
            elif name == "addresses":
                places = [place for place in row.person.more if place.value in after]
                further += [(follower.pk, place) for place in places]
            elif name == "metadata":
                new[name] = follower.metadata | after
            elif name in VALUES or name == "subscribed_at":
                new[name] = after
        touched |= new.keys()
        before = follower.values | {"metadata": follower.metadata}
        changed.append((follower.pk, before | {"subscribed_at": follower.subscribed_at} | new))
    columns = sorted(touched)
    rows = [(pk, *(said[name] for name in columns), now) for pk, said in changed]
    update_rows(Follower, ("id", *columns, "updated_at"), rows)
    _replace_addresses(new_places, now)
    _add_addresses(further, now, primary=False)


def _replace_addresses(wanted: _Wanted, now: dt.datetime) -> None:
    """Put each new address in the place of the primary one, or add it where there is none."""
    if not wanted:
        return
    holders = {pk for pk, _ in wanted}
    rows = Address.objects.filter(follower__pk__among=holders, primary=True)
    primary: dict[tuple[int, str], int] = {}
    for pk, follower, channel in rows.values_list("pk", "follower_id", "channel"):
        primary[follower, channel] = pk
    states = _states(wanted, now)
    changed = []
    new = []
    for follower, place in wanted:
        address = primary.get((follower, CHANNEL_OF[place.field]))
        if address is None:
            new.append((follower, place))
            continue
        state = states.get((place.field, place.key), AddressState.ACTIVE)
        changed.append((address, place.value, place.key, state, None))
    update_rows(Address, ("id", "value", "key", "state", "confirmed_at"), changed)
    _add_addresses(new, now)


def _add_addresses(
    wanted: _Wanted,
    now: dt.datetime,
    *,
    primary: bool = True,
    confirmed: Mapping[int, dt.datetime] | None = None,
) -> None:
    """Add addresses; `confirmed` says when followers, by primary key, confirmed their email."""
    if not wanted:
        return
    states = _states(wanted, now)
    new = []
    for follower, place in wanted:
        confirmed_at = None
        if confirmed and place.field == "email":
            confirmed_at = confirmed.get(follower)
        state = states.get((place.field, place.key), AddressState.ACTIVE)
        channel = CHANNEL_OF[place.field]
        new.append((uuid7(), follower, channel, place.value, place.key, state, confirmed_at))
    columns = ("uid", "follower_id", "channel", "value", "key", "state", "confirmed_at")
    insert_like(Address(primary=primary, created_at=now), columns, new)


def _states(wanted: _Wanted, now: dt.datetime) -> dict[tuple[str, str], AddressState]:
    found: dict[tuple[str, str], AddressState] = {}
    for name, channel in CHANNEL_OF.items():
        of_channel = [place.key for _, place in wanted if place.field == name]
        for key, state in states_once_stored(channel, of_channel, now=now).items():
            found[name, key] = state
    return found


def _tag(rows: Sequence[tuple[RowDecision, int]], by: Actor, now: dt.datetime) -> None:
    wanted: list[tuple[int, str]] = []
    for row, follower in rows:
        if "tags" in row.changes:
            _, names = row.changes["tags"]
            wanted += [(follower, name) for name in names]
    if not wanted:
        return
    once: dict[str, str] = {}
    for _, name in wanted:
        once.setdefault(name.casefold(), name)
    made = ensure_tags(once.values(), by=by, now=now)
    tags = {tag.name.casefold(): tag.pk for tag in made}
    taggings = [(follower, tags[name.casefold()]) for follower, name in wanted]
    # somebody may put the same tag on at the same time
    insert_like(Tagging(created_at=now), ("follower_id", "tag_id"), taggings, missing=True)
