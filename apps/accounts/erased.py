"""What the audit log keeps of somebody who was erased: what was done and when, by which member of
staff; nothing of who the person was.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import TypeVar

from django.db.models import QuerySet

from apps.accounts.ledger import let_go
from apps.accounts.models import AuditEntry
from apps.lib.actor import ActorKind
from apps.lib.erasing.person import DataSubject

_AT_ONCE = 500
_Id = TypeVar("_Id")


def forget(*, person: DataSubject, now: dt.datetime) -> None:
    """Empty the entries about what is the person's, and those of what they did themselves."""
    for sort, ids in person.subjects.items():
        for some in _batches(ids):
            about = AuditEntry.objects.filter(subject_type=sort, subject_id__in=some)
            _empty(about, subject_label="", data={})
    own = AuditEntry.objects.filter(actor_kind=ActorKind.FOLLOWER)
    for sort in ("sign_up", "follower"):
        for some in _batches(person.subjects.get(sort, [])):
            # who signs up has no id yet, and is known by the address
            _empty(own.filter(subject_id__in=some), actor_label="", ip=None)
    _empty(own.filter(actor_id__in=[person.uid, *person.former]), actor_label="", ip=None, data={})
    for some in _batches(person.subjects.get("consent_record", [])):
        let_go(ledger="consent", row_ids=[int(each) for each in some])


def _empty(entries: QuerySet[AuditEntry], **values: object) -> None:
    for some in _batches(list(entries.order_by().values_list("pk", flat=True))):
        AuditEntry.objects.filter(pk__in=some).update(**values)
        let_go(ledger="audit", row_ids=some)


def _batches(ids: Sequence[_Id]) -> Iterator[Sequence[_Id]]:
    for start in range(0, len(ids), _AT_ONCE):
        yield ids[start : start + _AT_ONCE]


def clear(row: AuditEntry, person: DataSubject) -> Sequence[str]:
    """Take the person out of an entry about something else; names the columns that changed."""
    after = {
        "actor_label": person.masked(row.actor_label),
        "subject_label": person.masked(row.subject_label),
        "data": person.emptied(row.data),
    }
    if row.subject_type == "follower":  # another one's
        after["data"] = person.masked(row.data)
    changed = [name for name, value in after.items() if value != getattr(row, name)]
    for name in changed:
        setattr(row, name, after[name])
    if changed:
        let_go(ledger="audit", row_ids=[row.pk])
    return changed
