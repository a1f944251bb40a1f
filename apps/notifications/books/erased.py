"""Deliveries to somebody who is erased: what waits is cancelled, and what was sent keeps its place
in the counts and loses its words.
"""

import datetime as dt
from collections.abc import Sequence

from django.db.models import Exists, OuterRef, Q, QuerySet

from apps.followers.models import Address
from apps.followers.privacy.remove import NotYet
from apps.lib.erasing.person import MASK, DataSubject
from apps.lib.facts import Fact
from apps.notifications.books import tallies, transitions
from apps.notifications.models import (
    OF_STAFF,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Engagement,
    Notification,
)

_WAITING = (DeliveryStatus.PENDING, DeliveryStatus.HELD)


def on_erased(facts: Sequence[Fact]) -> None:
    """Subscriber: cancel what waits for somebody who is being erased."""
    for fact in facts:
        _cancel(Q(follower__uid=fact.about.id), fact.at)


def forget(*, person: DataSubject, now: dt.datetime) -> None:
    """Take the words out of the person's deliveries. Raises NotYet while a sender holds one."""
    # the double of a merge has lost its follower, and has the address
    addresses = Address.objects.filter(follower=person.pk).values_list("pk", flat=True)
    whose = Q(follower=person.pk) | Q(address__in=list(addresses))
    mine = Delivery.objects.filter(whose)
    _cancel(whose, now)
    if mine.filter(status=DeliveryStatus.QUEUED).exists():
        raise NotYet
    person.subjects["delivery"] = [str(uid) for uid in mine.values_list("uid", flat=True)]
    DeliveryEvent.objects.filter(delivery__in=mine).update(detail={})
    Engagement.objects.filter(delivery__in=mine).update(user_agent="")
    _forget_notifications(person, mine)
    mine.update(data=None, error="", provider_id="")


def _cancel(whose: Q, now: dt.datetime) -> None:
    waiting = Delivery.objects.filter(whose, status__in=_WAITING)
    touched = set(waiting.order_by().values_list("notification_id", flat=True).distinct())
    while transitions.move(waiting, DeliveryStatus.CANCELLED, finished_at=now):
        pass
    tallies.finish_all_done(sorted(touched), now=now)


def _forget_notifications(person: DataSubject, mine: QuerySet[Delivery]) -> None:
    """Empty what was told to this person alone; take their addresses out of what others got too."""
    of_others = Delivery.objects.filter(notification=OuterRef("pk")).exclude(
        pk__in=mine.values("pk")
    )
    told = Notification.objects.filter(pk__in=mine.order_by().values("notification")).order_by()
    told.filter(~Exists(of_others)).exclude(source__in=OF_STAFF).update(
        data={}, dedup_key=None, throttle_key=""
    )
    shared = told.exclude(data={}, dedup_key=None, throttle_key="")
    for row in shared.only("data", "dedup_key", "throttle_key").iterator(chunk_size=500):
        data = person.masked(row.data)
        key = person.masked_in_key(row.dedup_key, f"{MASK} {row.pk}")
        throttle = person.masked_in_key(row.throttle_key)
        if (data, key, throttle) != (row.data, row.dedup_key, row.throttle_key):
            own = Notification.objects.filter(pk=row.pk)
            # a mask may be longer than a short address
            own.update(data=data, dedup_key=key and key[:255], throttle_key=(throttle or "")[:120])
