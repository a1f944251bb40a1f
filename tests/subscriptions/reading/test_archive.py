"""The public archive holds what staff show to everybody, with nobody's values in it; what is
recalled goes from there and from wherever else it can.
"""

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from lxml import etree

from apps.accounts.permissions import Scope
from apps.campaigns import lifecycle, public_archive
from apps.campaigns.models import Campaign
from apps.followers.models import Follower
from apps.inbox.models import InboxItem
from apps.lib.refusals import WrongState
from apps.notifications.models import Delivery, Notification
from tests.api.world import make_client
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import as_role
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_accounts
from tests.receiver import Receiver
from tests.subscriptions.pages import visit
from tests.subscriptions.reading.world import make_public, view_path

ARCHIVE = "/p/archive/"


def links_on(client: Client) -> list[str]:
    page = visit(client, ARCHIVE)
    return [each.get("href") for each in page.html.xpath("//article//a")]


def test_the_archive_shows_a_campaign_as_it_reads_for_nobody(
    client: Client, anna: Follower
) -> None:
    make_follower(email="gold@example.com", name="Gustav", metadata={"plan": "gold"})
    campaign = make_public()
    [path] = links_on(client)
    page = visit(client, path)
    assert "Spring for everybody" in page.text
    html = page.response.content.decode()
    said = dict(re.findall(r'<meta property="og:(\w+)" content="([^"]*)"', html))
    assert said["title"] == "Spring for everybody"
    assert said["description"] == "What blooms now"
    assert said["image"] == "https://pictures.example/tulips.jpg"
    assert said["url"].endswith(f"/p/archive/{campaign.uid}/")
    assert "noindex" not in html
    [frame] = page.html.xpath("//iframe")
    letter = client.get(frame.get("src"))
    assert "sandbox" in letter["Content-Security-Policy"]
    words = letter.content.decode()
    assert "Dear reader" in words
    for personal in ("Anna", "anna@", "Gustav", "gold"):
        assert personal not in html + words
    assert not re.search(r"/p/(preferences|unsubscribe|view|confirm)/", html + words)
    russian = visit(client, f"{path}?language=ru")
    assert "Весна" in russian.text
    assert "Весна" in client.get(f"{path}mail/?language=ru").content.decode()
    assert "Dear reader" in client.get(f"{path}mail/?language=zzz-9").content.decode()


@pytest.mark.parametrize(
    ("name", "entry", "title"),
    [("rss.xml", ".//item", "title"), ("atom.xml", "{http://www.w3.org/2005/Atom}entry", None)],
)
def test_feed_readers_hear_of_it(
    client: Client, anna: Follower, name: str, entry: str, title: str | None
) -> None:
    campaign = make_public()
    answer = client.get(f"{ARCHIVE}{name}")
    assert answer["Content-Type"].startswith(("application/rss+xml", "application/atom+xml"))
    [one] = etree.fromstring(answer.content).findall(entry)
    found = one.find(title or "{http://www.w3.org/2005/Atom}title")
    assert found is not None
    assert found.text == "Spring for everybody"
    assert f"urn:uuid:{campaign.uid}" in answer.content.decode()


def test_only_what_staff_marked_and_what_has_gone_out_is_there(
    client: Client, anna: Follower
) -> None:
    now = timezone.now()
    draft = make_campaign(notification_type=make_type("drafts"))
    public_archive.publish(campaign=draft, by=TESTER, now=now)
    assert links_on(client) == []
    campaign = make_public()
    public_archive.unpublish(campaign=campaign, by=TESTER, now=now)
    assert links_on(client) == []
    assert client.get(f"{ARCHIVE}{campaign.uid}/").status_code == 404
    assert client.get(f"{ARCHIVE}{campaign.uid}/mail/").status_code == 404
    stopped = make_public("Stopped", "stopped")
    Notification.objects.filter(run__campaign=stopped).update(state="cancelled")
    Campaign.objects.filter(pk=stopped.pk).update(state="archived")
    assert links_on(client) == [], "put out of sight, but cancelled before"
    alone = make_campaign(notification_type=make_type("alone"), channels=["in_app"])
    with pytest.raises(
        public_archive.NothingToShow, match="Only a campaign that goes out by email"
    ):
        public_archive.publish(campaign=alone, by=TESTER, now=now)


def test_the_archive_comes_a_page_at_a_time(
    client: Client, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.subscriptions.reading.archive.AT_ONCE", 1)
    newest = [make_public(key, key).uid for key in ("first", "second")][::-1]
    [path] = links_on(client)
    assert str(newest[0]) in path
    [older] = visit(client, ARCHIVE).html.xpath("//a[@rel='next']")
    assert str(newest[1]) in client.get(ARCHIVE + older.get("href")).content.decode()


# ------------------------------------------------------------------ recalling
def test_a_recalled_campaign_stops_and_its_copies_are_gone(
    client: Client, anna: Follower, receiver: Receiver
) -> None:
    make_accounts(receiver)
    campaign = make_public()
    drain()
    make_follower(email="late@example.com")
    waiting = Delivery.objects.filter(channel="email")
    path = view_path(waiting.select_related("notification").get())
    assert client.get(path).status_code == 200
    assert InboxItem.objects.filter(removed_at__isnull=True).count() == 1
    counts = lifecycle.recall(campaign=campaign, by=TESTER, now=timezone.now())
    assert counts["handed_off"] == 2
    assert client.get(path).status_code == 410
    assert links_on(client) == []
    assert not InboxItem.objects.filter(removed_at__isnull=True).exists()
    # once more changes nothing
    assert lifecycle.recall(campaign=campaign, by=TESTER, now=timezone.now()) == counts


def test_what_has_not_left_a_recalled_campaign_never_does(
    anna: Follower, receiver: Receiver
) -> None:
    make_accounts(receiver)
    campaign = make_public()
    counts = lifecycle.recall(campaign=campaign, by=TESTER, now=timezone.now())
    assert counts["cancelled"] == counts["total"] == 2
    drain()
    assert receiver.arrived == []
    campaign.refresh_from_db()
    assert campaign.state == "cancelled"


def test_a_campaign_of_which_nothing_has_left_is_cancelled_and_not_recalled(db: None) -> None:
    campaign = make_campaign()
    with pytest.raises(WrongState, match="nothing of it has left"):
        lifecycle.recall(campaign=campaign, by=TESTER, now=timezone.now())


def test_staff_and_programs_recall_and_publish(
    client: Client, anna: Follower, sender: Any, editor: Any
) -> None:
    campaign = make_public()
    page = reverse("dashboard:campaign", args=[campaign.uid])
    assert as_role(client, editor).post(f"{page}recall/").status_code == 403
    staff = as_role(client, sender)
    staff.post(f"{page}unpublish/")
    campaign.refresh_from_db()
    assert campaign.published_at is None
    staff.post(f"{page}publish/")
    assert "Hide from the public archive" in staff.get(page).content.decode()
    told = staff.post(f"{page}recall/", follow=True).content.decode()
    assert "Cancelled 2, removed 0 from inboxes." in told
    api = make_client(Scope.CAMPAIGNS_SEND, Scope.CAMPAIGNS_READ)
    address = f"/api/v1/campaigns/{campaign.uid}"
    assert api.post(f"{address}/recall").json()["removed"] == 0
    assert api.post(f"{address}/unpublish").json()["published_at"] is None
    assert api.post(f"{address}/publish").json()["published_at"] is not None
    reading = make_client(Scope.CAMPAIGNS_READ)
    assert reading.post(f"{address}/recall").status_code == 403
