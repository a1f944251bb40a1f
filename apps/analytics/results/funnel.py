"""Numbers from planned to clicked, of one send or of many, from the tallies."""

from collections import Counter
from dataclasses import dataclass, field

from django.db.models import QuerySet, Sum

from apps.followers.models import Channel
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    EngagementTally,
    Notification,
    Tally,
    TallyKind,
)
from apps.notifications.reports.balance import Balance
from apps.notifications.reports.became import BOUNCE_REASONS, Did, that


@dataclass(slots=True)
class Funnel:
    """Numbers of deliveries; `opens`, `clicks` and those of machines are events.

    `tracked`: emails whose opens and clicks are counted, of those that were sent.
    """

    sheet: Balance = field(default_factory=Balance)
    tracked: int = 0
    opened: int = 0
    clicked: int = 0
    opens: int = 0
    clicks: int = 0
    machine_opens: int = 0
    machine_clicks: int = 0
    complained: int = 0
    unsubscribed: int = 0

    @property
    def planned(self) -> int:
        return self.sheet.total

    @property
    def sent(self) -> int:
        return self.sheet.sent

    @property
    def delivered(self) -> int:
        """What a provider reported as arrived; most tell nothing."""
        rows = self.sheet.rows.items()
        return sum(n for (_, status, _), n in rows if status == DeliveryStatus.DELIVERED)

    @property
    def bounced(self) -> int:
        return sum(self.sheet.failed.get(reason, 0) for reason in BOUNCE_REASONS)

    @property
    def failed(self) -> int:
        return sum(self.sheet.failed.values())

    @property
    def skipped(self) -> int:
        return sum(self.sheet.skipped.values())


def funnel_of(notifications: QuerySet[Notification]) -> Funnel:
    """The numbers of all these together. Five queries, however many there are."""
    funnel = Funnel()
    chosen = notifications.order_by().values("pk")
    places = Tally.objects.filter(notification__in=chosen).order_by()
    sums = places.values_list("channel", "status", "reason").annotate(n=Sum("count"))
    funnel.sheet.rows = Counter({tuple(place): n for *place, n in sums if n})
    sent = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED)
    of_mail = places.filter(channel=Channel.EMAIL, status__in=sent, notification__tracking=True)
    funnel.tracked = of_mail.aggregate(n=Sum("count"))["n"] or 0
    looks = EngagementTally.objects.filter(notification__in=chosen, link=0).order_by()
    for kind, people, times in looks.values_list("kind").annotate(Sum("people"), Sum("times")):
        match kind:
            case TallyKind.OPEN:
                funnel.opened = people
                funnel.opens = times
            case TallyKind.CLICK:
                funnel.clicked = people
                funnel.clicks = times
            case TallyKind.MACHINE_OPEN:
                funnel.machine_opens = times
            case TallyKind.MACHINE_CLICK:
                funnel.machine_clicks = times
    told = Delivery.objects.filter(notification__in=chosen).order_by()
    funnel.complained = told.filter(that(Did.COMPLAINED)).count()
    funnel.unsubscribed = told.filter(that(Did.UNSUBSCRIBED)).count()
    return funnel
