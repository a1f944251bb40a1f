"""Undelivered: what failed or is in doubt, by reason and by who sent it,
and the button that sends it again.
"""

from itertools import groupby
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.campaigns.models import Run
from apps.followers.models import NotificationType
from apps.lib.refusals import WrongState
from apps.notifications import replay
from apps.notifications.models import DeliveryStatus, Notification, Replay
from apps.notifications.reports.balance import explain
from apps.notifications.reports.undelivered import STATUSES, UndeliveredGroup, advice_for, groups


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    status = request.GET.get("status", "")
    kind = request.GET.get("type", "")
    known = ""
    if status in DeliveryStatus.values:
        known = status
    found = groups(status=known, kind=kind)
    of = [group.notification.pk for group in found if group.notification]
    campaigns = {
        run.notification_id: run
        for run in Run.objects.filter(notification__in=of).select_related("campaign")
    }
    sections = []
    for (stands, reason), members in groupby(found, key=lambda group: (group.status, group.reason)):
        lines = [_line(group, campaigns) for group in members]
        sections.append(
            {
                "status": stands,
                "label": DeliveryStatus(stands).label,
                "why": explain(reason),
                "advice": advice_for(reason),
                "reason": reason,
                "count": sum(line["group"].count for line in lines),
                "lines": lines,
            }
        )
    context = {
        "reasons": sections,
        "status": status,
        "statuses": [(each.value, each.label) for each in STATUSES],
        "kind": kind,
        "kinds": NotificationType.objects.values_list("key", "name"),
        "filtered": bool(status or kind),
        "orders": _orders(),
    }
    return render(request, "dashboard/send/undelivered/list.html", context)


def _line(group: UndeliveredGroup, campaigns: dict[int, Run]) -> dict[str, Any]:
    run = None
    if group.notification:
        run = campaigns.get(group.notification.pk)
    campaign = None
    if run:
        campaign = run.campaign
    return {"group": group, "campaign": campaign}


def _orders() -> list[dict[str, Any]]:
    """What is being sent again just now, and how far that is."""
    rows = Replay.objects.filter(finished_at=None).select_related("notification_type")
    return [{"order": row, "left": replay.left_of(row)} for row in rows[:20]]


@requires(Capability.SEND)
@require_POST
def again(request: HttpRequest) -> HttpResponse:
    status = request.POST.get("status", "")
    if status not in STATUSES:
        messages.error(request, "Only failed and doubtful messages can be sent again.")
        return redirect("dashboard:undelivered")
    notification = kind = None
    if uid := request.POST.get("notification", ""):
        notification = _notification(uid)
    else:
        kind = get_object_or_404(NotificationType, key=request.POST.get("type", ""))
    try:
        count = replay.replay(
            notification=notification,
            kind=kind,
            status=status,
            reason=request.POST.get("reason", ""),
            by=staff_actor(request),
            now=timezone.now(),
        )
    except WrongState as error:
        messages.error(request, str(error))
    else:
        if count:
            what = "messages go"
            if count == 1:
                what = "message goes"
            messages.success(request, f"{count:,} {what} out again.")
        else:
            messages.warning(request, "Nothing of that is left; nothing was done.")
    return redirect("dashboard:undelivered")


def _notification(uid: str) -> Notification:
    try:
        return get_object_or_404(
            Notification.objects.select_related("notification_type"), uid=UUID(uid)
        )
    except ValueError:
        raise Http404 from None


urlpatterns = [
    path("undelivered/", index, name="undelivered"),
    path("undelivered/again/", again, name="undelivered-again"),
]
