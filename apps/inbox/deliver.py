"""The provider that needs no network: an in-app message is handed over by storing it."""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.text import Truncator

from apps.channels.contract import Outcome, Provider, Result, Session
from apps.channels.messages import InAppMessage
from apps.followers.models import Follower
from apps.inbox.models import InboxItem
from apps.notifications.models.sentences import FOLLOWER_GONE, NO_TITLE

TITLE = cast(int, InboxItem._meta.get_field("title").max_length)  # both are bounded
LINK = cast(int, InboxItem._meta.get_field("link").max_length)


class InApp(Provider):
    key = "in_app"
    channel = "in_app"
    label = "In-app inbox"
    local = True

    @classmethod
    def open(cls, settings: Mapping[str, Any]) -> "InAppSession":
        return InAppSession()


class InAppSession(Session[InAppMessage]):
    """A session that writes through the caller's connection.

    Inside `atomic()` the message and its record are one.
    """

    def send(self, message: InAppMessage) -> Outcome:
        """Store the message once, however often it is sent: `delivery` is unique."""
        title = message.title.strip()
        if not title:
            return Outcome(Result.PERMANENT_CONTENT, NO_TITLE)
        if not is_safe_link(message.link):
            said = (
                f"The link must start with https://, http:// or / and have at most {LINK} "
                f"characters: {message.link[:100]!r}."
            )
            return Outcome(Result.PERMANENT_CONTENT, said)
        follower = Follower.objects.filter(uid=message.follower).first()
        if follower is None:
            return Outcome(Result.PERMANENT_RECIPIENT, FOLLOWER_GONE)
        columns = {
            "follower": follower,
            "category": message.category,
            "title": Truncator(title).chars(TITLE),
            "body": message.body,
            "link": message.link,
            "created_at": timezone.now(),
        }
        item, _ = InboxItem.objects.get_or_create(delivery=message.delivery, defaults=columns)
        return Outcome(Result.ACCEPTED, provider_id=str(item.uid))


def is_safe_link(link: str) -> bool:
    """Whether a link leads nowhere, to an http(s) address, or to a path of this site.

    Never to a script, nor to what a browser reads otherwise.
    """
    if not link:
        return True
    # browsers drop tabs and line breaks inside a URL and take a backslash for a slash (WHATWG URL)
    if len(link) > LINK or "\\" in link or any(char <= " " or char == "\x7f" for char in link):
        return False
    try:
        parts = urlsplit(link)
    except ValueError:
        return False
    if parts.scheme:
        return parts.scheme in {"http", "https"} and bool(parts.hostname)
    return link.startswith("/") and not link.startswith("//")
