"""A delivery that a sender holds, as plain values: with all that its message is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from apps.channels.contract import Outcome
from apps.lib.facts import Subject
from apps.lib.sql.raw import parsed, uuid
from apps.notifications.books import tallies
from apps.notifications.messages import person as people
from apps.notifications.messages.person import Person
from apps.notifications.models import (
    DeliveryStatus,
    Notification,
)

COLUMNS = (
    "pk",
    "uid",
    "notification_id",
    "channel",
    "reason",
    "attempts",
    "data",
    "account_id",
    "address__value",
    "address__details",
    "follower_id",
    *(f"follower__{column}" for column in people.COLUMNS[1:]),
)
NOTIFICATION = COLUMNS.index("notification_id")


@dataclass(slots=True)
class Row:
    """A delivery that this process holds, with all that its message is made of. It is no model,
    for a million are made.
    """

    pk: int
    uid: UUID
    notification: Notification
    channel: str
    reason: str
    attempts: int
    data: Any
    account_id: int | None
    address: str
    details: Any  # of the address: what its channel needs to reach it
    person: Person | None  # None: the follower was deleted

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2].lower()

    @property
    def label(self) -> str:
        """What the audit log calls it: the same as Follower.__str__."""
        if self.person:
            return self.person.name or str(self.person.uid)
        return ""

    def place(self) -> tallies.Place:
        return tallies.Place(
            self.notification.pk, self.channel, DeliveryStatus.QUEUED.value, self.reason
        )

    @property
    def fact_subject(self) -> Subject:
        return Subject("delivery", str(self.uid), self.label)


Ended = tuple[Row, Outcome]  # how a row's hand-over ended


def row_of(found: Sequence[Any], notification: Notification) -> Row:
    """The Row made of a database row that begins with COLUMNS."""
    pk, uid, _, channel, reason, attempts, data, account, address, details, follower, *known = (
        found[: len(COLUMNS)]
    )
    person = None
    if follower:
        person = Person(follower, *known)
        person.uid = uuid(person.uid)
        person.metadata = parsed(person.metadata)
        person.measured = bool(person.measured)
        if address:
            person.addresses[channel] = address
    own = parsed(data)
    return Row(
        pk,
        uuid(uid),
        notification,
        channel,
        reason,
        attempts,
        own,
        account,
        address or "",
        parsed(details),
        person,
    )
