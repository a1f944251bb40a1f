"""How many opened and clicked: from the tallies, exact at every moment and never counted."""

from dataclasses import asdict, dataclass, field

from django.db.models import Sum

from apps.content.models import Link
from apps.notifications.models import EngagementKind, EngagementTally, Notification


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
    """`opened` and `clicked` are deliveries, `opens` and `clicks` events;
    whoever clicked has opened.
    """

    opened: int = 0
    opens: int = 0
    clicked: int = 0
    clicks: int = 0
    links: list[LinkClicks] = field(default_factory=list)

    def as_dict(self) -> dict[str, object]:
        return asdict(self)


def engagement(notification: Notification) -> Attention:
    """With all links of its version, those nobody clicked too."""
    sums = EngagementTally.objects.filter(notification=notification).values_list("kind", "link")
    counted = {
        (kind, link): (people, times)
        for kind, link, people, times in sums.annotate(p=Sum("people"), t=Sum("times")).order_by()
    }
    whole = counted.get((EngagementKind.OPEN.value, 0), (0, 0)) + counted.get(
        (EngagementKind.CLICK.value, 0), (0, 0)
    )
    return Attention(
        *whole,
        links=[
            LinkClicks(number, url, *counted.get((EngagementKind.CLICK.value, number), (0, 0)))
            for number, url in _links(notification.version_id)
        ],
    )


def _links(version: int) -> list[tuple[int, str]]:
    return list(
        Link.objects.filter(version=version).order_by("number").values_list("number", "url")
    )
