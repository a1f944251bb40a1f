"""A balance sheet as a table: a line for each way it went, a number per channel,
and each number opens its names.
"""

from collections import Counter
from dataclasses import dataclass

from apps.followers.models import Channel
from apps.notifications.models import DeliveryStatus
from apps.notifications.reports.balance import GROUPS, Balance, explain

_GROUP_OF = {status.value: group for group, statuses in GROUPS.items() for status in statuses}
_ORDER = ("sent", "waiting", *DeliveryStatus.values)
_TOLD = (
    DeliveryStatus.SKIPPED,
    DeliveryStatus.FAILED,
)  # a line of its own for each of their reasons


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the sheet; the list of deliveries is narrowed by `status` and `reason`."""

    label: str
    why: str
    status: str
    reason: str
    cells: list[tuple[str, str, int]]  # channel, its label, how many
    total: int


def lines_of(sheet: Balance) -> list[Line]:
    """Lines that add up to the total in every column."""
    channels = [(channel, str(Channel(channel).label)) for channel in sorted(sheet.by_channel)]
    places: Counter[tuple[str, str, str]] = Counter()
    for (channel, status, reason), count in sheet.rows.items():
        why = ""
        if status in _TOLD:
            why = reason
        places[_GROUP_OF.get(status, status), why, channel] += count
    kinds = {("sent", ""), ("waiting", ""), *((group, reason) for group, reason, _ in places)}
    lines = []
    for group, reason in sorted(kinds, key=lambda kind: (_ORDER.index(kind[0]), kind[1])):
        cells = [(channel, label, places[group, reason, channel]) for channel, label in channels]
        if group in GROUPS:
            label = group.capitalize()
        else:
            label = str(DeliveryStatus(group).label)
        total = sum(count for _, _, count in cells)
        why = ""
        if reason:
            why = explain(reason)
        if group == "waiting" and sheet.held:
            why = f"{sheet.held:,} of them for a digest"
        lines.append(Line(label, why, group, reason, cells, total))
    return lines
