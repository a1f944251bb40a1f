"""What the steps of composing share: which there are, how each is found, saved and shown."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from apps.accounts.actors import staff_actor
from apps.campaigns.compose import CampaignValues, change_campaign
from apps.campaigns.models import Campaign, CampaignState
from apps.dashboard.shell.forms import whole_number

STEPS = (
    ("content", _("Content")),
    ("audience", _("Audience")),
    ("schedule", pgettext_lazy("step", "Schedule")),
    ("review", pgettext_lazy("step", "Review")),
)


def campaign_of(uid: UUID) -> Campaign:
    rows = Campaign.objects.select_related("notification_type", "template")
    return get_object_or_404(rows, uid=uid)


def change_draft(request: HttpRequest, campaign: Campaign, **changes: Any) -> None:
    revision = whole_number(request.POST.get("revision", ""))
    values = CampaignValues(**changes)
    by = staff_actor(request)
    now = timezone.now()
    change_campaign(campaign=campaign, values=values, revision=revision, by=by, now=now)


def onwards(campaign: Campaign, step: str, go: str) -> HttpResponse:
    if go == "next":
        following = _following(step)
        return redirect(f"dashboard:campaign-{following}", campaign.uid)
    address = address_of(campaign, step)
    return redirect(f"{address}?saved=1")


def _following(step: str) -> str | None:
    """Name of the step after this one; None after the last."""
    names = [name for name, _ in STEPS]
    place = names.index(step) + 1
    if place < len(names):
        return names[place]
    return None


def address_of(campaign: Campaign, step: str) -> str:
    return reverse(f"dashboard:campaign-{step}", args=[campaign.uid])


def not_a_draft(request: HttpRequest, campaign: Campaign) -> HttpResponse:
    if campaign.state == CampaignState.SCHEDULED:
        said = gettext("This campaign is scheduled. Take it off the schedule to change it.")
        messages.warning(request, said)
    return redirect("dashboard:campaign", campaign.uid)


def show_step(
    request: HttpRequest, campaign: Campaign, step: str, values: dict[str, Any]
) -> HttpResponse:
    values["campaign"] = campaign
    values["step"] = step
    values["steps"] = [(name, label, address_of(campaign, name)) for name, label in STEPS]
    values["saved"] = "saved" in request.GET
    labels = {name: str(label) for name, label in STEPS}
    following = _following(step) or ""
    values["next_label"] = labels.get(following)
    return render(request, f"dashboard/send/campaigns/{step}.html", values)
