"""Composing: the steps in which a draft is written, each at its own address and each saved by
itself, so that work is never lost.
"""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import path
from django.utils import timezone

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.permissions import Capability, requires
from apps.campaigns.audience.audience import Audience, BadAudience
from apps.campaigns.audience.how_many import how_many
from apps.campaigns.compose import BadCampaign, CampaignValues, StaleEdit, create_campaign
from apps.campaigns.models import Campaign, CampaignState
from apps.campaigns.readiness import current_version
from apps.content import lint
from apps.dashboard.send.campaigns.forms import (
    AudienceForm,
    ContentForms,
    PaceChoice,
    ScheduleForm,
    StartForm,
    TestForm,
    WhenChoice,
)
from apps.dashboard.send.campaigns.preview import channels_and_languages, send_a_test
from apps.dashboard.send.campaigns.steps import (
    campaign_of,
    change_draft,
    not_a_draft,
    onwards,
    show_step,
)
from apps.dashboard.shell.forms import add_refusal, zone_names
from apps.followers.models import NotificationType
from apps.lib import wallclock
from apps.lib.refusals import Refused


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    # A type that can't be refused is chosen on purpose, never because it stood first.
    kinds = NotificationType.objects.filter(active=True)
    first = kinds.filter(commercial=True).first()
    key = request.GET.get("type")
    if not key and first:
        key = first.key
    template = request.GET.get("template")
    initial = {"notification_type": key, "template": template, "channels": ["email"]}
    form = StartForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            campaign = _create(request, form)
        except BadCampaign as error:
            add_refusal(form, error)
        else:
            return redirect("dashboard:campaign-content", campaign.uid)
    context = {"form": form, "no_types": not kinds.exists()}
    return render(request, "dashboard/send/campaigns/add.html", context)


def _create(request: HttpRequest, form: StartForm) -> Campaign:
    typed = dict(form.cleaned_data)
    template = typed.pop("template")
    values = CampaignValues(**typed)
    by = staff_actor(request)
    now = timezone.now()
    return create_campaign(values=values, template=template, by=by, now=now)


@requires(Capability.EDIT)
def content(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = campaign_of(uid)
    version = current_version(campaign)
    if campaign.state != CampaignState.DRAFT or version is None:
        return not_a_draft(request, campaign)
    posted = request.method == "POST"
    page = ContentForms(campaign, version, request.POST or None)
    own_address = user_of(request).email
    test = TestForm(request.POST or None, initial={"to": own_address})
    go = request.POST.get("go", "save")
    stale = False
    if posted and page.is_valid() and (go != "test" or test.is_valid()):
        try:
            change_draft(request, campaign, **page.columns(), **page.words())
        except StaleEdit:
            campaign.refresh_from_db()
            stale = True
        except Refused as error:
            add_refusal(page.basics, error)
        else:
            if go == "test":
                send_a_test(request, campaign, to=test.cleaned_data["to"])
            return onwards(campaign, "content", go)
    problems = lint.findings(version)
    homeless = page.editor.show_problems(problems)
    test_problem = ""
    if go == "test" and test.errors:
        test_problem = str(test.errors["to"][0])
    values: dict[str, Any] = {
        "page": page,
        "test": test,
        "test_problem": test_problem,
        "stale": stale,
        "homeless": homeless,
    }
    values["invalid"] = posted and not page.is_valid()
    values |= channels_and_languages(campaign, version)
    return show_step(request, campaign, "content", values)


@requires(Capability.EDIT)
def audience(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = campaign_of(uid)
    if campaign.state != CampaignState.DRAFT:
        return not_a_draft(request, campaign)
    form = AudienceForm(campaign.audience, request.POST or None)
    go = request.POST.get("go", "save")
    stale = False
    chosen = campaign.audience
    if request.method == "POST" and form.is_valid():
        chosen = form.audience()
        if go not in ("count", "exact"):
            try:
                change_draft(request, campaign, audience=chosen)
            except StaleEdit:
                campaign.refresh_from_db()
                stale = True
            except Refused as error:
                form.add_error(None, str(error))
            else:
                return onwards(campaign, "audience", go)
    counted = None
    problem = ""
    somebody = False
    try:
        parsed = Audience.parse(chosen)
        somebody = not parsed.is_empty
        if not form.errors and somebody:
            now = timezone.now()
            followers = parsed.followers(now=now)
            sampled = parsed.followers(now=now, sliced=True)
            counted = how_many(followers, sampled=sampled, exact=go == "exact")
    except BadAudience as error:
        problem = str(error)
    values = {"form": form, "counted": counted, "problem": problem, "stale": stale}
    values["somebody"] = somebody
    return show_step(request, campaign, "audience", values)


@requires(Capability.EDIT)
def schedule(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = campaign_of(uid)
    if campaign.state != CampaignState.DRAFT:
        return not_a_draft(request, campaign)
    zone = campaign.send_at_zone or user_of(request).time_zone
    initial = _initial_schedule(campaign, zone)
    form = ScheduleForm(request.POST or None, initial=initial)
    stale = False
    if request.method == "POST" and form.is_valid():
        try:
            change_draft(request, campaign, **form.columns())
        except StaleEdit:
            campaign.refresh_from_db()
            stale = True
        except Refused as error:
            add_refusal(form, error)
        else:
            go = request.POST.get("go", "save")
            return onwards(campaign, "schedule", go)
    zones = zone_names()
    return show_step(request, campaign, "schedule", {"form": form, "zones": zones, "stale": stale})


def _initial_schedule(campaign: Campaign, zone: str) -> dict[str, Any]:
    """Values that ScheduleForm opens with; wall times are those of the zone."""
    initial: dict[str, Any] = {"zone": zone, "rate": campaign.rate}
    initial["when"] = WhenChoice.NOW
    if campaign.wall:
        initial["when"] = WhenChoice.LATER
    initial["wall"] = _shown(campaign.wall)
    if campaign.expires_at:
        tz = wallclock.zone(zone or "UTC")
        expires = campaign.expires_at.astimezone(tz)
        initial["expires"] = _shown(expires)
    initial["pace"] = PaceChoice.FAST
    if campaign.rate:
        initial["pace"] = PaceChoice.RATE
    elif campaign.spread:
        initial["pace"] = PaceChoice.SPREAD
    initial["hours"] = campaign.spread
    if campaign.spread:
        initial["hours"] = round(campaign.spread / 3600, 4)
    return initial


def _shown(moment: Any) -> str:
    if moment:
        return f"{moment:%Y-%m-%dT%H:%M}"
    return ""


urlpatterns = [
    path("campaigns/add/", add, name="campaign-add"),
    path("campaigns/<uuid:uid>/content/", content, name="campaign-content"),
    path("campaigns/<uuid:uid>/audience/", audience, name="campaign-audience"),
    path("campaigns/<uuid:uid>/schedule/", schedule, name="campaign-schedule"),
]
