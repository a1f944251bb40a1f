"""What a template may know about the person it speaks to: plain values only."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.followers.models import Address, Channel, Follower, NotificationType, Tagging
from apps.followers.people.greeting import greeted_as
from apps.notifications.messages.links import (
    DEAD,
    stamped_confirm_url,
    stamped_preferences_url,
    stamped_unsubscribe_url,
    stamped_view_url,
)
from apps.notifications.messages.site import own_site


@dataclass(slots=True)
class Person:
    """A follower without the model: a sender makes a million of them."""

    pk: int
    uid: UUID
    name: str
    first_name: str
    last_name: str
    language: str
    time_zone: str
    external_id: str | None
    metadata: Any
    measured: bool
    addresses: dict[str, str] = field(default_factory=dict)  # the primary one of each channel
    tags: list[str] = field(default_factory=list)


COLUMNS = (
    "pk",
    "uid",
    "name",
    "first_name",
    "last_name",
    "language",
    "time_zone",
    "external_id",
    "metadata",
    "measured",
)


def person_of(follower: Follower) -> Person:
    """The follower as a Person. A follower that was never saved, for a preview, has no addresses
    and no tags.
    """
    person = Person(*(getattr(follower, column) for column in COLUMNS))
    if follower.pk is not None:
        complete([person], fields=["email", "phone", "tags"])
    return person


def complete(people: Sequence[Person], *, fields: Collection[str]) -> None:
    """Fetch what `fields` of a template ask for beyond the follower's own row, for many at once."""
    by_pk = {person.pk: person for person in people}
    if "email" in fields or "phone" in fields:
        primary = Address.objects.filter(follower__in=by_pk, primary=True)
        for pk, channel, value in primary.values_list("follower_id", "channel", "value"):
            by_pk[pk].addresses[channel] = value
    if "tags" in fields:
        tagged = Tagging.objects.filter(follower__in=by_pk).order_by("tag__name")
        for pk, name in tagged.values_list("follower_id", "tag__name"):
            by_pk[pk].tags.append(name)


def values(person: Person) -> dict[str, Any]:
    """The `follower` of a template."""
    first_name = greeted_as(
        person.name,
        first_name=person.first_name,
        last_name=person.last_name,
        language=person.language,
    )
    return {
        "name": person.name,
        "first_name": first_name,
        "last_name": person.last_name,
        "email": person.addresses.get(Channel.EMAIL, ""),
        "phone": person.addresses.get(Channel.SMS, ""),
        "language": person.language,
        "time_zone": person.time_zone,
        "external_id": person.external_id or "",
        "metadata": person.metadata,
        "tags": person.tags,
    }


def context(
    person: Person,
    data: Mapping[str, Any],
    *,
    preferences: str,
    unsubscribe: str,
    view: str = "",
    confirm: str = "",
) -> dict[str, Any]:
    """Everything a template sees: the caller's data, and the reserved roots,
    which data can't replace.
    """
    return {
        **data,
        "follower": values(person),
        "site": own_site().values,
        "links": {
            "preferences": preferences,
            "unsubscribe": unsubscribe,
            "view": view,
            "confirm": confirm,
        },
    }


def preview_context(
    follower: Follower, kind: NotificationType, data: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything a template sees in a preview or a test: its links lead to nobody's pages."""
    leave = ""
    view = ""
    if kind.commercial:
        leave = stamped_unsubscribe_url(DEAD)
        view = stamped_view_url(DEAD)
    confirm = ""
    if kind.confirms:
        confirm = stamped_confirm_url(DEAD)
    return context(
        person_of(follower),
        data,
        preferences=stamped_preferences_url(DEAD),
        unsubscribe=leave,
        view=view,
        confirm=confirm,
    )
