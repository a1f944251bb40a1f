"""What the audit log has about somebody, and where others wrote about them.

It looks where an erasure looks (SEARCHED of the wiring), so that what would be taken away is told
before. Of a row about others only what names the person is told.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db.models import CharField, JSONField, Model, Q, QuerySet, TextField
from django.utils.translation import gettext_lazy as _

from apps.accounts.fact_words import sentence_of
from apps.accounts.models import AuditEntry
from apps.analytics.everything.part import Part, Told, columns
from apps.analytics.everything.profile import sign_ups, suppressions
from apps.followers.models import ConsentRecord, ImportProblem
from apps.followers.privacy.files import lines_about
from apps.followers.privacy.search import is_problem_of
from apps.inbox.models import InboxItem
from apps.lib.actor import ActorKind
from apps.lib.erasing.person import DataSubject
from apps.notifications.models import Delivery

# Answers and files that hold once more what other parts tell; they go within days.
_COPIES = {"api.IdempotentCall", "followers.ExportChunk"}
_AT_ONCE = 500
_ROOM = 48  # bits of an id, below the number of its table


def _audit(person: DataSubject, after: int, most: int) -> list[Told]:
    found: set[int] = set()
    for some in _about(person):
        rows = AuditEntry.objects.filter(some, pk__gt=after).order_by("pk")
        found.update(rows.values_list("pk", flat=True)[:most])
    chosen = sorted(found)[:most]
    return [
        (row.pk, _entry(row)) for row in AuditEntry.objects.filter(pk__in=chosen).order_by("pk")
    ]


def _about(person: DataSubject) -> Iterator[Q]:
    """Ask for what was done to the person and by them, and for what was done to their things."""
    ids = [person.uid, *person.former]
    yield Q(subject_type="follower", subject_id__in=ids)
    yield Q(actor_kind=ActorKind.FOLLOWER, actor_id__in=ids)
    theirs: dict[str, QuerySet[Any]] = {
        "delivery": Delivery.objects.filter(follower=person.pk).values_list("uid", flat=True),
        "inbox_item": InboxItem.objects.filter(follower=person.pk).values_list("uid", flat=True),
        "consent_record": ConsentRecord.objects.filter(follower=person.pk).values_list(
            "pk", flat=True
        ),
        "sign_up": sign_ups(person).values_list("uid", flat=True),
        "suppression": suppressions(person).values_list("uid", flat=True),
    }
    for sort, rows in theirs.items():
        ids = [str(each) for each in rows]
        for start in range(0, len(ids), _AT_ONCE):
            yield Q(subject_type=sort, subject_id__in=ids[start : start + _AT_ONCE])


def _entry(row: AuditEntry) -> dict[str, Any]:
    """Tell an entry; of staff and programs not who they are, nor where."""
    by = row.actor_kind
    ip = None
    if by == ActorKind.FOLLOWER:
        by = f"{by}: {row.actor_label}"
        ip = row.ip
    what = str(sentence_of(row.kind))
    return columns(row, "at", "kind", "subject_label", "data", what=what, by=by, ip=ip)


def _mentions(person: DataSubject, after: int, most: int) -> list[Told]:
    """Read on from a place: the number of a table, and the id of its row. What was found by a text
    that only contains an address of theirs is passed over.
    """
    first, last_id = divmod(after, 1 << _ROOM)
    told: list[Told] = []
    for number, label in enumerate(settings.SEARCHED):
        if number < first or label in _COPIES or len(told) >= most:
            continue
        begin = 0
        if number == first:
            begin = last_id
        model = apps.get_model(label)
        rows = _naming(model, person).filter(pk__gt=begin).order_by("pk")
        for row in rows.iterator(chunk_size=_AT_ONCE):
            if said := _said(row, person):
                where = str(model._meta.verbose_name)
                told.append(((number << _ROOM) + row.pk, {"where": where, "said": said}))
            if len(told) == most:
                break
    return told


def _said(row: Model, person: DataSubject) -> dict[str, Any]:
    """Give what a row says about the person, by its columns; {} where it is about others."""
    values = {name: getattr(row, name) for name in _words_of(type(row))}
    if not isinstance(row, ImportProblem):
        values = {name: person.said_in(value) for name, value in values.items()}
    elif not is_problem_of(row, person):  # a row of a file is about one person: all of it or none
        return {}
    return {name: value for name, value in values.items() if value}


def _naming(model: type[Model], person: DataSubject) -> QuerySet[Any]:
    """Find rows with one of the person's addresses in a text; those that other parts tell are left
    out.
    """
    asked = Q(pk__in=[])
    for name in _words_of(model):
        for text in person.spellings:
            asked |= Q(**{f"{name}__icontains": text})
    rows = model._default_manager.filter(asked)
    if model is AuditEntry:
        ids = [person.uid, *person.former]
        own = Q(subject_type="follower", subject_id__in=ids) | Q(actor_id__in=ids)
        return rows.exclude(own)
    if any(field.name == "follower" for field in model._meta.fields):
        return rows.filter(Q(follower__isnull=True) | ~Q(follower=person.pk))
    return rows


def _words_of(model: type[Model]) -> Sequence[str]:
    """Name the columns in which somebody may write words."""
    fields = model._meta.fields
    words = [each for each in fields if isinstance(each, CharField | TextField | JSONField)]
    return [each.name for each in words if not each.choices]


def _waiting(person: DataSubject, after: int, most: int) -> list[Told]:
    lines = enumerate(lines_about(person), start=1)
    told = [(number, {"file": job.file_name, "line": line}) for number, (job, line) in lines]
    return [row for row in told if row[0] > after][:most]


PARTS = (
    Part("audit", _("Audit log"), _audit),
    Part("mentions", _("What else names you"), _mentions),
    Part("waiting_files", _("Files that wait to be imported"), _waiting),
)
