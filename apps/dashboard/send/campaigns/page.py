"""The list of campaigns, the page of one while it is under way and after,
and what people may do to it.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Sum
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.history import history_of
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns import compose, lifecycle
from apps.campaigns.audience.audience import Audience, BadAudience
from apps.campaigns.compose import BadCampaign
from apps.campaigns.lifecycle import CampaignNotReady
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.campaigns.readiness import current_version
from apps.dashboard.shell.balance_sheet import lines_of
from apps.dashboard.shell.paging import beside, page_of
from apps.followers.models import Channel
from apps.lib.refusals import WrongState
from apps.notifications.accounts.hold_ups import HoldUp, hold_ups_of
from apps.notifications.digests.flush import held_until
from apps.notifications.engagement.counts import engagement
from apps.notifications.models import DeliveryStatus, Tally
from apps.notifications.reports.balance import balance, explain

DONE = {DeliveryStatus.SENT, DeliveryStatus.DELIVERED}
LIVE = (CampaignState.SENDING, CampaignState.PAUSED)


@requires(Capability.VIEW)
@require_safe
def index(request: HttpRequest) -> HttpResponse:
    state = request.GET.get("state", "")
    text = request.GET.get("q", "").strip()
    rows = Campaign.objects.select_related("notification_type")
    if state in CampaignState.values:
        rows = rows.filter(state=state)
    else:
        rows = rows.exclude(state=CampaignState.ARCHIVED)
    if text:
        rows = rows.filter(name__icontains=text)
    page = page_of(request, rows)
    numbers = _numbers(page.rows)
    for campaign in page.rows:
        beside(campaign, numbers=numbers.get(campaign.pk))
    values = {"page": page, "state": state, "states": CampaignState.choices, "text": text}
    return render(request, "dashboard/send/campaigns/list.html", values)


def _numbers(campaigns: list[Campaign]) -> dict[int, dict[str, int]]:
    """Count each started campaign's messages, all of them and those that were sent."""
    found: dict[int, dict[str, int]] = {}
    counted = (
        Tally.objects.filter(notification__run__campaign__in=campaigns)
        .values_list("notification__run__campaign", "status")
        .annotate(n=Sum("count"))
        .order_by()
    )
    for campaign, status, count in counted:
        numbers = found.setdefault(campaign, {"total": 0, "sent": 0})
        numbers["total"] += count
        if status in DONE:
            numbers["sent"] += count
        else:
            numbers["sent"] += 0
    return found


@requires(Capability.VIEW)
@require_safe
def detail(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    if campaign.state == CampaignState.DRAFT:
        step = "review"
        if may(request.user, Capability.EDIT):
            step = "content"
        return redirect(f"dashboard:campaign-{step}", uid)
    if request.headers.get("HX-Request") and request.GET.get("state") != campaign.state:
        return HttpResponse(
            headers={"HX-Refresh": "true"}
        )  # other buttons and no more polling: a page of its own
    values = {"campaign": campaign, **_progress(campaign)}
    if request.headers.get("HX-Request"):
        return render(request, "dashboard/send/campaigns/_progress.html", values)
    values |= {
        "history": history_of("campaign", uid, most=30, explain=explain),
        "audience": Audience.stored(campaign.audience).words(),
        "version": current_version(campaign),
    }
    values["channels"] = ", ".join(str(Channel(channel).label) for channel in campaign.channels)
    return render(request, "dashboard/send/campaigns/detail.html", values)


def _progress(campaign: Campaign) -> dict[str, Any]:
    run: Run | None = campaign.runs.select_related("notification").first()
    if run is None:
        return {"run": None, "live": campaign.state == CampaignState.SCHEDULED}
    sheet = balance(run.notification)
    mailed = 0
    if Channel.EMAIL in sheet.by_channel:
        mailed = sheet.by_channel[Channel.EMAIL].sent
    settled = sheet.total - sheet.waiting
    counts = None
    if run.notification.tracked:
        counts = engagement(run.notification)
    held_up: list[HoldUp] = []
    until = None
    if campaign.state == CampaignState.SENDING:
        held_up = hold_ups_of(run.notification, sheet.waiting_channels, now=timezone.now())
        if sheet.held:
            until = held_until(run.notification)
    return {
        "run": run,
        "notification": run.notification,
        "planning": run.notification.planned_at is None and campaign.state in LIVE,
        "live": campaign.state == CampaignState.SENDING,
        "sheet": sheet,
        "engagement": counts,
        "mailed": mailed,
        "lines": lines_of(sheet),
        "settled": settled,
        "failed": sum(sheet.failed.values()),
        "skipped": sum(sheet.skipped.values()),
        "hold_ups": held_up,
        "held_until": until,
    }


def _campaign(uid: UUID) -> Campaign:
    return get_object_or_404(
        Campaign.objects.select_related("notification_type", "template", "created_by"), uid=uid
    )


# ------------------------------------------------------------------ acts
def _send(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    lifecycle.send_now(campaign=campaign, **stamp)
    return f"{campaign.name} is on its way."


def _schedule(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    if campaign.wall is None:
        raise WrongState(
            "This campaign has no time yet. Choose one in the schedule step, or send it now."
        )
    wall = campaign.wall
    zone = campaign.send_at_zone
    lifecycle.schedule(campaign=campaign, wall=wall, zone=zone, **stamp)
    return f"{campaign.name} leaves on {wall:%-d %B %Y at %H:%M} ({zone})."


def _unschedule(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    lifecycle.unschedule(campaign=campaign, **stamp)
    return f"{campaign.name} is a draft again."


def _pause(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    counts = lifecycle.pause(campaign=campaign, **stamp)
    return (
        f"Paused. {counts['waiting']:,} of {counts['total']:,} wait; "
        f"{counts['handed_off']:,} were already handed over."
    )


def _resume(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    counts = lifecycle.resume(campaign=campaign, **stamp)
    return f"It goes on with the {counts['waiting']:,} that wait; nobody gets a second copy."


def _cancel(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    counts = lifecycle.cancel(campaign=campaign, **stamp)
    if not counts["total"]:
        return f"{campaign.name} was cancelled before anything was sent."
    text = (
        f"Cancelled {counts['cancelled']:,} of {counts['total']:,}; "
        f"{counts['handed_off']:,} already handed over."
    )
    if counts["in_flight"]:
        return f"{text} {counts['in_flight']:,} are being handed over just now."
    return text


def _retry(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    number = lifecycle.retry_failed(campaign=campaign, **stamp)
    if number:
        return f"{number:,} failed messages are back in the queue."
    return "Nothing had failed."


def _archive(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    lifecycle.archive(campaign=campaign, **stamp)
    return f"{campaign.name} is in the archive."


VERBS: dict[str, tuple[Capability, Callable[[HttpRequest, Campaign, Any], str]]] = {
    "send": (Capability.SEND, _send),
    "book": (Capability.SEND, _schedule),
    "unschedule": (Capability.EDIT, _unschedule),
    "pause": (Capability.SEND, _pause),
    "resume": (Capability.SEND, _resume),
    "cancel": (Capability.SEND, _cancel),
    "retry": (Capability.SEND, _retry),
    "archive": (Capability.EDIT, _archive),
}


@requires(Capability.EDIT)
@require_POST
def act(request: HttpRequest, uid: UUID, verb: str) -> HttpResponse:
    """One press of a button: done, or refused with the reason; a second press finds it done."""
    needed, function = VERBS[verb]
    if not may(request.user, needed):
        raise PermissionDenied(
            f"Your role ({user_of(request).get_role_display()}) does not include this."
        )
    campaign = _campaign(uid)
    stamp = {"by": staff_actor(request), "now": timezone.now()}
    try:
        messages.success(request, function(request, campaign, stamp))
    except CampaignNotReady:
        messages.error(request, "It can't go out yet. What is missing is listed below.")
        return redirect("dashboard:campaign-review", uid)
    except BadCampaign as error:
        messages.error(request, str(error))
        return redirect("dashboard:campaign-schedule", uid)
    except WrongState as error:
        messages.error(request, str(error))
    return redirect("dashboard:campaign", uid)


@requires(Capability.EDIT)
@require_POST
def copy(request: HttpRequest, uid: UUID) -> HttpResponse:
    source = _campaign(uid)
    values = compose.CampaignValues(
        name=f"Copy of {source.name}"[:120],
        notification_type=source.notification_type,
        channels=source.channels,
        data=source.data,
        metadata=source.metadata,
        tracking=source.tracking,
    )
    by = staff_actor(request)
    now = timezone.now()
    try:
        whole = replace(values, audience=source.audience)
        made = compose.create_campaign(values=whole, copy_of=source, by=by, now=now)
    except BadAudience as error:  # a tag or segment of then is gone by now
        made = compose.create_campaign(values=values, copy_of=source, by=by, now=now)
        messages.warning(request, f"The audience was left out: {error}")
    messages.success(request, f"{made.name} is a new draft.")
    return redirect("dashboard:campaign-content", made.uid)


@requires(Capability.EDIT)
@require_POST
def delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    try:
        compose.delete_campaign(campaign=campaign, by=staff_actor(request), now=timezone.now())
    except WrongState as error:
        messages.error(request, str(error))
        return redirect("dashboard:campaign", uid)
    messages.success(request, f"{campaign.name} was deleted.")
    return redirect("dashboard:campaigns")


urlpatterns = [
    path("campaigns/", index, name="campaigns"),
    path("campaigns/<uuid:uid>/", detail, name="campaign"),
    path("campaigns/<uuid:uid>/copy/", copy, name="campaign-copy"),
    path("campaigns/<uuid:uid>/delete/", delete, name="campaign-delete"),
    *(
        path(f"campaigns/<uuid:uid>/{verb}/", act, {"verb": verb}, name=f"campaign-{verb}")
        for verb in VERBS
    ),
]
