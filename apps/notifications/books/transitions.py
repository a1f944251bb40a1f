"""Rows that change their status where no sender holds them, and their tallies with them."""

from collections import Counter
from collections.abc import Iterable

from django.db import transaction
from django.db.models import Count, QuerySet

from apps.notifications.books import sleep, tallies
from apps.notifications.models import Delivery, DeliveryEvent, DeliveryStatus, EventKind

CHUNK = 5000  # rows per transaction: larger ones keep other writers of SQLite waiting
_UNSENT = (DeliveryStatus.CANCELLED, DeliveryStatus.SKIPPED)
Moved = tuple[list[int], Counter[tallies.Place]]


def move(rows: QuerySet[Delivery], status: DeliveryStatus, **changes: object) -> list[int]:
    """Set the status of up to CHUNK rows, and move the tallies with them; the ids of those rows."""
    with transaction.atomic():
        ids, deltas = moved(rows, status, **changes)
        tallies.shift(deltas)
    return ids


def moved(rows: QuerySet[Delivery], status: DeliveryStatus, **changes: object) -> Moved:
    """Set the status of up to CHUNK rows in the caller's transaction: their ids, and what that does
    to the tallies, which the caller writes as its last act.

    A row that was in doubt before stays in doubt where it is closed unsent: it has perhaps arrived.
    """
    locked = rows.select_for_update(of=("self",), no_key=True).order_by("pk")
    ids = set(locked.values_list("pk", flat=True)[:CHUNK])
    doubted = set()
    if status == DeliveryStatus.PENDING:
        changes["in_slice"] = False
    if status in _UNSENT:
        doubted = doubted_among(ids)
    deltas: Counter[tallies.Place] = Counter()
    doubtful = {**changes, "status": DeliveryStatus.IN_DOUBT, "reason": "in_doubt"}
    for those, change in ((ids - doubted, {**changes, "status": status}), (doubted, doubtful)):
        if not those:
            continue
        mine = Delivery.objects.filter(pk__among=those).order_by()
        columns = ("notification_id", "channel", "status", "reason")
        for notification, channel, old, why, count in mine.values_list(*columns).annotate(
            n=Count("pk")
        ):
            deltas[tallies.Place(notification, channel, old, why)] -= count
            place = tallies.Place(
                notification, channel, str(change["status"]), str(change.get("reason") or why)
            )
            deltas[place] += count
        mine.update(**change)
    sleep.wake({place.notification for place in deltas})  # more may be due now, or nothing be left
    return sorted(ids), deltas


def doubted_among(ids: Iterable[int]) -> set[int]:
    """The ids of deliveries that have been in doubt before."""
    events = DeliveryEvent.objects.filter(delivery__in=list(ids), kind=EventKind.IN_DOUBT)
    return set(events.values_list("delivery_id", flat=True))
