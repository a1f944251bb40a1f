"""The delivery report: audience = sent + failed + skipped + in doubt + cancelled + waiting,
exact at every moment.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TypeVar

from django.db.models import Max, Min, Q, QuerySet, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from apps.followers.consent import verdict
from apps.notifications.decide import decision
from apps.notifications.models import (
    ALONE,
    SHELVES,
    Delivery,
    DeliveryStatus,
    Notification,
    Slice,
    Tally,
)

OTHER_EXPLANATIONS = {
    "in_digest": gettext_lazy("went out as part of a digest"),
    "refused_recipient": gettext_lazy("the receiving server refused the address"),
    "refused_content": gettext_lazy("the message could not be made or was refused"),
    "undelivered": gettext_lazy("the provider took it and reported that it could not deliver it"),
    "reported": gettext_lazy("the provider reported that it arrived"),
    "blocked": gettext_lazy(
        "the receiving server takes no mail from this account, whoever it is for"
    ),
    "gave_up": gettext_lazy("tried again and again until its time was over"),
    "quarantined": gettext_lazy("its sender died three times while preparing it"),
    "in_doubt": gettext_lazy("handed over perhaps; the answer was lost"),
    "retried": gettext_lazy("sent back into the queue by a person"),
}

_WORDS: dict[str, Promise] = {
    **{reason.value: words for reason, words in verdict.EXPLANATIONS.items()},
    **{reason.value: words for reason, words in decision.EXPLANATIONS.items()},
    **OTHER_EXPLANATIONS,
}

Counted = TypeVar("Counted", Delivery, Tally)
FEW = 200  # notifications whose deliveries are looked up one by one
# What a delivery report counts together.
GROUPS = {
    "waiting": (DeliveryStatus.PENDING, DeliveryStatus.HELD, DeliveryStatus.QUEUED),
    "sent": (DeliveryStatus.SENT, DeliveryStatus.DELIVERED),
}


def explain(reason: str) -> str:
    """A reason code in words."""
    if reason in _WORDS:
        return str(_WORDS[reason])
    return reason.replace("_", " ")


@dataclass(slots=True)
class Balance:
    """Counts of deliveries.

    `skipped` and `failed` by reason; `rows` has every (channel, status, reason).
    """

    rows: Counter[tuple[str, str, str]] = field(default_factory=Counter)

    def _of(self, *statuses: DeliveryStatus) -> int:
        return sum(count for (_, status, _), count in self.rows.items() if status in statuses)

    def _reasons(self, status: DeliveryStatus) -> dict[str, int]:
        reasons: Counter[str] = Counter()
        for (_, each, reason), count in self.rows.items():
            if each == status:
                reasons[reason] += count
        return dict(reasons.most_common())

    @property
    def total(self) -> int:
        return sum(self.rows.values())

    @property
    def sent(self) -> int:
        return self._of(*GROUPS["sent"])

    @property
    def failed(self) -> dict[str, int]:
        return self._reasons(DeliveryStatus.FAILED)

    @property
    def skipped(self) -> dict[str, int]:
        return self._reasons(DeliveryStatus.SKIPPED)

    @property
    def in_doubt(self) -> int:
        return self._of(DeliveryStatus.IN_DOUBT)

    @property
    def cancelled(self) -> int:
        return self._of(DeliveryStatus.CANCELLED)

    @property
    def waiting(self) -> int:
        return self._of(*GROUPS["waiting"])

    @property
    def held(self) -> int:
        """How many wait for a digest; they are among `waiting`."""
        return self._of(DeliveryStatus.HELD)

    @property
    def by_channel(self) -> dict[str, "Balance"]:
        parts: dict[str, Balance] = {}
        for (channel, status, reason), count in self.rows.items():
            parts.setdefault(channel, Balance()).rows[channel, status, reason] += count
        return parts

    @property
    def waiting_channels(self) -> list[str]:
        """The channels on which something waits."""
        return [channel for channel, part in self.by_channel.items() if part.waiting]

    def as_dict(self) -> dict[str, object]:
        return {
            "total": self.total,
            "sent": self.sent,
            "failed": self.failed,
            "skipped": self.skipped,
            "in_doubt": self.in_doubt,
            "cancelled": self.cancelled,
            "waiting": self.waiting,
        }


def balance(notification: Notification) -> Balance:
    """The delivery report, from the tallies (a few rows), never by counting deliveries."""
    tallies = Tally.objects.filter(notification=notification).order_by()
    sums = tallies.values_list("channel", "status", "reason").annotate(n=Sum("count"))
    sheet = Balance()
    for channel, status, reason, count in sums:
        if count:
            sheet.rows[channel, status, reason] = count
    return sheet


def deliveries_behind(
    notification: Notification, status: str = "", reason: str = "", channel: str = ""
) -> QuerySet[Delivery]:
    """The names behind a number, newest first; narrowed as by `narrow`."""
    rows = Delivery.objects.filter(notification=notification).order_by("-pk")
    if status:
        # PostgreSQL may look for them among those of all notifications: not beyond these ends
        ends = rows.aggregate(first=Min("pk"), last=Max("pk"))
        rows = rows.filter(pk__range=(ends["first"] or 0, ends["last"] or 0))
    return narrow(rows.select_related("follower", "address"), status, reason, channel)


def where_tallied(
    rows: QuerySet[Delivery], *, status: str = "", reason: str = "", channel: str = ""
) -> QuerySet[Delivery]:
    """Let the tallies say whose a list's deliveries are, which is narrowed by these already.

    Where there are none, or where few notifications have them, ten million others need not be read
    for a page. An index on deliveries would cost each message three writes.
    """
    if not (status or reason or channel):
        return rows
    places = narrow(Tally.objects.order_by("-notification"), status, reason, channel)
    sums = places.values("notification").annotate(n=Sum("count")).filter(n__gt=0)
    holders = list(sums.values_list("notification", flat=True)[: FEW + 1])
    if len(holders) > FEW:
        return rows
    return rows.filter(notification__in=holders)


def _standing(statuses: Collection[str]) -> Q:
    """The condition for deliveries with one of these statuses, by an index where there is one: most
    of a notification's were sent, and the others are on shelves.
    """
    known = {**SHELVES, **ALONE}
    shelves = [known[DeliveryStatus(status)] for status in statuses if status in known]
    if len(shelves) < len(statuses):
        return Q(status__in=statuses)
    # what is in slices is on no shelf; in hand it is for a moment, and it waits at the newest end
    if not ALONE.keys().isdisjoint(statuses) and Slice.objects.exists():
        return Q(status__in=statuses)
    if len(shelves) == 1:
        return Q(shelf=shelves[0])
    return Q(shelf__in=shelves)


def narrow(
    rows: QuerySet[Counted], status: str = "", reason: str = "", channel: str = ""
) -> QuerySet[Counted]:
    """Narrow a list of deliveries, or of their tallies. `status` may also be "waiting" (pending,
    held and queued), and "sent" takes the delivered with it.
    """
    if status and rows.model is Delivery:
        rows = rows.filter(_standing(GROUPS.get(status, (status,))))
    elif status:
        rows = rows.filter(status__in=GROUPS.get(status, (status,)))
    if reason:
        rows = rows.filter(reason=reason)
    if channel:
        return rows.filter(channel=channel)
    return rows
