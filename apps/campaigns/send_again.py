"""Send a campaign again to those who did not open it: people only, whatever machines opened."""

import datetime as dt

from django.db import transaction
from django.utils.translation import gettext as _

from apps.campaigns import compose
from apps.campaigns.audience import behaviour
from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.compose import CampaignValues
from apps.campaigns.models import Campaign, Segment
from apps.followers.models import Channel
from apps.lib.actor import Actor
from apps.lib.refusals import RefusalKind, Refused
from apps.notifications.reports.became import Did

LONGEST_NAME = 120
LONGEST_SEGMENT = 100


class NothingCounted(Refused):
    """Nobody knows who opened the campaign: it has not been sent, or without counting opens."""

    kind = RefusalKind.STATE


def draft_for_unopened(*, campaign: Campaign, by: Actor, now: dt.datetime) -> Campaign:
    """Make a draft with the campaign's words for those who were sent it by email and whose opening
    it nobody has counted. Who that is, is asked when the draft goes out.

    Raises NothingCounted.
    """
    if not campaign.runs.filter(notification__tracking=True).exists():
        raise NothingCounted(
            _("Nobody counted who opened it. Choose a campaign that was sent with counting.")
        )
    what = {"campaign": str(campaign.uid), "channel": Channel.EMAIL.value}
    with transaction.atomic():
        segment = _segment(campaign, what, by=by, now=now)
        name = _("{name}, again").format(name=campaign.name)
        values = CampaignValues(
            name=name[:LONGEST_NAME],
            notification_type=campaign.notification_type,
            channels=[Channel.EMAIL.value],
            data=campaign.data,
            metadata=campaign.metadata,
            tracking=True,
            audience={"segments": [str(segment.uid)]},
        )
        return compose.create_campaign(values=values, copy_of=campaign, by=by, now=now)


def _segment(campaign: Campaign, what: dict[str, str], *, by: Actor, now: dt.datetime) -> Segment:
    """The segment of those people: the one there is, or a new one under a name that is free."""
    rules = {
        "all": [
            {"field": "behaviour", "op": "is", "value": {"did": behaviour.GOT} | what},
            {"field": "behaviour", "op": "is_not", "value": {"did": Did.OPENED.value} | what},
        ]
    }
    name = _("Did not open {name}").format(name=campaign.name)[:LONGEST_SEGMENT]
    there = Segment.objects.filter(name=name).first()
    if there and there.rules == rules:
        return there
    if there:
        name = f"{name[: LONGEST_SEGMENT - 20]} {now:%Y-%m-%d %H:%M:%S}"
    return create_segment(values=SegmentValues(name=name, rules=rules), by=by, now=now)
