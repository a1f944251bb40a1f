"""A campaign goes again to those who did not open it, by what people did."""

import pytest
from django.utils import timezone

from apps.campaigns.audience.audience import Audience
from apps.campaigns.models import Segment
from apps.campaigns.send_again import NothingCounted, draft_for_unopened
from apps.followers.models import Follower
from tests.campaigns.drafts import make_campaign
from tests.dashboard.send.results.world import make_world
from tests.make import TESTER

pytestmark = pytest.mark.django_db


def test_who_was_sent_it_and_did_not_open_it_gets_a_draft() -> None:
    world = make_world(9)
    campaign, other = world.campaigns
    draft = draft_for_unopened(campaign=campaign, by=TESTER, now=timezone.now())
    assert (draft.name, draft.state, draft.channels) == ("First, again", "draft", ["email"])
    found = set(Audience.parse(draft.audience).followers())
    rows = world.notifications[0].deliveries.filter(
        channel="email", status__in=["sent", "delivered"]
    )
    got = {row.follower for row in rows if row.follower}
    opened = {
        look.delivery.follower
        for row in world.notifications[0].deliveries.all()
        for look in row.engagements.filter(machine="")
    }
    assert found == got - opened
    assert found
    # pressed again: the same people, no second segment
    draft_for_unopened(campaign=campaign, by=TESTER, now=timezone.now())
    assert Segment.objects.count() == 1
    assert other.runs.exists()


def test_where_nobody_counted_it_is_refused() -> None:
    campaign = make_campaign()
    with pytest.raises(NothingCounted, match="Nobody counted who opened it"):
        draft_for_unopened(campaign=campaign, by=TESTER, now=timezone.now())
    assert not Segment.objects.exists()
    assert Follower.objects.count() == 0
