"""The results of one send: of a campaign, an occurrence of a recurring notification, a call."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST, require_safe

from apps.accounts.actors import staff_actor
from apps.accounts.permissions import Capability, requires
from apps.analytics.results.breakdowns import breakdown_of
from apps.analytics.results.funnel import funnel_of
from apps.analytics.results.typical import typical
from apps.campaigns.models import Campaign, Recurring
from apps.campaigns.send_again import draft_for_unopened
from apps.content.links import noted
from apps.content.problems import RenderError
from apps.dashboard.content.template_forms import language_name
from apps.dashboard.send.results import plots, steps
from apps.followers.models import Channel
from apps.lib.network.strangers_page import framed
from apps.lib.refusals import Refused
from apps.lib.written import grouped
from apps.notifications import preview
from apps.notifications.engagement.counts import LinkClicks, engagement
from apps.notifications.models import Notification, Source

_ROWS = Notification.objects.select_related("notification_type", "version__template")


@requires(Capability.VIEW)
@require_safe
def of_campaign(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The results of a campaign's newest run; its own page where nothing has left yet."""
    campaign = get_object_or_404(Campaign, uid=uid)
    run = campaign.runs.select_related("notification").first()
    if run is None:
        return redirect("dashboard:campaign", uid)
    return redirect("dashboard:results-of", run.notification.uid)


@requires(Capability.VIEW)
@require_safe
def of_notification(request: HttpRequest, uid: UUID) -> HttpResponse:
    notification = get_object_or_404(_ROWS, uid=uid)
    base = {"notification": str(uid)}
    funnel = funnel_of(Notification.objects.filter(pk=notification.pk))
    usual = typical(before=notification)
    counted = breakdown_of(notification, now=timezone.now())
    counts = counted.counts
    looked = engagement(notification)
    flow = steps.funnel_steps(funnel, base, usual)
    languages = {tag: language_name(tag) for tag in counts.languages} | steps.gone()
    context: dict[str, Any] = {
        "notification": notification,
        "funnel": funnel,
        "usual": usual,
        "counted": counted,
        "bars": plots.funnel(flow),
        "curves": plots.curves(counts),
        "domains": steps.domain_lines(counts, base),
    }
    campaign = Campaign.objects.filter(runs__notification=notification).first()
    context["campaign"] = campaign
    context["title"], context["back"] = _whose(notification, campaign)
    context["flow"] = flow
    context["losses"] = steps.losses(funnel, base, usual)
    context["apart"] = steps.apart(counts, base)
    context["times"] = plots.time_rows(counts, base)
    context["languages"] = steps.part_lines(counts.languages, "language", base, languages)
    context["channels"] = steps.channel_lines(counts.channels, base)
    context["links"] = _links(looked.links, base)
    context["mailed"] = Channel.EMAIL in counts.channels
    context["width"] = plots.WIDTH
    context["height"] = plots.HEIGHT
    return render(request, "dashboard/send/results/page.html", context)


@requires(Capability.EDIT)
@require_POST
def again(request: HttpRequest, uid: UUID) -> HttpResponse:
    """Make a draft for those who did not open a campaign."""
    campaign = get_object_or_404(Campaign, uid=uid)
    by = staff_actor(request)
    try:
        draft = draft_for_unopened(campaign=campaign, by=by, now=timezone.now())
    except Refused as error:
        messages.error(request, str(error))
        return redirect("dashboard:campaign-results", uid)
    said = gettext("{name} is a new draft for those who did not open it.")
    messages.success(request, said.format(name=draft.name))
    return redirect("dashboard:campaign-content", draft.uid)


@requires(Capability.VIEW)
@framed
def mail(request: HttpRequest, uid: UUID) -> HttpResponse:
    """The mail itself, as it reads for nobody in particular, with its counts at its links."""
    notification = get_object_or_404(_ROWS, uid=uid)
    data = None  # of a single call they may be a code, or a link that is one person's
    if notification.source in (Source.CAMPAIGN, Source.RECURRING):
        data = notification.data
    sample = preview.Sample(
        version=notification.version,
        notification_type=notification.notification_type,
        follower=None,
        language=request.GET.get("language", ""),
        data=data,
    )
    try:
        parts = preview.preview(sample, channel=Channel.EMAIL).parts
    except RenderError as error:
        raise Http404 from error
    notes = {link.url: _note(link) for link in engagement(notification).links}
    return HttpResponse(noted(parts.get("html", ""), notes))


def _note(link: LinkClicks) -> str:
    """A sign at a link: whatever colours the mail has, it is black on yellow."""
    words = ngettext("{number} person", "{number} people", link.people)
    return format_html(
        '<span style="background:#ffe066;color:#111;border-radius:3px;padding:0 4px;'
        'font:bold 12px/1.5 sans-serif;text-decoration:none" title="{}">{}</span> ',
        words.format(number=grouped(link.people)),
        grouped(link.people),
    )


def _links(links: list[LinkClicks], base: dict[str, str]) -> list[tuple[LinkClicks, str]]:
    """The links, those most people clicked first, each with the address of its names."""
    found = sorted(links, key=lambda link: (-link.people, link.number))
    return [(link, steps.names_of(base, link=str(link.number))) for link in found]


def _whose(notification: Notification, campaign: Campaign | None) -> tuple[str, str]:
    """What the results are of, and the address of its own page."""
    if campaign:
        return campaign.name, reverse("dashboard:campaign", args=[campaign.uid])
    kind = notification.notification_type.name
    if recurring := Recurring.objects.filter(occurrences__notification=notification).first():
        return recurring.name, reverse("dashboard:recurring-one", args=[recurring.uid])
    return kind, reverse("dashboard:notification", args=[notification.uid])


urlpatterns = [
    path("campaigns/<uuid:uid>/results/", of_campaign, name="campaign-results"),
    path("campaigns/<uuid:uid>/again/", again, name="campaign-again"),
    path("results/of/<uuid:uid>/", of_notification, name="results-of"),
    path("results/of/<uuid:uid>/mail/", mail, name="results-mail"),
]
