"""Note on a message that its reader left by a link in it: results count these."""

import datetime as dt
from uuid import UUID

from apps.notifications.models import Delivery, DeliveryEvent, EventKind


def note_unsubscribed(*, delivery: UUID, follower: UUID, how: str, now: dt.datetime) -> None:
    """Note it once, however often they press. `how`: the source that their consent record names.

    A link that stands in no message, or in one that is gone, leaves no note.
    """
    row = Delivery.objects.filter(uid=delivery, follower__uid=follower).first()
    if row is None:
        return
    DeliveryEvent.objects.get_or_create(
        provider_event_id=f"link:{delivery}:{EventKind.UNSUBSCRIBED}",
        defaults={
            "delivery": row,
            "at": now,
            "kind": EventKind.UNSUBSCRIBED,
            "detail": {"how": how},
        },
    )
