"""One delivery as the message its channel carries: rendered for this person,
in this person's language.
"""

import datetime as dt
from collections.abc import Mapping
from typing import Any

from apps.channels.esp.relays import naming_header
from apps.channels.mail.sender import bounce_address_of, sender_of
from apps.channels.messages import (
    InAppMessage,
    Mail,
    PushMessage,
    SmsMessage,
    VoiceMessage,
    WebhookMessage,
)
from apps.content.render import compiled
from apps.followers.models import Category, Channel, NotificationType
from apps.notifications.messages import links
from apps.notifications.messages.person import context
from apps.notifications.messages.row import Row
from apps.notifications.messages.site import own_site
from apps.notifications.models import sentences


class Unaddressed(ValueError):
    """The follower's address for this channel is gone."""


Message = Mail | InAppMessage | SmsMessage | PushMessage | WebhookMessage | VoiceMessage
URGENT = (Category.CRITICAL, Category.ACTION_REQUIRED)


def message_of(
    row: Row, *, account: Mapping[str, Any], now: dt.datetime, lines: bool = False
) -> Message:
    """What the provider gets for this row; a mail's bodies as `lines` where it takes them.

    Asks no database: the claim fetched everything. Raises RenderError, Unaddressed.
    """
    notification = row.notification
    person = row.person
    if person is None:
        raise Unaddressed(sentences.FOLLOWER_DELETED)
    kind = notification.notification_type
    version = notification.version
    stamp = links.stamp(
        delivery=row.uid, follower=person.uid, notification_type=kind.pk, version=version.pk
    )
    site = own_site()
    known = site.known
    leave = ""
    view = ""
    if kind.commercial:
        known = site.known_commercial
        leave = site.unsubscribe(stamp.managing)
        view = site.view(stamp.viewing)
    confirm = ""
    if kind.confirms:
        confirm = site.confirm(stamp.managing)
    data = notification.data
    if row.data:
        data = {**data, **row.data}
    values = context(
        person,
        data,
        preferences=site.preferences(stamp.managing),
        unsubscribe=leave,
        view=view,
        confirm=confirm,
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
        raise Unaddressed(sentences.ADDRESS_REMOVED)
    if row.channel != Channel.EMAIL:
        parts = words.render(row.channel, person.language, values).parts
        return _short(row, parts, person.language, now)
    values["links"] |= {
        "tracking": stamp.tracking,
        "managing": stamp.managing,
        "viewing": stamp.viewing,
    }
    parts = words.render_mail(
        person.language,
        values,
        tracked=bool(notification.tracking and person.measured),
        known=known,
        lines=lines,
    ).parts
    bodies = parts["text"], parts["html"]
    as_lines = None
    if lines:
        as_lines = bodies
        bodies = "", ""
    sender = sender_of(account)
    domain = sender.domain
    return_path = ""
    by_mail = ""
    if bounces := bounce_address_of(account):
        return_path = links.return_name(row.uid).join(bounces)
        if leave:
            by_mail = links.leave_name(row.uid).join(bounces)
    group = str(notification.uid)
    headers = mail_headers(kind, domain=domain, group=group, unsubscribe=leave, by_mail=by_mail)
    headers |= naming_header(account, row.uid)
    return Mail(
        delivery=row.uid,
        message_id=f"<{row.uid.hex}@{domain}>",
        sender=sender,
        to=row.address,
        to_name=" ".join(person.name.split()),
        subject=parts["subject"],
        text=bodies[0],
        html=bodies[1],
        lines=as_lines,
        headers=headers,
        sent_at=now,
        return_path=return_path,
    )


def _short(
    row: Row, parts: Mapping[str, str], language: str, now: dt.datetime
) -> SmsMessage | PushMessage | WebhookMessage | VoiceMessage:
    """The message of every channel but email and the inbox. Raises Unaddressed."""
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


def mail_headers(
    notification_type: NotificationType,
    *,
    domain: str,
    group: str,
    unsubscribe: str,
    by_mail: str = "",
) -> dict[str, str]:
    """The headers mailbox providers ask for. `group`: what complaints are counted by.

    List-Unsubscribe with List-Unsubscribe-Post (RFC 8058) on commercial mail only, `by_mail` beside
    it where what is written to that address comes to us; List-Id (RFC
    2919) names the message type; Auto-Submitted (RFC 3834) keeps vacation replies away, and
    X-Auto-Response-Suppress those of Exchange: not its bounces, which "All" would keep away too.
    """
    headers = {
        "List-Id": f"<{notification_type.key}.{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "DR, RN, NRN, OOF, AutoReply",
        "Feedback-ID": f"{group}:{notification_type.key}:carillon",
    }
    if unsubscribe:
        headers["List-Unsubscribe"] = f"<{unsubscribe}>"
        if by_mail:
            both = f"<{unsubscribe}>, <mailto:{by_mail}?subject=unsubscribe>"
            headers["List-Unsubscribe"] = both
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if notification_type.category == Category.MARKETING:
        headers["Precedence"] = "bulk"
    return headers
