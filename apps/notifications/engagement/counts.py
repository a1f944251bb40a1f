"""How many opened and clicked: from the tallies, exact at every moment and never counted."""

from dataclasses import asdict, dataclass, field

from django.db.models import Sum

from apps.content.models import Link
from apps.notifications.models import EngagementTally, Notification, TallyKind


@dataclass(frozen=True, slots=True)
class LinkClicks:
    """One link of the message.

    `people` are deliveries in which it was clicked, `times` the clicks.
    """

    number: int
    url: str
    people: int
    times: int


@dataclass(slots=True)
class Attention:
    """How many looked: `opened` and `clicked` are deliveries, `opens` and `clicks` events; whoever
    clicked has opened. What machines did is counted apart, in events.
    """

    opened: int = 0
    opens: int = 0
    clicked: int = 0
    clicks: int = 0
    machine_opens: int = 0
    machine_clicks: int = 0
    links: list[LinkClicks] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def engagement(notification: Notification) -> Attention:
    """How many looked at the notification, with all links of its version, clicked or not."""
    tallies = EngagementTally.objects.filter(notification=notification).order_by()
    sums = tallies.values_list("kind", "link").annotate(p=Sum("people"), t=Sum("times"))
    counted = {(kind, link): (people, times) for kind, link, people, times in sums}
    opened, opens = counted.get((TallyKind.OPEN.value, 0), (0, 0))
    clicked, clicks = counted.get((TallyKind.CLICK.value, 0), (0, 0))
    _, machine_opens = counted.get((TallyKind.MACHINE_OPEN.value, 0), (0, 0))
    _, machine_clicks = counted.get((TallyKind.MACHINE_CLICK.value, 0), (0, 0))
    links = []
    for number, url in _links(notification.version_id):
        people, times = counted.get((TallyKind.CLICK.value, number), (0, 0))
        links.append(LinkClicks(number, url, people, times))
    return Attention(opened, opens, clicked, clicks, machine_opens, machine_clicks, links)


def _links(version: int) -> list[tuple[int, str]]:
    links = Link.objects.filter(version=version).order_by("number")
    return list(links.values_list("number", "url"))
