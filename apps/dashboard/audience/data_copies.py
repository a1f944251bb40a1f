"""All that is held about one follower, to be handed over: written in the background, and fetched by
an administrator with the password once more.

To ask for it takes no password: nothing leaves the house before somebody fetches the file.
"""

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.dashboard.audience.erase import PasswordForm
from apps.followers.exports.write import KEPT
from apps.followers.models import Follower
from apps.followers.privacy.copies import ask_for_copy, copies_of, fetch_copy, file_name
from apps.lib.refusals import Refused


@requires(Capability.ADMINISTER)
@require_safe
def page(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = get_object_or_404(Follower, uid=uid)
    return _shown(request, follower, PasswordForm(request=request))


def _shown(request: HttpRequest, follower: Follower, form: PasswordForm) -> HttpResponse:
    copy = copies_of(follower).order_by("-pk").first()
    context = {"follower": follower, "form": form, "copy": copy}
    if copy:
        context["until"] = copy.created_at + KEPT
        if copy.rows_total:
            context["share"] = min(99, round(100 * copy.rows_done / copy.rows_total))
    return render(request, "dashboard/audience/followers/copy.html", context)


@requires(Capability.ADMINISTER)
@require_POST
def start(request: HttpRequest, uid: UUID) -> HttpResponse:
    follower = get_object_or_404(Follower, uid=uid)
    try:
        ask_for_copy(follower=follower, by=staff_actor(request), now=timezone.now())
    except Refused as error:
        messages.error(request, error.sentence)
    return redirect("dashboard:follower-copy", uid)


@never_cache
@requires(Capability.ADMINISTER)
@require_POST
def file(request: HttpRequest, uid: UUID, copy: UUID) -> HttpResponse | StreamingHttpResponse:
    """Send the archive, and note who fetched it."""
    follower = get_object_or_404(Follower, uid=uid)
    found = get_object_or_404(copies_of(follower), uid=copy)
    form = PasswordForm(request.POST, request=request)
    if not form.is_valid():
        return _shown(request, follower, form)
    try:
        pieces = fetch_copy(
            copy=found, follower=follower, by=staff_actor(request), now=timezone.now()
        )
    except Refused as error:
        messages.error(request, error.sentence)
        return redirect("dashboard:follower-copy", uid)
    headers = {"Content-Disposition": f'attachment; filename="{file_name(found)}"'}
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)


urlpatterns = [
    path("followers/<uuid:uid>/copy/", page, name="follower-copy"),
    path("followers/<uuid:uid>/copy/start/", start, name="follower-copy-start"),
    path("followers/<uuid:uid>/copy/<uuid:copy>/file/", file, name="follower-copy-file"),
]
