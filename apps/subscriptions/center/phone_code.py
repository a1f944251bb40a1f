"""The text with the code for a phone number: whoever reads that phone types it,
and the number is theirs.

It goes past the books of notifications on purpose: those write to addresses of followers, and this
number is not one yet. What the provider said stands in the audit log; who gets no text asks for
another one.
"""

import datetime as dt

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext

from apps.channels.contract import Result
from apps.channels.messages import SmsMessage
from apps.followers.devices import phone_codes
from apps.followers.models import Channel
from apps.lib.actor import Actor, ActorKind
from apps.lib.facts import Kind, tell
from apps.lib.ids import uuid7
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts.at_once import hand_over
from apps.subscriptions.public import speak
from apps.subscriptions.wording import masked


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
    account, outcome = hand_over(
        Channel.SMS, lambda _settings: message, secret=code, lane=Lane.CRITICAL, now=now
    )
    taken = outcome.result in (Result.ACCEPTED, Result.IN_DOUBT)
    with transaction.atomic():
        if not taken:
            phone_codes.failed(code=asked, now=now)
        follower = asked.follower
        by = Actor(ActorKind.FOLLOWER, id=str(follower.uid), label=str(follower))
        data = {
            "to": masked(message.to),
            "account": account,
            "result": outcome.result.value,
            "detail": outcome.detail,
        }
        tell(Kind.PHONE_CODE_SENT, by=by, now=now, about=follower, data=data)
    return taken
