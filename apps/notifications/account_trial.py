"""Try a provider account for real: one fixed message to an address that a person gives."""

import datetime as dt
from email.utils import make_msgid, parseaddr

from django.conf import settings as site
from django.db import transaction

from apps.channels.contract import Mail, Outcome, Result, SmsMessage
from apps.channels.registry import provider
from apps.followers.addresses import normalise
from apps.followers.models import Channel
from apps.lib.actor import Actor
from apps.lib.events import Fact, Kind, publish
from apps.lib.ids import uuid7
from apps.notifications.accounts_out import note, reset, settings_of
from apps.notifications.models import ProviderAccount

# A person waits in front of the page, so each answer gets at most this many seconds, whatever the account allows.
PATIENCE = 15


class NotTriable(ValueError):
    """Accounts of this channel can't be tried with an address; the text says why."""


def try_account(*, account: ProviderAccount, to: str, by: Actor, now: dt.datetime) -> Outcome:
    """Send one test message through exactly this account, enabled or not, and note how it went.

    `to` is an e-mail address or a phone number. The hand-over happens outside any transaction. Success ends a pause of
    the account. Raises BadAddress, BadSettings and NotTriable.
    """
    if account.channel not in (Channel.EMAIL, Channel.SMS):
        raise NotTriable("Only accounts for email and SMS can be tried by writing to an address.")
    address, _ = normalise(account.channel, to)
    values = settings_of(account)
    message: Mail | SmsMessage
    if account.channel == Channel.SMS:
        message = SmsMessage(uuid7(), address, f"Test from {site.SITE_NAME}: the account {account.name} can send SMS.")
    else:
        message = _mail(account, address, sender=str(values.get("sender") or site.DEFAULT_FROM_EMAIL), now=now)
    with provider(account.provider).open(values | {"timeout": PATIENCE}) as session:
        outcome = session.send(message)
    with transaction.atomic():
        if outcome.result == Result.ACCEPTED and (account.tripped_at or account.paused_until):
            reset(account=account, by=by, now=now)
        if outcome.result == Result.ACCEPTED:
            note(account, [outcome], now=now)
        elif outcome.result == Result.ACCOUNT:
            ProviderAccount.objects.filter(pk=account.pk).update(last_error=outcome.detail[:500], last_error_at=now)
        publish(
            Fact(
                Kind.PROVIDER_TESTED,
                by=by,
                at=now,
                subject_type="provider_account",
                subject_id=str(account.uid),
                subject_label=account.name,
                data={"result": outcome.result, "detail": outcome.detail},
            )
        )
    return outcome


def _mail(account: ProviderAccount, to: str, *, sender: str, now: dt.datetime) -> Mail:
    return Mail(
        delivery=uuid7(),
        message_id=make_msgid("test", domain=parseaddr(sender)[1].rpartition("@")[2] or "localhost"),
        sender=sender,
        to=to,
        to_name="",
        subject=f"Test of the account {account.name}",
        text=f"This is a test from {site.SITE_NAME} ({site.SITE_URL}).\nThe account {account.name} can send email.\n",
        html="",
        headers={"Auto-Submitted": "auto-generated"},  # RFC 3834: no vacation replies to a test
        sent_at=now,
    )
