"""The audit log: who did what to what, with before and after put side by side."""

import json

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from apps.accounts.fact_words import label_of, name_of, noun_of
from apps.accounts.history import tell
from apps.accounts.models import AuditEntry, User
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.code_words import explained
from apps.dashboard.shell.paging import page_of
from apps.lib.actor import ActorKind
from apps.lib.facts import Kind

NOUNS = sorted({kind.value.partition(".")[0] for kind in Kind})
ANYONE = [
    (str(ActorKind.API_KEY), _("Any API key")),
    (str(ActorKind.FOLLOWER), _("Any follower")),
    (str(ActorKind.COMMAND), _("Any command")),
    (str(ActorKind.SYSTEM), _("The system")),
]


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    person = request.GET.get("person", "")
    noun = request.GET.get("noun", "")
    kind = request.GET.get("kind", "")
    subject = request.GET.get("subject", "")
    rows = AuditEntry.objects.all()
    if person:
        actor_kind, _, actor_id = person.partition(":")
        rows = rows.filter(actor_kind=actor_kind)
        if actor_id:
            rows = rows.filter(actor_id=actor_id)
    if kind in set(Kind):
        rows = rows.filter(kind=kind)
    elif noun in NOUNS:
        # one by one: the index knows kinds, not how they begin
        rows = rows.filter(kind__in=[each for each in Kind if each.startswith(f"{noun}.")])
    if subject:
        subject_type, _, subject_id = subject.partition(":")
        rows = rows.filter(subject_type=subject_type, subject_id=subject_id)
    page = page_of(request, rows)
    subject_label = subject
    if subject and page.rows:
        subject_label = name_of(page.rows[0].subject_label)
    entries = tell(page.rows, explain=explained)
    context = {
        "page": page,
        "entries": entries,
        "person": person,
        "people": _people(),
        "noun": noun,
        "nouns": [(each, label_of(each)) for each in NOUNS],
        "subject": subject,
        "subject_label": subject_label,
        "filtered": bool(person or noun or kind or subject),
    }
    return render(request, "dashboard/operate/audit/list.html", context)


def _people() -> list[tuple[str, str | Promise]]:
    """List who may be asked for: each member of staff, then everybody else by kind."""
    staff = User.objects.order_by("username").only("uid", "username", "first_name", "last_name")
    people: list[tuple[str, str | Promise]] = []
    for user in staff:
        name = user.get_full_name() or user.username
        people.append((f"{ActorKind.STAFF}:{user.uid}", name))
    return people + ANYONE


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    entry = get_object_or_404(AuditEntry, pk=pk)
    (told,) = tell([entry], explain=explained)
    context = {
        "entry": entry,
        "told": told,
        "actor_kind": noun_of(entry.actor_kind),
        "subject_type": noun_of(entry.subject_type),
        "raw": json.dumps(entry.data, ensure_ascii=False, indent=2),
    }
    return render(request, "dashboard/operate/audit/detail.html", context)


urlpatterns = [
    path("audit/", index, name="audit"),
    path("audit/<int:pk>/", detail, name="audit-entry"),
]
