"""The chain over the audit log and the consent records: whoever changes a row is found out."""

import datetime as dt
import io
import threading
from collections.abc import Callable

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from apps.accounts import ledger
from apps.accounts.models import AuditEntry, LedgerSeal
from apps.followers.models import ConsentRecord, Follower
from apps.lib.actor import SYSTEM
from apps.lib.facts import Kind, Subject, tell
from tests.patience import shortly

NOW = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)


@pytest.fixture
def chains(anna: Follower, boris: Follower) -> None:
    """Both ledgers with some rows, sealed."""
    assert ConsentRecord.objects.count() >= 2
    assert AuditEntry.objects.count() >= 2
    ledger.seal_new(now=NOW)


def broken(name: str) -> str:
    return ledger.verify(name).broken


def test_what_nobody_touched_holds_and_new_rows_follow(chains: None, chen: Follower) -> None:
    before = ledger.verify("consent")
    assert (before.broken, before.unsealed) == ("", 1)
    assert ledger.seal_new(now=NOW) >= 2
    after = ledger.verify("consent")
    assert (after.links, after.unsealed, after.broken) == (before.links + 1, 0, "")
    assert ledger.hash_at("consent", before.links) == before.head
    assert ledger.seal_new(now=NOW) == 0


def _change(row: AuditEntry) -> None:
    AuditEntry.objects.filter(pk=row.pk).update(kind="follower.changed", actor_id="x")


def _reword(row: AuditEntry) -> None:
    AuditEntry.objects.filter(pk=row.pk).update(data={"changed": True})


def _remove(row: AuditEntry) -> None:
    AuditEntry.objects.filter(pk=row.pk).delete()


def _reseal(row: AuditEntry) -> None:
    LedgerSeal.objects.filter(ledger="audit", row_id=row.pk).update(content="0" * 64)


def _remove_both(row: AuditEntry) -> None:
    LedgerSeal.objects.filter(ledger="audit", row_id=row.pk).delete()
    _remove(row)


@pytest.mark.parametrize(
    ("act", "place", "sentence"),
    [
        (_change, 0, "the row was changed."),
        (_reword, 0, "what the row says was changed."),
        (_remove, 0, "the row is gone."),
        (_reseal, 0, "the seal was changed, or does not follow the one before it."),
        (_remove_both, 1, "a link before it is gone."),
    ],
)
def test_the_first_row_that_is_not_as_it_was_is_named(
    chains: None, act: Callable[[AuditEntry], None], place: int, sentence: str
) -> None:
    rows = list(AuditEntry.objects.order_by("pk")[:2])
    act(rows[0])
    assert broken("audit") == f"link {place + 1}, row {rows[place].pk}: {sentence}"
    assert broken("consent") == ""
    with pytest.raises(CommandError, match=f"audit: link {place + 1}, row {rows[place].pk}"):
        call_command("verify_ledger", stdout=io.StringIO())


def test_erasing_what_is_personal_keeps_the_chain(chains: None, anna: Follower) -> None:
    row = AuditEntry.objects.order_by("pk")[0]
    AuditEntry.objects.filter(pk=row.pk).update(subject_label="", data={}, ip=None)
    assert broken("audit")
    ledger.let_go(ledger="audit", row_ids=[row.pk])
    verdict = ledger.verify("audit")
    assert (verdict.broken, verdict.erased) == ("", 1)
    seal = LedgerSeal.objects.get(ledger="audit", row_id=row.pk)
    assert (seal.salt, len(seal.personal)) == ("", 64)
    AuditEntry.objects.filter(pk=row.pk).update(kind="tag.created")
    assert broken("audit").endswith("the row was changed.")


def test_consent_goes_with_its_follower_and_with_nobody_else(
    chains: None, anna: Follower, boris: Follower
) -> None:
    record = ConsentRecord.objects.get(follower=anna, act="subscribed")
    ConsentRecord.objects.filter(pk=record.pk).update(follower=boris)
    assert broken("consent").endswith("the row was given to somebody else.")
    ConsentRecord.objects.filter(pk=record.pk).delete()
    assert broken("consent").endswith("the row is gone.")
    Follower.objects.filter(pk=anna.pk).delete()
    assert broken("consent") == ""


def test_a_row_that_was_committed_late_is_sealed_behind_the_others(chains: None) -> None:
    first = AuditEntry.objects.order_by("pk")[0]
    LedgerSeal.objects.filter(ledger="audit").delete()
    held = AuditEntry.objects.get(pk=first.pk)
    AuditEntry.objects.filter(pk=first.pk).delete()
    ledger.seal_new(now=NOW)
    held.save(force_insert=True)
    assert ledger.seal_new(now=NOW) == 1
    last = LedgerSeal.objects.filter(ledger="audit").order_by("number").last()
    assert last
    assert last.row_id == first.pk
    assert broken("audit") == ""


def test_of_two_that_seal_at_once_one_gets_the_number(chains: None, chen: Follower) -> None:
    """The other one's rows wait for the next look."""
    last = LedgerSeal.objects.filter(ledger="audit").order_by("number").last()
    assert last
    last.pk = None
    last.row_id += 1_000
    with pytest.raises(IntegrityError), transaction.atomic():
        last.save(force_insert=True)
    assert ledger.seal_new(now=timezone.now()) >= 2
    assert broken("audit") == ""


def test_a_hash_that_was_kept_shows_that_the_end_was_cut_off(chains: None) -> None:
    out = io.StringIO()
    call_command("verify_ledger", stdout=out)
    kept = [line for line in out.getvalue().splitlines() if line.count(":") == 3]
    assert [line.partition(":")[0] for line in kept] == ["audit", "consent"]
    call_command("verify_ledger", kept=kept, stdout=io.StringIO())
    last = LedgerSeal.objects.filter(ledger="audit").order_by("number").last()
    assert last
    # a salt that was taken away looks like an erasure: their number tells
    LedgerSeal.objects.filter(ledger="audit", number=1).update(salt="")
    out = io.StringIO()
    call_command("verify_ledger", kept=kept, stdout=out)
    assert f"audit: of the links up to {last.number}, 1 more are erased" in out.getvalue()
    with pytest.raises(CommandError, match="audit: fewer links are erased"):
        call_command("verify_ledger", kept=[f"{kept[0][:-1]}9"], stdout=io.StringIO())
    AuditEntry.objects.filter(pk=last.row_id).delete()
    last.delete()
    call_command("verify_ledger", stdout=io.StringIO())  # by itself it can't know
    with pytest.raises(CommandError, match=f"audit: link {last.number} is gone"):
        call_command("verify_ledger", kept=kept, stdout=io.StringIO())
    with pytest.raises(CommandError, match="Write --kept"):
        call_command("verify_ledger", kept=["cats"], stdout=io.StringIO())


@pytest.mark.django_db(transaction=True)
def test_what_an_erasure_is_emptying_is_sealed_as_it_was_left() -> None:
    about = Subject("tag", "1", "Ida")
    with transaction.atomic():
        tell(Kind.TAG_CREATED, by=SYSTEM, now=NOW, about=about, data={"name": "Ida"})
    row = AuditEntry.objects.get()

    def seal() -> None:
        ledger.seal_new(now=NOW)
        connection.close()

    sealing = threading.Thread(target=seal)
    with transaction.atomic():
        AuditEntry.objects.filter(pk=row.pk).update(subject_label="", data={})
        ledger.let_go(ledger="audit", row_ids=[row.pk])
        sealing.start()
        sealing.join(shortly())
    sealing.join()
    verdict = ledger.verify("audit")
    assert (verdict.broken, verdict.links) == ("", 1)
