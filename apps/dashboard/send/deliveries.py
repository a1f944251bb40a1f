"""Deliveries: one row per person and channel, why it went or not,
and everything that happened on its way.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.content.models import Link
from apps.dashboard.shell.paging import page_of
from apps.followers.models import Channel, NotificationType
from apps.followers.people.contacts import find
from apps.lib.refusals import WrongState
from apps.notifications import control, replay
from apps.notifications.models import (
    DIGEST,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Engagement,
    Notification,
    NotificationState,
    ProviderAccount,
)
from apps.notifications.reports.balance import deliveries_behind, explain, narrow

# A search that names more people than this is no search for a person; the page says so.
MOST_PEOPLE = 200
LATEST = 50  # opens and clicks on a delivery's page
# Beside the plain statuses, the two groups a balance sheet counts together.
STATUSES = [
    ("waiting", "Waiting or being sent"),
    ("sent", "Sent or delivered"),
    *(choice for choice in DeliveryStatus.choices if choice[0] != DeliveryStatus.SENT),
]

EVENT_TITLES = {
    "waits": "Put off",
    "deferred": "Not taken yet, tried again later",
    "failed": "Refused",
    "delivered": "The provider reported that it arrived",
    "undelivered": "The provider reported that it could not deliver it",
    "in_doubt": "Handed over perhaps: no answer came",
    "crashed": "The sender died while preparing it",
    "recovered": "Taken over from a sender that died",
    "retried": "Sent back into the queue",
    "settled": "Doubt settled: taken as sent",
    "in_digest": "Gathered into a digest",
}


@dataclass(frozen=True, slots=True)
class Step:
    """One point of the trail.

    `tone` is a word `badge` knows, `digest` the public id of the delivery that has it.
    """

    at: dt.datetime | None
    title: str
    text: str = ""
    tone: str = ""
    digest: str = ""


def trail(delivery: Delivery, events: list[DeliveryEvent], accounts: dict[int, str]) -> list[Step]:
    """The whole way of one delivery, oldest first, in words."""
    steps = [Step(delivery.created_at, "Planned", decision(delivery))]
    for event in events:
        said = str(event.detail.get("said", "")) or _by(event.detail) or _waits(event.detail)
        if attempt := event.detail.get("attempt"):
            said = f"Attempt {attempt}{_through(event.detail.get('account'), accounts)}. {said}"
        title = EVENT_TITLES.get(event.kind, event.kind.replace("_", " ").capitalize())
        steps.append(Step(event.at, title, said, event.kind, str(event.detail.get("digest", ""))))
    match delivery.status:
        case DeliveryStatus.PENDING:
            steps.append(
                Step(delivery.due_at, "Due", "It leaves as soon as its turn comes.", "pending")
            )
        case DeliveryStatus.HELD:
            steps.append(
                Step(delivery.due_at, "Goes out with others", "Unless it is alone then.", "held")
            )
        case DeliveryStatus.QUEUED:
            steps.append(Step(None, "Being sent now", "", "queued"))
        case DeliveryStatus.SENT | DeliveryStatus.DELIVERED:
            through = _through(delivery.account_id, accounts)
            said = ""
            if delivery.attempts:
                said = f"Handed over{through} at attempt {delivery.attempts}."
            if delivery.provider_id:
                said += f" The provider calls it {delivery.provider_id}."
            steps.append(
                Step(
                    delivery.finished_at,
                    delivery.get_status_display(),
                    said.strip(),
                    delivery.status,
                )
            )
        case DeliveryStatus.CANCELLED:
            steps.append(
                Step(
                    delivery.finished_at,
                    "Cancelled",
                    "The notification was cancelled before its turn.",
                )
            )
        case DeliveryStatus.SKIPPED:
            steps.append(
                Step(delivery.finished_at, "Not sent", explain(delivery.reason), "skipped")
            )
        case DeliveryStatus.FAILED:
            steps.append(
                Step(delivery.finished_at, "Failed for good", explain(delivery.reason), "failed")
            )
        case DeliveryStatus.IN_DOUBT:
            steps.append(
                Step(
                    delivery.finished_at,
                    "Held for a person",
                    "A person decides what happens.",
                    "in_doubt",
                )
            )
    return steps


def decision(delivery: Delivery) -> str:
    """Why it was allowed or not, in one sentence;
    outcomes that replaced the reason later leave only the fact.
    """
    if delivery.status == DeliveryStatus.SKIPPED:
        return f"Decided against: {explain(delivery.reason)}."
    if (
        delivery.status in (DeliveryStatus.FAILED, DeliveryStatus.IN_DOUBT)
        or delivery.reason == "retried"
    ):
        return "Allowed to go."
    if delivery.reason:
        return f"Allowed: {explain(delivery.reason)}."
    return "Allowed to go."


def _by(detail: dict[str, Any]) -> str:
    if detail.get("by"):
        return f"By {detail['by']}."
    return ""


def _waits(detail: dict[str, Any]) -> str:
    if "until" not in detail:
        return ""
    until = timezone.localtime(dt.datetime.fromisoformat(detail["until"]))
    return f"Until {until:%-d %b %Y, %H:%M}: {explain(str(detail.get('reason', '')))}."


def _through(account: int | None, accounts: dict[int, str]) -> str:
    if account in accounts:
        return f" through {accounts[account]}"
    return ""


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    status, channel, reason, text = (
        request.GET.get(name, "").strip() for name in ("status", "channel", "reason", "q")
    )
    notification = _notification(request.GET.get("notification", ""))
    known = ""
    if status in dict(STATUSES):
        known = status
    programs = NotificationType.objects.filter(key=request.GET.get("programs", "")).first()
    if notification:
        rows = deliveries_behind(notification, known, reason, channel)
    else:
        rows = narrow(
            Delivery.objects.all(), known, reason, channel if channel in Channel.values else ""
        )
    if programs:  # what the page "Undelivered" counts together
        rows = rows.filter(notification__notification_type=programs).exclude(
            notification__source=control.CAMPAIGN
        )
        rows = rows.exclude(notification__state=NotificationState.CANCELLED)
    crowd = False
    if text:
        people = list(find(text).order_by().values_list("pk", flat=True)[: MOST_PEOPLE + 1])
        crowd = len(people) > MOST_PEOPLE
        rows = rows.filter(follower__in=people[:MOST_PEOPLE])
    related = ("follower", "address", "notification__notification_type")
    page = page_of(request, rows.select_related(*related))
    for row in page.rows:
        row.explained = explain(row.reason) if row.reason else ""
    context = {
        "page": page,
        "status": status,
        "statuses": STATUSES,
        "channel": channel,
        "channels": Channel.choices,
        "reason": reason,
        "reason_explained": explain(reason) if reason else "",
        "text": text,
        "crowd": crowd,
        "most_people": MOST_PEOPLE,
        "notification": notification,
        "programs": programs,
        "filtered": bool(status or channel or reason or text or notification or programs),
    }
    return render(request, "dashboard/send/deliveries/list.html", context)


def _notification(uid: str) -> Notification | None:
    try:
        return (
            Notification.objects.select_related("notification_type").filter(uid=UUID(uid)).first()
        )
    except ValueError:
        return None


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    delivery = _delivery(uid)
    events = list(delivery.events.all())
    named = {delivery.account_id, *(event.detail.get("account") for event in events)} - {None}
    accounts = dict(ProviderAccount.objects.filter(pk__in=named).values_list("pk", "name"))
    context = {
        "delivery": delivery,
        "explained": explain(delivery.reason) if delivery.reason else "",
        "steps": trail(delivery, events, accounts),
        "account": accounts.get(delivery.account_id),
        "engagements": _engagements(delivery),
        "latest": LATEST,
        "gathered": delivery.data if delivery.notification.source == DIGEST else None,
    }
    return render(request, "dashboard/send/deliveries/detail.html", context)


def _engagements(delivery: Delivery) -> list[Engagement]:
    """The latest, newest first, each with the address that was clicked."""
    rows = list(delivery.engagements.order_by("-pk")[:LATEST])
    urls = dict(
        Link.objects.filter(version=delivery.notification.version_id).values_list("number", "url")
    )
    for row in rows:
        row.url = urls.get(row.link, "")
    return rows


def _delivery(uid: UUID) -> Delivery:
    related = (
        "follower",
        "address",
        "notification__notification_type",
        "notification__version__template",
    )
    return get_object_or_404(Delivery.objects.select_related(*related), uid=uid)


@requires(Capability.SEND)
@require_POST
def retry(request: HttpRequest, uid: UUID) -> HttpResponse:
    delivery = _delivery(uid)
    try:
        moved = replay.retry_delivery(
            delivery=delivery, by=staff_actor(request), now=timezone.now()
        )
    except WrongState as error:
        messages.error(request, str(error))
    else:
        if moved:
            messages.success(
                request, "It is back in the queue and leaves as soon as its turn comes."
            )
        else:
            messages.warning(request, "It is not failed any more; nothing was done.")
    return redirect("dashboard:delivery", uid)


@requires(Capability.SEND)
@require_POST
def settle(request: HttpRequest, uid: UUID) -> HttpResponse:
    delivery = _delivery(uid)
    action = "sent"
    if request.POST.get("action") == "resend":
        action = "resend"
    try:
        moved = replay.resolve_doubt(
            delivery=delivery, action=action, by=staff_actor(request), now=timezone.now()
        )
    except WrongState as error:
        messages.error(request, str(error))
    else:
        if not moved:
            messages.warning(request, "Somebody was faster: it is not in doubt any more.")
        elif action == "resend":
            messages.success(request, "It is sent again with the same Message-ID.")
        else:
            messages.success(request, "It counts as sent from now on.")
    return redirect("dashboard:delivery", uid)


urlpatterns = [
    path("deliveries/", index, name="deliveries"),
    path("deliveries/<uuid:uid>/", detail, name="delivery"),
    path("deliveries/<uuid:uid>/retry/", retry, name="delivery-retry"),
    path("deliveries/<uuid:uid>/settle/", settle, name="delivery-settle"),
]
