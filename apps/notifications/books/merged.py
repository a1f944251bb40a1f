"""Deliveries of a follower who is merged into another: they become those of the one who stays, and
what both would have got is sent once.
"""

import datetime as dt

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext

from apps.followers.consent.verdict import Reason
from apps.followers.merging.merge import CanNotMerge
from apps.followers.models import EVERYWHERE, Follower
from apps.notifications.books import tallies, transitions
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Engagement,
    Recipient,
    Use,
)

_WAITING = (DeliveryStatus.PENDING, DeliveryStatus.HELD)
# A message that was not sent by the person's own word is sent to no other address of theirs.
_OWN_WORDS = (Reason.UNSUBSCRIBED, Reason.CHANNEL_OFF, Reason.PREFERENCE_OFF)
_ENOUGH = Q(
    status__in=[
        *_WAITING,
        DeliveryStatus.QUEUED,
        DeliveryStatus.SENT,
        DeliveryStatus.DELIVERED,
        DeliveryStatus.IN_DOUBT,
    ]
) | Q(status=DeliveryStatus.SKIPPED, reason__in=_OWN_WORDS)


def take_over(*, kept: Follower, gone: Follower, now: dt.datetime) -> None:
    """Give everything to the one who stays. Raises CanNotMerge where a sender has a message in
    hand.
    """
    theirs = Delivery.objects.filter(follower=gone)
    held = Delivery.objects.filter(follower__in=[kept, gone], status=DeliveryStatus.QUEUED)
    if held.exists():
        said = gettext("A message to one of them is being sent. Try again in a moment.")
        raise CanNotMerge(said)
    ours = Delivery.objects.filter(
        follower=kept, notification=OuterRef("notification"), channel=OuterRef("channel")
    )
    twice = theirs.filter(Exists(ours.filter(_ENOUGH)), status__in=_WAITING)
    touched = set(twice.order_by().values_list("notification_id", flat=True))
    while transitions.move(twice, DeliveryStatus.CANCELLED, finished_at=now):
        pass
    tallies.finish_all_done(sorted(touched), now=now)
    # One of a person: when an address goes, the database holds no two rows without one. The count
    # stays, and the words are those of the other row: ours, unless it came to nothing and theirs is
    # still to be sent.
    waits = theirs.filter(
        notification=OuterRef("notification"), channel=OuterRef("channel"), status__in=_WAITING
    )
    once = Delivery.objects.filter(
        Q(Exists(ours), ~Q(status__in=_WAITING), follower=gone) | Q(Exists(waits), follower=kept)
    ).exclude(channel__in=EVERYWHERE)
    doubles = list(once.values_list("pk", flat=True))
    Engagement.objects.filter(delivery__in=doubles).update(user_agent="")
    DeliveryEvent.objects.filter(delivery__in=doubles).update(detail={})
    Delivery.objects.filter(pk__in=doubles).update(
        follower=None, data=None, error="", provider_id=""
    )
    theirs.update(follower=kept)
    Use.objects.filter(follower=gone).update(follower=kept)
    named = Recipient.objects.filter(follower=kept).values("notification")
    others = Recipient.objects.filter(follower=gone)
    others.exclude(notification__in=named).update(follower=kept)
