"""What a campaign looks like: rendered for a chosen follower, in a frame with rules of its own,
and test mails.
"""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns.models import Campaign
from apps.campaigns.readiness import current_version
from apps.channels.sms.segments import cost_of
from apps.content import drafts
from apps.content.models import Version
from apps.content.problems import RenderError
from apps.dashboard.content.preview import try_out
from apps.dashboard.content.template_forms import language_name
from apps.dashboard.send.campaigns.forms import ContentForms
from apps.followers.models import Channel
from apps.followers.people.find_follower import find_some
from apps.lib.network.strangers_page import framed
from apps.notifications import preview as notifications_preview


def channels_and_languages(campaign: Campaign, version: Version) -> dict[str, Any]:
    """The choices of a preview."""
    languages = sorted(row.language for row in version.translations.all())
    languages.sort(key=lambda tag: tag != version.default_language)
    return {
        "preview_channels": [(channel, Channel(channel).label) for channel in campaign.channels],
        "preview_languages": [(tag, language_name(tag)) for tag in languages],
    }


@requires(Capability.VIEW)
@framed
def preview(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET shows what is saved; POST what is typed in the content step, without keeping it."""
    campaign = get_object_or_404(
        Campaign.objects.select_related("notification_type", "template"), uid=uid
    )
    if request.method == "POST":
        asked = request.POST
    else:
        asked = request.GET
    if request.method == "POST" and may(request.user, Capability.EDIT):
        values = _as_typed(request, campaign, asked)
    else:
        values = _rendered(campaign, campaign.data, asked)
    return render(request, "dashboard/send/campaigns/preview.html", values)


def _as_typed(request: HttpRequest, campaign: Campaign, asked: Any) -> dict[str, Any]:
    version = current_version(campaign)
    forms = None
    if version:
        forms = ContentForms(campaign, version, request.POST)
    if forms is None or not forms.is_valid():
        problem = _("Something in the form is not right yet; the preview follows once it is.")
        return {"problem": problem}
    with transaction.atomic():
        # rendering reads a stored draft: store this one, look at it, take it back
        if words := forms.words():
            drafts.edit_draft(
                template=campaign.template,
                values=drafts.DraftValues(**words),
                by=staff_actor(request),
                now=timezone.now(),
            )
        values = _rendered(campaign, forms.values.data_given(), asked)
        transaction.set_rollback(True)
    return values


def _sample(
    version: Version, campaign: Campaign, data: dict[str, Any], asked: Any
) -> notifications_preview.Sample:
    """What is looked at, and as whom."""
    followers = find_some(asked.get("preview_as", ""), most=1)
    return notifications_preview.Sample(
        version=version,
        notification_type=campaign.notification_type,
        follower=next(iter(followers), None),
        language=asked.get("preview_language", ""),
        data=data,
    )


def _rendered(campaign: Campaign, data: dict[str, Any], asked: Any) -> dict[str, Any]:
    version = current_version(campaign)
    if version is None:
        return {"problem": _("There are no words yet.")}
    channel = asked.get("preview_channel") or next(iter(campaign.channels), Channel.EMAIL.value)
    try:
        sample = _sample(version, campaign, data, asked)
        parts = notifications_preview.preview(sample, channel=channel).parts
    except RenderError as error:
        return {"problem": str(error)}
    cost = None
    if channel == Channel.SMS:
        cost = cost_of(parts)
    return {
        "channel": channel,
        "parts": parts,
        "cost": cost,
    }


def send_a_test(request: HttpRequest, campaign: Campaign, *, to: str) -> None:
    """Send what is saved to one address and tell, in a message, what the server said."""
    version = current_version(campaign)
    if version is None:
        messages.error(request, _("There are no words yet."))
        return
    sample = _sample(version, campaign, campaign.data, request.POST)
    good, said = try_out(request, sample, to=to)
    level = messages.ERROR
    if good:
        level = messages.SUCCESS
    messages.add_message(request, level, said)


urlpatterns = [path("campaigns/<uuid:uid>/preview/", preview, name="campaign-preview")]
