"""The books: accounts, notifications, deliveries, limits, engagement. Import from here."""

from apps.notifications.models.accounts import ProviderAccount
from apps.notifications.models.deliveries import Delivery, DeliveryEvent, DeliveryStatus, Tally
from apps.notifications.models.engagement import Engagement, EngagementKind, EngagementTally
from apps.notifications.models.limits import Cap, CapOutcome, DomainLimit, Pace, SlowDomain, Use
from apps.notifications.models.notifications import (
    DIGEST,
    LANES,
    Notification,
    NotificationState,
    Recipient,
    TypeTemplate,
)
from apps.notifications.models.replays import Replay

__all__ = [
    "DIGEST",
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
    "Notification",
    "NotificationState",
    "Pace",
    "ProviderAccount",
    "Recipient",
    "Replay",
    "SlowDomain",
    "Tally",
    "TypeTemplate",
    "Use",
]
