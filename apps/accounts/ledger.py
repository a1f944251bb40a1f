"""The chain over rows that nobody may change: the audit log and the consent records.

1. Writers know nothing of it and don't wait for each other: `seal_new` looks for committed rows
   without a seal and adds a link for each, whose hash is over the link before it.
2. A link has two digests: of what stays, and, salted, of what may have to be erased. Erasing
   forgets the salt (`let_go`), and the chain holds.
3. `verify` walks a chain from its first link and names the first row that is not as it was sealed.
   Who keeps the last hash elsewhere notices, too, when the end was cut off; who keeps the number
   of erased links, that a salt was taken away, which by itself looks like an erasure.
"""

import datetime as dt
import hashlib
import json
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Exists, Max, Model, OuterRef, QuerySet

from apps.accounts.models import LedgerSeal

SLICE = 2_000  # rows of a look; after an upgrade old rows are sealed at this pace, too
# Ids are given before rows are committed, so that one may appear below others that are sealed: so
# far back it is looked for.
LOOK_BACK = 20_000
FIRST = "0" * 64  # the hash before the first link


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is chained: the columns that stay, those that may be erased, and whose rows they are."""

    name: str
    model: type[Model]
    content: Sequence[str]
    personal: Sequence[str]
    owner: str

    @property
    def rows(self) -> QuerySet[Any]:
        rows = self.model._default_manager.all()
        if self.owner:
            return rows.select_related(self.owner)
        return rows

    def owner_of(self, row: Any) -> str:
        """Give the uid of whom a row belongs to; "" for nobody."""
        if self.owner:
            return str(getattr(row, self.owner).uid)
        return ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a chain stands. `broken` says what is wrong at the first link that is; "" = nothing."""

    links: int
    head: str
    unsealed: int  # rows that wait for their seal
    erased: int  # links whose rows, or what was personal in them, were erased
    broken: str = ""


def ledgers() -> dict[str, Ledger]:
    """All that are chained, by name."""
    found = {}
    for name, (label, content, personal, owner) in settings.LEDGERS.items():
        found[name] = Ledger(name, apps.get_model(label), content, personal, owner)
    return found


def seal_new(*, now: dt.datetime) -> int:
    """Tick: seal rows that were committed since. Returns how many.

    Of two at once one finds its numbers taken, and leaves the rows to the other.
    """
    count = 0
    for ledger in ledgers().values():
        try:
            with transaction.atomic():
                count += _seal(ledger, now)
        except IntegrityError:
            continue
    return count


def _seal(ledger: Ledger, now: dt.datetime) -> int:
    sealed = LedgerSeal.objects.filter(ledger=ledger.name)
    highest = sealed.aggregate(highest=Max("row_id"))["highest"] or 0
    own = sealed.filter(row_id=OuterRef("pk"))
    rows = ledger.rows.filter(~Exists(own), pk__gt=highest - LOOK_BACK).order_by("pk")
    last = sealed.order_by("-number").first()
    number = 0
    before = FIRST
    if last:
        number = last.number
        before = last.hash
    seals = []
    # locked, so that what an erasure is about to empty is not sealed as it was: the one that comes
    # second sees what the first has left
    for row in rows.select_for_update(of=("self",), no_key=True)[:SLICE]:
        number += 1
        seal = LedgerSeal(ledger=ledger.name, number=number, row_id=row.pk, sealed_at=now)
        seal.owner = ledger.owner_of(row)
        seal.salt = secrets.token_hex(16)
        seal.content = _digest(row, ledger.content, seal.owner)
        seal.personal = _digest(row, ledger.personal, seal.salt)
        seal.hash = _hash(before, seal)
        before = seal.hash
        seals.append(seal)
    LedgerSeal.objects.bulk_create(seals)
    return len(seals)


def let_go(*, ledger: str, row_ids: Sequence[int]) -> None:
    """Forget what could show that a digest is of somebody who is erased; to be called in the
    transaction in which their values are taken out of these rows.
    """
    LedgerSeal.objects.filter(ledger=ledger, row_id__in=row_ids).update(salt="")


def verify(name: str) -> Verdict:
    """Walk a chain from its first link to its last."""
    ledger = ledgers()[name]
    before = FIRST
    number = 0
    erased = 0
    for seal, row, owner_lives in _links(ledger):
        number += 1
        if broken := _fault(ledger, seal, row, number=number, before=before, lives=owner_lives):
            said = f"link {seal.number}, row {seal.row_id}: {broken}"
            return Verdict(number - 1, before, _unsealed(ledger), erased, said)
        if row is None or not seal.salt:
            erased += 1
        before = seal.hash
    return Verdict(number, before, _unsealed(ledger), erased)


def hash_at(name: str, number: int) -> str:
    """Give the hash of a link, to be compared with one that was kept elsewhere; "" if it is not
    there.
    """
    seal = LedgerSeal.objects.filter(ledger=name, number=number).first()
    if seal is None:
        return ""
    return seal.hash


def erased_up_to(name: str, number: int) -> int:
    """Count the links up to this one whose rows, or what was personal in them, were erased."""
    links = _links(ledgers()[name], up_to=number)
    return sum(1 for seal, row, _ in links if row is None or not seal.salt)


def _fault(
    ledger: Ledger, seal: LedgerSeal, row: Any, *, number: int, before: str, lives: bool
) -> str:
    """Say what is wrong with a link; "" = nothing. `lives`: whether there still is somebody to whom
    the row belongs.
    """
    if seal.number != number:
        return "a link before it is gone."
    if seal.hash != _hash(before, seal):
        return "the seal was changed, or does not follow the one before it."
    if row is None:
        if ledger.owner and not lives:
            return ""
        return "the row is gone."
    if lives and seal.owner != ledger.owner_of(row):
        return "the row was given to somebody else."
    if seal.content != _digest(row, ledger.content, seal.owner):
        return "the row was changed."
    if seal.salt and seal.personal != _digest(row, ledger.personal, seal.salt):
        return "what the row says was changed."
    return ""


def _links(ledger: Ledger, up_to: int | None = None) -> Iterator[tuple[LedgerSeal, Any, bool]]:
    """Give each link with its row, if that is there, and whether its owner is."""
    seals = LedgerSeal.objects.filter(ledger=ledger.name).order_by("number")
    if up_to is not None:
        seals = seals.filter(number__lte=up_to)
    last = 0
    while some := list(seals.filter(number__gt=last)[:SLICE]):
        last = some[-1].number
        rows = ledger.rows.in_bulk([seal.row_id for seal in some])
        living = _living(ledger, {seal.owner for seal in some})
        for seal in some:
            yield seal, rows.get(seal.row_id), seal.owner in living


def _living(ledger: Ledger, owners: set[str]) -> set[str]:
    if not ledger.owner:
        return set()
    related: Any = ledger.model._meta.get_field(ledger.owner).related_model
    found = related._default_manager.filter(uid__in=owners).values_list("uid", flat=True)
    return set(map(str, found))


def _unsealed(ledger: Ledger) -> int:
    own = LedgerSeal.objects.filter(ledger=ledger.name, row_id=OuterRef("pk"))
    return ledger.model._default_manager.filter(~Exists(own)).count()


def _digest(row: Any, columns: Sequence[str], with_it: str) -> str:
    values = [with_it, *(_plain(getattr(row, column)) for column in columns)]
    text = json.dumps(values, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, dt.datetime):
        return value.astimezone(dt.UTC).isoformat()
    return value


def _hash(before: str, seal: LedgerSeal) -> str:
    parts = [before, seal.ledger, str(seal.number), str(seal.row_id), seal.owner]
    text = "|".join([*parts, seal.content, seal.personal])
    return hashlib.sha256(text.encode()).hexdigest()
