"""The public archive: campaigns that staff show to everybody, as they read for nobody.

Only what has begun to go out is there, and nothing that was recalled.
"""

import datetime as dt

from django.db import transaction
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery
from django.utils.translation import gettext

from apps.campaigns.models import Campaign, CampaignState, Run
from apps.content.render import Rendered, pick_language
from apps.followers.models import Channel
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications.messages.web_copy import copy_for_nobody
from apps.notifications.models import NotificationState

_TO_BE_SEEN = (CampaignState.SENDING, CampaignState.SENT, CampaignState.ARCHIVED)


class NothingToShow(Refused):
    """A campaign that has no mail."""

    kind = RefusalKind.STATE


def publish(*, campaign: Campaign, by: Actor, now: dt.datetime) -> Campaign:
    """Show the campaign in the public archive from the moment it goes out; a second time changes
    nothing. Raises NothingToShow.
    """
    with transaction.atomic():
        row = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if Channel.EMAIL not in row.channels:
            raise NothingToShow(
                gettext("Only a campaign that goes out by email can be in the public archive.")
            )
        if row.published_at is None:
            row.published_at = now
            row.save(update_fields=["published_at"])
            tell(Kind.CAMPAIGN_PUBLISHED, by=by, now=now, about=row)
    return row


def unpublish(*, campaign: Campaign, by: Actor, now: dt.datetime) -> Campaign:
    """Take the campaign out of the public archive; a second time changes nothing."""
    with transaction.atomic():
        row = Campaign.objects.select_for_update(no_key=True).get(pk=campaign.pk)
        if row.published_at is not None:
            row.published_at = None
            row.save(update_fields=["published_at"])
            tell(Kind.CAMPAIGN_UNPUBLISHED, by=by, now=now, about=row)
    return row


def public_campaigns() -> QuerySet[Campaign]:
    """List what everybody may see, the newest first; each has `sent_at`, and what `public_copy`
    needs.
    """
    runs = Run.objects.filter(campaign=OuterRef("pk"), notification__retracted_at__isnull=True)
    # a campaign that was put out of sight may have been cancelled before
    runs = runs.exclude(notification__state=NotificationState.CANCELLED)
    latest = runs.order_by("-number").values("started_at")[:1]
    shown = Campaign.objects.filter(published_at__isnull=False, state__in=_TO_BE_SEEN)
    begun = shown.annotate(sent_at=Subquery(latest)).filter(sent_at__isnull=False)
    newest_first = Run.objects.select_related("notification__version").order_by("-number")
    runs_at_hand = Prefetch("runs", newest_first)
    words_at_hand = "runs__notification__version__translations"
    return begun.order_by("-send_at", "-pk").prefetch_related(runs_at_hand, words_at_hand)


def public_copy(campaign: Campaign, language: str) -> Rendered:
    """Write the campaign's mail as it reads for nobody, in the language or in what its readers of
    that language got. Raises RenderError.
    """
    notification = campaign.runs.all()[0].notification
    version = notification.version
    there = [each.language for each in version.translations.all()]
    picked = pick_language(there, language, version.default_language)
    return copy_for_nobody(version, notification.data, picked)
