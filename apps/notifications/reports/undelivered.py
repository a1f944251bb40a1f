"""What did not arrive and may want a person: failed and doubtful deliveries,
grouped by reason and by who sent them.
"""

from dataclasses import dataclass

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext_lazy as _

from apps.notifications.models import DeliveryStatus, Notification, NotificationState, Source, Tally

STATUSES = (DeliveryStatus.IN_DOUBT, DeliveryStatus.FAILED)
_ADVICE = {
    "in_doubt": _(
        "The answer was lost after the message had left. Sent again, some may arrive twice."
    ),
    "refused_recipient": _(
        "The receiving servers said that these addresses don't exist. Sending again rarely helps."
    ),
    "refused_content": _("Put right what the messages say is wrong, then send them again."),
    "gave_up": _("The receiving servers put these off until the time was over."),
    "quarantined": _(
        "Making these messages killed their sender three times. Look at their data first."
    ),
}
MOST = 200  # campaigns' notifications with something undelivered, the newest ones


@dataclass(frozen=True, slots=True)
class UndeliveredGroup:
    """Deliveries with one status and reason: of one notification of a campaign,
    or of a type that programs sent.
    """

    status: str
    reason: str
    type_key: str
    type_name: str
    count: int
    notification: Notification | None = None

    @property
    def may_go_again(self) -> bool:
        return self.notification is None or self.notification.state != NotificationState.CANCELLED


def advice_for(reason: str) -> str:
    """What to do about deliveries that ended for this reason; "" where there is nothing to say."""
    return str(_ADVICE.get(reason, ""))


def groups(*, status: str = "", kind: str = "") -> list[UndeliveredGroup]:
    """Group what is in doubt or failed, from the tallies, never by counting deliveries; the largest
    group first within a reason. `kind` is a type's key.
    """
    found: list[UndeliveredGroup] = []
    for each in STATUSES:  # one by one: each has its partial index
        if status in ("", each):
            places = Tally.objects.filter(status=each.value)
            if kind:
                places = places.filter(notification__notification_type__key=kind)
            found += [*_of_campaigns(each, places), *_of_programs(each, places)]
    return sorted(found, key=_order)


def _order(group: UndeliveredGroup) -> tuple[bool, str, int]:
    certain = group.status != DeliveryStatus.IN_DOUBT
    return certain, group.reason, -group.count


def _of_campaigns(status: DeliveryStatus, places: QuerySet[Tally]) -> list[UndeliveredGroup]:
    of_campaigns = places.filter(notification__source=Source.CAMPAIGN)
    sums = of_campaigns.values_list("notification", "reason").annotate(n=Sum("count"))
    rows = list(sums.filter(n__gt=0).order_by("-notification")[:MOST])
    related = Notification.objects.select_related("notification_type")
    notifications = related.in_bulk([pk for pk, _, _ in rows])
    found = []
    for pk, reason, count in rows:
        sent = notifications[pk]
        kind = sent.notification_type
        found.append(UndeliveredGroup(status.value, reason, kind.key, kind.name, count, sent))
    return found


def _of_programs(status: DeliveryStatus, places: QuerySet[Tally]) -> list[UndeliveredGroup]:
    """Group what programs sent by type, without cancelled notifications: nothing of them is sent
    any more.
    """
    of_programs = places.exclude(notification__source=Source.CAMPAIGN)
    going = of_programs.exclude(notification__state=NotificationState.CANCELLED)
    of = ("notification__notification_type__key", "notification__notification_type__name", "reason")
    sums = going.values_list(*of).annotate(n=Sum("count")).filter(n__gt=0).order_by(*of)
    return [
        UndeliveredGroup(status.value, reason, key, name, count)
        for key, name, reason, count in sums
    ]
