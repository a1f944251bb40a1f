"""The text with the code for a phone number: whoever reads that phone types it,
and the number is theirs.

It goes past the books of notifications on purpose: those write to addresses of followers, and this
number is not one yet. What the provider said stands in the audit log; who gets no text asks for
another one.
"""

import datetime as dt
from dataclasses import replace

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext

from apps.channels.contract import Outcome, Result
from apps.channels.messages import SmsMessage
from apps.channels.registry import provider
from apps.followers.devices import phone_codes
from apps.followers.models import Channel
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.ids import uuid7
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts.health import note
from apps.notifications.accounts.routing import services, settings_of
from apps.subscriptions.public import speak
from apps.subscriptions.wording import masked

PATIENCE = 15  # seconds for one provider: a person waits
# another account may do better, and nothing has left
_ELSEWHERE = (Result.ACCOUNT, Result.THROTTLED, Result.TRANSIENT, Result.BLOCKED)


def send(*, code_id: int, now: dt.datetime | None = None, **_: object) -> bool:
    """Task: make the code and hand it over, once however often the task runs.

    Says whether a provider took it.
    """
    now = now or timezone.now()
    issued = phone_codes.issue(code_id=code_id, now=now)
    if issued is None:
        return False
    asked, code = issued
    with translation.override(None):
        speak(asked.follower)
        words = {"code": code, "site": settings.SITE_NAME}
        body = gettext("%(code)s is your %(site)s code. It is good for ten minutes.") % words
    message = SmsMessage(uuid7(), asked.value, body)
    outcome = Outcome(Result.ACCOUNT, "No provider account for SMS can be used now.")
    account = None
    accounts = services(now=now, lane=Lane.CRITICAL, channel=Channel.SMS)
    for account in accounts.get((Channel.SMS, ""), []):
        settings_now = settings_of(account) | {"timeout": PATIENCE}
        with provider(account.provider).open(settings_now) as session:
            outcome = session.send(message)
        # a provider may quote the text, and what it said is for staff to read
        outcome = replace(outcome, detail=outcome.detail.replace(code, "•" * len(code)))
        note(account, [outcome], now=now)
        if outcome.result not in _ELSEWHERE:
            break
    taken = outcome.result in (Result.ACCEPTED, Result.IN_DOUBT)
    with transaction.atomic():
        if not taken:
            phone_codes.failed(code=asked, now=now)
        follower = asked.follower
        by = Actor(ActorKind.FOLLOWER, id=str(follower.uid), label=str(follower))
        data = {
            "to": masked(message.to),
            "account": "",
            "result": outcome.result.value,
            "detail": outcome.detail,
        }
        if account:
            data["account"] = account.name
        tell(Kind.PHONE_CODE_SENT, by=by, now=now, about=follower, data=data)
    return taken
