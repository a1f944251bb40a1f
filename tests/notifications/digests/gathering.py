"""Hold messages for a digest, make it, and look at it."""

import datetime as dt
from typing import Any

from django.db.models import F
from django.utils import timezone

from apps.content.drafts import published_version
from apps.content.models import Template
from apps.followers.models import Follower, NotificationType
from apps.notifications.books.transitions import move
from apps.notifications.digests import flush
from apps.notifications.models import Delivery, DeliveryStatus, Notification
from tests.notifications.world import tell

WORDS = {
    "en": {
        "email": {
            "subject": "Order {{ number }}",
            "text": "It is on its way to {{ follower.first_name }}.",
        },
        "in_app": {
            "title": "Order {{ number }}",
            "body": "Sending",
            "link": "https://example.com/{{ number }}",
        },
    },
    "ru": {
        "email": {"subject": "Заказ {{ number }}", "text": "Уже в пути."},
        "in_app": {"title": "Заказ {{ number }}", "body": "Уже в пути"},
    },
}


NUMBER = {"name": "number", "type": "number", "example": 7}


def hold(
    kind: NotificationType, people: list[Follower], number: object, *, only: str = "", **fields: Any
) -> Notification:
    """Told, and held for an hour that has come, as the claim does it."""
    version = published_version(Template.objects.get(key="order"))
    notification = tell(kind, people, version=version, **{"data": {"number": number}} | fields)
    rows = Delivery.objects.filter(notification=notification, status="pending")
    if only:
        rows = rows.filter(channel=only)
    move(rows, DeliveryStatus.HELD, due_at=timezone.now())
    return notification


def flush_all(**fields: Any) -> None:
    while flush.flush(now=timezone.now(), **fields):
        pass


def made() -> Delivery:
    return Delivery.objects.get(notification__source="digest")


def shown(row: Delivery | None = None) -> dict[str, Any]:
    """What the one digest, or this one, was made of."""
    data = (row or made()).data
    assert data
    return data  # type: ignore[no-any-return]  # a JSON column


def a_day_later() -> None:
    """As if all that was done now had been done yesterday."""
    day = dt.timedelta(days=1)
    Notification.objects.update(send_at=F("send_at") - day, created_at=F("created_at") - day)
    Delivery.objects.filter(status="held").update(due_at=F("due_at") - day)
