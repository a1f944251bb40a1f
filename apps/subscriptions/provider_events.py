"""What ESPs post about mails that they took: bounces, complaints, arrivals.

Believed only with their proof, stored, and answered at once.
"""

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.channels.esp.relays import hearing_of
from apps.channels.esp.sns import CertificateAway, confirm
from apps.channels.esp.told import Handshake, Unreadable
from apps.channels.https.posted import Forged, Posted
from apps.channels.registry import UnknownProvider, provider
from apps.followers.models import Channel
from apps.lib.tokens import BadToken
from apps.notifications.accounts.routing import settings_of
from apps.notifications.messages import links
from apps.notifications.models import ProviderAccount
from apps.notifications.sending.heard import store
from apps.subscriptions.public import UNREADABLE

LARGEST = 2_000_000  # bytes; SendGrid, whose requests are the largest, stops at 768 KB


@csrf_exempt
@require_POST
def posted(request: HttpRequest, token: str) -> HttpResponse:
    """May come twice, in any order and early. Who can't prove who they are leaves nothing here."""
    try:
        uid = links.read_events_token(token)
    except BadToken:
        return HttpResponse(status=404)
    row = get_object_or_404(ProviderAccount, uid=uid, channel=Channel.EMAIL)
    try:
        kind = provider(row.provider)
    except UnknownProvider:
        return HttpResponse(status=404)
    values = settings_of(row)
    hearing = hearing_of(kind, values)
    if hearing is None:
        return HttpResponse(status=404)
    try:
        body = request.body
    except RequestDataTooBig:
        return _said(413, "This is too large. Send fewer events at once.")
    except UNREADABLE:
        return _said(400, "This body could not be read, and nothing was done. Repeat it.")
    if len(body) > LARGEST:
        return _said(413, "This is too large. Send fewer events at once.")
    sent = Posted(settings.SITE_URL + request.get_full_path(), request.headers, body)
    try:
        found = hearing.heard(
            values, sent, knows=lambda said: links.knows_events_password(uid, said)
        )
    except Forged as error:
        return _said(403, str(error))
    except Unreadable as error:
        return _said(400, str(error))
    except CertificateAway as error:
        return _said(503, str(error))
    if isinstance(found, Handshake):
        if confirm(found):
            return HttpResponse()
        return _said(503, "The subscription could not be confirmed. Ask for it again.")
    store.keep(account=row, told=found, now=timezone.now())
    return HttpResponse()


def _said(status: int, words: str) -> HttpResponse:
    return HttpResponse(words, status=status, content_type="text/plain; charset=utf-8")
