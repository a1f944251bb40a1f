"""The audit log: who did what to what, with before and after put side by side."""

import json
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.views.decorators.http import require_safe

from apps.accounts.models import AuditEntry, User
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.paging import page_of
from apps.lib.actor import ActorKind
from apps.lib.facts import Kind
from apps.notifications.reports.balance import explain

NOUNS = sorted({kind.value.partition(".")[0] for kind in Kind})


@dataclass(frozen=True, slots=True)
class Difference:
    """One line of what a fact carries; `before` is None where only a plain value is known."""

    name: str
    before: str | None
    after: str


def differences(data: dict[str, Any]) -> list[Difference]:
    """A fact's data, line by line: {"before": {…}, "after": {…}} by key, all else plain.

    Nothing before at all means that it was made just then: there is no change to show."""
    rest = dict(data)
    lines: list[Difference] = []
    before = rest.pop("before", {})
    after = rest.pop("after", {})
    if isinstance(before, dict) and isinstance(after, dict):
        for name in sorted(before.keys() | after.keys()):
            old = before.get(name)
            new = after.get(name)
            if old != new:
                lines.append(
                    Difference(_words(name), readable(old) if before else None, readable(new))
                )
    else:
        lines.append(Difference("Value", readable(before), readable(after)))
    for name, value in rest.items():
        if name == "reason" and isinstance(value, str) and value:
            words = explain(value)
        else:
            words = readable(value)
        lines.append(Difference(_words(name), None, words))
    return lines


def readable(value: Any) -> str:
    if value in (None, "", [], {}):
        return "nothing"
    match value:
        case bool():
            if value:
                return "yes"
            return "no"
        case str():
            return value
        case list() if all(isinstance(each, str | int | float) for each in value):
            return ", ".join(str(each) for each in value)
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, indent=1)
    return str(value)


def _words(name: str) -> str:
    return str(name).replace("_", " ").capitalize()


def sentence(entry: AuditEntry) -> str:
    """`follower.unsubscribed` as "Follower unsubscribed"."""
    return entry.kind.replace(".", " ").replace("_", " ").capitalize()


def _put_in_words(entries: list[Any]) -> None:
    for entry in entries:
        entry.sentence, entry.lines = sentence(entry), differences(entry.data)


def history_of(subject_type: str, uid: UUID, *, most: int) -> list[AuditEntry]:
    """What happened to one subject, newest first, each with its `sentence` and `lines`."""
    entries = list(AuditEntry.objects.filter(subject_type=subject_type, subject_id=str(uid))[:most])
    _put_in_words(entries)
    return entries


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    person, noun, kind, subject = (
        request.GET.get(name, "") for name in ("person", "noun", "kind", "subject")
    )
    rows = AuditEntry.objects.all()
    if person:
        actor_kind, _, actor_id = person.partition(":")
        rows = rows.filter(actor_kind=actor_kind)
        if actor_id:
            rows = rows.filter(actor_id=actor_id)
    if kind in set(Kind):
        rows = rows.filter(kind=kind)
    elif noun in NOUNS:
        rows = rows.filter(kind__startswith=f"{noun}.")
    if subject:
        subject_type, _, subject_id = subject.partition(":")
        rows = rows.filter(subject_type=subject_type, subject_id=subject_id)
    page = page_of(request, rows)
    _put_in_words(page.rows)
    staff = User.objects.order_by("username").only("uid", "username", "first_name", "last_name")
    context = {
        "page": page,
        "person": person,
        "people": [
            *(
                (f"{ActorKind.STAFF}:{user.uid}", user.get_full_name() or user.username)
                for user in staff
            ),
            (str(ActorKind.API_KEY), "Any API key"),
            (str(ActorKind.FOLLOWER), "Any follower"),
            (str(ActorKind.COMMAND), "Any command"),
            (str(ActorKind.SYSTEM), "The system"),
        ],
        "noun": noun,
        "nouns": [(each, each.replace("_", " ").capitalize()) for each in NOUNS],
        "subject": subject,
        "subject_label": page.rows[0].subject_label if subject and page.rows else subject,
        "filtered": bool(person or noun or kind or subject),
    }
    return render(request, "dashboard/operate/audit/list.html", context)


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(AuditEntry, pk=pk)
    context = {
        "entry": entry,
        "sentence": sentence(entry),
        "lines": differences(entry.data),
        "raw": json.dumps(entry.data, ensure_ascii=False, indent=2),
    }
    return render(request, "dashboard/operate/audit/detail.html", context)


urlpatterns = [
    path("audit/", index, name="audit"),
    path("audit/<int:pk>/", detail, name="audit-entry"),
]
