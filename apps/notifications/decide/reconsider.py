"""A follower changed the rhythm, or the zone it goes by:
what waited by the old one is asked again at once.
"""

from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q

from apps.lib.facts import Fact, Kind
from apps.notifications.books import sleep
from apps.notifications.models import Delivery, DeliveryEvent, DeliveryStatus, EventKind


def rouse(facts: Sequence[Fact]) -> None:
    """Subscriber, in the transaction of the change.

    The next claim or digest decides: not earlier than the follower wishes now, and not later.
    """
    for fact in facts:
        _rouse(fact)


def _rouse(fact: Fact) -> None:
    if fact.kind == Kind.FOLLOWER_CHANGED and "time_zone" not in fact.data.get("after", {}):
        return
    put_off = DeliveryEvent.objects.filter(delivery=OuterRef("pk"), kind=EventKind.WAITS)
    # one that was tried has its own time for the next try,
    # and one that nobody put off is not due yet
    waiting = Q(status=DeliveryStatus.HELD) | Q(
        Exists(put_off), status=DeliveryStatus.PENDING, attempts=0
    )
    theirs = Delivery.objects.filter(waiting, follower__uid=fact.about.id, due_at__gt=fact.at)
    locked = theirs.select_for_update(of=("self",), no_key=True).order_by("pk")
    found = dict(locked.values_list("pk", "notification_id"))
    Delivery.objects.filter(pk__among=set(found)).update(due_at=fact.at)
    sleep.wake(set(found.values()))
