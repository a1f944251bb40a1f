"""The audit trail: every published fact becomes one row, in the same transaction."""

from collections.abc import Sequence

from apps.accounts.models import AuditEntry
from apps.lib.facts import Fact


def record(facts: Sequence[Fact]) -> None:
    """Wired to all facts in notifications_project/wiring.py."""
    AuditEntry.objects.bulk_create(
        AuditEntry(
            at=fact.at,
            kind=fact.kind,
            actor_kind=fact.by.kind,
            actor_id=fact.by.id,
            actor_label=fact.by.label[:200],
            ip=fact.by.ip or None,
            subject_type=fact.about.type,
            subject_id=fact.about.id,
            subject_label=fact.about.label[:200],
            data=fact.data,
        )
        for fact in facts
    )
