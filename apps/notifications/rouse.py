"""A follower changed the rhythm: what waited by the old one is asked again at once."""

from django.db.models import Exists, OuterRef

from apps.lib.events import Fact
from apps.notifications import books, moves
from apps.notifications.claim import WAITS
from apps.notifications.models import Delivery, DeliveryEvent, DeliveryStatus


def rouse(fact: Fact) -> None:
    """Subscriber, in the transaction of the change. The next claim decides: not earlier than the follower wishes now,
    and not later."""
    put_off = DeliveryEvent.objects.filter(delivery=OuterRef("pk"), kind=WAITS)
    theirs = Delivery.objects.filter(follower__uid=fact.subject_id, due_at__gt=fact.at).order_by()
    # one that was tried has its own time for the next try, and one that nobody put off is not due yet
    waiting = theirs.filter(Exists(put_off), status=DeliveryStatus.PENDING, attempts=0)
    locked = waiting.select_for_update(of=("self",), no_key=True).order_by("pk").values_list("pk", flat=True)
    Delivery.objects.filter(pk__among=set(locked)).update(due_at=fact.at)
    _, deltas = moves.moved(theirs.filter(status=DeliveryStatus.HELD), DeliveryStatus.PENDING, due_at=fact.at)
    books.shift(deltas)
