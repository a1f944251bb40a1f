"""Adding, changing and finding followers: the only writer of their fields.

Their tags are put on in tagging.py.

Nothing here brings back somebody who unsubscribed, or an address that is suppressed: that takes the
person's own word (consent.py). Importing many at once has its own set-wise road with the same rules
(imports.py).
"""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypedDict, Unpack

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet

from apps.followers import profile_fields
from apps.followers.addresses import normalise
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import (
    EVERYWHERE,
    Address,
    AddressState,
    Channel,
    ConsentRecord,
    Follower,
    Suppression,
    SuppressionReason,
)
from apps.followers.people.tagging import set_tags, tag
from apps.followers.profile_fields import BadFollower
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import RefusalKind


class AddressTaken(BadFollower):
    """Another follower has this address; an address belongs to one person."""

    kind = RefusalKind.STATE

    def __init__(self, field: str, follower: Follower) -> None:
        self.follower = follower
        super().__init__(
            f"This {field} belongs to another follower already: {follower.label}. "
            "Change that one instead.",
            field=field,
        )


class ExternalIdTaken(BadFollower):
    """Another follower has this external id."""

    kind = RefusalKind.STATE

    def __init__(self, follower: Follower) -> None:
        self.follower = follower
        super().__init__(
            f"This external id belongs to another follower already: {follower.label}.",
            field="external_id",
        )


class Changes(TypedDict, total=False):
    """What `change_follower` takes; a key that is missing stays as it is.

    Empty text removes the value.
    """

    email: str
    phone: str
    name: str
    external_id: str | None
    language: str
    time_zone: str
    measured: bool
    tags: Iterable[str]  # names; the whole set
    metadata: Mapping[str, Any]  # the whole object


_CHANNEL_OF = {"email": Channel.EMAIL, "phone": Channel.SMS}
_CHECKED: dict[str, Callable[[Any], Any]] = {
    "name": profile_fields.name,
    "external_id": profile_fields.external_id,
    "language": lambda tag: profile_fields.language(tag) or settings.LANGUAGE_CODE,
    "time_zone": profile_fields.time_zone,
    "measured": bool,
    "metadata": profile_fields.metadata,
}


# ---------------------------------------------------------------- one follower
def add_follower(
    *,
    email: str = "",
    phone: str = "",
    name: str = "",
    external_id: str | None = None,
    language: str = "",
    time_zone: str = "",
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    subscribed: bool = True,
    wording: str = "",
    source: str,
    by: Actor,
    now: dt.datetime,
) -> Follower:
    """A new follower with its addresses, tags and consent record.

    No address at all is fine: in-app reaches anyone.

    `tags` are names, made when missing. `language` "" is the site's, `time_zone` "" follows the
    site's. `source` says where the consent came from (staff, api, import, command ...), `wording`
    which text the person saw. A suppressed address keeps its state. Raises BadAddress,
    AddressTaken, ExternalIdTaken, UnknownZone, BadFollower.
    """
    values: dict[str, Any] = {
        "name": profile_fields.name(name),
        "external_id": profile_fields.external_id(external_id),
        "language": profile_fields.language(language) or settings.LANGUAGE_CODE,
        "time_zone": profile_fields.time_zone(time_zone),
        "metadata": profile_fields.metadata(metadata or {}),
    }
    places = {
        field: normalise(_CHANNEL_OF[field], text)
        for field, text in (("email", email), ("phone", phone))
        if text.strip()
    }
    if not (places or values["name"] or values["external_id"]):
        raise BadFollower(
            "Nobody to add: give an email, a phone, a name or an external id.", field="email"
        )
    names = profile_fields.tag_names(tags)
    with transaction.atomic():
        with _clear_conflicts(places, values["external_id"]):
            follower = Follower.objects.create(
                **values,
                subscribed=subscribed,
                subscribed_at=now if subscribed else None,
                unsubscribed_at=None if subscribed else now,
                created_at=now,
                updated_at=now,
            )
            for field, (value, key) in places.items():
                channel = _CHANNEL_OF[field]
                Address.objects.create(
                    follower=follower,
                    channel=channel,
                    value=value,
                    key=key,
                    state=states_of(channel, [key]).get(key, AddressState.ACTIVE),
                    created_at=now,
                )
        ConsentRecord.objects.create(
            follower=follower,
            at=now,
            act="subscribed" if subscribed else "unsubscribed",
            source=source,
            scope={"all": True},
            wording=wording,
            actor_kind=by.kind,
            actor_label=by.label[:200],
            ip=by.ip or None,
        )
        data = {"source": source}
        tell(Kind.FOLLOWER_ADDED, by=by, now=now, about=follower, data=data)
        if subscribed:
            tell(Kind.FOLLOWER_SUBSCRIBED, by=by, now=now, about=follower, data=data)
        if names:
            tag(followers=[follower], tags=names, by=by, now=now)
    return follower


def change_follower(
    *, follower: Follower, by: Actor, now: dt.datetime, **changes: Unpack[Changes]
) -> Follower:
    """The follower with the given fields changed, read anew under a lock.

    Consent is changed in consent.py only.

    A new e-mail or phone takes the place of the primary one and starts fresh: active, unless it is
    suppressed. Publishes follower.changed with before and after of what really changed; nothing
    changed, no fact. Raises BadAddress, AddressTaken, ExternalIdTaken, UnknownZone, BadFollower.
    """
    given: dict[str, Any] = {**changes}
    values = {name: checked(given[name]) for name, checked in _CHECKED.items() if name in given}
    places: dict[str, tuple[str, str] | None] = {}
    if "email" in changes:
        if changes["email"].strip():
            places["email"] = normalise(Channel.EMAIL, changes["email"])
        else:
            places["email"] = None
    if "phone" in changes:
        if changes["phone"].strip():
            places["phone"] = normalise(Channel.SMS, changes["phone"])
        else:
            places["phone"] = None
    names = None
    if "tags" in changes:
        names = profile_fields.tag_names(changes["tags"])

    with transaction.atomic():
        follower = Follower.objects.select_for_update().get(pk=follower.pk)
        before = {
            key: getattr(follower, key)
            for key, value in values.items()
            if getattr(follower, key) != value
        }
        after = {key: values[key] for key in before}
        taken = {field: place for field, place in places.items() if place}
        with _clear_conflicts(taken, values.get("external_id"), but=follower):
            for key, value in after.items():
                setattr(follower, key, value)
            for field, place in places.items():
                old = _replace_address(follower, _CHANNEL_OF[field], place, now)
                if old != (place[0] if place else ""):
                    before[field] = old
                    after[field] = place[0] if place else ""
            if after:
                follower.updated_at = now
                follower.save(update_fields=[*values, "updated_at"])
        if after:
            data = {"before": before, "after": after}
            tell(Kind.FOLLOWER_CHANGED, by=by, now=now, about=follower, data=data)
        if names is not None:
            set_tags(follower=follower, names=names, by=by, now=now)
    return follower


def upsert_follower(
    *,
    email: str = "",
    phone: str = "",
    name: str = "",
    external_id: str | None = None,
    language: str = "",
    time_zone: str = "",
    tags: Iterable[str] = (),
    metadata: Mapping[str, Any] | None = None,
    subscribed: bool = True,
    wording: str = "",
    source: str,
    by: Actor,
    now: dt.datetime,
) -> tuple[Follower, bool]:
    """`(follower, created)`: the one known by external id, else e-mail, else phone is changed,
    or a new one is added.

    Empty values change nothing, tags are added to the present ones, metadata is merged by key.
    `subscribed=False` unsubscribes the known follower; `subscribed=True` (the default) never
    subscribes one again. Raises as `add_follower`; AddressTaken also when the address belongs to
    somebody with another external id.
    """
    known_id = profile_fields.external_id(external_id)
    with transaction.atomic():
        follower = _known(known_id, email, phone)
        if follower is None:
            try:
                with transaction.atomic():
                    return add_follower(
                        email=email,
                        phone=phone,
                        name=name,
                        external_id=known_id,
                        language=language,
                        time_zone=time_zone,
                        tags=tags,
                        metadata=metadata,
                        subscribed=subscribed,
                        wording=wording,
                        source=source,
                        by=by,
                        now=now,
                    ), True
            except (
                AddressTaken,
                ExternalIdTaken,
            ) as taken:  # added by someone else since we looked
                follower = taken.follower
        if known_id and follower.external_id and follower.external_id != known_id:
            raise AddressTaken("email" if email else "phone", follower)
        given: dict[str, Any] = {
            "email": email,
            "phone": phone,
            "name": name,
            "external_id": known_id,
            "language": language,
            "time_zone": time_zone,
        }
        changes: dict[str, Any] = {
            key: value for key, value in given.items() if value and value.strip()
        }
        if metadata:
            changes["metadata"] = follower.metadata | profile_fields.metadata(metadata)
        follower = change_follower(follower=follower, by=by, now=now, **changes)
        tag(followers=[follower], tags=tags, by=by, now=now)
        if not subscribed and follower.subscribed:
            proof = Proof(source=source, by=by, now=now, wording=wording)
            follower = acts.unsubscribe(follower=follower, proof=proof).follower
        return follower, False


def find(text: str) -> QuerySet[Follower]:
    """Followers whose name, e-mail, phone or external id contains the text, in any case;
    all of them for "".

    SQLite folds the case of ASCII letters only,
    so the usual spellings of a name in other scripts are tried as well.
    """
    text = " ".join(text.split())
    if not text:
        return Follower.objects.all()
    if text.isascii():
        spellings = {text}
    else:
        spellings = {text, text.lower(), text.upper(), text.title()}
    wanted = Q(external_id__icontains=text)
    for spelling in spellings:
        wanted |= Q(name__icontains=spelling)
    keys = ~Q(channel__in=EVERYWHERE) & Q(
        key__contains=text.casefold()
    )  # the keys of those are digests
    digits = "".join(char for char in text if char.isdecimal())
    if len(digits) >= 3 and not any(char.isalpha() for char in text):
        keys |= Q(channel=Channel.SMS, key__contains=digits)
    return Follower.objects.filter(
        wanted | Q(pk__in=Address.objects.filter(keys).values("follower"))
    )


def states_of(channel: str, keys: Iterable[str]) -> dict[str, AddressState]:
    """The state that suppressed addresses have from the start, by key;
    keys that aren't suppressed are missing.
    """
    return {
        key: AddressState.BOUNCED
        if reason == SuppressionReason.HARD_BOUNCE
        else AddressState.SUPPRESSED
        for key, reason in Suppression.objects.filter(
            channel=channel, key__in=list(keys)
        ).values_list("key", "reason")
    }


# ---------------------------------------------------------------- pieces
def _known(external_id: str | None, email: str, phone: str) -> Follower | None:
    if external_id and (follower := Follower.objects.filter(external_id=external_id).first()):
        return follower
    for field, text in (("email", email), ("phone", phone)):
        if text.strip():
            channel = _CHANNEL_OF[field]
            key = normalise(channel, text)[1]
            if (
                address := Address.objects.filter(channel=channel, key=key)
                .select_related("follower")
                .first()
            ):
                return address.follower
    return None


def _replace_address(
    follower: Follower, channel: Channel, place: tuple[str, str] | None, now: dt.datetime
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
            if others := [row for row in rows.values() if row is not primary]:
                Address.objects.filter(pk=others[0].pk).update(primary=True)
        return old
    value, key = place
    fresh = {"value": value, "key": key, "primary": True}
    if (
        key in rows and rows[key] is not primary
    ):  # one of the person's other addresses becomes the primary one
        follower.addresses.filter(channel=channel, primary=True).update(primary=False)
        Address.objects.filter(pk=rows[key].pk).update(**fresh)
        return old
    if primary and primary.key == key:  # the same address; at most spelled in another way
        Address.objects.filter(pk=primary.pk).update(value=value)
        return old
    fresh |= {
        "state": states_of(channel, [key]).get(key, AddressState.ACTIVE),
        "confirmed_at": None,
    }
    if primary:
        Address.objects.filter(pk=primary.pk).update(**fresh)
    else:
        Address.objects.create(follower=follower, channel=channel, created_at=now, **fresh)
    return old


@contextmanager
def _clear_conflicts(
    places: Mapping[str, tuple[str, str]], external_id: str | None, *, but: Follower | None = None
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
                addresses__channel=_CHANNEL_OF[field], addresses__key=key
            ).first():
                raise AddressTaken(field, holder) from None
        raise
