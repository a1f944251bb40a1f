"""The audit trail: every published fact becomes one row, in the same transaction."""

from collections.abc import Sequence

from apps.accounts.models import AuditEntry
from apps.lib.facts import Fact
from apps.lib.sql.writing.kept_insert import KeptInsert

_ENTRIES = KeptInsert(AuditEntry)


def record(facts: Sequence[Fact]) -> None:
    """Wired to all facts in notifications_project/wiring.py."""
    if len(facts) == 1:
        _ENTRIES.store(_entry(facts[0]))
    else:
        AuditEntry.objects.bulk_create(map(_entry, facts))


def _entry(fact: Fact) -> AuditEntry:
    actor = fact.by
    subject = fact.about
    return AuditEntry(
        at=fact.at,
        kind=fact.kind,
        actor_kind=actor.kind,
        actor_id=actor.id,
        actor_label=actor.label[:200],
        ip=actor.ip or None,
        subject_type=subject.type,
        subject_id=subject.id,
        subject_label=subject.label[:200],
        data=fact.data,
    )
