"""What SMS providers post: answers of phones, and reports on messages.

Believed only with their proof.
"""

import logging
from contextlib import suppress
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.html import escape
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from apps.accounts.models import AuditEntry
from apps.channels.contract import BadSettings, Result
from apps.channels.https.posted import Forged, Posted
from apps.channels.messages import SmsMessage
from apps.channels.registry import provider
from apps.channels.sms.answers import Report, SmsReply, Word, word_of
from apps.channels.sms.session import Sms
from apps.followers.addresses import BadAddress
from apps.followers.consent import suppression, tombstones
from apps.followers.models import Channel, Suppression, SuppressionReason
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, Subject, tell
from apps.lib.ids import uuid7
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount
from apps.notifications.sending.heard import provider_reports
from apps.subscriptions.public import UNREADABLE

log = logging.getLogger("carillon.answers")

# In Twilio's language; the others read only the status.
_TWIML = '<?xml version="1.0" encoding="UTF-8"?><Response>{}</Response>'
PATIENCE = 10  # seconds for our answer to leave: the provider waits for us meanwhile


@csrf_exempt
@require_POST
def answered(request: HttpRequest, account: UUID) -> HttpResponse:
    """May come twice and in any order: the second time changes nothing."""
    row = get_object_or_404(ProviderAccount, uid=account, channel__in=(Channel.SMS, Channel.VOICE))
    kind = provider(row.provider)
    if not issubclass(kind, Sms):
        return HttpResponse(status=404)
    try:
        body = request.body
    except UNREADABLE:
        said = "This body could not be read, and nothing was done. Repeat it, in 5 MB at most."
        return HttpResponse(said, status=400, content_type="text/plain; charset=utf-8")
    posted = Posted(settings.SITE_URL + request.get_full_path(), request.headers, body)
    values = settings_of(row)
    try:
        heard = kind.heard(values, posted, now=timezone.now())
    except Forged as error:
        return HttpResponse(str(error), status=403, content_type="text/plain; charset=utf-8")
    said = ""
    if isinstance(heard, Report):
        try:
            provider_reports.report(told=heard, account=row, now=timezone.now())
        except provider_reports.TooEarly:
            return HttpResponse(status=503, headers={"Retry-After": "30"})
    elif heard:
        said = _obey(heard, row, kind, values)
    return HttpResponse(_TWIML.format(said), content_type="text/xml; charset=utf-8")


def _obey(
    answer: SmsReply, account: ProviderAccount, kind: type[Sms], values: dict[str, Any]
) -> str:
    """What to say at once, in the provider's language.

    STOP needs no confirmation: carriers and Twilio send theirs.
    """
    by = Actor(ActorKind.FOLLOWER, label=f"SMS from {answer.sender}")
    now = timezone.now()
    word = word_of(answer.text)
    match word:
        case Word.STOP:
            stamp: dict[str, Any] = {
                "reason": SuppressionReason.STOP,
                "note": answer.text,
                "by": by,
                "now": now,
            }
            with suppress(BadAddress):  # a short code or the like: we don't write to those
                suppression.suppress(channel=Channel.SMS, value=answer.sender, **stamp)
        case Word.START:
            # takes back only what STOP did: staff's own entries stay
            stopped = Suppression.objects.filter(
                channel=Channel.SMS, key=answer.sender, reason=SuppressionReason.STOP
            ).first()
            if stopped:
                suppression.release(suppression=stopped, note=answer.text, by=by, now=now)
            tombstones.take_back(Channel.SMS, answer.sender, SuppressionReason.STOP)
        case _:
            with transaction.atomic():
                # one at a time, so that of two copies of a request one finds the other's note
                ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
                notes = AuditEntry.objects.filter(subject_type="sms", subject_id=answer.name[:64])
                if answer.name and notes.filter(kind=Kind.SMS_ANSWERED).exists():
                    return ""
                data = {"text": answer.text[:1600], "word": word or "", "account": account.name}
                about = Subject("sms", answer.name[:64], answer.sender)
                tell(Kind.SMS_ANSWERED, by=by, now=now, about=about, data=data)
            if word is Word.HELP and (text := str(values.get("help_text") or "")):
                return _help(answer, text, kind, values)
    return ""


def _help(answer: SmsReply, text: str, kind: type[Sms], values: dict[str, Any]) -> str:
    if kind.answers_in_place:
        return f"<Message>{escape(text)}</Message>"
    try:
        with kind.open(values | {"timeout": PATIENCE}) as session:
            outcome = session.send(SmsMessage(uuid7(), answer.sender, text))
    except BadSettings as error:
        log.warning("The help text could not be sent to %s: %s", answer.sender, error)
    else:
        if outcome.result is not Result.ACCEPTED:
            log.warning("The help text could not be sent to %s: %s", answer.sender, outcome.detail)
    return ""
