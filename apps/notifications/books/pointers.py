"""Deliveries that point to a follower or an address that is no more.

Nothing should make one (apps/followers/models/deletion.py): for repair by hand, after somebody has
deleted rows past the product.
"""

from django.db import transaction
from django.db.models import Exists, OuterRef

from apps.followers.models import Address, Follower
from apps.notifications.models import Delivery


def clear(notification_id: int) -> int:
    """Let the notification's deliveries point to nothing in place of what is gone, as a deletion
    does; how many did.
    """
    lost: set[int] = set()
    with transaction.atomic():
        for column, model in (("follower", Follower), ("address", Address)):
            there = model.objects.filter(pk=OuterRef(f"{column}_id"))
            rows = Delivery.objects.filter(notification=notification_id)
            rows = rows.filter(~Exists(there), **{f"{column}__isnull": False})
            found = set(rows.order_by("pk").values_list("pk", flat=True))
            Delivery.objects.filter(pk__among=found).update(**{column: None})
            lost |= found
    return len(lost)
