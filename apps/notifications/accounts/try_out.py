"""Try a provider account for real: one fixed message to an address or a device that a person
gives.
"""

import datetime as dt
from collections.abc import Mapping
from email.utils import make_msgid
from typing import Any

from django.conf import settings as site
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext

from apps.channels.contract import Outcome, Result
from apps.channels.https.webhook import new_secret, sealed
from apps.channels.mail.sender import sender_of
from apps.channels.messages import (
    InAppMessage,
    Mail,
    PushMessage,
    Sender,
    SmsMessage,
    VoiceMessage,
    WebhookMessage,
)
from apps.channels.registry import provider
from apps.followers.addresses import BadAddress, normalise
from apps.followers.models import Address, AddressState, Channel
from apps.followers.people.search import find
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.ids import uuid7
from apps.notifications.accounts.edit import AccountValues, change_account
from apps.notifications.accounts.health import note, reset
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount

# A person waits in front of the page, so each answer gets at most this many seconds,
# whatever the account allows.
PATIENCE = 15
# Where a channel's addresses are registered and not written by hand
REGISTERED = (Channel.PUSH, Channel.WEB_PUSH)
OFFERED = 50


def devices(account: ProviderAccount) -> list[Address]:
    """The devices that the account can reach, the one that was there last first;
    at most OFFERED.
    """
    known = Address.objects.filter(channel=account.channel, via=provider(account.provider).via)
    there = known.exclude(state=AddressState.GONE).select_related("follower")
    return list(there.order_by("-seen_at", "-pk")[:OFFERED])


def try_account(*, account: ProviderAccount, to: str, by: Actor, now: dt.datetime) -> Outcome:
    """Send one test message through exactly this account, enabled or not, and note how it went.

    `to` is an email address, a phone number, a URL, the public id of a device (for apps also a
    token as the app has it), or whatever finds one follower (in-app). The hand-over happens outside
    any transaction and is no delivery: what the answer says of the address has no consequence for
    it. Success ends a pause of the account, and switches on one that is new. Raises BadAddress and
    BadSettings.
    """
    values = settings_of(account)
    message = _message(account, values, to.strip(), now=now)
    english = translation.override(site.LANGUAGE_CODE)  # what is said is stored
    with provider(account.provider).open(values | {"timeout": PATIENCE}) as session, english:
        outcome = session.send(message)
    with transaction.atomic():
        if outcome.result == Result.ACCEPTED and (account.tripped_at or account.paused_until):
            reset(account=account, by=by, now=now)
        if outcome.result == Result.ACCEPTED:
            note(account, [outcome], now=now)
            _switch_on_if_new(account, by=by, now=now)
        elif outcome.result == Result.ACCOUNT:
            ProviderAccount.objects.filter(pk=account.pk).update(
                last_error=outcome.detail[:500], last_error_at=now
            )
        said = {"result": outcome.result, "detail": outcome.detail}
        tell(Kind.PROVIDER_TESTED, by=by, now=now, about=account, data=said)
    return outcome


def _switch_on_if_new(account: ProviderAccount, *, by: Actor, now: dt.datetime) -> None:
    """Switch an account on whose first test succeeded, unless somebody has switched it since."""
    row = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
    if row.untried:
        change_account(account=row, values=AccountValues(enabled=True), by=by, now=now)


_Message = Mail | SmsMessage | VoiceMessage | PushMessage | WebhookMessage | InAppMessage


def _message(
    account: ProviderAccount, settings: Mapping[str, Any], to: str, *, now: dt.datetime
) -> _Message:
    """The message that fits the account's channel. Raises BadAddress, BadSettings."""
    name = uuid7()
    said = f"Test from {site.SITE_NAME}: the account {account.name} works."
    match account.channel:
        case Channel.EMAIL:
            sender = sender_of(settings)
            return _mail(account, normalise(Channel.EMAIL, to)[0], sender=sender, now=now)
        case Channel.SMS:
            return SmsMessage(name, normalise(Channel.SMS, to)[0], said)
        case Channel.VOICE:
            return VoiceMessage(name, normalise(Channel.SMS, to)[0], said, "en")
        case Channel.WEBHOOK:
            known = (
                Address.objects.filter(channel=Channel.WEBHOOK, value=to)
                .exclude(state=AddressState.GONE)
                .first()
            )
            if known:
                details = known.details or {}
            else:
                details = sealed(new_secret())
            return WebhookMessage(name, to, details, "carillon.test", now, {"text": said})
        case Channel.IN_APP:
            people = []
            if to:
                people = list(find(to)[:2])
            if len(people) != 1:
                said_why = gettext("{text} finds no follower. Write their email.")
                if people:
                    said_why = gettext("{text} finds several followers. Write their email.")
                raise BadAddress(said_why.format(text=repr(to)))
            return InAppMessage(
                name, people[0].uid, "informational", f"Test of {account.name}", said, ""
            )
    device = next((each for each in devices(account) if str(each.uid) == to), None)
    if device is None and (account.channel == Channel.WEB_PUSH or not to):
        raise BadAddress(
            gettext(
                "Choose one of the registered devices: "
                "none of them has been there under this name lately."
            )
        )
    token = to
    details = {}
    if device:
        token = device.value
        details = device.details or {}
    title = f"Test of {account.name}"
    return PushMessage(name, token, details, title=title, body=said, ttl=3600)


def _mail(account: ProviderAccount, to: str, *, sender: Sender, now: dt.datetime) -> Mail:
    text = (
        f"This is a test from {site.SITE_NAME} ({site.SITE_URL}).\n"
        f"The account {account.name} can send email.\n"
    )
    return Mail(
        delivery=uuid7(),
        message_id=make_msgid("test", domain=sender.domain),
        sender=sender,
        to=to,
        to_name="",
        subject=f"Test of the account {account.name}",
        text=text,
        html="",
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no vacation replies to a test
        sent_at=now,
    )
