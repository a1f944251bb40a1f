"""However many rows are judged and written together, the end is that of one row after the other:
as a plain evaluator of the rules says it, and on both databases.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from apps.followers.consent.suppression import suppress
from apps.followers.imports import run
from apps.followers.models import ConsentRecord, Follower, Import, ImportedFollower
from tests.followers.imports.world import counts, people, run_import, upload
from tests.followers.privacy.world import erased
from tests.make import TESTER, make_follower

pytestmark = pytest.mark.django_db

MAPPING = {
    "id": "external_id",
    "email": "email",
    "phone": "phone",
    "name": "name",
    "status": "subscribed",
    "plan": "metadata.plan",
    "tags": "tags",
}
FIELDS = ("id", "email", "phone")
SUPPRESSED = {"p3@example.com", "p9@example.com"}
ERASED = {"p4@example.com", "id-4"}
KNOWN = (
    {"email": "p0@example.com", "name": "Zero", "tags": ["vip"], "metadata": {"plan": "free"}},
    {"email": "p1@example.com", "phone": "+4930000001", "external_id": "id-1"},
    {"email": "p2@example.com", "external_id": "id-2", "subscribed": False},
    {"email": "p3@example.com", "phone": "+4930000003", "name": "Three"},
    {"phone": "+4930000005", "external_id": "id-5", "name": "Five"},
)


@dataclass
class Somebody:
    """A follower, as the evaluator has them; `keys` are {column: key}.

    `named_early` tells that a refused row opted them out before they were there: whether that is
    obeyed depends on whether both rows are in one slice.
    """

    keys: dict[str, str]
    name: str = ""
    plan: str = ""
    tags: set[str] = field(default_factory=set)
    subscribed: bool = True
    named_early: bool = False

    @classmethod
    def known(cls, said: dict[str, Any]) -> "Somebody":
        names = {"id": "external_id", "email": "email", "phone": "phone"}
        keys = {column: said[name] for column, name in names.items() if name in said}
        plan = said.get("metadata", {}).get("plan", "")
        tags = set(said.get("tags", []))
        return cls(keys, said.get("name", ""), plan, tags, said.get("subscribed", True))

    def as_stored(self) -> tuple[Any, ...]:
        keys = sorted(key for column, key in self.keys.items() if column != "id")
        states = [(key, "suppressed" if key in SUPPRESSED else "active") for key in keys]
        metadata = {"plan": self.plan} if self.plan else {}
        return self.keys.get("id", ""), states, self.name, metadata, sorted(self.tags)


@dataclass
class World:
    """The rules of an import, one row after the other."""

    everybody: list[Somebody]
    seen_keys: set[str] = field(default_factory=set)
    seen: list[Somebody] = field(default_factory=list)
    refused: list[int] = field(default_factory=list)
    early: set[str] = field(default_factory=set)

    def take(self, line: int, row: dict[str, str]) -> None:
        keys = {column: row[column] for column in FIELDS if row[column]}
        out = row["status"] == "unsubscribed"
        held = [each for each in map(self.owner, keys.values()) if each]
        owner = next(iter(held), None)
        if not self.fits(keys, owner, held):
            self.refused.append(line)
            if out:
                self.early |= set(keys.values())
                for each in held:
                    each.subscribed = False
            return
        self.seen_keys |= set(keys.values())
        if owner is None:
            owner = Somebody({})
            self.everybody.append(owner)
        self.seen.append(owner)
        new = set(keys.values()) - set(owner.keys.values())
        owner.named_early = not new.isdisjoint(self.early)
        owner.keys |= keys
        owner.name = row["name"] or owner.name
        owner.plan = row["plan"] or owner.plan
        owner.tags |= {row["tags"]} - {""}
        owner.subscribed = owner.subscribed and not out

    def owner(self, key: str) -> Somebody | None:
        return next((each for each in self.everybody if key in each.keys.values()), None)

    def fits(self, keys: dict[str, str], owner: Somebody | None, held: list[Somebody]) -> bool:
        if not keys or ERASED & set(keys.values()) or self.seen_keys & set(keys.values()):
            return False
        if owner is None:
            return True
        known_as = owner.keys.get("id", keys.get("id", ""))
        same = keys.get("id", known_as) == known_as and all(each is owner for each in held)
        return same and not any(each is owner for each in self.seen)


@pytest.fixture
def cast() -> None:
    for values in KNOWN:
        make_follower(**values)
    gone = make_follower(email="p4@example.com", external_id="id-4")
    for key in SUPPRESSED:
        suppress(channel="email", value=key, reason="complaint", by=TESTER, now=timezone.now())
    erased(gone)


def a_file(seed: int) -> list[dict[str, str]]:
    """Make rows about few people, so that they meet."""
    chance = random.Random(seed)

    def often(value: str, share: float) -> str:
        return value * (chance.random() < share)

    rows = []
    for _ in range(60):
        number = chance.randrange(14)
        other = chance.choice([number, number, number, chance.randrange(14)])
        third = chance.choice([number, number, chance.randrange(14)])
        row = {
            "id": often(f"id-{third}", 0.4),
            "email": often(f"p{number}@example.com", 0.8),
            "phone": often(f"+49300000{other:02}", 0.3),
            "name": often(chance.choice(["Anna", "Ben, “the” \\t", "Ёлка"]), 0.7),
            "status": chance.choice(["", "", "subscribed", "unsubscribed"]),
            "plan": chance.choice(["free", "pro"]),
            "tags": often(chance.choice(["vip", "new"]), 0.4),
        }
        rows.append(row)
    return rows


def as_text(rows: list[dict[str, str]]) -> str:
    lines = [",".join(f'"{cell}"' for cell in row.values()) for row in rows]
    return "\n".join([",".join(MAPPING), *lines, ""])


def stored() -> dict[tuple[Any, ...], tuple[Any, ...]]:
    """Give what each follower is, without times; and what they said."""
    found = {}
    for row in Follower.objects.prefetch_related("addresses", "tags", "consent_records"):
        states = sorted((each.key, each.state) for each in row.addresses.all())
        tags = sorted(tag.name for tag in row.tags.all())
        said = sorted((each.act, each.source) for each in row.consent_records.all())
        about = (row.external_id or "", states, row.name, row.metadata, tags)
        found[repr(about)] = (row.subscribed, said)
    return found


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def imported(text: str, size: int, monkeypatch: pytest.MonkeyPatch) -> Import:
    monkeypatch.setattr(run, "SLICES", dict.fromkeys(run.SLICES, size))
    monkeypatch.setattr(run, "REST", 0)
    return run_import(text, MAPPING)


@pytest.mark.parametrize("seed", range(4))
def test_a_slice_ends_as_row_by_row_and_as_the_rules_say(
    cast: None, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = a_file(seed)
    world = World([Somebody.known(said) for said in KNOWN])
    for line, row in enumerate(rows, start=2):
        world.take(line, row)
    for size in (1, 7, 5000):
        with undone():
            job = imported(as_text(rows), size, monkeypatch)
            assert list(job.problems.values_list("line", flat=True)) == world.refused
            found = stored()
            assert found.keys() == {repr(each.as_stored()) for each in world.everybody}
            for each in world.everybody:
                subscribed, said = found[repr(each.as_stored())]
                if not each.named_early:
                    assert subscribed == each.subscribed
                # whoever leaves says so once
                assert said.count(("unsubscribed", "import")) <= 1
            again = imported(as_text(rows), size, monkeypatch)
            assert (again.created, again.updated) == (0, 0)


def test_an_address_that_one_row_gives_up_goes_to_a_later_one_in_one_slice() -> None:
    first = make_follower(email="old@example.com", external_id="a")
    second = make_follower(email="late@example.com", external_id="b")
    rows = "id,email\na,new@example.com\nb,old@example.com\n,late@example.com\n"
    mapping = {"id": "external_id", "email": "email"}
    assert counts(run_import(rows, mapping)) == (1, 2, 0, 0)
    assert [first.addresses.get().key, second.addresses.get().key] == [
        "new@example.com",
        "old@example.com",
    ]
    assert counts(run_import(rows, mapping)) == (0, 0, 3, 0)


def test_rows_that_change_nothing_write_nothing_but_that_they_were_seen(
    django_assert_max_num_queries: Any,
) -> None:
    run_import(people(200))
    before = list(Follower.objects.values("pk", "updated_at"))
    records = ConsentRecord.objects.count()
    job = upload(people(200))
    run.start(job=job, mapping=job.mapping, by=TESTER, now=timezone.now())
    with django_assert_max_num_queries(25):
        run.run(job.pk)
    assert list(Follower.objects.values("pk", "updated_at")) == before
    assert ConsentRecord.objects.count() == records
    assert ImportedFollower.objects.filter(job=job).count() == 200
