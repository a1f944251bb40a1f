"""The tables: accounts, notifications, deliveries, limits, engagement, replays.

1. `notifications`: an intent to tell some people something, and its recipients until it is planned.
2. `deliveries`: one message to one person on one channel, what happened to it, and the sums beside.
3. `accounts`: the ways out. `limits`: what may leave through them, and what a follower may get.
4. `engagement`: opens and clicks. `replays`: orders to send again what was not delivered.
5. `generation`: how old this database is. `mailboxes`: where bounces come by mail.

Other rooms and apps import the names from here.
"""

from apps.notifications.models.accounts import (
    DomainReport,
    Examination,
    HeardEvent,
    ProviderAccount,
    WaitingKey,
)
from apps.notifications.models.deliveries import (
    ALONE,
    SHELVES,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Shelf,
    Slice,
    Tally,
)
from apps.notifications.models.engagement import (
    Engagement,
    EngagementKind,
    EngagementTally,
    TallyKind,
)
from apps.notifications.models.generation import Generation
from apps.notifications.models.limits import (
    BounceRule,
    Cap,
    CapOutcome,
    DomainLimit,
    Pace,
    SlowDomain,
    Use,
)
from apps.notifications.models.mailboxes import BounceMailbox
from apps.notifications.models.notifications import (
    LANES,
    OF_STAFF,
    Notification,
    NotificationState,
    Recipient,
    Source,
    TypeTemplate,
)
from apps.notifications.models.replays import Replay

__all__ = [
    "ALONE",
    "LANES",
    "OF_STAFF",
    "SHELVES",
    "BounceMailbox",
    "BounceRule",
    "Cap",
    "CapOutcome",
    "Delivery",
    "DeliveryEvent",
    "DeliveryStatus",
    "DomainLimit",
    "DomainReport",
    "Engagement",
    "EngagementKind",
    "EngagementTally",
    "EventKind",
    "Examination",
    "Generation",
    "HeardEvent",
    "Notification",
    "NotificationState",
    "Pace",
    "ProviderAccount",
    "Recipient",
    "Replay",
    "Shelf",
    "Slice",
    "SlowDomain",
    "Source",
    "Tally",
    "TallyKind",
    "TypeTemplate",
    "Use",
    "WaitingKey",
]
