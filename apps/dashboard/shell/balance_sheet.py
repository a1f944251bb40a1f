"""A delivery report as a table: a line for each way it went, a number per channel,
and each number opens its names.
"""

from collections import Counter
from dataclasses import dataclass

from django.utils.translation import gettext as _

from apps.followers.models import Channel
from apps.lib.written import grouped
from apps.notifications.models import DeliveryStatus
from apps.notifications.reports.balance import GROUPS, Balance, explain

_GROUP_OF = {status.value: group for group, statuses in GROUPS.items() for status in statuses}
_ORDER = ("sent", "waiting", *DeliveryStatus.values)
# Each reason of these has a line of its own.
_TOLD = (DeliveryStatus.SKIPPED, DeliveryStatus.FAILED)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the table; `status` and `reason` are what the list of deliveries is narrowed
    by.
    """

    label: str
    why: str
    status: str
    reason: str
    cells: list[tuple[str, str, int]]  # channel, its label, how many
    total: int


def _place(kind: tuple[str, str]) -> tuple[int, str]:
    """Order lines by how it went, then by reason."""
    group, reason = kind
    return _ORDER.index(group), reason


def _group_words(group: str) -> str:
    if group == "sent":
        return _("Sent")
    return _("Waiting")


def lines_of(sheet: Balance) -> list[Line]:
    """Lines that add up to the total in every column."""
    channels = []
    for channel in sorted(sheet.by_channel):
        channels.append((channel, str(Channel(channel).label)))
    places: Counter[tuple[str, str, str]] = Counter()
    for (channel, status, reason), count in sheet.rows.items():
        why = ""
        if status in _TOLD:
            why = reason
        group = _GROUP_OF.get(status, status)
        places[group, why, channel] += count
    kinds = {("sent", ""), ("waiting", "")}
    kinds |= {(group, reason) for group, reason, _channel in places}
    lines = []
    for group, reason in sorted(kinds, key=_place):
        cells = [(channel, label, places[group, reason, channel]) for channel, label in channels]
        if group in GROUPS:
            label = _group_words(group)
        else:
            label = str(DeliveryStatus(group).label)
        total = sum(count for _channel, _label, count in cells)
        why = ""
        if reason:
            why = explain(reason)
        if group == "waiting" and sheet.held:
            why = _("{count} of them for a digest").format(count=grouped(sheet.held))
        lines.append(Line(label, why, group, reason, cells, total))
    return lines
