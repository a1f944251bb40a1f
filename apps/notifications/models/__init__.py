"""The books: accounts, notifications, deliveries, limits, engagement. Import from here."""

from apps.notifications.models.accounts import ProviderAccount
from apps.notifications.models.deliveries import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Tally,
)
from apps.notifications.models.engagement import Engagement, EngagementKind, EngagementTally
from apps.notifications.models.limits import Cap, CapOutcome, DomainLimit, Pace, SlowDomain, Use
from apps.notifications.models.notifications import (
    LANES,
    Notification,
    NotificationState,
    Recipient,
    Source,
    TypeTemplate,
)
from apps.notifications.models.replays import Replay

__all__ = [
    "LANES",
    "Cap",
    "CapOutcome",
    "Delivery",
    "DeliveryEvent",
    "DeliveryStatus",
    "DomainLimit",
    "Engagement",
    "EngagementKind",
    "EngagementTally",
    "EventKind",
    "Notification",
    "NotificationState",
    "Pace",
    "ProviderAccount",
    "Recipient",
    "Replay",
    "SlowDomain",
    "Source",
    "Tally",
    "TypeTemplate",
    "Use",
]
