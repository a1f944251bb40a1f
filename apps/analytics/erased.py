"""Counts that name the domain of somebody who is erased are counted anew."""

import datetime as dt

from apps.analytics.models import Breakdown
from apps.lib.erasing.person import DataSubject


def forget(*, person: DataSubject, now: dt.datetime) -> None:
    """Forget the counts of what the person was sent: a domain may be one person's."""
    Breakdown.objects.filter(notification__deliveries__follower=person.pk).delete()
