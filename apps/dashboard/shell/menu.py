"""The menu of the staff pages: one line per item;
a new page adds its line here and its paths in urls.py.
"""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

from apps.accounts.permissions import Capability, may

# In the order in which they are shown. The first has no heading.
SECTIONS = ("", "Send", "Audience", "Content", "Operate", "Administer")


@dataclass(frozen=True, slots=True)
class Item:
    """One item of the menu; `icon` is a file name in static/vendor/bootstrap-icons-*;
    who lacks the capability does not see the item.
    """

    label: str
    url_name: str
    icon: str
    section: str
    capability: Capability = Capability.VIEW


_MAILBOX: tuple[Item, ...] = ()
if not settings.PRODUCTION:  # exists on development machines only
    _MAILBOX = (Item("Mailbox", "ops:mailbox", "inbox", "Operate"),)

ITEMS = (
    Item("Home", "dashboard:home", "house", ""),
    Item("Campaigns", "dashboard:campaigns", "megaphone", "Send"),
    Item("Recurring", "dashboard:recurring", "calendar-event", "Send"),
    Item("Notifications", "dashboard:notifications", "bell", "Send"),
    Item("Deliveries", "dashboard:deliveries", "send-check", "Send"),
    Item("Undelivered", "dashboard:undelivered", "exclamation-octagon", "Send"),
    Item("Events", "dashboard:events", "lightning", "Send"),
    Item("Event rules", "dashboard:event-rules", "signpost-split", "Send"),
    Item("Followers", "dashboard:followers", "people", "Audience"),
    Item("Imports", "dashboard:imports", "upload", "Audience"),
    Item("Tags", "dashboard:tags", "tags", "Audience"),
    Item("Segments", "dashboard:segments", "funnel", "Audience"),
    Item("Suppression list", "dashboard:suppressions", "shield-check", "Audience"),
    Item("Webhooks", "dashboard:webhooks", "link-45deg", "Audience"),
    Item("Templates", "dashboard:templates", "file-earmark-text", "Content"),
    Item("Layouts", "dashboard:layouts", "layout-text-window-reverse", "Content"),
    Item("Message types", "dashboard:types", "sliders", "Content"),
    Item("Caps", "dashboard:caps", "bell-slash", "Content"),
    Item("Audit log", "dashboard:audit", "journal-text", "Operate"),
    *_MAILBOX,
    Item("Channels", "dashboard:channels", "plug", "Administer", Capability.ADMINISTER),
    Item("Staff", "dashboard:staff", "person-badge", "Administer", Capability.ADMINISTER),
    Item("API keys", "dashboard:api-keys", "key", "Administer", Capability.ADMINISTER),
)


@dataclass(frozen=True, slots=True)
class Entry:
    label: str
    url: str
    icon: str
    current: bool


def sections(request: HttpRequest) -> list[tuple[str, list[Entry]]]:
    """What this person may open, by section;
    the entry whose address the page lies below is current.
    """
    entries: dict[str, list[Entry]] = {name: [] for name in SECTIONS}
    home = reverse("dashboard:home")
    for item in ITEMS:
        if not may(request.user, item.capability):
            continue
        url = reverse(item.url_name)
        if url == home:
            current = request.path == url
        else:
            current = request.path.startswith(url)
        entries[item.section].append(Entry(item.label, url, item.icon, current))
    return [(name, found) for name, found in entries.items() if found]
