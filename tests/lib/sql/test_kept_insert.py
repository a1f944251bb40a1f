"""Rows whose INSERT is put together once are those that the ORM would write."""

import datetime as dt

import pytest
from django.db import IntegrityError, connection, transaction

from apps.accounts.models import AuditEntry
from apps.followers.models import Tag
from apps.lib.sql.prepared import gathering, run_gathered, run_prepared
from apps.lib.sql.writing.kept_insert import KeptInsert

pytestmark = pytest.mark.django_db

ENTRIES = KeptInsert(AuditEntry)
TAGS = KeptInsert(Tag)
NOW = dt.datetime(2026, 12, 1, 8, tzinfo=dt.UTC)


def entry(label: str) -> AuditEntry:
    return AuditEntry(
        at=NOW,
        kind="tag.created",
        actor_kind="system",
        ip="203.0.113.7",
        subject_type="tag",
        subject_id=label,
        subject_label=label,
        data={"before": None, "after": ["a", 1, 2.5]},
    )


def test_a_row_is_written_as_the_orm_writes_it() -> None:
    ours = entry("a")
    ENTRIES.store(ours)
    theirs = entry("a")
    theirs.save()
    rows = AuditEntry.objects.order_by("pk").values()
    assert [row.pop("id") for row in rows] == [ours.pk, theirs.pk]
    fields = [field.attname for field in AuditEntry._meta.concrete_fields[1:]]
    stored = [[row[name] for name in fields] for row in AuditEntry.objects.order_by("pk").values()]
    assert stored[0] == stored[1]
    ours.subject_label = "b"
    ours.save()
    assert AuditEntry.objects.get(pk=ours.pk).subject_label == "b"


def test_rows_that_are_gathered_are_there_for_whoever_asks_next() -> None:
    rows = [entry(label) for label in "abcd"]
    with transaction.atomic(), gathering():
        ENTRIES.store(rows[0])
        ENTRIES.store(rows[1])
        assert AuditEntry.objects.count() == 2  # by Django
        ENTRIES.store(rows[2])
        assert run_prepared("SELECT count(*) FROM accounts_auditentry", []) == [(3,)]
        ENTRIES.store(rows[3])
        run_gathered()
        assert rows[3].pk
    assert list(AuditEntry.objects.order_by("pk")) == rows


def test_what_is_left_at_the_end_is_written_too() -> None:
    left = entry("a")
    with transaction.atomic(), gathering():
        ENTRIES.store(left)
    assert AuditEntry.objects.get() == left


def test_one_that_is_refused_is_raised_and_nothing_of_the_others_stays() -> None:
    Tag.objects.create(name="Gold", slug="gold", created_at=NOW)

    def write() -> None:
        with transaction.atomic(), gathering():
            ENTRIES.store(entry("a"))
            TAGS.store(Tag(name="Gold", slug="gold", created_at=NOW))
            run_prepared("SELECT 1", [])

    with pytest.raises(IntegrityError):
        write()
    assert not AuditEntry.objects.exists()
    with transaction.atomic(), gathering():
        ENTRIES.store(entry("b"))
    assert AuditEntry.objects.get().subject_id == "b"


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has no pipeline")
def test_gathered_rows_wait_for_the_next_statement_and_none_is_lost_by_an_error_between() -> None:
    waits = entry("a")

    def fail() -> None:
        with transaction.atomic(), gathering():
            ENTRIES.store(waits)
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert waits.pk is None
    assert not AuditEntry.objects.exists()
    ENTRIES.store(entry("b"))
    assert AuditEntry.objects.get().subject_id == "b"
