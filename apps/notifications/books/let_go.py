"""What was kept of messages long enough goes, and every count stays as it is.

1. `words` walks through the notifications, the oldest first, a few deliveries at a time. Only what
   is over is let go; that it was stands on the notification from the first of them on.
2. No delivery is deleted: sums, sets of people, caps and links hang on the rows. They are emptied,
   and a notification that has lost its words is neither shown nor sent again.
3. `looks` walks through opens and clicks. Of what was done again the first one stays, without the
   program: who clicked what, and what only machines did, is asked of it.
"""

import datetime as dt
from collections.abc import Sequence
from itertools import takewhile
from typing import Any

from django.db.models import Case, Exists, OuterRef, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from apps.lib.erasing.letting_go import AT_ONCE, COUNTED, Reached, Walked
from apps.notifications.models import (
    OF_STAFF,
    Delivery,
    DeliveryEvent,
    Engagement,
    Notification,
    NotificationState,
)

DELIVERIES = 200  # of one transaction: each has a few events
_NUMBER = Coalesce("link", Value(0))  # of the link; 0 is an open
_BY_MACHINE = Case(When(machine="", then=Value(0)), default=Value(1))
_OVER = (NotificationState.DONE, NotificationState.CANCELLED)


def with_words(*, before: dt.datetime, reached: Reached) -> QuerySet[Notification]:
    """Find what was over before this moment, and has its words."""
    return Notification.objects.filter(state__in=_OVER, finished_at__lt=before, words_gone_at=None)


def with_looks(*, before: dt.datetime, reached: Reached) -> QuerySet[Engagement]:
    """Find the opens and clicks from before this moment behind the place that was reached."""
    following = Engagement.objects.filter(pk__gt=reached.row).order_by("pk")[: COUNTED + 1]
    return Engagement.objects.filter(pk__in=following.values("pk"), at__lt=before)


def words(*, before: dt.datetime, reached: Reached, now: dt.datetime) -> Walked:
    """Empty the next messages that were over before this moment, those of the notification in hand
    first. After the last one the walk begins anew, for what was not over yet.
    """
    wanted = with_words(before=before, reached=reached)
    gone = 0
    left = DELIVERIES
    if reached.inner:
        used, inner, rows = _deliveries(reached.row, reached.inner - 1, left)
        gone += rows
        left -= used
        if inner:
            return Walked(Reached(reached.row, inner), gone, more=True)
    last = reached.row
    following = Notification.objects.filter(pk__gt=last).order_by("pk")
    candidates = list(following.values_list("pk", "created_at")[:AT_ONCE])
    due = set(wanted.filter(pk__in=[pk for pk, _ in candidates]).values_list("pk", flat=True))
    for pk, created_at in candidates:
        if created_at >= before:
            return Walked(Reached(), gone, more=False)
        if left <= 0:
            return Walked(Reached(last), gone, more=True)
        last = pk
        if pk not in due or not _mark(wanted.filter(pk=pk), now):
            continue
        used, inner, rows = _deliveries(pk, 0, left)
        gone += rows
        left -= used
        if inner:
            return Walked(Reached(pk, inner), gone, more=True)
    if len(candidates) < AT_ONCE:
        return Walked(Reached(), gone, more=False)
    return Walked(Reached(last), gone, more=True)


def _mark(one: QuerySet[Notification], now: dt.datetime) -> bool:
    """Say that the words are gone; False where somebody sends it again meanwhile."""
    of_staff = one.filter(source__in=OF_STAFF).update(words_gone_at=now)
    return bool(of_staff or one.update(words_gone_at=now, data={}))


def _deliveries(notification: int, after: int, most: int) -> tuple[int, int, int]:
    """Empty the next deliveries of one notification.

    How many steps that was, where it goes on (the number behind the last delivery that is done; 0 =
    there are no more), and how many rows were emptied.
    """
    mine = Delivery.objects.filter(notification=notification, pk__gt=after).order_by("pk")
    # the order of all who lock many
    locked = mine.select_for_update(no_key=True)
    pks = list(locked.values_list("pk", flat=True)[:most])
    rows, whole = _empty(pks)
    if not whole:
        return most, after + 1, rows
    if len(pks) < most:
        return len(pks) + 1, 0, rows
    return most, pks[-1] + 1, rows


def _empty(pks: Sequence[int]) -> tuple[int, bool]:
    """Empty deliveries and what happened to them; how many rows, and whether that was all."""
    # an index names none of these columns
    said = ~Q(error="") | ~Q(provider_id="") | Q(data__isnull=False)
    mine = Delivery.objects.filter(said, pk__in=pks)
    rows = mine.update(data=None, error="", provider_id="")
    most = AT_ONCE - DELIVERIES
    told = DeliveryEvent.objects.filter(delivery__in=pks).exclude(detail={})
    some: list[Any] = list(told.order_by("pk").values_list("pk", flat=True)[:most])
    rows += DeliveryEvent.objects.filter(pk__in=some).update(detail={})
    return rows, len(some) < most


def looks(*, before: dt.datetime, reached: Reached, now: dt.datetime) -> Walked:
    """Let go of the next opens and clicks from before this moment: what was done again goes, and
    the program of what was done first.
    """
    following = Engagement.objects.filter(pk__gt=reached.row).order_by("pk")
    looked_at = list(following.values_list("pk", "at", "delivery")[:AT_ONCE])
    old = list(takewhile(lambda row: row[1] < before, looked_at))
    if not old:
        return Walked(reached, 0, more=False)
    # the tallies are moved by what the rows of a locked delivery say before and after
    deliveries = Delivery.objects.filter(pk__in={delivery for _, _, delivery in old})
    list(deliveries.select_for_update(no_key=True).order_by("pk").values_list("pk"))
    mine = Engagement.objects.filter(pk__in=[pk for pk, _, _ in old])
    compared = mine.alias(number=_NUMBER, by_machine=_BY_MACHINE)
    sooner = Q(at__lt=OuterRef("at")) | Q(at=OuterRef("at"), pk__lt=OuterRef("pk"))
    others = Engagement.objects.alias(number=_NUMBER, by_machine=_BY_MACHINE)
    first = others.filter(
        sooner,
        delivery=OuterRef("delivery"),
        number=OuterRef("number"),
        by_machine=OuterRef("by_machine"),
    )
    again = list(compared.filter(Exists(first)).values_list("pk", flat=True))
    rows = Engagement.objects.filter(pk__in=again).delete()[0]
    rows += mine.exclude(user_agent="").update(user_agent="")
    return Walked(Reached(old[-1][0]), rows, more=len(old) == AT_ONCE)
