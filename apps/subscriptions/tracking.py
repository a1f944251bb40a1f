"""The links and the image of a mail, opened by thousands a second: no session, no cookie,
no write in the request.

They are the only GETs that leave a trace. It is none that a GET may not leave: an event in a log,
gathered in memory and stored later. Nothing about consent or preferences depends on it, and of a
delivery's way only whether a fallback is still needed, where a person clicked.
"""

import base64
import re
from collections.abc import Callable
from contextlib import suppress
from string import printable
from urllib.parse import quote

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed
from django.utils import timezone

from apps.content.links import target
from apps.lib.network.client_ip import client_ip
from apps.lib.network.host_name import BadHost, ascii_url
from apps.lib.tokens import BadToken
from apps.notifications.decide.machines import sign_of
from apps.notifications.engagement import store
from apps.notifications.messages.links import Mark, read_tracking
from apps.subscriptions.public import public_page, show

PIXEL = base64.b64decode(
    "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAICRAEAOw=="
)  # 1×1, transparent, 43 bytes
# As apps/content/links.py writes them. They stand in old mail: never change them.
_ADDRESS = re.compile(r"/(?:c/([\w-]+)/([0-9]{1,4})|o/([^/]*)\.gif)", re.ASCII)
_LOOKS = ("GET", "HEAD")


def straight(
    get_response: Callable[[HttpRequest], HttpResponseBase],
) -> Callable[[HttpRequest], HttpResponseBase]:
    """Middleware: answer these addresses before sessions, languages, cookies and the rest.

    They need none of it, and a click costs less than half so. What is refused goes on to `refused`.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        found = None
        if request.path_info.startswith(("/c/", "/o/")):
            found = _ADDRESS.fullmatch(request.path_info)
        answer = found and _answer(request, *found.groups())
        return answer or get_response(request)

    return middleware


@public_page
def refused(request: HttpRequest) -> HttpResponse:
    return show(request, "bad_click", {}, status=404)


def _answer(
    request: HttpRequest, token: str, number: str | None, pixel: str | None
) -> HttpResponse | None:
    if request.method not in _LOOKS:
        return HttpResponseNotAllowed(_LOOKS)
    if pixel is not None:
        token = pixel
    try:
        mark = read_tracking(token)
    except BadToken:
        mark = None
    if pixel is not None:
        return _image(request, mark)
    url = mark and target(mark.version, int(number or 0))
    if mark and url:
        return _onwards(request, mark, int(number or 0), url)
    return None


def _onwards(request: HttpRequest, mark: Mark, link: int, url: str) -> HttpResponse:
    """Send the reader to where the author's link leads, byte for byte but for its host, which is
    named as DNS names it: not every program knows to read its letters by IDNA 2008.

    Nothing in the address that was asked for can name another place.
    """
    _note(request, mark, link)
    with suppress(BadHost):
        url = ascii_url(url)
    return HttpResponse(
        status=302,
        headers={
            # only what no header can carry is quoted; HttpResponseRedirect would quote more
            "Location": quote(url, safe=printable),
            "Content-Length": "0",
            "Cache-Control": "no-store",
            # the site that is opened learns neither the token nor in whose mailbox its reader was
            "Referrer-Policy": "no-referrer",
            "X-Robots-Tag": "noindex",
        },
    )


def _image(request: HttpRequest, mark: Mark | None) -> HttpResponse:
    """Answer with the image whatever the token is: a mail must not show a broken one."""
    if mark:
        _note(request, mark, 0)
    headers = {
        "Content-Length": str(len(PIXEL)),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
    }
    return HttpResponse(PIXEL, content_type="image/gif", headers=headers)


def _note(request: HttpRequest, mark: Mark, link: int) -> None:
    agent = request.META.get("HTTP_USER_AGENT", "")[: store.LONGEST_AGENT]
    sign = sign_of(request.META, client_ip(request), settings.SCANNER_NETWORKS)
    store.events.add(store.Event(mark.delivery, link, timezone.now(), agent, sign))
