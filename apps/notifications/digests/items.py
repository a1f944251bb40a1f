"""What a digest shows of each message in it: its own words, in the reader's language."""

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from django.utils.text import Truncator

from apps.content.liquid.plain_data import Unrenderable, plain
from apps.content.problems import RenderError
from apps.content.render import Compiled, compiled
from apps.followers.models import Channel, Follower
from apps.notifications.messages import links
from apps.notifications.messages.person import Person, context
from apps.notifications.models import Delivery

# characters of an item's text: a digest is a list,
# and a hundred whole letters would be no mail any more
BODY = 500
_LINKED = (Channel.IN_APP, Channel.PUSH, Channel.WEB_PUSH)  # a mail's own links stand in its text

log = logging.getLogger("carillon.digest")
Item = dict[str, Any]  # {"title", "body", "link", "at", "data"}
Rows = list[Delivery]


def made_of(
    rows: Sequence[Delivery], person: Person, *, most: int
) -> tuple[list[Delivery], list[Item], list[Delivery]]:
    """Make a digest's items: (its rows, up to `most` items for the first of them, the rows that
    can't be rendered).
    """
    good: list[Delivery] = []
    items: list[Item] = []
    broken: list[Delivery] = []
    for row in rows:
        try:
            if len(items) < most:
                items.append(_item(row, person))
        except RenderError:
            broken.append(row)
        except Exception:  # a bug costs this message, not everybody's digest
            log.exception("The item of delivery %s could not be made.", row.uid)
            broken.append(row)
        else:
            good.append(row)
    return good, items, broken


def _item(row: Delivery, person: Person) -> Item:
    """What the digest shows of one message. Raises RenderError."""
    notification = row.notification
    follower = row.follower
    assert follower is not None  # noqa: S101  (rows without one are not gathered)
    data = {**notification.data, **(row.data or {})}
    values = context(
        person,
        data,
        preferences=links.preferences_url(follower),
        unsubscribe=_unsubscribe(row, follower),
    )
    words = compiled(notification.version).bare
    parts = words.render(row.channel, person.language, values).parts
    title = parts.get("title") or parts.get("subject") or ""
    body = parts.get("text", "") or parts.get("body", "")
    link = parts.get("link", "")
    if not link and row.channel == Channel.EMAIL:
        link = _link_of(words, person, values)
    shortened = Truncator(body).chars(BODY)
    if not title:
        # a text message, or a push without a title
        title = body
        shortened = ""
    return {
        "title": title,
        "body": shortened,
        "link": link,
        "at": notification.created_at.isoformat(),
        "data": _shown(data),
    }


def _shown(data: dict[str, Any]) -> dict[str, Any]:
    """The data, three levels further down than in a message of its own; none where that is too deep
    for a template.
    """
    with suppress(Unrenderable):
        return dict(plain(data, depth=3))
    return {}


def _unsubscribe(row: Delivery, follower: Follower) -> str:
    kind = row.notification.notification_type
    if kind.commercial:
        return links.unsubscribe_url(follower, kind)
    return ""


def _link_of(words: Compiled, person: Person, values: Mapping[str, Any]) -> str:
    """The address to which the message leads on a channel that has one link; "" without one."""
    for channel in _LINKED:
        with suppress(RenderError):
            if link := words.render(channel, person.language, values).parts["link"]:
                return str(link)
    return ""
