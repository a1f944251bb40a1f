"""The menu of the staff pages: one line per item;
a new page adds its line here and its paths in urls.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from apps.accounts.permissions import Capability, may


@dataclass(frozen=True, slots=True)
class Item:
    """A page in the menu. `icon` is a file name in static/vendor/bootstrap-icons-*;
    who lacks the capability does not see the item. `key` is typed after "g" to go there.
    """

    label: str | Promise
    url_name: str
    icon: str
    capability: Capability = Capability.VIEW
    key: str = ""


_HOME = Item(_("Home"), "dashboard:home", "house", key="h")
_SEND = (
    Item(_("Campaigns"), "dashboard:campaigns", "megaphone", key="c"),
    Item(_("Recurring"), "dashboard:recurring", "calendar-event"),
    Item(_("Notifications"), "dashboard:notifications", "bell", key="n"),
    Item(_("Results"), "dashboard:results", "bar-chart", key="r"),
    Item(_("Message log"), "dashboard:deliveries", "send-check", key="d"),
    Item(_("Failed messages"), "dashboard:undelivered", "exclamation-octagon"),
    Item(_("Events"), "dashboard:events", "lightning"),
    Item(_("Event rules"), "dashboard:event-rules", "signpost-split"),
)
_AUDIENCE = (
    Item(_("Followers"), "dashboard:followers", "people", key="f"),
    Item(_("Imports"), "dashboard:imports", "upload", key="i"),
    Item(_("Exports"), "dashboard:exports", "download", Capability.SEND),
    Item(_("Sign-up forms"), "dashboard:sign-up-forms", "person-plus"),
    Item(_("Tags"), "dashboard:tags", "tags"),
    Item(_("Custom fields"), "dashboard:fields", "card-list"),
    Item(_("Segments"), "dashboard:segments", "funnel", key="s"),
    Item(_("Suppression list"), "dashboard:suppressions", "shield-check"),
    Item(_("Webhooks"), "dashboard:webhooks", "link-45deg"),
)
_CONTENT = (
    Item(_("Templates"), "dashboard:templates", "file-earmark-text", key="t"),
    Item(_("Layouts"), "dashboard:layouts", "layout-text-window-reverse"),
    Item(_("Message types"), "dashboard:types", "sliders"),
    Item(_("Caps"), "dashboard:caps", "bell-slash"),
)
_OPERATE = [Item(_("Audit log"), "dashboard:audit", "journal-text", key="a")]
if not settings.PRODUCTION:  # exists on development machines only
    _OPERATE.append(Item(_("Mailbox"), "ops:mailbox", "inbox"))
_ADMINISTER = (
    Item(_("Channels"), "dashboard:channels", "plug", Capability.ADMINISTER),
    Item(_("Staff"), "dashboard:staff", "person-badge", Capability.ADMINISTER),
    Item(_("API keys"), "dashboard:api-keys", "key", Capability.ADMINISTER),
    Item(_("Retention"), "dashboard:retention", "clock-history", Capability.ADMINISTER),
)

# In the order in which they are shown. The first has no heading.
SECTIONS: Sequence[tuple[str | Promise, Sequence[Item]]] = (
    ("", (_HOME,)),
    (pgettext_lazy("menu", "Send"), _SEND),
    (pgettext_lazy("menu", "Audience"), _AUDIENCE),
    (pgettext_lazy("menu", "Content"), _CONTENT),
    (pgettext_lazy("menu", "Operate"), _OPERATE),
    (pgettext_lazy("menu", "Administer"), _ADMINISTER),
)
ITEMS = [item for _name, items in SECTIONS for item in items]


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
    for name, items in SECTIONS:
        allowed = [item for item in items if may(request.user, item.capability)]
        if allowed:
            entries = [_entry(item, request.path) for item in allowed]
            found.append((str(name), entries))
    return found


def _entry(item: Item, path: str) -> Entry:
    url = reverse(item.url_name)
    if item is _HOME:  # every address lies below it
        current = path == url
    else:
        current = path.startswith(url)
    return Entry(str(item.label), url, item.icon, current, item.key)
