"""What providers post when a phone answers: STOP and START change consent before the provider gets its answer."""

from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.channels.registry import provider
from apps.channels.sms import Sms
from apps.channels.sms_answers import Answer, Forged, Posted, Word, word_of
from apps.followers import consent
from apps.followers.addresses import BadAddress
from apps.followers.models import Channel, Suppression, SuppressionReason
from apps.lib.actor import Actor, ActorKind
from apps.notifications.accounts_out import settings_of
from apps.notifications.models import ProviderAccount

# An empty answer in Twilio's language; the others read only the status.
NOTHING_TO_SAY = '<?xml version="1.0" encoding="UTF-8"?><Response/>'


@csrf_exempt
@require_POST
def answered(request: HttpRequest, account: UUID) -> HttpResponse:
    """May come twice: the second time changes nothing. What is not a known word changes nothing either."""
    row = get_object_or_404(ProviderAccount, uid=account, channel=Channel.SMS)
    kind = provider(row.provider)
    if not issubclass(kind, Sms):
        return HttpResponse(status=404)
    posted = Posted(settings.SITE_URL + request.get_full_path(), request.headers, request.body)
    try:
        answer = kind.heard(settings_of(row), posted, now=timezone.now())
    except Forged as error:
        return HttpResponse(str(error), status=403, content_type="text/plain; charset=utf-8")
    if answer:
        _obey(answer)
    return HttpResponse(NOTHING_TO_SAY, content_type="text/xml; charset=utf-8")


def _obey(answer: Answer) -> None:
    stamp = {"by": Actor(ActorKind.FOLLOWER, label=f"SMS from {answer.sender}"), "now": timezone.now()}
    match word_of(answer.text):
        case Word.STOP:
            try:
                consent.suppress(
                    channel=Channel.SMS, value=answer.sender, reason=SuppressionReason.STOP, note=answer.text, **stamp
                )
            except BadAddress:
                return  # a short code or the like: we don't write to those
        case Word.START:
            # takes back only what STOP did: staff's own entries stay
            stopped = Suppression.objects.filter(
                channel=Channel.SMS, key=answer.sender, reason=SuppressionReason.STOP
            ).first()
            if stopped:
                consent.release(suppression=stopped, note=answer.text, **stamp)
