"""The mail with the code for somebody's own data. It goes past the books, which would keep it."""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone, translation
from django.utils.translation import gettext

from apps.channels.contract import Result
from apps.channels.mail.sender import sender_of
from apps.channels.messages import Mail
from apps.followers.models import Address, Channel, PrivacyCode, PrivacyWish
from apps.followers.privacy import codes
from apps.lib.actor import SYSTEM
from apps.lib.facts import Kind, tell
from apps.lib.ids import uuid7
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts.at_once import hand_over
from apps.subscriptions.public import speak
from apps.subscriptions.wording import masked


def send(*, code_id: int, now: dt.datetime | None = None, **_: object) -> bool:
    """Task: make the code and hand it over, once however often the task runs. Says whether a
    provider took it.
    """
    now = now or timezone.now()
    issued = codes.issue(code_id=code_id, now=now)
    if issued is None:
        return False
    asked, address, code = issued
    with translation.override(None):
        speak(asked.follower)
        subject, text = _words(asked, code)
    uid = uuid7()

    def made(values: Mapping[str, Any]) -> Mail:
        sender = sender_of(values)
        return Mail(
            delivery=uid,
            message_id=f"<{uid.hex}@{sender.domain}>",
            sender=sender,
            to=address.value,
            to_name="",
            subject=subject,
            text=text,
            html="",
            headers={"Auto-Submitted": "auto-generated"},
            sent_at=now,
        )

    account, outcome = hand_over(Channel.EMAIL, made, secret=code, lane=Lane.TRANSACTIONAL, now=now)
    taken = outcome.result in (Result.ACCEPTED, Result.IN_DOUBT)
    detail = outcome.detail.replace(address.value, masked(address.value))
    _note(asked, address, taken, account, outcome.result.value, detail, now)
    return taken


def _note(
    asked: PrivacyCode,
    address: Address,
    taken: bool,
    account: str,
    result: str,
    detail: str,
    now: dt.datetime,
) -> None:
    """Note what the provider said: for the page, and for staff."""
    with transaction.atomic():
        if not taken:
            codes.failed(code=asked, now=now)
        data = {
            "to": masked(address.value),
            "account": account,
            "result": result,
            "detail": detail,
        }
        tell(Kind.PRIVACY_CODE_SENT, by=SYSTEM, now=now, about=asked.follower, data=data)


def _words(asked: PrivacyCode, code: str) -> tuple[str, str]:
    words = {"code": code, "site": settings.SITE_NAME}
    wish = gettext("Somebody with your link asked for a copy of all that %(site)s holds about you.")
    if asked.wish == PrivacyWish.ERASE:
        wish = gettext("Somebody with your link asked to erase all that %(site)s holds about you.")
    parts = [
        gettext("Hello,"),
        wish % words,
        gettext("If it was you, type this code on the page where you asked:"),
        code,
        gettext("It is good for half an hour. If it was not you, there is nothing to do."),
        f"-- \n{settings.SITE_NAME}\n{settings.SITE_ADDRESS}",
    ]
    return gettext("%(code)s is your code for %(site)s") % words, "\n\n".join(parts)
