"""One's own last ten campaigns, for a number to stand beside."""

from dataclasses import dataclass
from statistics import median

from django.db.models import Sum

from apps.campaigns.models import Run
from apps.followers.models import Channel
from apps.notifications.models import (
    DeliveryStatus,
    EngagementTally,
    Notification,
    NotificationState,
    Tally,
    TallyKind,
)
from apps.notifications.reports.became import BOUNCE_REASONS

LAST = 10


@dataclass(frozen=True, slots=True)
class Typical:
    """Medians of shares, in per cent of the emails sent; `of` campaigns."""

    of: int
    opened: float
    clicked: float
    bounced: float


def typical(*, before: Notification | None = None) -> Typical | None:
    """The medians of the last ten campaigns that counted opens, or of those before one of them;
    None where there is none. Three queries.
    """
    runs = Run.objects.filter(
        notification__tracking=True, notification__state=NotificationState.DONE
    )
    if before is not None:
        runs = runs.filter(notification__lt=before.pk)
    newest = runs.order_by("-notification").values_list("notification", flat=True)
    chosen = list(newest[:LAST])
    sent: dict[int, int] = {}
    bounced: dict[int, int] = {}
    tallies = Tally.objects.filter(notification__in=chosen, channel=Channel.EMAIL).order_by()
    columns = ("notification", "status", "reason")
    for pk, status, reason, number in tallies.values_list(*columns).annotate(n=Sum("count")):
        if status in (DeliveryStatus.SENT, DeliveryStatus.DELIVERED):
            sent[pk] = sent.get(pk, 0) + number
        elif status == DeliveryStatus.FAILED and reason in BOUNCE_REASONS:
            bounced[pk] = bounced.get(pk, 0) + number
    looks = EngagementTally.objects.filter(notification__in=chosen, link=0).order_by()
    people = {
        (pk, kind): number
        for pk, kind, number in looks.values_list("notification", "kind").annotate(n=Sum("people"))
    }
    of = [pk for pk in chosen if sent.get(pk)]
    if not of:
        return None
    return Typical(
        of=len(of),
        opened=median(people.get((pk, TallyKind.OPEN), 0) * 100 / sent[pk] for pk in of),
        clicked=median(people.get((pk, TallyKind.CLICK), 0) * 100 / sent[pk] for pk in of),
        bounced=median(bounced.get(pk, 0) * 100 / sent[pk] for pk in of),
    )
