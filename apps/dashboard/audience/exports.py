"""Exports: begun from a list, watched, and fetched as a file."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.fact_words import field_of, value_of
from apps.accounts.permissions import Capability, may, requires
from apps.dashboard.shell.code_words import in_words
from apps.dashboard.shell.paging import beside, page_of
from apps.followers.exports.files import fetch
from apps.followers.exports.formats import FORMATS
from apps.followers.exports.source import ExportSource, source_of, sources
from apps.followers.exports.start import start_export
from apps.followers.exports.write import KEPT
from apps.followers.models import Export
from apps.lib.refusals import Refused

# What the lists' own forms call a filter, where the export calls it otherwise.
_CALLED = {
    "followers": {"search": "q"},
    "suppressions": {"search": "q"},
}
_STATES = {"subscribed": True, "unsubscribed": False}
# Of what was asked, what its own label says already, and what nobody can read.
_UNTOLD = {"rules", "at"}
_CODES = {"reason", "state", "status"}


@requires(Capability.SEND)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    page = page_of(request, _seen_by(request))
    for row in page.rows:
        share = 100
        if row.rows_total:
            share = min(100, round(100 * row.rows_done / row.rows_total))
        label = sources()[row.kind].label
        beside(row, label=label, share=share, filters=_filters(row), until=row.created_at + KEPT)
    context = {"page": page, "formats": list(FORMATS)}
    return render(request, "dashboard/audience/exports/list.html", context)


def _seen_by(request: HttpRequest) -> QuerySet[Export]:
    """Find the exports of those kinds that this person may take out."""
    kinds = [name for name, source in sources().items() if _may(request, source)]
    return Export.objects.filter(kind__in=kinds)


def _may(request: HttpRequest, source: ExportSource) -> bool:
    return may(request.user, Capability(source.needs))


def _filters(row: Export) -> list[tuple[str, Any]]:
    """What was asked, in words: the name of each filter, and its value."""
    told = []
    for name, value in row.asked.items():
        if name in _CODES:
            told.append((field_of(name), in_words(value)))
        elif name not in _UNTOLD:
            told.append((field_of(name), value_of(name, value)))
    return told


# A copy of many people's data leaves the house: it asks for more than looking at a list.
@requires(Capability.SEND)
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Begin an export of what the list shows from which the button was pressed."""
    kind = request.POST.get("export", "")
    try:
        source = source_of(kind)
        if not _may(request, source):
            raise PermissionDenied(gettext("Only administrators take this out."))
        asked = _asked(request, kind, source)
        start_export(kind=kind, asked=asked, by=staff_actor(request), now=timezone.now())
    except Refused as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, gettext("The export runs; its file waits here for a day."))
    return redirect("dashboard:exports")


def _asked(request: HttpRequest, kind: str, source: ExportSource) -> dict[str, Any]:
    """Read the filter of the list from which the button was pressed."""
    called = _CALLED.get(kind, {})
    asked: dict[str, Any] = {}
    for name in source.filters:
        asked[name] = request.POST.get(called.get(name, name), "").strip()
    match kind:
        case "followers":
            asked["subscribed"] = _STATES.get(request.POST.get("state", ""))
            asked["tags"] = [tag for tag in request.POST.getlist("tag") if tag]
        case "audit":
            asked |= _of_audit(request)
    return asked


def _of_audit(request: HttpRequest) -> dict[str, str]:
    """Read what the audit log puts into one field each: who, about what, and which kinds."""
    actor_kind, _, actor_id = request.POST.get("person", "").partition(":")
    subject_type, _, subject_id = request.POST.get("subject", "").partition(":")
    asked = {"actor_kind": actor_kind, "actor_id": actor_id}
    asked |= {"subject_type": subject_type, "subject_id": subject_id}
    if noun := request.POST.get("noun", ""):
        asked["noun"] = f"{noun}."
    return asked


@never_cache
@requires(Capability.SEND)
@require_POST
def file(request: HttpRequest, uid: UUID) -> HttpResponse | StreamingHttpResponse:
    """Send the file, and note who fetched it."""
    export = get_object_or_404(_seen_by(request), uid=uid)
    file_format = request.POST.get("format", "csv")
    if file_format not in FORMATS:
        file_format = "csv"
    try:
        pieces = fetch(
            export=export, file_format=file_format, by=staff_actor(request), now=timezone.now()
        )
    except Refused as error:
        messages.error(request, error.sentence)
        return redirect("dashboard:exports")
    name = f"{export.kind}-{export.created_at:%Y-%m-%d}.{file_format}"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    media_type = FORMATS[file_format].media_type
    return StreamingHttpResponse(pieces, content_type=media_type, headers=headers)


urlpatterns = [
    path("exports/", index, name="exports"),
    path("exports/start/", start, name="export-start"),
    path("exports/<uuid:uid>/file/", file, name="export-file"),
]
