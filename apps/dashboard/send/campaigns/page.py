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
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.history import history_of
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns import compose, lifecycle, public_archive
from apps.campaigns.audience.audience import Audience, BadAudience
from apps.campaigns.compose import BadCampaign
from apps.campaigns.digests import for_digests
from apps.campaigns.lifecycle import CampaignNotReady
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.campaigns.public_archive import NothingToShow
from apps.campaigns.readiness import current_version
from apps.dashboard.shell.balance_sheet import lines_of
from apps.dashboard.shell.code_words import explained
from apps.dashboard.shell.paging import beside, page_of
from apps.followers.models import Channel
from apps.inbox.removal import removed_of
from apps.lib.refusals import WrongState
from apps.lib.written import grouped, written
from apps.notifications.accounts.hold_ups import HoldUp, hold_ups_of
from apps.notifications.engagement.counts import engagement
from apps.notifications.models import DeliveryStatus, Tally
from apps.notifications.reports.balance import balance

LONGEST_NAME = 120
DONE = {DeliveryStatus.SENT, DeliveryStatus.DELIVERED}
LIVE = (CampaignState.SENDING, CampaignState.PAUSED)
HISTORY_SHOWN = 30


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
        of_campaign = numbers.get(campaign.pk)
        beside(campaign, numbers=of_campaign)
        if of_campaign and of_campaign["held"]:
            beside(campaign, for_digests=for_digests(campaign.runs.all()[0].notification))
    values: dict[str, Any] = {"page": page, "state": state, "text": text}
    values["states"] = CampaignState.choices
    return render(request, "dashboard/send/campaigns/list.html", values)


def _numbers(campaigns: list[Campaign]) -> dict[int, dict[str, int]]:
    """Count each started campaign's messages: all, those that were sent, and those that wait for
    digests.
    """
    found: dict[int, dict[str, int]] = {}
    tallies = Tally.objects.filter(notification__run__campaign__in=campaigns)
    grouped = tallies.values_list("notification__run__campaign", "status")
    counted = grouped.annotate(n=Sum("count")).order_by()
    for campaign, status, count in counted:
        numbers = found.setdefault(campaign, {"total": 0, "sent": 0, "held": 0})
        numbers["total"] += count
        if status in DONE:
            numbers["sent"] += count
        if status == DeliveryStatus.HELD:
            numbers["held"] += count
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
    polling = bool(request.headers.get("HX-Request"))
    if polling and request.GET.get("state") != campaign.state:
        # Another state has other buttons and needs no more polling: a page of its own.
        return HttpResponse(headers={"HX-Refresh": "true"})
    values = _progress(campaign)
    values["campaign"] = campaign
    if polling:
        return render(request, "dashboard/send/campaigns/_progress.html", values)
    audience = Audience.stored(campaign.audience)
    labels = [str(Channel(channel).label) for channel in campaign.channels]
    values["history"] = history_of("campaign", uid, most=HISTORY_SHOWN, explain=explained)
    values["audience"] = audience.words()
    values["version"] = current_version(campaign)
    values["channels"] = ", ".join(labels)
    return render(request, "dashboard/send/campaigns/detail.html", values)


def _progress(campaign: Campaign) -> dict[str, Any]:
    run: Run | None = campaign.runs.select_related("notification").first()
    if run is None:
        scheduled = campaign.state == CampaignState.SCHEDULED
        return {"run": None, "live": scheduled}
    notification = run.notification
    sheet = balance(notification)
    mailed = 0
    if Channel.EMAIL in sheet.by_channel:
        mailed = sheet.by_channel[Channel.EMAIL].sent
    counts = None
    if notification.tracking:
        counts = engagement(notification)
    live = campaign.state == CampaignState.SENDING
    held_up: list[HoldUp] = []
    if campaign.state in LIVE:
        held_up = hold_ups_of(notification, sheet.waiting_channels, now=timezone.now())
    values: dict[str, Any] = {
        "run": run,
        "notification": notification,
        "live": live,
        "sheet": sheet,
        "engagement": counts,
        "mailed": mailed,
        "hold_ups": held_up,
        "for_digests": for_digests(notification),
    }
    values["planning"] = notification.planned_at is None and campaign.state in LIVE
    values["lines"] = lines_of(sheet)
    values["settled"] = sheet.total - sheet.waiting
    values["failed"] = sum(sheet.failed.values())
    values["skipped"] = sum(sheet.skipped.values())
    return values


def _campaign(uid: UUID) -> Campaign:
    rows = Campaign.objects.select_related("notification_type", "template", "created_by")
    return get_object_or_404(rows, uid=uid)


# ------------------------------------------------------------------ acts
def _send(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    lifecycle.send_now(campaign=campaign, **stamp)
    return _("{name} is on its way.").format(name=campaign.name)


def _schedule(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    if campaign.wall is None:
        raise WrongState(
            _("This campaign has no time yet. Choose one in the schedule step, or send it now.")
        )
    wall = campaign.wall
    zone = campaign.send_at_zone
    lifecycle.schedule(campaign=campaign, wall=wall, zone=zone, **stamp)
    day = written(wall, "d MMMM y")
    said = _("{name} leaves on {day} at {time} ({zone}).")
    return said.format(name=campaign.name, day=day, time=f"{wall:%H:%M}", zone=zone)


def _unschedule(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    lifecycle.unschedule(campaign=campaign, **stamp)
    return _("{name} is a draft again.").format(name=campaign.name)


def _pause(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    counts = lifecycle.pause(campaign=campaign, **stamp)
    said = _("Paused. {waiting} of {total} wait; {handed_off} were already handed over.")
    return said.format(**_shown(counts))


def _resume(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    counts = lifecycle.resume(campaign=campaign, **stamp)
    said = _("It goes on with the {waiting} that wait; nobody gets a second copy.")
    return said.format(**_shown(counts))


def _cancel(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    counts = lifecycle.cancel(campaign=campaign, **stamp)
    if not counts["total"]:
        return _("{name} was cancelled before anything was sent.").format(name=campaign.name)
    shown = _shown(counts)
    text = _("Cancelled {cancelled} of {total}; {handed_off} already handed over.")
    said = text.format(**shown)
    if counts["in_flight"]:
        more = _("{in_flight} are being handed over just now.").format(**shown)
        return f"{said} {more}"
    return said


def _retry(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    number = lifecycle.retry_failed(campaign=campaign, **stamp)
    if not number:
        return _("Nothing had failed.")
    said = ngettext(
        "{number} failed message is back in the queue.",
        "{number} failed messages are back in the queue.",
        number,
    )
    return said.format(number=grouped(number))


def _archive(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    lifecycle.archive(campaign=campaign, **stamp)
    return _("{name} is in the archive.").format(name=campaign.name)


def _recall(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    counts = lifecycle.recall(campaign=campaign, **stamp)
    removed = removed_of(campaign.runs.all()[0].notification)
    text = _(
        "Cancelled {cancelled}, removed {removed} from inboxes. Its copies on the web are gone."
    )
    said = text.format(cancelled=grouped(counts["cancelled"]), removed=grouped(removed))
    if left := counts["handed_off"] - removed:
        more = _("{count} have left and can't be called back.").format(count=grouped(left))
        return f"{said} {more}"
    return said


def _publish(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    public_archive.publish(campaign=campaign, **stamp)
    said = _("{name} is in the public archive from the moment it goes out.")
    return said.format(name=campaign.name)


def _unpublish(request: HttpRequest, campaign: Campaign, stamp: Any) -> str:
    public_archive.unpublish(campaign=campaign, **stamp)
    return _("{name} is no longer in the public archive.").format(name=campaign.name)


def _shown(counts: dict[str, int]) -> dict[str, str]:
    """Write counts as sentences show them: `12,000`."""
    shown = counts.items()
    return {name: grouped(count) for name, count in shown}


Act = Callable[[HttpRequest, Campaign, Any], str]
VERBS: dict[str, tuple[Capability, Act]] = {
    "send": (Capability.SEND, _send),
    "book": (Capability.SEND, _schedule),
    "unschedule": (Capability.EDIT, _unschedule),
    "pause": (Capability.SEND, _pause),
    "resume": (Capability.SEND, _resume),
    "cancel": (Capability.SEND, _cancel),
    "retry": (Capability.SEND, _retry),
    "archive": (Capability.EDIT, _archive),
    "recall": (Capability.SEND, _recall),
    "publish": (Capability.SEND, _publish),
    "unpublish": (Capability.SEND, _unpublish),
}


@requires(Capability.EDIT)
@require_POST
def act(request: HttpRequest, uid: UUID, verb: str) -> HttpResponse:
    """One press of a button: done, or refused with the reason; a second press finds it done."""
    needed, function = VERBS[verb]
    if not may(request.user, needed):
        role = user_of(request).get_role_display()
        raise PermissionDenied(_("Your role ({role}) does not include this.").format(role=role))
    campaign = _campaign(uid)
    stamp = {"by": staff_actor(request), "now": timezone.now()}
    try:
        said = function(request, campaign, stamp)
        messages.success(request, said)
    except CampaignNotReady:
        messages.error(request, _("It can't go out yet. What is missing is listed below."))
        return redirect("dashboard:campaign-review", uid)
    except BadCampaign as error:
        messages.error(request, str(error))
        return redirect("dashboard:campaign-schedule", uid)
    except (NothingToShow, WrongState) as error:
        messages.error(request, str(error))
    return redirect("dashboard:campaign", uid)


@requires(Capability.EDIT)
@require_POST
def copy(request: HttpRequest, uid: UUID) -> HttpResponse:
    source = _campaign(uid)
    name = _("Copy of {name}").format(name=source.name)
    values = compose.CampaignValues(
        name=name[:LONGEST_NAME],
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
        said = _("The audience was left out: {problem}").format(problem=error)
        messages.warning(request, said)
    messages.success(request, _("{name} is a new draft.").format(name=made.name))
    return redirect("dashboard:campaign-content", made.uid)


@requires(Capability.EDIT)
@require_POST
def delete(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    by = staff_actor(request)
    try:
        compose.delete_campaign(campaign=campaign, by=by, now=timezone.now())
    except WrongState as error:
        messages.error(request, str(error))
        return redirect("dashboard:campaign", uid)
    messages.success(request, _("{name} was deleted.").format(name=campaign.name))
    return redirect("dashboard:campaigns")


urlpatterns = [
    path("campaigns/", index, name="campaigns"),
    path("campaigns/<uuid:uid>/", detail, name="campaign"),
    path("campaigns/<uuid:uid>/copy/", copy, name="campaign-copy"),
    path("campaigns/<uuid:uid>/delete/", delete, name="campaign-delete"),
]
for verb in VERBS:
    address = f"campaigns/<uuid:uid>/{verb}/"
    urlpatterns.append(path(address, act, {"verb": verb}, name=f"campaign-{verb}"))
