"""The links of an e-mail.

They are found when it is published, led through us in a tracked mail, looked up when clicked.
"""

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from html import unescape

from django.conf import settings

from apps.channels.pieces import STAMP
from apps.content.mail_html import LIQUID
from apps.content.models import Link

_TAG = re.compile(r"""<a(?:rea)?(?=\s)(?:"[^"]*"|'[^']*'|[^"'<>])*+>""", re.IGNORECASE)
_ATTRIBUTE = re.compile(
    # linear in any source
    r"""(?<=[\s"'/\0])([^\s"'=<>/\0]++)\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"""
)
# browsers read ?a=1&copy=2 in an href as it is
_REFERENCE = re.compile(r"&(?:#\d+|#x[0-9a-f]+|\w+);", re.IGNORECASE)
_WEB = re.compile(r"https?://[^\s/?#\x00-\x1f\x7f][^\s\x00-\x1f\x7f]*", re.IGNORECASE)
_END = re.compile(r"</body\s*>", re.IGNORECASE)
_LONGEST = Link._meta.get_field("url").max_length or 0

# Not hidden: some programs don't load what nobody would see.
_PIXEL = '<img src="{}/o/{}.gif" width="1" height="1" alt="" style="border:0;width:1px;height:1px">'


def links_in(html: str) -> list[str]:
    """List the web addresses that are the same for every reader, as they stand there."""
    return [url for _, _, url in _found(html)]


def tracked(html: str, numbers: Mapping[str, int]) -> str:
    """Lead these links through us, and put the pixel at the end; STAMP stands for the token."""
    done = []
    last = 0
    for start, end, url in _found(html):
        if url in numbers:
            done += [html[last:start], f"{settings.SITE_URL}/c/{STAMP}/{numbers[url]}"]
            last = end
    html = "".join([*done, html[last:]])
    ends = [found.start() for found in _END.finditer(html)]
    if ends:
        at = ends[-1]
    else:
        at = len(html)
    return html[:at] + _PIXEL.format(settings.SITE_URL, STAMP) + html[at:]


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
    """Find each static href: its start, its end and what it says.

    Liquid is blanked out, so a `>` in it ends no tag.
    """
    blanked = LIQUID.sub(lambda found: "\0" * len(found[0]), html)
    for tag in _TAG.finditer(blanked):
        for attribute in _ATTRIBUTE.finditer(blanked, tag.start(), tag.end()):
            if attribute[1].lower() != "href":
                continue
            which = attribute.lastindex or 0
            url = _REFERENCE.sub(lambda found: unescape(found[0]), attribute[which]).strip()
            if _WEB.fullmatch(url) and len(url) <= _LONGEST:
                yield *attribute.span(which), url
