"""The last step before a campaign leaves: what is wrong, who gets it, in which words.

Where people are many the page comes without numbers, and htmx fetches them. That answer is written
while it is counted, a blank twice a second: the web server closes it as soon as its reader has
left, and the count ends.
"""

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import path
from django.utils import timezone, translation
from django.utils.translation import get_language, gettext
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.permissions import Capability, requires
from apps.campaigns.compose import BadCampaign, planned_moment
from apps.campaigns.models import Campaign, CampaignState
from apps.campaigns.readiness import Missing, Readiness, current_version
from apps.campaigns.review import counting
from apps.campaigns.review.counting import Counted, Counting, NotCounted
from apps.campaigns.review.languages import LanguageReview
from apps.campaigns.review.review import look, question_of, with_numbers
from apps.dashboard.content.template_forms import field_of, language_name
from apps.dashboard.send.campaigns.steps import (
    address_of,
    campaign_of,
    change_draft,
    not_a_draft,
    show_step,
)
from apps.followers.models import Address, AddressState
from apps.lib.refusals import Refused
from apps.notifications.accounts.hold_ups import hold_ups

LOOK_UP = 0.5  # seconds between two blanks
NUMBERS = "dashboard/send/campaigns/_numbers.html"


@requires(Capability.VIEW)
@require_safe
def last_look(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The page: with numbers if they are at hand, or if `numbers=wait` says to wait for them."""
    campaign = campaign_of(uid)
    if campaign.state != CampaignState.DRAFT or current_version(campaign) is None:
        return not_a_draft(request, campaign)
    now = timezone.now()
    ready = look(campaign, now=now)
    values = _plan_of(campaign, now)
    counted = _at_hand(request, campaign, ready, now)
    if counted is None and request.GET.get("numbers") == "wait":
        counted = _waited_for(campaign, ready, now)
    if counted is None:
        values |= _without_numbers(campaign, ready, now)
    else:
        values |= _with_numbers(campaign, ready, counted, now)
    return show_step(request, campaign, "review", values)


@requires(Capability.VIEW)
@require_safe
def numbers(request: HttpRequest, uid: UUID) -> HttpResponseBase:
    """What the page fetches after it: the numbers, and what follows from them."""
    campaign = campaign_of(uid)
    if campaign.state != CampaignState.DRAFT:
        return HttpResponse(headers={"HX-Refresh": "true"})
    now = timezone.now()
    ready = look(campaign, now=now)
    if counted := _at_hand(request, campaign, ready, now):
        values = _fragment(campaign, ready, counted, now)
        return render(request, NUMBERS, values)
    count = counting.begin(campaign, question_of(campaign, ready), now=now)
    return StreamingHttpResponse(_while_counted(request, campaign, ready, count, now))


def _while_counted(
    request: HttpRequest, campaign: Campaign, ready: Readiness, count: Counting, now: dt.datetime
) -> Iterator[str]:
    """Write blanks until it is counted, then the numbers. Closed in between, the count ends."""
    language = get_language() or "en"
    try:
        while not count.wait(LOOK_UP):
            yield " "
        with translation.override(language):
            yield _told(request, campaign, ready, count, now)
    finally:
        count.leave()


def _told(
    request: HttpRequest, campaign: Campaign, ready: Readiness, count: Counting, now: dt.datetime
) -> str:
    try:
        values = _fragment(campaign, ready, count.result(), now)
    except NotCounted:
        values = {"campaign": campaign, "given_up": True}
    return render_to_string(NUMBERS, values, request=request)


def _at_hand(
    request: HttpRequest, campaign: Campaign, ready: Readiness, now: dt.datetime
) -> Counted | None:
    question = question_of(campaign, ready)
    return counting.at_hand(campaign, question, now=now, again="again" in request.GET)


def _waited_for(campaign: Campaign, ready: Readiness, now: dt.datetime) -> Counted | None:
    """Count for a page without scripts, however long it takes; None if that is too long."""
    count = counting.begin(campaign, question_of(campaign, ready), now=now)
    try:
        count.wait(counting.LONGEST)
        return count.result()
    except NotCounted:
        return None
    finally:
        count.leave()


def _plan_of(campaign: Campaign, now: dt.datetime) -> dict[str, Any]:
    """Say when it leaves."""
    moment = time_problem = None
    if campaign.wall:
        try:
            moment = planned_moment(campaign.wall, campaign.send_at_zone, now=now)
        except BadCampaign as error:
            time_problem = str(error)
    return {
        "moment": moment,
        "time_problem": time_problem,
        "version": current_version(campaign),
    }


def _without_numbers(campaign: Campaign, ready: Readiness, now: dt.datetime) -> dict[str, Any]:
    return {
        "problems": _placed(campaign, ready.problems),
        "warnings": _placed(campaign, ready.warnings),
        "hold_ups": hold_ups(campaign.channels, now=now),
    }


def _with_numbers(
    campaign: Campaign, ready: Readiness, counted: Counted, now: dt.datetime
) -> dict[str, Any]:
    result = with_numbers(campaign, ready, counted)
    channels = [each.channel for each in result.channels if each.will_get]
    devices = _devices(ready, now)
    return {
        "review": result,
        "languages": [_language_row(each) for each in result.languages],
        "problems": _placed(campaign, result.problems),
        "warnings": _placed(campaign, result.warnings),
        "hold_ups": hold_ups(channels, devices=devices, now=now),
    }


def _fragment(
    campaign: Campaign, ready: Readiness, counted: Counted, now: dt.datetime
) -> dict[str, Any]:
    """Everything of the page that numbers change."""
    values = _plan_of(campaign, now) | _with_numbers(campaign, ready, counted, now)
    return values | {"campaign": campaign, "fragment": True}


def _devices(ready: Readiness, now: dt.datetime) -> QuerySet[Address]:
    """Find the devices of an audience."""
    ids = ready.audience.followers(now=now).order_by().values("pk")
    return Address.objects.filter(state=AddressState.ACTIVE, follower__in=ids)


def _placed(campaign: Campaign, found: tuple[Missing, ...]) -> list[tuple[Missing, str]]:
    """Add to each problem the address of the field where it is put right."""
    return [(each, _place(campaign, each)) for each in found]


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
    address = address_of(campaign, missing.step)
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
    campaign = campaign_of(uid)
    tag = request.POST.get("language", "")
    version = current_version(campaign)
    name = language_name(tag)
    if version is None or not version.translations.filter(language=tag).exists():
        said = gettext("There are no words in {language}.").format(language=name)
        messages.error(request, said)
        return redirect("dashboard:campaign-review", uid)
    try:
        if request.POST.get("do") == "remove":
            change_draft(request, campaign, translations={tag: None})
            said = gettext("{language} is removed; its readers get the default language.")
        else:
            change_draft(request, campaign, kept=[tag])
            said = gettext("{language} is sent with the words of the template.")
        messages.success(request, said.format(language=name))
    except Refused as error:
        messages.error(request, str(error))
    return redirect("dashboard:campaign-review", uid)


urlpatterns = [
    path("campaigns/<uuid:uid>/review/", last_look, name="campaign-review"),
    path("campaigns/<uuid:uid>/review/numbers/", numbers, name="campaign-numbers"),
    path("campaigns/<uuid:uid>/language/", language, name="campaign-language"),
]
