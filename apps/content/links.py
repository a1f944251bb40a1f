"""The links of an email.

They are found when it is published, led through us in a tracked mail, looked up when clicked.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache

from django.conf import settings

from apps.content.liquid.fixed import TRACKING
from apps.content.models import Link
from apps.content.read_html import TokenKind, tags

_WEB = re.compile(r"https?://[^\s/?#\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_LONGEST = Link._meta.get_field("url").max_length or 0

# Not hidden: some programs don't load what nobody would see.
_PIXEL = '<img src="{}/o/{}.gif" width="1" height="1" alt="" style="border:0;width:1px;height:1px">'


def links_in(html: str) -> list[str]:
    """List the web addresses that are the same for every reader, as they stand there."""
    return [url for _, _, url in _found(html)]


def tracked(html: str, numbers: Mapping[str, int]) -> str:
    """Lead these links through us, and put the pixel at the end; TRACKING stands for the token."""
    done = []
    last = 0
    for start, end, url in _found(html):
        if url in numbers:
            done += [html[last:start], f"{settings.SITE_URL}/c/{TRACKING}/{numbers[url]}"]
            last = end
    html = "".join([*done, html[last:]])
    at = _end_of_body(html)
    return html[:at] + _PIXEL.format(settings.SITE_URL, TRACKING) + html[at:]


def noted(html: str, notes: Mapping[str, str]) -> str:
    """Put a note of HTML into each of these links, at its begin."""
    done = []
    last = 0
    for tag in tags(html):
        if tag.kind is not TokenKind.START or tag.name != "a":
            continue
        for attribute in tag.attributes:
            url = attribute.value.strip()
            if attribute.name == "href" and url in notes:
                done += [html[last : tag.end], notes[url]]
                last = tag.end
    return "".join([*done, html[last:]])


def target(version_id: int, number: int) -> str | None:
    """Find where a link of a published version leads."""
    return _targets(version_id).get(number)


@lru_cache(maxsize=1000)  # versions never change; a hundred links take some 20 kB
def _targets(version_id: int) -> dict[int, str]:
    return dict(Link.objects.filter(version=version_id).values_list("number", "url"))


def forget() -> None:
    """Forget the links known here, for tests in which a primary key may come back."""
    _targets.cache_clear()


def _found(html: str) -> Iterator[tuple[int, int, str]]:
    """Find each static href: its start, its end and what it says."""
    for tag in tags(html):
        if tag.kind is not TokenKind.START or tag.name not in ("a", "area"):
            continue
        for attribute in tag.attributes:
            url = attribute.value.strip()
            if attribute.name == "href" and _WEB.fullmatch(url) and len(url) <= _LONGEST:
                yield attribute.start, attribute.end, url


def _end_of_body(html: str) -> int:
    ends = [tag.start for tag in tags(html) if tag.kind is TokenKind.END and tag.name == "body"]
    if ends:
        return ends[-1]
    return len(html)
