"""What people did with messages, as a rule of a segment: read, asked and put in words.

The value of such a rule is `{"did": "opened", ...}` with at most one of `campaign`, `notification`
(uids), `recurring` (uid), `type` (key), `last` (so many of the newest campaigns), which say of
which messages, and with `channel`, `within_days` and `link` (its number in the
message) where wanted.
"""

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode

from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.campaigns.models import Campaign, Recurring, Run
from apps.followers.models import Channel, NotificationType
from apps.lib.ids import read_uid, row_with
from apps.notifications.models import Delivery, Engagement, EngagementKind, Notification
from apps.notifications.reports.became import SENT, Did, that

GOT = "got"
LABELS = {
    GOT: _("Was sent"),
    Did.OPENED: _("Opened"),
    Did.CLICKED: _("Clicked"),
    Did.BOUNCED: _("Bounced"),
    Did.COMPLAINED: _("Marked as spam"),
    Did.UNSUBSCRIBED: _("Unsubscribed by it"),
}
DIDS = tuple(map(str, LABELS))
OFFERED = 100  # campaigns, the newest ones
MOST_LAST = 100
MOST_DAYS = 3650
_OF = ("campaign", "notification", "recurring", "type", "last")
YES: dict[str, str | Promise] = {
    GOT: pgettext_lazy("rule", "was sent {what}"),
    Did.OPENED: pgettext_lazy("rule", "opened {what}"),
    Did.CLICKED: pgettext_lazy("rule", "clicked in {what}"),
    Did.BOUNCED: pgettext_lazy("rule", "sent back by their server: {what}"),
    Did.COMPLAINED: pgettext_lazy("rule", "marked as spam: {what}"),
    Did.UNSUBSCRIBED: pgettext_lazy("rule", "unsubscribed by {what}"),
}
NO: dict[str, str | Promise] = {
    GOT: pgettext_lazy("rule", "was not sent {what}"),
    Did.OPENED: pgettext_lazy("rule", "did not open {what}"),
    Did.CLICKED: pgettext_lazy("rule", "did not click in {what}"),
    Did.BOUNCED: pgettext_lazy("rule", "not sent back by their server: {what}"),
    Did.COMPLAINED: pgettext_lazy("rule", "did not mark as spam: {what}"),
    Did.UNSUBSCRIBED: pgettext_lazy("rule", "did not unsubscribe by {what}"),
}


def read(value: Any) -> dict[str, Any] | None:
    """Read the value of a rule; None where it is none."""
    if not isinstance(value, Mapping) or value.get("did") not in DIDS:
        return None
    allowed = {"did", "within_days", "link", "channel", *_OF}
    if not set(value) <= allowed or len(set(value) & set(_OF)) > 1:
        return None
    numbers = {"last": MOST_LAST, "within_days": MOST_DAYS, "link": 9999}
    for name, most in numbers.items():
        number = value.get(name, 1)
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
            return None
    for name in ("campaign", "notification", "recurring"):
        if name in value and read_uid(str(value[name])) is None:
            return None
    if not isinstance(value.get("type", ""), str):
        return None
    if value.get("channel", Channel.EMAIL) not in Channel.values:
        return None
    if "link" in value and value["did"] != Did.CLICKED:
        return None
    return {name: _plain(given) for name, given in value.items()}


def _plain(given: Any) -> Any:
    if isinstance(given, int):
        return given
    return str(given)


def as_text(value: Mapping[str, Any]) -> str:
    """Write what a rule asks about, beside what was done, as a query: `campaign=…&link=2`."""
    return urlencode({name: value[name] for name in sorted(value) if name != "did"})


def from_text(did: str, text: str) -> dict[str, Any]:
    """Read what `as_text` wrote, as the value of a rule; not checked."""
    value: dict[str, Any] = {"did": did}
    for name, given in parse_qsl(text):
        value[name] = given
        if name in ("last", "within_days", "link") and given.isascii() and given.isdigit():
            value[name] = int(given)
    return value


def offers() -> list[tuple[str, str]]:
    """List what may be asked about, as `as_text` writes it, and in words."""
    values: list[dict[str, Any]] = [{}, *({"last": number} for number in (1, 3, 5, 10))]
    values += [{"within_days": days} for days in (7, 30, 90, 180, 365)]
    found = [(as_text(value), _within(_what(value), value)) for value in values]
    for key, name in NotificationType.objects.values_list("key", "name"):
        label = gettext("any message of the type “{type}”").format(type=name)
        found.append((as_text({"type": key}), label))
    for uid, name in Recurring.objects.values_list("uid", "name"):
        found.append((as_text({"recurring": uid}), name))
    sent = Campaign.objects.filter(runs__isnull=False).order_by("-pk").distinct()
    for uid, name in sent.values_list("uid", "name")[:OFFERED]:
        found.append((as_text({"campaign": uid}), name))
    return found


def missing(value: Mapping[str, Any]) -> str:
    """Say what a rule asks about that does not exist; "" where all is there."""
    if "type" in value and not NotificationType.objects.filter(key=value["type"]).exists():
        return gettext("There is no message type “{key}”.").format(key=value["type"])
    for name, rows in _rows().items():
        if name in value and row_with(rows(), value[name]) is None:
            return gettext("What was sent, and this asks about, does not exist.")
    return ""


def _rows() -> dict[str, Callable[[], QuerySet[Any]]]:
    return {
        "campaign": Campaign.objects.all,
        "notification": Notification.objects.all,
        "recurring": Recurring.objects.all,
    }


def asked(value: Mapping[str, Any], *, now: dt.datetime) -> Q:
    """Ask for followers who did it, as a condition that never multiplies rows."""
    mine = Delivery.objects.filter(follower=OuterRef("pk"))
    did = value["did"]
    if did == GOT:
        mine = mine.filter(SENT)
    else:
        mine = mine.filter(that(Did(did)))
    if channel := value.get("channel"):
        mine = mine.filter(channel=channel)
    mine = _of(mine, value)
    if days := value.get("within_days"):
        column = {"opened": "opened_at", "clicked": "clicked_at"}.get(did, "finished_at")
        mine = mine.filter(**{f"{column}__gte": now - dt.timedelta(days=days)})
    if link := value.get("link"):
        click = Engagement.objects.filter(delivery=OuterRef("pk"), link=link, machine="")
        mine = mine.filter(Exists(click.filter(kind=EngagementKind.CLICK)))
    return Q(Exists(mine))


def _of(mine: QuerySet[Delivery], value: Mapping[str, Any]) -> QuerySet[Delivery]:
    """Narrow to the messages that are meant. Few notifications are looked up first: PostgreSQL
    then knows how few.
    """
    found = Notification.objects.order_by()
    if "campaign" in value:
        found = found.filter(run__campaign__uid=value["campaign"])
    elif "notification" in value:
        found = found.filter(uid=value["notification"])
    elif "last" in value:
        newest = Run.objects.order_by("-notification").values_list("notification", flat=True)
        found = found.filter(pk__in=list(newest[: value["last"]]))
    elif "recurring" in value:
        return mine.filter(notification__occurrence__recurring__uid=value["recurring"])
    elif "type" in value:
        return mine.filter(notification__notification_type__key=value["type"])
    else:
        return mine
    return mine.filter(notification__in=list(found.values_list("pk", flat=True)))


def sentence(value: Mapping[str, Any], *, denied: bool) -> str:
    """Say the rule: “opened “Spring news””."""
    said = YES
    if denied:
        said = NO
    what = _what(value)
    if channel := value.get("channel"):
        label = Channel(channel).label
        what = gettext("{what}, by {channel}").format(what=what, channel=label)
    if link := value.get("link"):
        what = gettext("{what}, link {number}").format(what=what, number=link)
    return _within(str(said[value["did"]]).format(what=what), value)


def _within(text: str, value: Mapping[str, Any]) -> str:
    days = value.get("within_days")
    if days is None:
        return text
    said = ngettext(
        "{rule}, within the last {count} day", "{rule}, within the last {count} days", days
    )
    return said.format(rule=text, count=days)


def _what(value: Mapping[str, Any]) -> str:
    quoted = gettext("“{name}”")
    if "campaign" in value:
        return quoted.format(name=_name(Campaign.objects.all(), value["campaign"]))
    if "recurring" in value:
        return quoted.format(name=_name(Recurring.objects.all(), value["recurring"]))
    if "type" in value:
        return gettext("any message of the type “{type}”").format(type=value["type"])
    if "notification" in value:
        return gettext("the notification {id}").format(id=value["notification"])
    if "last" in value:
        last = ngettext("the last campaign", "any of the last {count} campaigns", value["last"])
        return last.format(count=value["last"])
    return gettext("any message")


def _name(rows: QuerySet[Any], uid: str) -> str:
    row = row_with(rows, uid)
    if row is None:
        return uid
    return str(row.name)
