"""Notifications: each intent to tell some people something, its delivery report,
and stopping or going on.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns.models import Campaign
from apps.dashboard.shell.balance_sheet import lines_of
from apps.dashboard.shell.paging import page_of
from apps.followers.models import Channel, NotificationType
from apps.inbox.removal import removed_of
from apps.lib.refusals import WrongState
from apps.lib.written import grouped
from apps.notifications import control, replay
from apps.notifications.accounts.hold_ups import HoldUp, hold_ups_of
from apps.notifications.models import Notification, NotificationState
from apps.notifications.reports.balance import balance
from apps.notifications.reports.standing import NotificationStatus, standing

ROWS = Notification.objects.select_related("notification_type", "version__template")
RUNNING = (NotificationState.PLANNING, NotificationState.SENDING)


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    kind = request.GET.get("type", "")
    rows = ROWS.all()
    if state in NotificationStatus.values:
        rows = standing(rows, state, now=timezone.now())
    if kind:
        # looked up first: PostgreSQL goes by how many notifications this type has
        types = NotificationType.objects.filter(key=kind).values_list("pk", flat=True)
        rows = rows.filter(notification_type__in=list(types))
    context: dict[str, Any] = {"state": state, "kind": kind}
    context["page"] = page_of(request, rows)
    context["states"] = NotificationStatus.choices
    context["kinds"] = NotificationType.objects.values_list("key", "name")
    context["filtered"] = bool(state or kind)
    return render(request, "dashboard/send/notifications/list.html", context)


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    notification = _notification(uid)
    sheet = balance(notification)
    live = notification.state in control.LIVE
    campaign = _campaign(notification)
    held_up: list[HoldUp] = []
    if live:
        held_up = hold_ups_of(notification, sheet.waiting_channels, now=timezone.now())
    context: dict[str, Any] = {
        "notification": notification,
        "sheet": sheet,
        "campaign": campaign,
        "live": live,
        "hold_ups": held_up,
    }
    context["lines"] = lines_of(sheet)
    context["failed"] = sum(sheet.failed.values())
    context["channels"] = ", ".join(_labels(notification.channels))
    context["chain"] = _(", then ").join(_labels(notification.fallback))
    context["turn"] = dt.timedelta(seconds=notification.fallback_after)
    context["may_act"] = campaign is None and may(request.user, Capability.SEND)
    context["may_pause"] = notification.state in RUNNING
    context["may_resume"] = notification.state == NotificationState.PAUSED
    context["may_retry"] = notification.state != NotificationState.CANCELLED
    template = "detail"
    if request.headers.get("HX-Request"):
        template = "_progress"
    return render(request, f"dashboard/send/notifications/{template}.html", context)


def _notification(uid: UUID) -> Notification:
    return get_object_or_404(ROWS, uid=uid)


def _labels(channels: list[str]) -> list[str]:
    return [str(Channel(channel).label) for channel in channels]


def _campaign(notification: Notification) -> Campaign | None:
    """The campaign whose run this is: it has a state of its own,
    so it is stopped and resumed on its own page.
    """
    found = Campaign.objects.filter(runs__notification=notification)
    return found.first()


def _pause(request: HttpRequest, notification: Notification) -> str:
    by = staff_actor(request)
    control.pause(notification=notification, by=by, now=timezone.now())
    return _("Paused. What was already in a sender's hands stops within seconds.")


def _resume(request: HttpRequest, notification: Notification) -> str:
    by = staff_actor(request)
    control.resume(notification=notification, by=by, now=timezone.now())
    return _("It goes on where it stopped; nobody gets a second copy.")


def _cancel(request: HttpRequest, notification: Notification) -> str:
    by = staff_actor(request)
    counts = control.cancel(notification=notification, by=by, now=timezone.now())
    text = _("Cancelled {cancelled} of {total}; {handed_off} already handed over.").format(
        cancelled=grouped(counts["cancelled"]),
        total=grouped(counts["total"]),
        handed_off=grouped(counts["handed_off"]),
    )
    if in_flight := counts["in_flight"]:
        more = _("{count} are in a sender's hands just now.").format(count=grouped(in_flight))
        return f"{text} {more}"
    return text


def _retract(request: HttpRequest, notification: Notification) -> str:
    by = staff_actor(request)
    counts = control.retract(notification=notification, by=by, now=timezone.now())
    cancelled = counts["cancelled"]
    removed = removed_of(notification)
    left = counts["handed_off"] - removed
    text = _("Cancelled {cancelled}, removed {removed} from inboxes.").format(
        cancelled=grouped(cancelled), removed=grouped(removed)
    )
    if left:
        more = _("{count} have left and can't be called back.").format(count=grouped(left))
        return f"{text} {more}"
    return text


def _retry(request: HttpRequest, notification: Notification) -> str:
    by = staff_actor(request)
    moved = replay.retry_failed(notification=notification, by=by, now=timezone.now())
    said = ngettext(
        "{count} failed delivery is back in the queue.",
        "{count} failed deliveries are back in the queue.",
        moved,
    )
    return said.format(count=grouped(moved))


ACTS: dict[str, Callable[[HttpRequest, Notification], str]] = {
    "pause": _pause,
    "resume": _resume,
    "cancel": _cancel,
    "retract": _retract,
    "retry": _retry,
}


@requires(Capability.SEND)
@require_POST
def act(request: HttpRequest, uid: UUID, verb: str) -> HttpResponse:
    notification = _notification(uid)
    campaign = _campaign(notification)
    if campaign:
        said = _("This is a run of the campaign {name}. Stop, resume or retry it here.")
        messages.error(request, said.format(name=campaign.name))
        return redirect("dashboard:campaign", campaign.uid)
    perform = ACTS[verb]
    try:
        said = perform(request, notification)
        messages.success(request, said)
    except WrongState as error:
        messages.error(request, str(error))
    return redirect("dashboard:notification", uid)


urlpatterns = [
    path("notifications/", index, name="notifications"),
    path("notifications/<uuid:uid>/", detail, name="notification"),
]
for verb in ACTS:
    address = f"notifications/<uuid:uid>/{verb}/"
    urlpatterns.append(path(address, act, {"verb": verb}, name=f"notification-{verb}"))
