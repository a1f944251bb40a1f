"""How a notification stands, as people are told: its state, and whether its time is still to come.

"Scheduled" is no state that anybody writes: a notification is planned at once, and its messages
wait for their moment.
"""

import datetime as dt

from django.db import models
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from apps.notifications.models import Notification, NotificationState

_ON_THEIR_WAY = (NotificationState.PLANNING, NotificationState.SENDING)


class NotificationStatus(models.TextChoices):
    PLANNING = "planning", _("Planning")
    SCHEDULED = "scheduled", _("Scheduled")  # nothing leaves before its `send_at`
    SENDING = "sending", _("Sending")
    PAUSED = "paused", _("Paused")
    CANCELLED = "cancelled", _("Cancelled")
    DONE = "done", _("Done")


def status_of(notification: Notification, *, now: dt.datetime) -> NotificationStatus:
    """Say how a notification stands at this moment."""
    if notification.state in _ON_THEIR_WAY and notification.send_at > now:
        return NotificationStatus.SCHEDULED
    return NotificationStatus(notification.state)


def standing(
    rows: QuerySet[Notification], status: str, *, now: dt.datetime
) -> QuerySet[Notification]:
    """Narrow notifications to those that stand so."""
    ahead = Q(send_at__gt=now)
    if status == NotificationStatus.SCHEDULED:
        return rows.filter(ahead, state__in=_ON_THEIR_WAY)
    if status in _ON_THEIR_WAY:
        return rows.filter(~ahead, state=status)
    return rows.filter(state=status)
