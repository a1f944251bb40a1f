"""A campaign of which only digests are to come was sent; it says how many wait, and until when."""

import datetime as dt

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import AuditEntry, User
from apps.accounts.permissions import Scope
from apps.analytics import reports
from apps.campaigns import digests, lifecycle
from apps.campaigns.models import Campaign, CampaignState
from apps.followers.models import Follower
from apps.notifications.books import tallies
from apps.notifications.books.transitions import move
from apps.notifications.models import Delivery, DeliveryStatus, Notification
from tests.api.world import make_client
from tests.campaigns.drafts import make_campaign, plan
from tests.make import TESTER, make_follower

pytestmark = [pytest.mark.django_db, pytest.mark.reported]


@pytest.fixture
def under_way(anna: Follower) -> Campaign:
    """Anna's mail has left, Eva wants hers on Sunday."""
    make_follower(email="eva@example.com")
    campaign = make_campaign(channels=["email"])
    plan(lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now()))
    rows = Delivery.objects.filter(status=DeliveryStatus.PENDING)
    move(rows.filter(follower=anna), DeliveryStatus.SENT, finished_at=timezone.now())
    return campaign


def hold(campaign: Campaign) -> dt.datetime:
    until = timezone.now() + dt.timedelta(days=6)
    move(Delivery.objects.filter(status=DeliveryStatus.PENDING), DeliveryStatus.HELD, due_at=until)
    return until


def state(campaign: Campaign) -> str:
    campaign.refresh_from_db()
    return campaign.state


def test_a_campaign_is_sent_when_only_digests_wait(under_way: Campaign) -> None:
    lifecycle.call_sent(now=timezone.now())
    assert state(under_way) == CampaignState.SENDING  # one message may still leave
    until = hold(under_way)
    lifecycle.call_sent(now=timezone.now())
    lifecycle.call_sent(now=timezone.now())
    assert state(under_way) == CampaignState.SENT
    notification = Notification.objects.get()
    assert notification.state == "sending"  # the digest's hour finds it so
    assert digests.for_digests(notification) == digests.ForDigests(1, until)
    told = AuditEntry.objects.get(kind="campaign.finished")
    assert told.data == {"run": 1, "waiting_for_digests": 1}


def test_the_last_digest_changes_nothing_about_a_campaign_that_was_sent(
    under_way: Campaign,
) -> None:
    hold(under_way)
    now = timezone.now()
    lifecycle.call_sent(now=now)
    move(Delivery.objects.filter(status=DeliveryStatus.HELD), DeliveryStatus.SKIPPED)
    tallies.finish_all_done([Notification.objects.get().pk], now=now)
    assert state(under_way) == CampaignState.SENT
    assert digests.for_digests(Notification.objects.get()) == digests.ForDigests()
    assert AuditEntry.objects.filter(kind="campaign.finished").count() == 1


def test_it_can_be_archived_while_digests_wait(under_way: Campaign) -> None:
    hold(under_way)
    lifecycle.call_sent(now=timezone.now())
    lifecycle.archive(campaign=under_way, by=TESTER, now=timezone.now())
    assert state(under_way) == CampaignState.ARCHIVED
    assert Delivery.objects.filter(status=DeliveryStatus.HELD).count() == 1


def test_failed_ones_are_retried_while_digests_wait(under_way: Campaign, anna: Follower) -> None:
    move(Delivery.objects.filter(follower=anna), DeliveryStatus.FAILED, reason="gave_up")
    hold(under_way)
    lifecycle.call_sent(now=timezone.now())
    assert lifecycle.retry_failed(campaign=under_way, by=TESTER, now=timezone.now()) == 1
    assert state(under_way) == CampaignState.SENDING


def test_what_waits_for_digests_can_be_cancelled(under_way: Campaign) -> None:
    hold(under_way)
    lifecycle.call_sent(now=timezone.now())
    counts = lifecycle.cancel(campaign=under_way, by=TESTER, now=timezone.now())
    assert (counts["handed_off"], counts["cancelled"]) == (1, 1)
    assert state(under_way) == CampaignState.CANCELLED


def test_pages_say_how_many_wait_and_until_when(
    client: Client, sender: User, under_way: Campaign
) -> None:
    until = hold(under_way)
    lifecycle.call_sent(now=timezone.now())
    client.force_login(sender)
    day = f"{until.day} {until:%b %Y}"
    page = client.get(f"/campaigns/{under_way.uid}/").content.decode()
    assert "One message waits for a digest, as its reader wishes" in page
    assert day in page
    assert "Archive" in page
    listed = client.get("/campaigns/").content.decode()
    assert "1 in digests until" in listed
    assert reports.sending() == []
    home = client.get("/").content.decode()
    assert "Nothing is going out at the moment." in home
    assert "1 waits for digests until" in " ".join(home.split())


def test_the_api_says_how_many_wait_and_until_when(under_way: Campaign) -> None:
    api = make_client(*Scope)
    until = hold(under_way)
    lifecycle.call_sent(now=timezone.now())
    told = api.get(f"/api/v1/campaigns/{under_way.uid}").json()
    assert told["status"] == "sent"
    assert told["for_digests"]["messages"] == 1
    assert dt.datetime.fromisoformat(told["for_digests"]["until"]) == until
