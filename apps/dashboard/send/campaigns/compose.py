"""Composing: four steps, each at its own address and each saved by itself,
so that work is never lost.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

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
from apps.campaigns.readiness import Missing, current_version
from apps.campaigns.review import review
from apps.campaigns.review_languages import LanguageReview
from apps.content import lint
from apps.dashboard.content.template_forms import field_of, language_name
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
from apps.dashboard.shell.forms import add_refusal, whole_number, zone_names
from apps.followers.models import Address, AddressState, NotificationType
from apps.lib import wallclock
from apps.lib.refusals import Refused
from apps.notifications.accounts.hold_ups import hold_ups

STEPS = (
    ("content", _("Content")),
    ("audience", _("Audience")),
    ("schedule", pgettext_lazy("step", "Schedule")),
    ("review", pgettext_lazy("step", "Review")),
)


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
    campaign = _campaign(uid)
    version = current_version(campaign)
    if campaign.state != CampaignState.DRAFT or version is None:
        return _not_a_draft(request, campaign)
    posted = request.method == "POST"
    page = ContentForms(campaign, version, request.POST or None)
    own_address = user_of(request).email
    test = TestForm(request.POST or None, initial={"to": own_address})
    go = request.POST.get("go", "save")
    stale = False
    if posted and page.is_valid() and (go != "test" or test.is_valid()):
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
    values = {"form": form, "count": count, "problem": problem, "stale": stale}
    return _step(request, campaign, "audience", values)


@requires(Capability.EDIT)
def schedule(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    if campaign.state != CampaignState.DRAFT:
        return _not_a_draft(request, campaign)
    zone = campaign.send_at_zone or user_of(request).time_zone
    initial = _initial_schedule(campaign, zone)
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
            go = request.POST.get("go", "save")
            return _onwards(campaign, "schedule", go)
    zones = zone_names()
    return _step(request, campaign, "schedule", {"form": form, "zones": zones, "stale": stale})


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


@requires(Capability.VIEW)
@require_safe
def last_look(request: HttpRequest, uid: UUID) -> HttpResponse:
    campaign = _campaign(uid)
    version = current_version(campaign)
    if campaign.state != CampaignState.DRAFT or version is None:
        return _not_a_draft(request, campaign)
    now = timezone.now()
    result = review(campaign, now=now)
    problems = [(each, _place(campaign, each)) for each in result.problems]
    warnings = [(each, _place(campaign, each)) for each in result.warnings]
    moment = time_problem = None
    if campaign.wall:
        try:
            moment = planned_moment(campaign.wall, campaign.send_at_zone, now=now)
        except BadCampaign as error:
            time_problem = str(error)
    channels = [each.channel for each in result.channels if each.will_get]
    devices = _devices(result.audience, now)
    held_up = hold_ups(channels, devices=devices, now=now)
    values = {
        "review": result,
        "languages": [_language_row(each) for each in result.languages],
        "problems": problems,
        "warnings": warnings,
        "moment": moment,
        "time_problem": time_problem,
        "version": version,
        "hold_ups": held_up,
    }
    return _step(request, campaign, "review", values)


def _devices(audience: Audience, now: dt.datetime) -> QuerySet[Address]:
    """Find the devices of an audience."""
    people = audience.followers(now=now)
    ids = people.order_by().values("pk")
    return Address.objects.filter(state=AddressState.ACTIVE, follower__in=ids)


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """A language of the review with the names that people know."""

    told: LanguageReview
    name: str
    others: list[tuple[str, int]]  # who reads it for want of their own, by name
    frame_name: str


def _language_row(told: LanguageReview) -> LanguageRow:
    others = [(language_name(tag), count) for tag, count in told.falling_back.items()]
    frame_name = language_name(told.frame_as_in)
    return LanguageRow(told, language_name(told.language), others, frame_name)


def _place(campaign: Campaign, missing: Missing) -> str:
    """Address of the field where a problem is put right, or of its step."""
    address = _address(campaign, missing.step)
    kind, _, rest = missing.where.partition(".")
    match kind:
        case "":
            return address
        case "data":
            return f"{address}#id_value-{rest}"
        case "layout":
            return f"{address}#id_layout"
        case "variables":
            return f"{address}#variables"
    if rest.count(".") == 1:
        channel, part = rest.split(".")
        return f"{address}#id_t-{kind}-{field_of(channel, part)}"
    return f"{address}#words-{kind}"


@requires(Capability.EDIT)
@require_POST
def language(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Decide about a language that was left behind: remove it, or send it as it is."""
    campaign = _campaign(uid)
    tag = request.POST.get("language", "")
    version = current_version(campaign)
    name = language_name(tag)
    if version is None or not version.translations.filter(language=tag).exists():
        said = gettext("There are no words in {language}.").format(language=name)
        messages.error(request, said)
        return redirect("dashboard:campaign-review", uid)
    try:
        if request.POST.get("do") == "remove":
            _change(request, campaign, translations={tag: None})
            said = gettext("{language} is removed; its readers get the default language.")
        else:
            _change(request, campaign, kept=[tag])
            said = gettext("{language} is sent with the words of the template.")
        messages.success(request, said.format(language=name))
    except Refused as error:
        messages.error(request, str(error))
    return redirect("dashboard:campaign-review", uid)


# ------------------------------------------------------------------ what the steps share
def _campaign(uid: UUID) -> Campaign:
    rows = Campaign.objects.select_related("notification_type", "template")
    return get_object_or_404(rows, uid=uid)


def _change(request: HttpRequest, campaign: Campaign, **changes: Any) -> None:
    revision = whole_number(request.POST.get("revision", ""))
    values = CampaignValues(**changes)
    by = staff_actor(request)
    now = timezone.now()
    change_campaign(campaign=campaign, values=values, revision=revision, by=by, now=now)


def _onwards(campaign: Campaign, step: str, go: str) -> HttpResponse:
    if go == "next":
        following = _following(step)
        return redirect(f"dashboard:campaign-{following}", campaign.uid)
    address = _address(campaign, step)
    return redirect(f"{address}?saved=1")


def _following(step: str) -> str | None:
    """Name of the step after this one; None after the last."""
    names = [name for name, _ in STEPS]
    place = names.index(step) + 1
    if place < len(names):
        return names[place]
    return None


def _address(campaign: Campaign, step: str) -> str:
    return reverse(f"dashboard:campaign-{step}", args=[campaign.uid])


def _not_a_draft(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    if campaign.state == CampaignState.SCHEDULED:
        said = gettext("This campaign is scheduled. Take it off the schedule to change it.")
        messages.warning(request, said)
    return redirect("dashboard:campaign", campaign.uid)


def _step(
    request: HttpRequest, campaign: Campaign, step: str, values: dict[str, Any]
) -> HttpResponse:
    values["campaign"] = campaign
    values["step"] = step
    values["steps"] = [(name, label, _address(campaign, name)) for name, label in STEPS]
    values["saved"] = "saved" in request.GET
    labels = {name: str(label) for name, label in STEPS}
    following = _following(step) or ""
    values["next_label"] = labels.get(following)
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
    path("campaigns/<uuid:uid>/language/", language, name="campaign-language"),
]
