"""Exports: begun from a list, watched, and fetched as a file."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.shell.paging import beside, page_of
from apps.followers.exports.files import FORMATS, fetch
from apps.followers.exports.source import sources
from apps.followers.exports.start import start_export
from apps.followers.models import Export, ExportState
from apps.lib.refusals import Refused

# What the lists' own forms send, by kind of rows, and how it is called there.
_ASKED = {
    "followers": {"q": "search", "language": "language"},
    "segment": {"segment": "segment"},
    "suppressions": {"reason": "reason", "q": "search"},
    "deliveries": {
        "notification": "notification",
        "status": "status",
        "channel": "channel",
        "reason": "reason",
    },
}
_STATES = {"subscribed": True, "unsubscribed": False}


@requires(Capability.SEND)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    page = page_of(request, Export.objects.all())
    for row in page.rows:
        source = sources().get(row.kind)
        label: Any = row.kind
        if source:
            label = source.label
        share = 100
        if row.rows_total:
            share = min(100, round(100 * row.rows_done / row.rows_total))
        beside(row, label=label, share=share)
    running = any(row.state == ExportState.RUNNING for row in page.rows)
    context = {"page": page, "running": running, "formats": list(FORMATS)}
    return render(request, "dashboard/audience/exports/list.html", context)


# A copy of many people's data leaves the house: it asks for more than looking at a list.
@requires(Capability.SEND)
@require_POST
def start(request: HttpRequest) -> HttpResponse:
    """Begin an export of what the list shows from which the button was pressed."""
    kind = request.POST.get("kind", "")
    try:
        start_export(
            kind=kind, asked=_asked(request, kind), by=staff_actor(request), now=timezone.now()
        )
    except Refused as error:
        messages.error(request, error.sentence)
    else:
        messages.success(request, gettext("The export runs; its file waits here for a day."))
    return redirect("dashboard:exports")


def _asked(request: HttpRequest, kind: str) -> dict[str, Any]:
    names = _ASKED.get(kind, {})
    asked: dict[str, Any] = {}
    for name, meant in names.items():
        asked[meant] = request.POST.get(name, "").strip()
    if kind == "followers":
        asked["subscribed"] = _STATES.get(request.POST.get("state", ""))
        asked["tags"] = [tag for tag in request.POST.getlist("tag") if tag]
    return asked


@never_cache
@requires(Capability.SEND)
@require_POST
def file(request: HttpRequest, uid: UUID) -> HttpResponse | StreamingHttpResponse:
    """Send the file, and note who fetched it."""
    export = get_object_or_404(Export, uid=uid)
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
    return StreamingHttpResponse(pieces, content_type=FORMATS[file_format], headers=headers)


urlpatterns = [
    path("exports/", index, name="exports"),
    path("exports/start/", start, name="export-start"),
    path("exports/<uuid:uid>/file/", file, name="export-file"),
]
