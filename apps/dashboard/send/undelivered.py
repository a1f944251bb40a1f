"""Undelivered: what failed or is in doubt, by reason and by who sent it,
and the button that sends it again.
"""

from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.campaigns.models import Campaign, Run
from apps.followers.models import NotificationType
from apps.lib.ids import row_with
from apps.lib.refusals import WrongState
from apps.lib.written import grouped
from apps.notifications import replay
from apps.notifications.models import DeliveryStatus, Notification, Replay
from apps.notifications.reports.balance import explain
from apps.notifications.reports.undelivered import STATUSES, UndeliveredGroup, advice_for, groups

MOST_ORDERS = 20


@dataclass(frozen=True)
class UndeliveredLine:
    """A group of messages and the campaign that made them, if one did."""

    group: UndeliveredGroup
    campaign: Campaign | None


@dataclass(frozen=True)
class UndeliveredSection:
    """Lines that share a status and a reason, with what both say in words."""

    status: str
    label: str
    reason: str
    why: str
    advice: str
    count: int
    lines: list[UndeliveredLine]


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    status = request.GET.get("status", "")
    kind = request.GET.get("type", "")
    known = ""
    if status in DeliveryStatus.values:
        known = status
    found = groups(status=known, kind=kind)
    context: dict[str, Any] = {"status": status, "kind": kind}
    context["reasons"] = _sections(found)
    context["statuses"] = [(each.value, each.label) for each in STATUSES]
    context["kinds"] = NotificationType.objects.values_list("key", "name")
    context["filtered"] = bool(status or kind)
    context["orders"] = _orders()
    return render(request, "dashboard/send/undelivered/list.html", context)


def _sections(found: list[UndeliveredGroup]) -> list[UndeliveredSection]:
    campaigns = _campaigns(found)
    sections = []
    for (status, reason), members in groupby(found, key=_status_and_reason):
        lines = [_line(group, campaigns) for group in members]
        section = UndeliveredSection(
            status=status,
            label=str(DeliveryStatus(status).label),
            reason=reason,
            why=explain(reason),
            advice=advice_for(reason),
            count=sum(line.group.count for line in lines),
            lines=lines,
        )
        sections.append(section)
    return sections


def _status_and_reason(group: UndeliveredGroup) -> tuple[str, str]:
    return group.status, group.reason


def _campaigns(found: list[UndeliveredGroup]) -> dict[int, Campaign]:
    """Find the campaigns of the groups, by the number of their notification."""
    notifications = [group.notification.pk for group in found if group.notification]
    runs = Run.objects.filter(notification__in=notifications).select_related("campaign")
    return {run.notification_id: run.campaign for run in runs}


def _line(group: UndeliveredGroup, campaigns: dict[int, Campaign]) -> UndeliveredLine:
    campaign = None
    if group.notification:
        campaign = campaigns.get(group.notification.pk)
    return UndeliveredLine(group, campaign)


def _orders() -> list[dict[str, Any]]:
    """What is being sent again just now, and how far that is."""
    rows = Replay.objects.filter(finished_at=None).select_related("notification_type")
    return [{"order": row, "left": replay.left_of(row)} for row in rows[:MOST_ORDERS]]


@requires(Capability.SEND)
@require_POST
def again(request: HttpRequest) -> HttpResponse:
    status = request.POST.get("status", "")
    if status not in STATUSES:
        messages.error(request, _("Only failed and doubtful messages can be sent again."))
        return redirect("dashboard:undelivered")
    notification = None
    kind = None
    if uid := request.POST.get("notification", ""):
        notification = _notification(uid)
    else:
        key = request.POST.get("type", "")
        kind = get_object_or_404(NotificationType, key=key)
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
            said = ngettext(
                "{count} message goes out again.", "{count} messages go out again.", count
            )
            messages.success(request, said.format(count=grouped(count)))
        else:
            messages.warning(request, _("Nothing of that is left; nothing was done."))
    return redirect("dashboard:undelivered")


def _notification(uid: str) -> Notification:
    rows = Notification.objects.select_related("notification_type")
    found = row_with(rows, uid)
    if found is None:
        raise Http404
    return found


urlpatterns = [
    path("undelivered/", index, name="undelivered"),
    path("undelivered/again/", again, name="undelivered-again"),
]
