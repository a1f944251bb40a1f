"""The browser of the preference page: connect it for web push, keep it known, disconnect it;
and its service worker.
"""

import re

from django.conf import settings
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from apps.followers.devices import push_devices
from apps.subscriptions import new_way
from apps.subscriptions.center.page import SOURCE, back
from apps.subscriptions.public import follower_of, is_fresh, posted, proof, public_page, read_link
from apps.subscriptions.wording import OLD_LINK

# In this order: each names the ones before it in its user agent, too.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
)
_TEXT = "text/plain; charset=utf-8"
_SYSTEMS = ("Android", "iPhone", "iPad", "Windows", "Macintosh", "Linux")


@public_page
@require_POST
def connect(request: HttpRequest, token: str) -> HttpResponse:
    """Take the browser's subscription, as page and service worker send it: at first, on each
    visit, and renewed.

    `replaces` is the endpoint that this one follows. 204, or 400 with the reason; 403 for a browser
    that is new here, where the link is no proof that its holder has the mailbox.
    """
    link = read_link("preferences", token)
    follower = follower_of(link)
    said = proof(request, follower, SOURCE)
    sent = posted(request)
    browser = push_devices.BrowserDevice(
        endpoint=sent.get("endpoint", ""),
        p256dh=sent.get("p256dh", ""),
        auth=sent.get("auth", ""),
        server_key=sent.get("server_key", ""),
        label=name_of(said.user_agent),
    )
    replaced = sent.get("replaces", "")
    try:
        with transaction.atomic():
            known = {row.key: row for row in push_devices.devices_of(follower)}
            here = {push_devices.key_of(browser.endpoint), push_devices.key_of(replaced)}
            if not here & known.keys() and not is_fresh(link, follower):
                return HttpResponse(str(OLD_LINK), status=403, content_type=_TEXT)
            row = push_devices.register_browser(
                follower=follower, browser=browser, by=said.by, now=said.now
            )
            before = known.get(push_devices.key_of(replaced))
            if before and before.pk != row.pk:
                push_devices.unregister(device=before, by=said.by, now=said.now)
            elif row.key not in known:
                new_way.tell(follower, "browser", (row.details or {}).get("label", ""), proof=said)
    except push_devices.BadDevice as error:
        return HttpResponse(str(error), status=400, content_type=_TEXT)
    return HttpResponse(status=204)


@public_page
@require_POST
def remove(request: HttpRequest, token: str) -> HttpResponse:
    """Send nothing more to that browser; a second press finds it done."""
    follower = follower_of(read_link("preferences", token))
    said = proof(request, follower, SOURCE)
    known = {str(row.uid): row for row in push_devices.devices_of(follower)}
    if row := known.get(posted(request).get("device", "")):
        push_devices.unregister(device=row, by=said.by, now=said.now)
    return back(token, "disconnected", part="browsers")


@require_safe
def worker(request: HttpRequest) -> FileResponse:
    """Give the service worker's script.

    Asked for anew on each visit, so that a faulty one does not stay.
    """
    script = (settings.BASE_DIR / "static/carillon/push-worker.js").open("rb")
    answer = FileResponse(script, content_type="text/javascript")
    answer["Cache-Control"] = "no-cache"
    return answer


def name_of(user_agent: str) -> str:
    """Name a browser such as "Firefox · Android": enough to tell one's own apart."""
    browser = next((name for mark, name in _BROWSERS if f"{mark}/" in user_agent), "")
    system = next((name for name in _SYSTEMS if re.search(rf"\b{name}\b", user_agent)), "")
    return " · ".join(filter(None, (browser, system.replace("Macintosh", "Mac"))))
