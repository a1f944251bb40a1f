"""What one follower was sent: the messages that were handed over, and the words at their head."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import QuerySet
from django.utils.text import Truncator

from apps.content.problems import RenderError
from apps.followers.models import Category, Channel, Follower
from apps.notifications.messages.person import person_of
from apps.notifications.messages.web_copy import copy_for_reader
from apps.notifications.models import Delivery, DeliveryStatus

HANDED_OVER = (DeliveryStatus.SENT, DeliveryStatus.DELIVERED, DeliveryStatus.IN_DOUBT)
TITLE = 120  # characters
_HEADS = ("subject", "title", "body")

log = logging.getLogger("carillon.reports")


@dataclass(frozen=True, slots=True)
class SentMessage:
    """One message; `title` is "" where it can't be told or shall not be shown."""

    delivery: Delivery
    title: str

    @property
    def has_web_copy(self) -> bool:
        notification = self.delivery.notification
        if notification.lost_its_words:
            return False
        if notification.retracted_at is not None or self.delivery.channel != Channel.EMAIL:
            return False
        return notification.notification_type.commercial


def sent_to(follower: Follower, *, before: UUID | None = None) -> QuerySet[Delivery]:
    """List the messages that were handed over to somebody, the newest first; those that are older
    than the message `before`.
    """
    rows = Delivery.objects.filter(follower=follower, status__in=HANDED_OVER).select_related(
        "notification__notification_type", "notification__version", "address"
    )
    if before is None:
        return rows
    oldest = Delivery.objects.filter(follower=follower, uid=before).values("pk")
    return rows.filter(pk__lt=oldest[:1])


def with_titles(follower: Follower, rows: Sequence[Delivery]) -> list[SentMessage]:
    """Write the head of each message once more. That of a critical one is left out: a code that
    went to a phone must not be read by whoever reads the mailbox.
    """
    reader = person_of(follower)
    found = []
    for row in rows:
        title = ""
        critical = row.notification.notification_type.category == Category.CRITICAL
        if not critical and not row.notification.lost_its_words:
            try:
                parts = copy_for_reader(row, reader).parts
            except RenderError:
                log.exception("The head of delivery %s could not be written.", row.uid)
                parts = {}
            heads = [parts[name] for name in _HEADS if parts.get(name)] or [""]
            title = Truncator(" ".join(heads[0].split())).chars(TITLE)
        found.append(SentMessage(row, title))
    return found
