"""The place where an archive waits that somebody asked for with a mailed code. Its address is a
secret of its own, and worth nothing after a day.
"""

from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.followers.consent.rhythm import zone_of
from apps.followers.exports.source import PERSON
from apps.followers.exports.write import KEPT
from apps.followers.models import Export, ExportState, Follower
from apps.followers.privacy.copies import fetch_copy, file_name
from apps.lib import tokens
from apps.lib.actor import ActorKind
from apps.lib.written import written
from apps.subscriptions.public import proof, public_page, show, speak

PURPOSE = "data_copy"
SOURCE = "preference_center"


@public_page
@require_safe
def page(request: HttpRequest, token: str) -> HttpResponse:
    """Say how far the archive is."""
    follower, copy = _read(token)
    return _shown(request, token, follower, copy)


def _shown(request: HttpRequest, token: str, follower: Follower, copy: Export) -> HttpResponse:
    until = (copy.created_at + KEPT).astimezone(zone_of(follower))
    context = {"token": token, "copy": copy, "until": written(until, "d MMMM y, HH:mm")}
    return show(request, "privacy/copy", context)


@public_page
@require_POST
def file(request: HttpRequest, token: str) -> HttpResponse | StreamingHttpResponse:
    """Send the archive, and note that it was fetched."""
    follower, copy = _read(token)
    if copy.state != ExportState.READY:
        return _shown(request, token, follower, copy)
    said = proof(request, follower, SOURCE)
    pieces = fetch_copy(copy=copy, follower=follower, by=said.by, now=timezone.now())
    headers = {"Content-Disposition": f'attachment; filename="{file_name(copy)}"'}
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)


def _read(token: str) -> tuple[Follower, Export]:
    """Find the copy and whose it is; the page speaks their language from here on. Raises BadToken
    for one that is forgotten, and for one of somebody who is erased.
    """
    uid = UUID(tokens.read(PURPOSE, token))
    made = Export.objects.filter(kind=PERSON, uid=uid, by_kind=ActorKind.FOLLOWER).first()
    follower = None
    if made:
        follower = Follower.objects.filter(uid=made.asked["follower"]).first()
    if made is None or follower is None:
        raise tokens.BadToken("There is no such copy any more.")
    speak(follower)
    return follower, made
