"""A message as a web page shows it: the same words, and no link with which to act as its reader.

It is written anew from the version and the data that the mail was pinned to, so that nothing of it
is stored: what the template says about the reader is what is known of them today. Only addresses
are not: of them it knows the one that the message went to, because it may be read by whoever was
forwarded the message.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.urls import reverse

from apps.content.models import Version
from apps.content.render import Rendered, compiled
from apps.followers.models import Channel
from apps.notifications.messages.links import DEAD
from apps.notifications.messages.person import Person, context, person_of
from apps.notifications.models import Delivery

# The pages that a reader's own tokens open (subscriptions/urls.py). Data may hold such addresses,
# too: a digest has those of the messages in it.
_OWN_PAGES = "(?:preferences|unsubscribe|confirm|view)"
_SLASH = "(?:/|%2F)"
_TOKEN = re.compile(rf"({_SLASH}p{_SLASH}{_OWN_PAGES}{_SLASH})[\w-]{{75}}", re.IGNORECASE)


def copy_for_reader(delivery: Delivery, reader: Person | None = None) -> Rendered:
    """Write the message of this delivery once more. Its follower must not be gone.

    `reader`: the follower as `person_of` made it, for who writes many. Raises RenderError.
    """
    if reader is None:
        assert delivery.follower is not None  # noqa: S101  (the caller looked)
        reader = person_of(delivery.follower)
    reader = replace(reader, addresses=_written_to(delivery))
    notification = delivery.notification
    data = {**notification.data, **(delivery.data or {})}
    asking = _asking()
    values = context(reader, data, preferences=asking, unsubscribe=asking)
    copy = compiled(notification.version).render(delivery.channel, reader.language, values)
    return _clean(copy, asking)


def copy_for_nobody(version: Version, data: Mapping[str, Any], language: str) -> Rendered:
    """Write the mail of a version as it reads for nobody: the words that a template has for readers
    of whom nothing is known. Raises RenderError.
    """
    nobody = Person(
        pk=0,
        uid=UUID(int=0),
        name="",
        first_name="",
        last_name="",
        language=language,
        time_zone="",
        external_id=None,
        metadata={},
        measured=False,
    )
    asking = _asking()
    values = context(nobody, data, preferences=asking, unsubscribe=asking)
    return _clean(compiled(version).render(Channel.EMAIL, language, values), asking)


def _clean(copy: Rendered, asking: str) -> Rendered:
    parts = {name: _without_tokens(words, asking) for name, words in copy.parts.items()}
    return Rendered(copy.channel, copy.language, parts)


def _written_to(delivery: Delivery) -> dict[str, str]:
    if delivery.address is None:
        return {}
    return {delivery.channel: delivery.address.value}


def _without_tokens(words: str, asking: str) -> str:
    """Let each link to a page of the reader's own lead to where people ask for their link; one that
    is part of another link, or of a site of ours with another name, to nobody's page.
    """
    words = _own_links(settings.SITE_URL).sub(lambda _: asking, words)
    return _TOKEN.sub(rf"\1{DEAD.managing}", words)


@lru_cache(maxsize=4)
def _own_links(site: str) -> re.Pattern[str]:
    return re.compile(rf"{re.escape(site)}/p/{_OWN_PAGES}/[\w/-]*")


def _asking() -> str:
    return settings.SITE_URL + reverse("subscriptions:link")
