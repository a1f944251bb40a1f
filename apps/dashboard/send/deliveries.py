"""Deliveries: one row per person and channel, why it went or not,
and everything that happened on its way.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.content.models import Link
from apps.dashboard.send.narrowed import chips_of, segment_query
from apps.dashboard.shell.paging import beside, page_of
from apps.followers.models import Channel, NotificationType
from apps.followers.people.search import find
from apps.lib.ids import row_with
from apps.lib.refusals import WrongState
from apps.notifications import replay
from apps.notifications.decide.machines import explain as explain_machine
from apps.notifications.models import (
    Delivery,
    DeliveryStatus,
    Engagement,
    Notification,
    NotificationState,
    Source,
    TallyKind,
)
from apps.notifications.reports.balance import deliveries_behind, explain, narrow, where_tallied
from apps.notifications.reports.became import Narrowing
from apps.notifications.reports.trail import account_names, trail_of

# A search that names more people than this is no search for a person; the page says so.
MOST_PEOPLE = 200
_NOTIFICATIONS = Notification.objects.select_related("notification_type")
LATEST = 50  # opens and clicks on a delivery's page
# Beside the plain statuses, the two groups a delivery report counts together.
STATUSES = [
    ("waiting", gettext_lazy("Waiting or being sent")),
    ("sent", gettext_lazy("Sent or delivered")),
    *(choice for choice in DeliveryStatus.choices if choice[0] != DeliveryStatus.SENT),
]


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    status, channel, reason, text = (
        request.GET.get(name, "").strip() for name in ("status", "channel", "reason", "q")
    )
    notification = row_with(_NOTIFICATIONS, request.GET.get("notification", ""))
    known = ""
    if status in dict(STATUSES):
        known = status
    programs = NotificationType.objects.filter(key=request.GET.get("programs", "")).first()
    if notification:
        rows = deliveries_behind(notification, known, reason, channel)
    else:
        on = ""
        if channel in Channel.values:
            on = channel
        rows = narrow(Delivery.objects.all(), known, reason, on)
        rows = where_tallied(rows, status=known, reason=reason, channel=on)
    narrowing = Narrowing.read(request.GET)
    rows = narrowing.narrowed(rows)
    if programs:  # what the page "Failed messages" counts together
        rows = rows.filter(notification__notification_type=programs).exclude(
            notification__source=Source.CAMPAIGN
        )
        rows = rows.exclude(notification__state=NotificationState.CANCELLED)
    crowd = False
    if text:
        people = list(find(text).order_by().values_list("pk", flat=True)[: MOST_PEOPLE + 1])
        crowd = len(people) > MOST_PEOPLE
        rows = rows.filter(follower__in=people[:MOST_PEOPLE])
    related = ("follower", "address", "notification__notification_type")
    # a few people's deliveries lie among those of everybody
    page = page_of(request, rows.select_related(*related), scattered=bool(text))
    for row in page.rows:
        why = ""
        if row.reason:
            why = explain(row.reason)
        beside(row, explained=why)
    reason_explained = ""
    if reason:
        reason_explained = explain(reason)
    chosen = (status, channel, reason, text, notification, programs, narrowing)
    context: dict[str, Any] = {
        "status": status,
        "channel": channel,
        "reason": reason,
        "text": text,
        "notification": notification,
        "programs": programs,
    }
    context["narrowing"] = narrowing
    context["chips"] = chips_of(narrowing, notification, request.GET)
    context["segment_query"] = segment_query(
        narrowing,
        notification,
        status=status,
        channel=channel,
        narrower=bool(reason or text or programs),
    )
    context["page"] = page
    context["statuses"] = STATUSES
    context["channels"] = Channel.choices
    context["reason_explained"] = reason_explained
    context["crowd"] = crowd
    context["most_people"] = MOST_PEOPLE
    context["filtered"] = any(chosen)
    return render(request, "dashboard/send/deliveries/list.html", context)


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    delivery = _delivery(uid)
    events = list(delivery.events.all())
    accounts = account_names(delivery, events)
    account = None
    if delivery.account_id:
        account = accounts.get(delivery.account_id)
    explained = ""
    if delivery.reason:
        explained = explain(delivery.reason)
    gathered = None
    if delivery.notification.source == Source.DIGEST:
        gathered = delivery.data
    context = {
        "delivery": delivery,
        "explained": explained,
        "steps": trail_of(delivery, events, accounts),
        "account": account,
        "engagements": _engagements(delivery),
        "latest": LATEST,
        "gathered": gathered,
    }
    return render(request, "dashboard/send/deliveries/detail.html", context)


def _engagements(delivery: Delivery) -> list[Engagement]:
    """The latest, newest first, each with the address that was clicked."""
    rows = list(delivery.engagements.order_by("-pk")[:LATEST])
    urls: dict[int | None, str] = dict(
        Link.objects.filter(version=delivery.notification.version_id).values_list("number", "url")
    )
    for row in rows:
        why = explain_machine(row.machine)
        beside(row, url=urls.get(row.link, ""), why=why, what=_what(row))
    return rows


def _what(engagement: Engagement) -> str:
    """What was done, and whether a machine did it, in words."""
    if engagement.machine:
        return str(TallyKind(f"machine_{engagement.kind}").label)
    return str(engagement.get_kind_display())


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
    by = staff_actor(request)
    try:
        moved = replay.retry_delivery(delivery=delivery, by=by, now=timezone.now())
    except WrongState as error:
        messages.error(request, str(error))
    else:
        if moved:
            said = gettext("It is back in the queue and leaves as soon as its turn comes.")
            messages.success(request, said)
        else:
            messages.warning(request, gettext("It is not failed any more; nothing was done."))
    return redirect("dashboard:delivery", uid)


@requires(Capability.SEND)
@require_POST
def settle(request: HttpRequest, uid: UUID) -> HttpResponse:
    delivery = _delivery(uid)
    action = "sent"
    if request.POST.get("action") == "resend":
        action = "resend"
    by = staff_actor(request)
    now = timezone.now()
    try:
        moved = replay.resolve_doubt(delivery=delivery, action=action, by=by, now=now)
    except WrongState as error:
        messages.error(request, str(error))
    else:
        if not moved:
            said = gettext("Somebody was faster: its delivery is not unknown any more.")
            messages.warning(request, said)
        elif action == "resend":
            messages.success(request, gettext("It is sent again with the same Message-ID."))
        else:
            messages.success(request, gettext("It counts as sent from now on."))
    return redirect("dashboard:delivery", uid)


urlpatterns = [
    path("deliveries/", index, name="deliveries"),
    path("deliveries/<uuid:uid>/", detail, name="delivery"),
    path("deliveries/<uuid:uid>/retry/", retry, name="delivery-retry"),
    path("deliveries/<uuid:uid>/settle/", settle, name="delivery-settle"),
]
