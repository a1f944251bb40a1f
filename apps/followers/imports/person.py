"""What a row of a file says of a person, and what is wrong with it."""

import datetime as dt
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

from apps.followers.imports.status_words import Standing
from apps.followers.models import SuppressionReason
from apps.lib.refusals import Refused


class CellProblem(NamedTuple):
    """What is wrong with a cell or a row: the sort that is counted, the sentence about this, and
    the cell, where it can be read as something else (`Options.values`).
    """

    sort: str
    message: str
    cell: str = ""


class BadRow(Refused):
    """A row that can't be taken; `problem` is how a preview counts it, `person` whom it is about,
    where that and what its other cells say of consent could be read.
    """

    def __init__(self, sort: str, message: str, cell: str = "") -> None:
        super().__init__(message, field="row")
        self.problem = CellProblem(sort, message, cell)
        self.person: ImportedPerson | None = None


class Place(NamedTuple):
    """An address in a row: the field it belongs to, how people write it, what is compared."""

    field: str
    value: str
    key: str


@dataclass(frozen=True, slots=True)
class ProofThere:
    """What the other program keeps as proof of what somebody said."""

    subscribed_ip: str | None = None
    confirmed_at: dt.datetime | None = None
    confirmed_ip: str | None = None
    unsubscribed_at: dt.datetime | None = None
    wording: str | None = None

    def as_json(self, subscribed_at: dt.datetime | None) -> dict[str, str]:
        """Give what is known, as a consent record keeps it."""
        said = asdict(self) | {"subscribed_at": subscribed_at}
        found = {}
        for name, value in said.items():
            if isinstance(value, dt.datetime):
                found[name] = value.isoformat()
            elif value:
                found[name] = str(value)
        return found


_LEAVING = frozenset([Standing.OUT, Standing.COMPLAINED])
NO_PROOF = ProofThere()


@dataclass(slots=True)  # not frozen: to make a million of them takes twice as long
class ImportedPerson:
    """What a row says, tidied; only what is not empty. Nobody changes it."""

    line: int
    keys: dict[str, str]  # of columns.KEYS: what is compared
    places: dict[str, Place]  # the first "email" and the first "phone"
    more: tuple[Place, ...]  # others in the same cells
    values: dict[str, str]  # name and its parts, external_id, language, time_zone
    tags: list[str]
    standings: frozenset[Standing]  # what the columns about consent say
    subscribed_at: dt.datetime | None
    metadata: dict[str, Any]
    proof: ProofThere = NO_PROOF
    name_is_weak: bool = False  # made of one part: a name that is known is not replaced by it
    problems: tuple[CellProblem, ...] = ()

    @property
    def opted_out(self) -> bool:
        return not self.standings.isdisjoint(_LEAVING)

    @property
    def suppressions(self) -> dict[Place, SuppressionReason]:
        """Tell which addresses of the row go to the suppression list, and why.

        What came back or was complained about is mail; only a row without an email speaks of its
        phone.
        """
        found: dict[Place, SuppressionReason] = {}
        if Standing.NO_SMS in self.standings:
            numbers = [place for place in self.all_places if place.field == "phone"]
            found |= dict.fromkeys(numbers, SuppressionReason.MANUAL)
        mails = [place for place in self.all_places if place.field == "email"]
        about = mails or self.all_places
        if Standing.COMPLAINED in self.standings:
            found |= dict.fromkeys(about, SuppressionReason.COMPLAINT)
        elif Standing.BOUNCED in self.standings:
            found |= dict.fromkeys(about, SuppressionReason.HARD_BOUNCE)
        return found

    @property
    def subscribes(self) -> bool:
        """Tell whether somebody who is new becomes subscribed."""
        return self.standings <= {Standing.IN, Standing.NO_SMS}

    @property
    def all_places(self) -> list[Place]:
        return [*self.places.values(), *self.more]
