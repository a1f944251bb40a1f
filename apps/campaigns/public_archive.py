"""The public archive: campaigns that staff show to everybody, as they read for nobody.

Only what has begun to go out is there, and nothing that was recalled.
"""

import datetime as dt

from django.db import transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext

from apps.campaigns.models import Campaign, CampaignState, Run
from apps.content.render import Rendered, pick_language
from apps.followers.models import Channel
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications.messages.web_copy import copy_for_nobody

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
    """List what everybody may see, the newest first; each has `sent_at`."""
    runs = Run.objects.filter(campaign=OuterRef("pk"), notification__retracted_at__isnull=True)
    latest = runs.order_by("-number").values("started_at")[:1]
    shown = Campaign.objects.filter(published_at__isnull=False, state__in=_TO_BE_SEEN)
    begun = shown.annotate(sent_at=Subquery(latest)).filter(sent_at__isnull=False)
    return begun.order_by("-send_at", "-pk")


def public_copy(campaign: Campaign, language: str) -> Rendered:
    """Write the campaign's mail as it reads for nobody, in the language or in what its readers of
    that language got. Raises RenderError.
    """
    runs = campaign.runs.select_related("notification__version")
    notification = runs.latest("number").notification
    version = notification.version
    there = version.translations.values_list("language", flat=True)
    picked = pick_language(list(there), language, version.default_language)
    return copy_for_nobody(version, notification.data, picked)
