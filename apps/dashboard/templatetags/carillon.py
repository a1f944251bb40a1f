"""What templates of all faces share: icons, badges, the menu, and the question who may do what."""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from django import template
from django.conf import settings
from django.contrib.staticfiles import finders
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from apps import __version__
from apps.accounts.permissions import Capability, may
from apps.dashboard.shell import block_tags, menu
from apps.dashboard.shell.code_words import begun, in_words
from apps.dashboard.shell.forms import zone_names
from apps.lib import written
from apps.notifications.models import Notification
from apps.notifications.reports.balance import explain
from apps.notifications.reports.standing import status_of

register = template.Library()
register.tag("post_button", block_tags.post_button)
register.simple_block_tag(block_tags.nothing)

ICONS = "vendor/bootstrap-icons-1.13.1"

# The tone of every word that says how something stands: one list,
# so that the same word looks the same everywhere.
TONES = {
    "success": {
        "sent",
        "delivered",
        "active",
        "published",
        "ready",
        "subscribed",
        "finished",
        "done",
        "ok",
        "create",
        "created",
        "notified",
        "good",
    },
    "primary": {"sending", "running", "queued", "planning", "update", "updated"},
    "info": {"scheduled", "uploaded", "unconfirmed", "pending", "waiting", "held", "stock"},
    "warning": {"paused", "in_doubt", "skipped", "locked", "unsubscribed", "expired", "off"},
    "danger": {"failed", "bounced", "suppressed", "refused", "revoked", "critical", "failing"},
}
TOAST_ICONS = {
    "error": "exclamation-octagon",
    "warning": "exclamation-triangle",
    "success": "check-circle",
}
_TONE_OF = {word: tone for tone, words in TONES.items() for word in words}


@cache
def _svg(name: str) -> str:
    path = finders.find(f"{ICONS}/{name}.svg")
    if not path:
        raise template.TemplateSyntaxError(f"There is no icon {name!r} in static/{ICONS}.")
    drawing = Path(path).read_text()
    start = drawing.index(">") + 1
    return drawing[start:].replace("</svg>", "").strip()


@register.simple_tag
def icon(name: str, css: str = "", label: str = "") -> SafeString:
    """Draw `{% icon "bell" %}` as decoration, with `label="..."` as an image with a name."""
    drawing = mark_safe(_svg(name))  # noqa: S308  # our own file
    if label:
        naming = format_html('role="img" aria-label="{}"', label)
    else:
        naming = mark_safe('aria-hidden="true"')
    return format_html(
        '<svg class="icon {}" width="16" height="16" fill="currentColor"'
        ' viewBox="0 0 16 16" {}>{}</svg>',
        css,
        naming,
        drawing,
    )


@register.simple_tag
def toast_icon(level: str) -> SafeString:
    """The sign of a message to the user, by its level's word."""
    return icon(TOAST_ICONS.get(level, "info-circle"))


@register.simple_tag
def badge(word: Any, label: Any = "") -> SafeString:
    """Colour a word; the colour is never the only sign.

    `{% badge delivery.status delivery.get_status_display %}`
    """
    tone = _TONE_OF.get(str(word), "secondary")
    shown = label or in_words(str(word))
    return format_html('<span class="badge tone tone-{}">{}</span>', tone, shown)


@register.simple_tag
def standing(notification: Notification) -> SafeString:
    """Show how a notification stands at this moment, as a badge."""
    status = status_of(notification, now=timezone.now())
    return badge(status.value, status.label)


@register.simple_tag(takes_context=True)
def menu_sections(context: template.Context) -> list[tuple[str, list[menu.Entry]]]:
    return menu.sections(context["request"])


@register.simple_tag
def carillon_version() -> str:
    """Name what this site runs, such as "0.9.0"."""
    return __version__


@register.filter
def can(user: Any, capability: str) -> bool:
    """Whether somebody has a capability: `{% if request.user|can:"edit" %}`."""
    return may(user, Capability(capability))


@register.simple_tag
def moment(value: dt.datetime | None, empty: str | Promise = "") -> SafeString | str:
    """An instant in the reader's zone, with the exact one for machines."""
    if value is None:
        return str(empty or _("never"))
    local = timezone.localtime(value)
    shown = written.written(local, "d MMM y, HH:mm")
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), shown)


@register.filter
def weekday(day: dt.date) -> str:
    """Name a day of the week in short, as "Mon"."""
    return written.written(day, "EEE")


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The page's own query string with some names set,
    or dropped when empty: `?{% query after=cursor %}`.
    """
    values = context["request"].GET.copy()
    for name, value in changes.items():
        values.pop(name, None)
        if value not in ("", None):
            values[name] = str(value)
    return str(values.urlencode())


@register.simple_tag
def querystring_of(**values: Any) -> str:
    """Write a query string from nothing, escaped: `?{% querystring_of tag=tag.slug %}`."""
    given = {name: value for name, value in values.items() if value not in ("", None)}
    return urlencode(given)


@register.simple_tag
def opens(number: int, address: str = "", **narrowing: Any) -> SafeString | str:
    """Show how many deliveries, as a link to their list: its address, or what it is narrowed by."""
    shown = written.grouped(number)
    if not number or not (address or narrowing):
        return shown
    if narrowing:
        address = f"{reverse('dashboard:deliveries')}?{querystring_of(**narrowing)}"
    return format_html('<a href="{}">{}</a>', address, shown)


@register.simple_tag
@cache
def zone_list() -> SafeString:
    """Zones to choose from, needed once on a page that has a ZoneField."""
    names = [(name,) for name in zone_names()]
    options = format_html_join("", '<option value="{}">', names)
    return format_html('<datalist id="zones">{}</datalist>', options)


@register.simple_tag
def site_name() -> str:
    return settings.SITE_NAME


@register.filter
def words(text: Any) -> str:
    """Write `one_click` as "One click"."""
    return begun(str(text))


@register.filter
def listed(value: Any) -> str:
    """A list as people write it; `yes` and `no` for a switch."""
    match value:
        case bool():
            if value:
                return _("yes")
            return _("no")
        case list() | tuple() | set():
            return ", ".join(str(each) for each in value)
        case dict():
            return ", ".join(f"{name}: {each}" for name, each in value.items())
    return str(value)


@register.filter
def reason_words(reason: str) -> str:
    """Why a delivery was skipped or failed, as people say it."""
    return explain(reason)


@register.filter
def grouped(number: int) -> str:
    """Write 1234567 as 1,234,567 or as the page's language writes it."""
    return written.grouped(number)


@register.filter
def plain(number: float) -> str:
    """Write a number for an attribute of a drawing: with a point, whatever the language."""
    return f"{number:g}"


@register.filter
def percent(part: float, whole: float) -> int:
    """Whole per cent, 0 when there is nothing yet; 100 only when all of it is there."""
    if whole:
        return int(part * 100 / whole)
    return 0


@register.filter
def rate(part: float, whole: float) -> str:
    """Give per cent with a tenth: two clicks in a thousand are news."""
    percentage = 0.0
    if whole:
        percentage = part * 100 / whole
    return written.grouped(percentage, 1)
