"""What a campaign looks like: rendered for a chosen follower, in a frame with rules of its own, and test mails."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.views.decorators.clickjacking import xframe_options_sameorigin

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, may, requires
from apps.campaigns.models import Campaign
from apps.campaigns.readiness import current_version
from apps.channels.contract import BadSettings, Result
from apps.channels.mime import BadHeader
from apps.content import drafts
from apps.content.models import Version
from apps.content.problems import RenderError
from apps.dashboard.campaigns.forms import ContentForms, find_one
from apps.dashboard.content_forms import language_name
from apps.followers.contacts import find
from apps.followers.models import Channel, Follower
from apps.lib.crypto import Undecryptable
from apps.notifications import trial

# The frame shows what staff and senders wrote: it may look like anything, but do nothing and load nothing but pictures.
FRAME_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data: https: http:; frame-ancestors 'self'"


def channels_and_languages(campaign: Campaign, version: Version) -> dict[str, Any]:
    """The choices of a preview."""
    languages = sorted(row.language for row in version.translations.all())
    languages.sort(key=lambda tag: tag != version.default_language)
    return {
        "preview_channels": [(channel, Channel(channel).label) for channel in campaign.channels],
        "preview_languages": [(tag, language_name(tag)) for tag in languages],
    }


@requires(Capability.VIEW)
@xframe_options_sameorigin
def preview(request: HttpRequest, uid: UUID) -> HttpResponse:
    """GET shows what is saved; POST what is typed in the content step, without keeping it."""
    campaign = get_object_or_404(Campaign.objects.select_related("notification_type", "template"), uid=uid)
    asked = request.POST if request.method == "POST" else request.GET
    if request.method == "POST" and may(request.user, Capability.EDIT):
        values = _as_typed(request, campaign, asked)
    else:
        values = _rendered(campaign, campaign.data, asked)
    response = render(request, "dashboard/campaigns/preview.html", values)
    response.headers["Content-Security-Policy"] = FRAME_POLICY
    return response


def _as_typed(request: HttpRequest, campaign: Campaign, asked: Any) -> dict[str, Any]:
    version = current_version(campaign)
    forms = ContentForms(campaign, version, request.POST) if version else None
    if forms is None or not forms.is_valid():
        return {"problem": "Something in the form is not right yet; the preview follows once it is."}
    with transaction.atomic():
        # rendering reads a stored draft: store this one, look at it, take it back
        if words := forms.words():
            drafts.edit_draft(template=campaign.template, by=staff_actor(request), now=timezone.now(), **words)
        values = _rendered(campaign, forms.values.data_given(), asked)
        transaction.set_rollback(True)
    return values


def _rendered(campaign: Campaign, data: dict[str, Any], asked: Any) -> dict[str, Any]:
    version = current_version(campaign)
    channel = asked.get("preview_channel") or next(iter(campaign.channels), Channel.EMAIL.value)
    if version is None:
        return {"problem": "There are no words yet."}
    try:
        shown = trial.preview(
            version=version,
            notification_type=campaign.notification_type,
            channel=channel,
            follower=person(asked.get("preview_as", "")),
            language=asked.get("preview_language", ""),
            data=data,
        )
    except RenderError as error:
        return {"problem": str(error)}
    return {"channel": channel, "parts": shown.parts}


def person(text: str) -> Follower | None:
    """Whoever is meant by an address, an id or a part of a name."""
    text = text.strip()
    return (find_one(text) or find(text).order_by("pk").first()) if text else None


def send_a_test(request: HttpRequest, campaign: Campaign, *, to: str) -> None:
    """Send what is saved to one address and tell, in a message, what the server said."""
    version = current_version(campaign)
    assert version is not None  # noqa: S101  (the content step has one)
    try:
        outcome = trial.send_test(
            version=version,
            notification_type=campaign.notification_type,
            follower=person(request.POST.get("preview_as", "")),
            language=request.POST.get("preview_language", ""),
            data=campaign.data,
            to=to,
            by=staff_actor(request),
            now=timezone.now(),
        )
    except (RenderError, BadHeader, BadSettings, Undecryptable, trial.NoWayOut) as error:
        messages.error(request, f"The test was not sent: {error}")
        return
    if outcome.result == Result.ACCEPTED:
        messages.success(request, f"A test is on its way to {to}. The server said: {outcome.detail or 'accepted'}")
    else:
        messages.error(request, f"The test to {to} was not taken ({outcome.result}): {outcome.detail}")


urlpatterns = [path("campaigns/<uuid:uid>/preview/", preview, name="campaign-preview")]
