"""The menu of the staff pages: one line per item;
a new page adds its line here and its paths in urls.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.permissions import Capability, may


@dataclass(frozen=True, slots=True)
class Item:
    """A page in the menu. `icon` is a file name in static/vendor/bootstrap-icons-*;
    who lacks the capability does not see the item. `key` is typed after "g" to go there.
    """

    label: str
    url_name: str
    icon: str
    capability: Capability = Capability.VIEW
    key: str = ""


_HOME = Item("Home", "dashboard:home", "house", key="h")
_SEND = (
    Item("Campaigns", "dashboard:campaigns", "megaphone", key="c"),
    Item("Recurring", "dashboard:recurring", "calendar-event"),
    Item("Notifications", "dashboard:notifications", "bell", key="n"),
    Item("Message log", "dashboard:deliveries", "send-check", key="d"),
    Item("Failed messages", "dashboard:undelivered", "exclamation-octagon"),
    Item("Events", "dashboard:events", "lightning"),
    Item("Event rules", "dashboard:event-rules", "signpost-split"),
)
_AUDIENCE = (
    Item("Followers", "dashboard:followers", "people", key="f"),
    Item("Imports", "dashboard:imports", "upload", key="i"),
    Item("Tags", "dashboard:tags", "tags"),
    Item("Segments", "dashboard:segments", "funnel", key="s"),
    Item("Suppression list", "dashboard:suppressions", "shield-check"),
    Item("Webhooks", "dashboard:webhooks", "link-45deg"),
)
_CONTENT = (
    Item("Templates", "dashboard:templates", "file-earmark-text", key="t"),
    Item("Layouts", "dashboard:layouts", "layout-text-window-reverse"),
    Item("Message types", "dashboard:types", "sliders"),
    Item("Caps", "dashboard:caps", "bell-slash"),
)
_OPERATE = [Item("Audit log", "dashboard:audit", "journal-text", key="a")]
if not settings.PRODUCTION:  # exists on development machines only
    _OPERATE.append(Item("Mailbox", "ops:mailbox", "inbox"))
_ADMINISTER = (
    Item("Channels", "dashboard:channels", "plug", Capability.ADMINISTER),
    Item("Staff", "dashboard:staff", "person-badge", Capability.ADMINISTER),
    Item("API keys", "dashboard:api-keys", "key", Capability.ADMINISTER),
)

# In the order in which they are shown. The first has no heading.
SECTIONS: dict[str, Sequence[Item]] = {
    "": (_HOME,),
    "Send": _SEND,
    "Audience": _AUDIENCE,
    "Content": _CONTENT,
    "Operate": _OPERATE,
    "Administer": _ADMINISTER,
}
ITEMS = [item for items in SECTIONS.values() for item in items]


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    url: str
    icon: str
    current: bool
    key: str


def sections(request: HttpRequest) -> list[tuple[str, list[Entry]]]:
    """What this person may open, by section;
    the entry whose address the page lies below is current.
    """
    found = []
    for name, items in SECTIONS.items():
        allowed = [item for item in items if may(request.user, item.capability)]
        if allowed:
            entries = [_entry(item, request.path) for item in allowed]
            found.append((name, entries))
    return found


def _entry(item: Item, path: str) -> Entry:
    url = reverse(item.url_name)
    if url == reverse("dashboard:home"):  # every address lies below it
        current = path == url
    else:
        current = path.startswith(url)
    return Entry(item.label, url, item.icon, current, item.key)
