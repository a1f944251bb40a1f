"""One delivery as the message its channel carries: rendered for this person, in this person's language."""

import datetime as dt
from collections.abc import Mapping
from email.utils import parseaddr
from typing import Any
from uuid import UUID

from apps.channels.contract import InAppMessage, Mail
from apps.content.render import Rendered, compiled
from apps.followers.models import Category, Channel, NotificationType
from apps.notifications.models import Delivery
from apps.notifications.recipient import context


class Unaddressed(ValueError):
    """The follower's address for this channel is gone."""


def message_of(delivery: Delivery, *, account: Mapping[str, Any], now: dt.datetime) -> Mail | InAppMessage:
    """What the provider gets. Raises RenderError, Unaddressed."""
    notification, follower = delivery.notification, delivery.follower
    if follower is None:
        raise Unaddressed("The follower was deleted.")
    kind, data = notification.notification_type, {**notification.data, **(delivery.data or {})}
    values = context(follower, kind, data)
    rendered = compiled(notification.version).render(delivery.channel, follower.language, values)
    if delivery.channel == Channel.IN_APP:
        parts = rendered.parts
        return InAppMessage(
            delivery=delivery.uid,
            follower=follower.uid,
            category=kind.category,
            title=parts["title"],
            body=parts.get("body", ""),
            link=parts.get("link", ""),
        )
    if delivery.address is None:
        raise Unaddressed("The follower's address was removed.")
    return mail(
        uid=delivery.uid,
        to=delivery.address.value,
        to_name=follower.name,
        rendered=rendered,
        sender=str(account["sender"]),
        notification_type=kind,
        links=values["links"],
        group=str(notification.uid),
        now=now,
    )


def mail(
    *,
    uid: UUID,
    to: str,
    to_name: str,
    rendered: Rendered,
    sender: str,
    notification_type: NotificationType,
    links: Mapping[str, str],
    group: str,
    now: dt.datetime,
) -> Mail:
    """The e-mail with the headers mailbox providers ask for.

    List-Unsubscribe with List-Unsubscribe-Post (RFC 8058) on commercial mail only; List-Id (RFC 2919) names the kind of
    message; Auto-Submitted (RFC 3834) keeps vacation replies away; the Message-ID is the same on every try.
    """
    domain = parseaddr(sender)[1].rpartition("@")[2] or "localhost"
    domain = domain if domain.isascii() else domain.encode("idna").decode()
    headers = {
        "List-Id": f"<{notification_type.key}.{domain}>",
        "Auto-Submitted": "auto-generated",
        "Feedback-ID": f"{group}:{notification_type.key}:carillon",
    }
    if links.get("unsubscribe"):
        headers["List-Unsubscribe"] = f"<{links['unsubscribe']}>"
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
