"""What the sending tests share: a receiver with an account that leads to it, a template,
and a way to wait.
"""

import datetime as dt
from typing import Any

from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.content import drafts
from apps.content.models import Version
from apps.followers.models import Follower, NotificationType
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts import edit
from apps.notifications.books import tallies
from apps.notifications.models import Delivery, Notification, ProviderAccount
from apps.notifications.notify import Intent, Priority, notify
from apps.notifications.reports.balance import balance
from apps.notifications.sending import choose
from apps.notifications.sending.sender import send_lane
from tests.make import TESTER
from tests.receiver import Receiver


def make_version(
    key: str = "hello",
    *,
    body: str = "<p>Hello {{ follower.name }}</p>",
    also: dict[str, Any] | None = None,
    **fields: Any,
) -> Version:
    """A published template with an email and an in-app part,
    and those of other channels (`also`).
    """
    parts = {
        "email": {"subject": "Hello {{ follower.name }}", "html": body},
        "in_app": {"title": "Hello", "body": "{{ follower.name }}"},
        **(also or {}),
    }
    now = timezone.now()
    template = drafts.create_template(
        key=key, name=key.title(), translations={"en": parts}, by=TESTER, now=now, **fields
    )
    return drafts.publish(template=template, by=TESTER, now=now)


def make_accounts(receiver: Receiver, **settings: Any) -> ProviderAccount:
    """An SMTP account that leads to the receiver, and the inbox."""
    now = timezone.now()
    edit.create_account(
        enabled=True, name="Inbox", provider_key="in_app", settings={}, by=TESTER, now=now
    )
    values = receiver.settings(**settings)
    return edit.create_account(
        enabled=True, name="Receiver", provider_key="smtp", settings=values, by=TESTER, now=now
    )


def tell(kind: NotificationType, people: list[Follower], **fields: Any) -> Notification:
    """notify() by email, now, in the tests' name."""
    by = fields.pop("by", TESTER)
    now = fields.pop("now", None) or timezone.now()
    priority = fields.pop("priority", Priority.NORMAL)
    values: dict[str, Any] = {"channels": ["email"], "source": "test"}
    intent = Intent(notification_type=kind, **(values | fields))
    return notify(intent=intent, recipients=people, priority=priority, by=by, now=now)


def drain() -> None:
    """What the workers do, in this process."""
    for lane in Lane:
        send_lane(name=lane.value)


def make_due(notification: Notification) -> None:
    """Let the time until the next try pass."""
    Delivery.objects.filter(notification=notification, status="pending").update(
        due_at=timezone.now() - dt.timedelta(seconds=1)
    )
    ProviderAccount.objects.update(paused_until=None)


def stands(notification: Notification) -> dict[str, int]:
    """Statuses by count, from the rows; and proof that the tallies say the same."""
    rows = (
        notification.deliveries.order_by()
        .values_list("channel", "status", "reason")
        .annotate(n=Count("pk"))
    )
    by_place = {(channel, status, reason): n for channel, status, reason, n in rows}
    assert dict(balance(notification).rows) == by_place, (
        "the delivery report does not equal the rows"
    )
    assert (tallies.waiting(notification.pk) == 0) == (
        not {*tallies.WAITING} & {s for _, s, _ in by_place}
    )
    counts: dict[str, int] = {}
    for (_, status, _), n in by_place.items():
        counts[status] = counts.get(status, 0) + n
    return counts


def places_explained(lane: Lane, channel: str) -> tuple[list[int], list[dict[str, Any]]]:
    """The notifications in which a claim finds something due,
    and the steps in which the database found them.
    """
    with CaptureQueriesContext(connection) as asked:
        found = choose.places(lane, {channel: {""}}, now=timezone.now())
    sql = asked.captured_queries[-1]["sql"]
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            steps = _steps(cursor.fetchone()[0][0]["Plan"])
        else:
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            steps = [
                {"Index Name": word} for *_, detail in cursor.fetchall() for word in detail.split()
            ]
    return [pk for pk, *_ in found], steps


def _steps(plan: dict[str, Any]) -> list[dict[str, Any]]:
    return [plan, *(step for child in plan.get("Plans", []) for step in _steps(child))]
