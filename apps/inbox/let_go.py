"""Take in-app messages that were kept long enough out of the inboxes."""

import datetime as dt
from itertools import takewhile

from django.db.models import Q, QuerySet

from apps.inbox.models import InboxItem
from apps.lib.erasing.letting_go import AT_ONCE, COUNTED, Reached, Walked


def old(*, before: dt.datetime, reached: Reached) -> QuerySet[InboxItem]:
    """Find the messages from before this moment behind the place that was reached."""
    following = InboxItem.objects.filter(pk__gt=reached.row).order_by("pk")[: COUNTED + 1]
    return InboxItem.objects.filter(pk__in=following.values("pk"), created_at__lt=before)


def items(*, before: dt.datetime, reached: Reached, now: dt.datetime) -> Walked:
    """Delete the next messages from before this moment.

    Those that were taken back are emptied only: a campaign's page counts them.
    """
    following = InboxItem.objects.filter(pk__gt=reached.row).order_by("pk")
    looked_at = list(following.values_list("pk", "created_at")[:AT_ONCE])
    pks = [pk for pk, _ in takewhile(lambda row: row[1] < before, looked_at)]
    if not pks:
        return Walked(reached, 0, more=False)
    mine = InboxItem.objects.filter(pk__in=pks)
    taken_back = Q(removed_at__isnull=False)
    rows = mine.filter(taken_back).update(title="", body="", link="")
    rows += mine.exclude(taken_back).delete()[0]
    return Walked(Reached(pks[-1]), rows, more=len(pks) == AT_ONCE)
