"""One delivery as the message its channel carries: rendered for this person,
in this person's language.
"""

import datetime as dt
from collections.abc import Mapping
from email.utils import parseaddr
from functools import lru_cache
from typing import Any
from uuid import UUID

from apps.channels.messages import (
    InAppMessage,
    Mail,
    PushMessage,
    SmsMessage,
    VoiceMessage,
    WebhookMessage,
)
from apps.content.render import Rendered, compiled
from apps.followers.models import Category, Channel, NotificationType
from apps.notifications.messages import links
from apps.notifications.messages.person import context
from apps.notifications.messages.row import Row


class Unaddressed(ValueError):
    """The follower's address for this channel is gone."""


Message = Mail | InAppMessage | SmsMessage | PushMessage | WebhookMessage | VoiceMessage
URGENT = (Category.CRITICAL, Category.ACTION_REQUIRED)


def message_of(row: Row, *, account: Mapping[str, Any], now: dt.datetime) -> Message:
    """What the provider gets for this row.

    Asks no database: the claim fetched everything. Raises RenderError, Unaddressed.
    """
    notification = row.notification
    person = row.person
    if person is None:
        raise Unaddressed("The follower was deleted.")
    kind = notification.notification_type
    version = notification.version
    stamp = links.stamp(
        delivery=row.uid, follower=person.uid, notification_type=kind.pk, version=version.pk
    )
    leave = ""
    if kind.commercial:
        leave = links.stamped_unsubscribe_url(stamp)
    data = notification.data
    if row.data:
        data = {**data, **row.data}
    values = context(
        person,
        data,
        preferences=links.stamped_preferences_url(stamp),
        unsubscribe=leave,
    )
    words = compiled(version)
    if row.channel == Channel.IN_APP:
        parts = words.render(row.channel, person.language, values).parts
        return InAppMessage(
            delivery=row.uid,
            follower=person.uid,
            category=kind.category,
            title=parts["title"],
            body=parts.get("body", ""),
            link=parts.get("link", ""),
        )
    if not row.address:
        raise Unaddressed("The follower's address was removed.")
    if row.channel != Channel.EMAIL:
        parts = words.render(row.channel, person.language, values).parts
        return _short(row, parts, person.language, now)
    tracking = ""
    if notification.tracked and person.measured:
        tracking = stamp.tracking
    rendered = words.render_mail(person.language, values, stamp=tracking)
    return mail(
        uid=row.uid,
        to=row.address,
        to_name=person.name,
        rendered=rendered,
        sender=str(account["sender"]),
        notification_type=kind,
        unsubscribe=leave,
        group=str(notification.uid),
        now=now,
    )


def _short(
    row: Row, parts: Mapping[str, str], language: str, now: dt.datetime
) -> SmsMessage | PushMessage | WebhookMessage | VoiceMessage:
    """The message of every channel but e-mail and the inbox. Raises Unaddressed."""
    notification = row.notification
    match row.channel:
        case Channel.SMS:
            media: tuple[str, ...] = ()
            if parts.get("media"):
                media = (parts["media"],)
            return SmsMessage(
                delivery=row.uid, to=row.address, body=parts.get("body", ""), media=media
            )
        case Channel.VOICE:
            return VoiceMessage(
                delivery=row.uid, to=row.address, body=parts["body"], language=language
            )
        case Channel.PUSH | Channel.WEB_PUSH:
            ttl = None
            if notification.expires_at:
                seconds = (notification.expires_at - now).total_seconds()
                ttl = max(0, round(seconds))
            return PushMessage(
                delivery=row.uid,
                token=row.address,
                details=row.details or {},
                title=parts.get("title", ""),
                body=parts.get("body", ""),
                link=parts.get("link", ""),
                image=parts.get("image", ""),
                collapse=notification.uid.hex,
                ttl=ttl,
                urgent=notification.notification_type.category in URGENT,
            )
        case Channel.WEBHOOK:
            follower = ""
            if row.person:
                follower = str(row.person.uid)
            told = {
                "notification": str(notification.uid),
                "follower": follower,
                **{name: words for name, words in parts.items() if words},
                "data": {**notification.data, **(row.data or {})},
            }
            return WebhookMessage(
                delivery=row.uid,
                url=row.address,
                details=row.details or {},
                type=f"notification.{notification.notification_type.key}",
                timestamp=notification.created_at,
                data=told,
            )
    raise Unaddressed(f"Nothing is known about messages for {row.channel}.")


def mail(
    *,
    uid: UUID,
    to: str,
    to_name: str,
    rendered: Rendered,
    sender: str,
    notification_type: NotificationType,
    unsubscribe: str,
    group: str,
    now: dt.datetime,
) -> Mail:
    """The e-mail with the headers mailbox providers ask for.

    List-Unsubscribe with List-Unsubscribe-Post (RFC 8058) on commercial mail only; List-Id (RFC
    2919) names the message type; Auto-Submitted (RFC 3834) keeps vacation replies away; the
    Message-ID is the same on every try.
    """
    domain = _domain_of(sender)
    headers = {
        "List-Id": f"<{notification_type.key}.{domain}>",
        "Auto-Submitted": "auto-generated",
        "Feedback-ID": f"{group}:{notification_type.key}:carillon",
    }
    if unsubscribe:
        headers["List-Unsubscribe"] = f"<{unsubscribe}>"
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if notification_type.category == Category.MARKETING:
        headers["Precedence"] = "bulk"
    return Mail(
        delivery=uid,
        message_id=f"<{uid.hex}@{domain}>",
        sender=sender,
        to=to,
        to_name=" ".join(to_name.split()),
        subject=rendered.parts["subject"],
        text=rendered.parts.get("text", ""),
        html=rendered.parts.get("html", ""),
        headers=headers,
        sent_at=now,
    )


@lru_cache(maxsize=32)
def _domain_of(sender: str) -> str:
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    if domain.isascii():
        return domain
    return domain.encode("idna").decode()
