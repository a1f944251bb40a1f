"""How fast a campaign goes out: chosen in the composer, kept by its notification."""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.campaigns import compose, lifecycle, pacing
from apps.campaigns.compose import BadCampaign
from apps.campaigns.lifecycle import CampaignNotReady
from apps.campaigns.models import Campaign
from tests.campaigns.drafts import make_campaign, plan
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_follower

pytestmark = pytest.mark.django_db


@pytest.fixture
def campaign(anna: Any) -> Campaign:
    return make_campaign(channels=["email"])


def act() -> dict[str, Any]:
    return {"by": TESTER, "now": timezone.now()}


@pytest.mark.parametrize(
    ("rate", "spread", "words"),
    [
        (None, None, ""),
        (1.0, None, "at most 1 message a second"),
        (0.25, None, "at most 0.25 messages a second"),
        (1500.0, None, "at most 1,500 messages a second"),
        (None, 3600, "evenly over 1 hour"),
        (None, 9000, "evenly over 2 hours and 30 minutes"),
        (None, 120, "evenly over 2 minutes"),
    ],
)
def test_a_pace_is_said_in_words(rate: float | None, spread: int | None, words: str) -> None:
    assert pacing.words(rate, spread) == words


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"rate": 0.0}, "rate"),
        ({"rate": -1.0}, "rate"),
        ({"rate": 1e9}, "rate"),
        ({"spread": 1}, "spread"),
        ({"spread": 10**9}, "spread"),
        ({"rate": 5.0, "spread": 3600}, "spread"),
    ],
)
def test_a_pace_that_can_not_be_is_refused_at_its_field(
    campaign: Campaign, changes: Any, field: str
) -> None:
    with pytest.raises(BadCampaign) as refused:
        compose.change_campaign(
            campaign=campaign, values=compose.CampaignValues(**changes), **act()
        )
    assert refused.value.field == field


def test_one_pace_replaces_the_other(campaign: Campaign) -> None:
    compose.change_campaign(campaign=campaign, values=compose.CampaignValues(rate=5.0), **act())
    campaign = compose.change_campaign(
        campaign=campaign, values=compose.CampaignValues(spread=3600), **act()
    )
    assert (campaign.rate, campaign.spread) == (None, 3600)
    campaign = compose.change_campaign(
        campaign=campaign, values=compose.CampaignValues(spread=None), **act()
    )
    assert (campaign.rate, campaign.spread, campaign.pace) == (None, None, "")


def test_a_campaign_spread_over_an_hour_knows_its_rate_when_everyone_is_frozen(
    campaign: Campaign,
) -> None:
    for number in range(9):
        make_follower(email=f"p{number}@example.com")
    compose.change_campaign(campaign=campaign, values=compose.CampaignValues(spread=3600), **act())
    run = lifecycle.send_now(campaign=campaign, **act())
    assert run.notification.rate is None
    plan(run)
    run.notification.refresh_from_db()
    assert run.notification.rate == pytest.approx(10 / 3600)


def test_a_campaign_that_would_expire_while_it_goes_out_is_not_sent(campaign: Campaign) -> None:
    soon = timezone.now() + dt.timedelta(hours=1)
    compose.change_campaign(
        campaign=campaign, values=compose.CampaignValues(spread=7200, expires_at=soon), **act()
    )
    with pytest.raises(CampaignNotReady, match="while it still goes out"):
        lifecycle.send_now(campaign=campaign, **act())
    compose.change_campaign(campaign=campaign, values=compose.CampaignValues(spread=1800), **act())
    assert lifecycle.send_now(campaign=campaign, **act()).notification.spread == 1800


def test_the_composer_asks_how_fast(client: Client, sender: Any, campaign: Campaign) -> None:
    as_role(client, sender)
    step = reverse("dashboard:campaign-schedule", args=[campaign.uid])
    now = {"when": "now", "go": "next"}
    for typed, said in (
        ({"pace": "spread"}, "Write over how many hours."),
        ({"pace": "rate", "rate": "0"}, "greater than or equal to 0.01"),
        ({"pace": "fast", "rate": "5"}, "You also wrote how many a second."),
    ):
        assert said in page_of(client.post(step, now | typed)).text
    assert client.post(step, now | {"pace": "spread", "hours": "2.5"}).status_code == 302
    campaign.refresh_from_db()
    assert campaign.spread == 9000
    assert b'value="2.5"' in client.get(step).content
    review = page_of(client.get(reverse("dashboard:campaign-review", args=[campaign.uid])))
    assert "It goes out evenly over 2 hours and 30 minutes." in review.text
    assert client.post(step, now | {"pace": "rate", "rate": "20"}).status_code == 302
    campaign.refresh_from_db()
    assert (campaign.rate, campaign.spread) == (20.0, None)
