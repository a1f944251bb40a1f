"""The brake: a send that many of its recipients refuse is paused by itself, and a person decides.

It looks where a flush has booked refusals, so that a send which goes well never pays for it.
"""

import datetime as dt
import logging
from collections import Counter
from collections.abc import Collection

from django.conf import settings as site
from django.db.models import Q, QuerySet

from apps.channels.contract import Result
from apps.followers.models import Channel
from apps.notifications import control
from apps.notifications.books import tallies
from apps.notifications.models import DeliveryStatus, Notification, NotificationState, sentences

log = logging.getLogger("carillon.send")

REFUSALS = (Result.PERMANENT_RECIPIENT, Result.PERMANENT_CONTENT, Result.BLOCKED)
# How a message fails that the other side did not want. Dead tokens of devices are daily bread.
REFUSED = ("refused_recipient", "refused_content", "blocked", "undelivered")
CHANNELS = (Channel.EMAIL, Channel.SMS, Channel.VOICE)


def too_many(*, refused: int, tried: int, least: int, percent: int) -> bool:
    """Whether so many of those that were tried were refused that a person should look.

    `percent` 0 is never.
    """
    if not percent or refused < least:
        return False
    return refused * 100 >= percent * tried


def look(notifications: Collection[int], *, now: dt.datetime) -> None:
    """Pause those of the sends (primary keys) that too many have refused so far, where some of it
    still waits.
    """
    if not notifications or not site.BRAKE_PERCENT:
        return
    going = (NotificationState.PLANNING, NotificationState.SENDING)
    live = Notification.objects.filter(pk__in=notifications, state__in=going, brake_off=False)
    waiting = live.alias(left=tallies.standing(*tallies.WAITING))
    for notification in waiting.filter(Q(left__gt=0) | Q(planned_at=None)):
        counted = _tried(notification)
        refused = counted[True]
        tried = refused + counted[False]
        least = site.BRAKE_LEAST
        if too_many(refused=refused, tried=tried, least=least, percent=site.BRAKE_PERCENT):
            _pause(notification, refused=refused, tried=tried, now=now)


def stopped(*, most: int = 5) -> QuerySet[Notification]:
    """The sends that Carillon itself has paused and that wait for a person, the newest first."""
    rows = Notification.objects.filter(state=NotificationState.PAUSED).exclude(paused_why="")
    return rows.select_related("notification_type", "version__template")[:most]


def _tried(notification: Notification) -> Counter[bool]:
    """How many messages have ended, by whether they were refused."""
    done = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.FAILED)
    rows = notification.tallies.filter(channel__in=CHANNELS, status__in=done)
    counted: Counter[bool] = Counter()
    for status, reason, count in rows.values_list("status", "reason", "count"):
        counted[status == DeliveryStatus.FAILED and reason in REFUSED] += count
    return counted


def _pause(notification: Notification, *, refused: int, tried: int, now: dt.datetime) -> None:
    why = sentences.REFUSED.format(refused=f"{refused:,}", tried=f"{tried:,}")
    if control.hold(notification=notification, why=why, now=now):
        log.warning("%s: %s", notification, why)
