"""A number of results becomes a segment of the same people."""

from typing import Any
from urllib.parse import urlsplit

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.campaigns.audience.sql import rules_to_q
from apps.campaigns.models import Segment
from apps.followers.models import Follower
from tests.dashboard.pages import as_role, page_of
from tests.dashboard.send.results.world import World, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(client: Client, editor: Any) -> World:
    as_role(client, editor)
    return make_world(12, people=40)


def saved(client: Client, address: str) -> Segment:
    """Open the page of a new segment and save it as it stands there."""
    page = client.get(address)
    typed: dict[str, Any] = {"name": "Those", "match": "all"}
    for rows in (page.context["builder"].rows, page.context["builder"].unless):
        for name in ("TOTAL_FORMS", "INITIAL_FORMS"):
            typed[f"{rows.prefix}-{name}"] = rows.management_form[name].value()
        for line in rows:
            for name in ("field", "key", "op", "value"):
                typed[line[name].html_name] = line[name].value() or ""
            offered = dict(line.offered())
            if offered:
                assert str(line["value"].value() or "") in offered
    answer = client.post(reverse("dashboard:segment-add"), typed)
    assert answer.status_code == 302, page_of(answer).text
    return Segment.objects.get()


@pytest.mark.parametrize(
    "asked",
    [
        {"did": "opened"},
        {"did": "clicked", "channel": "email"},
        {"did": "unopened"},
        {"status": "sent"},
        {"link": "2"},
        {"did": "bounced", "language": "ru"},
        {"did": "complained"},
        {"status": "sent", "domain": "example.org"},
    ],
)
def test_the_people_of_a_list_are_those_of_its_segment(
    client: Client, world: World, asked: dict[str, str]
) -> None:
    sent = world.notifications[1]
    url = reverse("dashboard:deliveries")
    page = client.get(url, {"notification": str(sent.uid), **asked})
    people = {row.follower_id for row in page.context["page"].rows} - {None}
    start = reverse("dashboard:segment-add")
    links = [link for link in page_of(page).links if urlsplit(link).path == start]
    segment = saved(client, links[0])
    rows = Follower.objects.filter(rules_to_q(segment.rules, now=timezone.now()))
    assert set(rows.values_list("pk", flat=True)) == people
    assert people


def test_what_no_rule_means_offers_no_segment(client: Client, world: World) -> None:
    for asked in ({"did": "machine"}, {"reason": "gave_up"}, {"begin": "2026-05-04T12:00+00:00"}):
        page = client.get(reverse("dashboard:deliveries"), asked)
        assert page.context["segment_query"] == ""


def test_a_campaign_goes_again_to_who_did_not_open_it(client: Client, world: World) -> None:
    url = reverse("dashboard:campaign-again", args=[world.campaigns[0].uid])
    answer = client.post(url, follow=True)
    assert "First, again is a new draft for those who did not open it." in page_of(answer).text
