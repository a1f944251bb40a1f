"""Composing: four steps, each at its own address and each saved by itself,
so that work is never lost.
"""

import datetime as dt
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from apps.accounts.actors import staff_actor, user_of
from apps.accounts.permissions import Capability, requires
from apps.campaigns.audience.audience import Audience, BadAudience
from apps.campaigns.compose import (
    BadCampaign,
    CampaignValues,
    StaleEdit,
    change_campaign,
    create_campaign,
    planned_moment,
)
from apps.campaigns.models import Campaign, CampaignState
from apps.campaigns.readiness import current_version
from apps.campaigns.review import review
from apps.content import lint
from apps.dashboard.send.campaigns.forms import (
    AudienceForm,
    ContentForms,
    ScheduleForm,
    StartForm,
    TestForm,
)
from apps.dashboard.send.campaigns.preview import channels_and_languages, send_a_test
from apps.dashboard.shell.forms import add_refusal, whole_number, zone_names
from apps.followers.models import Address, AddressState, NotificationType
from apps.lib import wallclock
from apps.lib.refusals import Refused
from apps.notifications.accounts.hold_ups import hold_ups

STEPS = (
    ("content", "Content"),
    ("audience", "Audience"),
    ("schedule", "Schedule"),
    ("review", "Review"),
)


@requires(Capability.EDIT)
def add(request: HttpRequest) -> HttpResponse:
    # A kind that can't be refused is chosen on purpose, never because it stood first.
    kinds = NotificationType.objects.filter(active=True)
    first = kinds.filter(commercial=True).first() or kinds.first()
    key = request.GET.get("type")
    if not key and first:
        key = first.key
    initial = {
        "notification_type": key,
        "template": request.GET.get("template"),
        "channels": ["email"],
    }
    form = StartForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            typed = dict(form.cleaned_data)
            template = typed.pop("template")
            campaign = create_campaign(
                values=CampaignValues(**typed),
                template=template,
                by=staff_actor(request),
                now=timezone.now(),
            )
        except BadCampaign as error:
            add_refusal(form, error)
        else:
            return redirect("dashboard:campaign-content", campaign.uid)
    return render(
        request, "dashboard/send/campaigns/add.html", {"form": form, "no_types": first is None}
    )


@requires(Capability.EDIT)
def content(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    version = current_version(campaign)
    if campaign.state != CampaignState.DRAFT or version is None:
        return _not_a_draft(request, campaign)
    page = ContentForms(campaign, version, request.POST or None)
    test = TestForm(request.POST or None, initial={"to": user_of(request).email})
    go = request.POST.get("go", "save")
    stale = False
    if request.method == "POST" and page.is_valid() and (go != "test" or test.is_valid()):
        try:
            _change(request, campaign, **page.columns(), **page.words())
        except StaleEdit:
            campaign.refresh_from_db()
            stale = True
        except Refused as error:
            add_refusal(page.basics, error)
        else:
            if go == "test":
                send_a_test(request, campaign, to=test.cleaned_data["to"])
            return _onwards(campaign, "content", go)
    problems = page.editor.show_problems(lint.problems(version))
    test_problem = ""
    if go == "test" and test.errors:
        test_problem = str(test.errors["to"][0])
    values = {
        "page": page,
        "test": test,
        "test_problem": test_problem,
        "invalid": request.method == "POST" and not page.is_valid(),
        "stale": stale,
        "homeless": problems,
        **channels_and_languages(campaign, version),
    }
    return _step(request, campaign, "content", values)


@requires(Capability.EDIT)
def audience(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    if campaign.state != CampaignState.DRAFT:
        return _not_a_draft(request, campaign)
    form = AudienceForm(campaign.audience, request.POST or None)
    go = request.POST.get("go", "save")
    stale = False
    chosen = campaign.audience
    if request.method == "POST" and form.is_valid():
        chosen = form.audience()
        if go != "count":
            try:
                _change(request, campaign, audience=chosen)
            except StaleEdit:
                campaign.refresh_from_db()
                stale = True
            except Refused as error:
                form.add_error(None, str(error))
            else:
                return _onwards(campaign, "audience", go)
    count = None
    problem = ""
    try:
        parsed = Audience.parse(chosen)
        if not form.errors and not parsed.is_empty:
            count = parsed.count()
    except BadAudience as error:
        problem = str(error)
    return _step(
        request,
        campaign,
        "audience",
        {"form": form, "count": count, "problem": problem, "stale": stale},
    )


@requires(Capability.EDIT)
def schedule(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    if campaign.state != CampaignState.DRAFT:
        return _not_a_draft(request, campaign)
    zone = campaign.send_at_zone or user_of(request).time_zone
    when = "now"
    if campaign.wall:
        when = "later"
    initial: dict[str, Any] = {"when": when, "zone": zone, "wall": _shown(campaign.wall)}
    if campaign.expires_at:
        initial["expires"] = _shown(campaign.expires_at.astimezone(wallclock.zone(zone or "UTC")))
    if campaign.rate:
        initial["pace"] = "rate"
    elif campaign.spread:
        initial["pace"] = "spread"
    else:
        initial["pace"] = "fast"
    initial |= {
        "rate": campaign.rate,
        "hours": campaign.spread and round(campaign.spread / 3600, 4),
    }
    form = ScheduleForm(request.POST or None, initial=initial)
    stale = False
    if request.method == "POST" and form.is_valid():
        try:
            _change(request, campaign, **form.columns())
        except StaleEdit:
            campaign.refresh_from_db()
            stale = True
        except Refused as error:
            add_refusal(form, error)
        else:
            return _onwards(campaign, "schedule", request.POST.get("go", "save"))
    return _step(
        request, campaign, "schedule", {"form": form, "zones": zone_names(), "stale": stale}
    )


@requires(Capability.VIEW)
@require_safe
def last_look(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    version = current_version(campaign)
    if campaign.state != CampaignState.DRAFT or version is None:
        return _not_a_draft(request, campaign)
    now = timezone.now()
    result = review(campaign, now=now)
    problems = list(result.problems)
    moment = time_problem = None
    if campaign.wall:
        try:
            moment = planned_moment(campaign.wall, campaign.send_at_zone, now=now)
        except BadCampaign as error:
            time_problem = str(error)
    channels = [each.channel for each in result.channels if each.will_get]
    values = {
        "review": result,
        "problems": problems,
        "moment": moment,
        "time_problem": time_problem,
        "version": version,
        "hold_ups": hold_ups(channels, devices=_devices(result.audience, now), now=now),
    }
    return _step(request, campaign, "review", values)


def _devices(audience: Audience, now: dt.datetime) -> QuerySet[Address]:
    """Find the devices of an audience."""
    people = audience.followers(now=now)
    return Address.objects.filter(
        state=AddressState.ACTIVE, follower__in=people.order_by().values("pk")
    )


# ------------------------------------------------------------------ what the steps share
def _campaign(uid: UUID) -> Campaign:
    return get_object_or_404(
        Campaign.objects.select_related("notification_type", "template"), uid=uid
    )


def _change(request: HttpRequest, campaign: Campaign, **changes: Any) -> None:
    revision = whole_number(request.POST.get("revision", ""))
    change_campaign(
        campaign=campaign,
        values=CampaignValues(**changes),
        revision=revision,
        by=staff_actor(request),
        now=timezone.now(),
    )


def _onwards(campaign: Campaign, step: str, go: str) -> HttpResponse:
    names = [name for name, _ in STEPS]
    target = step
    if go == "next":
        target = names[names.index(step) + 1]
    suffix = "?saved=1"
    if go == "next":
        suffix = ""
    return redirect(reverse(f"dashboard:campaign-{target}", args=[campaign.uid]) + suffix)


def _not_a_draft(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    if campaign.state == CampaignState.SCHEDULED:
        messages.warning(
            request, "This campaign is scheduled. Take it off the schedule to change it."
        )
    return redirect("dashboard:campaign", campaign.uid)


def _step(
    request: HttpRequest, campaign: Campaign, step: str, values: dict[str, Any]
) -> HttpResponse:
    steps = [
        (name, label, reverse(f"dashboard:campaign-{name}", args=[campaign.uid]))
        for name, label in STEPS
    ]
    labels = [label for _, label in STEPS]
    values |= {"campaign": campaign, "step": step, "steps": steps, "saved": "saved" in request.GET}
    values["next_label"] = dict(zip([name for name, _ in STEPS], labels[1:], strict=False)).get(
        step
    )
    return render(request, f"dashboard/send/campaigns/{step}.html", values)


def _shown(moment: Any) -> str:
    if moment:
        return f"{moment:%Y-%m-%dT%H:%M}"
    return ""


urlpatterns = [
    path("campaigns/add/", add, name="campaign-add"),
    path("campaigns/<uuid:uid>/content/", content, name="campaign-content"),
    path("campaigns/<uuid:uid>/audience/", audience, name="campaign-audience"),
    path("campaigns/<uuid:uid>/schedule/", schedule, name="campaign-schedule"),
    path("campaigns/<uuid:uid>/review/", last_look, name="campaign-review"),
]
