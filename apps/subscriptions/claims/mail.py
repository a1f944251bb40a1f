"""The mail that asks whether an address is a follower's. Plain text: it is about one link."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.translation import gettext

from apps.channels.contract import Result
from apps.channels.mail.sender import sender_of
from apps.channels.messages import Mail
from apps.followers.models import AddressClaim, Channel
from apps.followers.people import address_claims
from apps.lib import tokens
from apps.lib.actor import SYSTEM
from apps.lib.facts import Kind, tell
from apps.lib.ids import uuid7
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts.at_once import hand_over
from apps.subscriptions.public import speak
from apps.subscriptions.wording import masked

PURPOSE = "address_claim"


def send(*, claim_id: int, now: dt.datetime | None = None, **_: object) -> bool:
    """Task: ask the address, however often the task runs once. Says whether a provider took it."""
    now = now or timezone.now()
    claim = address_claims.to_mail(claim_id=claim_id)
    if claim is None:
        return False
    if why := address_claims.kept_back(claim):
        _note(claim, taken=True, now=now, account="", result=why, detail="")
        return False
    with translation.override(None):
        speak(claim.follower)
        subject, text = _words(claim)
    uid = uuid7()

    def made(values: Mapping[str, Any]) -> Mail:
        sender = sender_of(values)
        return Mail(
            delivery=uid,
            message_id=f"<{uid.hex}@{sender.domain}>",
            sender=sender,
            to=claim.value,
            to_name="",
            subject=subject,
            text=text,
            html="",
            headers={"Auto-Submitted": "auto-generated"},
            sent_at=now,
        )

    account, outcome = hand_over(Channel.EMAIL, made, lane=Lane.TRANSACTIONAL, now=now)
    taken = outcome.result in (Result.ACCEPTED, Result.IN_DOUBT)
    detail = outcome.detail.replace(claim.value, masked(claim.value))
    result = outcome.result.value
    _note(claim, taken=taken, now=now, account=account, result=result, detail=detail)
    return taken


def _note(claim: AddressClaim, *, taken: bool, now: dt.datetime, **answer: str) -> None:
    """Note what became of the mail: for its page, and for staff the provider's answer, or why
    nothing was sent.
    """
    with transaction.atomic():
        address_claims.mailed(claim=claim, taken=taken, now=now)
        data = {"to": masked(claim.value), **answer}
        tell(Kind.ADDRESS_ASKED, by=SYSTEM, now=now, about=claim.follower, data=data)


def link(claim: AddressClaim) -> str:
    """Write the address of the page where the mailbox says yes."""
    token = tokens.make(PURPOSE, str(claim.uid))
    return settings.SITE_URL + reverse("subscriptions:address", args=[token])


def _words(claim: AddressClaim) -> tuple[str, str]:
    words = {
        "site": settings.SITE_NAME,
        "mailbox": claim.value,
        "link": link(claim),
    }
    subject = gettext("Please confirm your address for %(site)s") % words
    asked = gettext("%(mailbox)s is to become a further address for messages of %(site)s.")
    if claim.primary:
        asked = gettext("Messages of %(site)s are to come to %(mailbox)s from now on.")
    parts = [
        gettext("Hello,"),
        asked % words,
        gettext("Is that your wish? Then open this page and press the button there:"),
        words["link"],
        gettext("If not, there is nothing to do: without your word nothing changes."),
        f"-- \n{settings.SITE_NAME}\n{settings.SITE_ADDRESS}",
    ]
    return subject, "\n\n".join(parts)
