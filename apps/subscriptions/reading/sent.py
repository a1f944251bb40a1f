""" "What did you send me, and why?": each message, the rule that let it go, and how to get less.

A mail is forwarded with its links, so its link tells why that mail came, and nothing of others.
Whoever has a link that was asked for today reads the mailbox, and sees the rest.
"""

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import translation
from django.views.decorators.http import require_safe

from apps.followers.consent.matrix import always_on, words_of
from apps.followers.consent.rhythm import zone_of
from apps.followers.models import Channel, Follower
from apps.lib.written import written
from apps.notifications.messages.links import stamp, stamped_view_url, unsubscribe_url
from apps.notifications.reports.sent_to import SentMessage, sent_to, with_titles
from apps.subscriptions.public import (
    LINK_TYPE,
    PublicLink,
    email_of,
    follower_of,
    public_page,
    read_link,
    show,
    was_asked_for,
)
from apps.subscriptions.reading.words import FROM, WHY, WHY_ELSE
from apps.subscriptions.wording import CHANNELS

AT_ONCE = 20


@public_page
@require_safe
def page(request: HttpRequest, token: str) -> HttpResponse:
    """The message that the link stood in; and with a fresh link all others, a page at a time."""
    link = read_link("preferences", token)
    follower = follower_of(link)
    context: dict[str, Any] = {
        "token": token,
        "fresh": was_asked_for(link, follower),
        "has_mailbox": email_of(follower) is not None,
    }
    context["this"] = [_shown(each, token) for each in _this(link, follower)]
    if context["fresh"]:
        rows = list(sent_to(follower, before=_before(request))[: AT_ONCE + 1])
        found = with_titles(follower, rows[:AT_ONCE])
        context["messages"] = [_shown(each, token) for each in found]
        if len(rows) > AT_ONCE:
            context["older"] = rows[AT_ONCE - 1].uid
    return show(request, "reading/sent", context)


def _before(request: HttpRequest) -> UUID | None:
    try:
        return UUID(request.GET.get("before", ""))
    except ValueError:
        return None


def _this(link: PublicLink, follower: Follower) -> list[SentMessage]:
    """Find the message that the link stood in; none for one that was asked for."""
    if link.delivery is None:
        return []
    rows = sent_to(follower).filter(uid=link.delivery)
    found = rows.exclude(notification__notification_type__key=LINK_TYPE)
    return with_titles(follower, list(found))


def _shown(message: SentMessage, token: str) -> dict[str, Any]:
    """Say what one message was, why it came, and what can be done about it."""
    delivery = message.delivery
    notification = delivery.notification
    kind = notification.notification_type
    name, description = words_of(kind, translation.get_language())
    assert delivery.follower is not None  # noqa: S101  (they are the follower's own)
    at = (delivery.finished_at or delivery.created_at).astimezone(zone_of(delivery.follower))
    fixed = always_on(kind, delivery.channel)
    less = ""
    if not fixed and kind.listed:
        less = f"{reverse('subscriptions:preferences', args=[token])}#type-{kind.key}"
    if kind.commercial and delivery.channel == Channel.EMAIL:
        less = urlsplit(unsubscribe_url(delivery.follower, kind)).path
    return {
        "title": message.title or name,
        "kind": name,
        "about": description,
        "channel": CHANNELS[Channel(delivery.channel)],
        "at": written(at, "d MMMM y, HH:mm"),
        "why": WHY.get(delivery.reason, WHY_ELSE),
        "cause": FROM.get(notification.source, ""),
        "fixed": fixed,
        "less": less,
        "may_wait": kind.digest,
        "copy": _web_copy(message),
    }


def _web_copy(message: SentMessage) -> str:
    """The path of the mail in a browser; "" for what has no web copy."""
    if not message.has_web_copy:
        return ""
    delivery = message.delivery
    assert delivery.follower is not None  # noqa: S101  (they are the follower's own)
    made = stamp(
        delivery=delivery.uid,
        follower=delivery.follower.uid,
        notification_type=delivery.notification.notification_type_id,
        version=delivery.notification.version_id,
    )
    return urlsplit(stamped_view_url(made)).path
