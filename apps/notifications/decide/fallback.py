"""One channel after the other, until one got through:
the chain that a notification was pinned to when it was opened.

The rows of a chain are born together (plan.py), each due when those before it have had their time.
Three things change that: a row fails for good (`advance`), a row gets through (`reached`), and
the claim asks how the chain stands (`standings`). A chain never widens consent: every row is judged
for its own channel, at birth and at the claim.

That a row got through is the provider's report that it arrived, a click that looks like a person's
(decide/machines.py), or the person's own word: read in the inbox, or acknowledged. An open says
nothing, for mail programs and gateways load images without a reader. What is critical or wants an
action ends by the person's own word only: that it arrived is not that somebody knows.
"""

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple
from uuid import UUID

from django.db import transaction
from django.db.models import Case, Count, DateTimeField, OuterRef, Q, Subquery, Value, When
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from apps.followers.models import Category
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.notifications.books import sleep, tallies
from apps.notifications.books.transitions import moved
from apps.notifications.decide.decision import ChainState, Why
from apps.notifications.decide.machines import BURST
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Notification,
    Source,
)

# skipped as a message of its own: it is in a digest, and may still get through there
IN_DIGEST = "in_digest"
# in a digest's data: the rows it gathered that have a chain, for they get through with it
CHAINED = "chained"
_WAITING = (DeliveryStatus.PENDING, DeliveryStatus.HELD)
# of these somebody has to know
_OWN_WORD = (Category.CRITICAL, Category.ACTION_REQUIRED)
_LOST = (DeliveryStatus.FAILED, DeliveryStatus.SKIPPED, DeliveryStatus.CANCELLED)


class _Seen(NamedTuple):
    """One delivery of a chain, as far as the others depend on it."""

    pk: int
    follower: int
    channel: str
    status: str
    reason: str
    got_through: bool
    clicked_at: dt.datetime | None  # by a person, and it counts here
    due_at: dt.datetime
    attempts: int

    @property
    def untried(self) -> bool:
        return self.status in _WAITING and not self.attempts

    @property
    def lost(self) -> bool:
        return self.status in _LOST and self.reason != IN_DIGEST


def chain_of(fallback: Iterable[str], channels: Collection[str]) -> list[str]:
    """The type's chain as far as the message goes out on its channels;
    [] where nothing is left to fall back to.
    """
    chain = [channel for channel in fallback if channel in channels]
    if len(chain) > 1:
        return chain
    return []


# ------------------------------------------------------------------ birth
def in_order(notification: Notification) -> list[str]:
    """The notification's channels, the ones of the chain last and in their order: the birth of each
    looks at the ones before it.
    """
    chain = notification.fallback
    others = [channel for channel in notification.channels if channel not in chain]
    chained = [channel for channel in chain if channel in notification.channels]
    return others + chained


def first_due(notification: Notification, channel: str) -> Case | Value:
    """When a row of the channel is due, for planning: when the time of each channel before it in
    the chain has passed.

    A channel that was skipped at birth takes no time: nothing would come of waiting.
    """
    position = 0
    if channel in notification.fallback:
        position = notification.fallback.index(channel)
    at_once = Value(notification.send_at, DateTimeField())
    if not position:
        return at_once
    born = Delivery.objects.filter(
        notification=notification, follower=OuterRef("pk"), status=DeliveryStatus.PENDING
    )
    before = born.filter(channel__in=notification.fallback[:position]).order_by().values("follower")
    tried = Coalesce(Subquery(before.annotate(n=Count("channel", distinct=True)).values("n")), 0)
    turns = [
        When(Exact(tried, number), then=Value(_turn(notification, number)))
        for number in range(1, position + 1)
    ]
    return Case(*turns, default=at_once, output_field=DateTimeField())


def _turn(notification: Notification, before: int) -> dt.datetime:
    """When it is the turn of a channel that has so many hopeful ones before it."""
    wait = dt.timedelta(seconds=before * notification.fallback_after)
    return notification.send_at + wait


# ------------------------------------------------------------------ on the way
def advance(*, deliveries: Collection[int], now: dt.datetime) -> None:
    """Make it the next channel's turn: these deliveries were lost (failed for good, or skipped at
    their claim).

    In the caller's transaction, before it writes tallies. Rows without a chain cost one small query
    together.
    """
    for notification, channels in _of_chains(deliveries).items():
        people = {follower for followers in channels.values() for follower in followers}
        wake: list[int] = []
        for seen in _look(notification, people).values():
            if any(each.got_through or each.clicked_at for each in seen):
                continue
            for channel in notification.fallback:
                here = [each for each in seen if each.channel == channel]
                if not all(each.lost for each in here):
                    wake += [each.pk for each in here if each.status == DeliveryStatus.PENDING]
                    break
        # attempts=0: a row that was tried has its own time for the next try
        early = Delivery.objects.filter(
            pk__in=wake, status=DeliveryStatus.PENDING, attempts=0, due_at__gt=now
        )
        locked = early.select_for_update(no_key=True).order_by("pk")
        ids = list(locked.values_list("pk", flat=True))
        if Delivery.objects.filter(pk__in=ids).update(due_at=now):
            sleep.wake([notification.pk])


def reached(
    *, deliveries: Collection[int], own_word: bool = False, now: dt.datetime
) -> Counter[tallies.Place]:
    """Skip what waits elsewhere in the chain for the same people: these deliveries got through,
    by the person's `own_word` or by less.

    In the caller's transaction, which adds what is returned to the tallies as its last act. A
    message outside the chain (an inbox beside push and SMS) spares its fallbacks, not its first
    channel.
    """
    digests = Delivery.objects.filter(pk__among=set(deliveries), notification__source=Source.DIGEST)
    gathered: set[int] = set()
    for pks in digests.values_list(f"data__{CHAINED}", flat=True):
        gathered.update(pks or ())
    elsewhere = Q(pk__in=[])
    for notification, channels in _of_chains({*deliveries, *gathered}).items():
        if _wants_own_word(notification) and not own_word:
            continue
        chain = notification.fallback
        for channel, followers in channels.items():
            others = chain[1:]
            if channel in chain:
                others = [each for each in chain if each != channel]
            elsewhere |= Q(notification=notification, follower__in=followers, channel__in=others)
    if not elsewhere.children:
        return Counter()
    rows = Delivery.objects.filter(elsewhere, status__in=_WAITING)
    reason = Why.REACHED_ELSEWHERE.value
    _, deltas = moved(rows, DeliveryStatus.SKIPPED, reason=reason, finished_at=now)
    return deltas


def read(*, deliveries: Collection[UUID], now: dt.datetime) -> None:
    """Book that the follower read these in the inbox: they were delivered, and got through."""
    with transaction.atomic():
        mine = Delivery.objects.filter(uid__in=deliveries)
        _, deltas = moved(mine.filter(status=DeliveryStatus.SENT), DeliveryStatus.DELIVERED)
        mine.filter(acknowledged_at=None).update(acknowledged_at=now)
        ids = list(mine.values_list("pk", flat=True))
        deltas.update(reached(deliveries=ids, own_word=True, now=now))
        tallies.shift(deltas)


def acknowledge(*, delivery: Delivery, by: Actor, now: dt.datetime) -> Delivery:
    """Take the follower's word that they have the message, as the app heard it.

    Nothing is sent to them on other channels any more. A second time changes nothing.
    """
    with transaction.atomic():
        rows = Delivery.objects.filter(pk=delivery.pk, acknowledged_at=None)
        if rows.update(acknowledged_at=now):
            kind = EventKind.ACKNOWLEDGED
            detail = {"by": by.label}
            DeliveryEvent.objects.create(delivery=delivery, at=now, kind=kind, detail=detail)
            tell(Kind.DELIVERY_ACKNOWLEDGED, by=by, now=now, about=delivery)
            tallies.shift(reached(deliveries=[delivery.pk], own_word=True, now=now))
        delivery.refresh_from_db()
    return delivery


# ------------------------------------------------------------------ at the claim
def standings(
    *, notification: Notification, channel: str, followers: Collection[int], now: dt.datetime
) -> dict[int, tuple[ChainState, dt.datetime]]:
    """How the channels before this one stand, and when it is this one's turn at the latest, by
    follower.

    A click that may turn out to be one of a burst is waited for. One query, and none where the
    channel has nothing before it.
    """
    chain = notification.fallback
    if channel not in chain[1:]:
        return {}
    before = chain[: chain.index(channel)]
    found: dict[int, tuple[ChainState, dt.datetime]] = {}
    given = dt.timedelta(seconds=notification.fallback_after)
    for follower, seen in _look(notification, followers).items():
        hopeful = {each.channel for each in seen if each.channel in before and not each.lost}
        standing = ChainState.NONE
        if hopeful:
            standing = ChainState.TRYING
        turn = _turn(notification, len(hopeful))
        for each in seen:
            if each.channel == channel:
                continue
            if each.got_through or (each.clicked_at and each.clicked_at + BURST <= now):
                standing = ChainState.REACHED
            elif each.clicked_at and standing is not ChainState.REACHED:
                standing = ChainState.TRYING
                turn = max(turn, each.clicked_at + BURST)
        for each in seen:
            if each.channel in hopeful and each.untried:
                # what waits for its hour, untried, gets its time from then on:
                # or all of the chain would leave at 08:00
                turn = max(turn, each.due_at + given)
        found[follower] = (standing, turn)
    return found


def _of_chains(deliveries: Collection[int]) -> dict[Notification, dict[str, set[int]]]:
    """Sort the deliveries of notifications with a chain: {notification: {channel: followers}}."""
    rows = Delivery.objects.filter(pk__among=set(deliveries), follower__isnull=False)
    chained = rows.exclude(notification__fallback=[]).order_by()
    found: dict[int, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    places = chained.values_list("notification_id", "channel", "follower_id")
    for notification, channel, follower in places:
        found[notification][channel].add(follower)
    of = {}
    if found:
        related = Notification.objects.select_related("notification_type")
        columns = ("fallback", "fallback_after", "send_at", "notification_type__category")
        of = related.only(*columns).in_bulk(found)
    return {of[pk]: channels for pk, channels in found.items()}


def _wants_own_word(notification: Notification) -> bool:
    return notification.notification_type.category in _OWN_WORD


def _look(notification: Notification, followers: Collection[int]) -> dict[int, list[_Seen]]:
    """All that these people get of the notification, on every channel."""
    rows = Delivery.objects.filter(notification=notification, follower__in=followers).order_by()
    columns = (
        "pk",
        "follower_id",
        "channel",
        "status",
        "reason",
        "clicked_at",
        "acknowledged_at",
        "due_at",
        "attempts",
    )
    own_word = _wants_own_word(notification)
    found: dict[int, list[_Seen]] = defaultdict(list)
    for row in rows.values_list(*columns):
        pk, follower, channel, status, reason, clicked, acknowledged, due_at, attempts = row
        got_through = acknowledged is not None
        if own_word:
            clicked = None
        elif status == DeliveryStatus.DELIVERED:
            got_through = True
        stands = (pk, follower, channel, status, reason, got_through, clicked)
        found[follower].append(_Seen(*stands, due_at, attempts))
    return found
