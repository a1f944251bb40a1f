"""The first page: its numbers equal the books."""

import datetime as dt

import pytest
from django.utils import timezone

from apps.analytics import reports
from apps.campaigns import lifecycle
from apps.lib.sql import keyset
from tests.campaigns.drafts import make_campaign, plan
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, tell


def test_an_empty_house_says_what_will_be_here(client, viewer):
    text = page_of(as_role(client, viewer).get("/")).text
    assert "Nothing is going out at the moment" in text
    assert "every queue is empty" in text
    assert "Nothing was sent this week" in text


def test_the_week_and_the_queue_are_read_from_the_books(client, viewer, receiver, anna, boris):
    notification = tell(make_type("news"), [anna, boris], version=make_version())
    assert reports.waiting() == {"Email": 1}  # Boris is unsubscribed
    drain()
    assert reports.waiting() == {}
    today = reports.last_days(now=timezone.now(), zone=dt.UTC)[-1]
    assert (today.sent, today.failed, today.skipped) == (1, 0, 1)
    text = page_of(as_role(client, viewer).get("/")).text
    assert "Sent in 7 days 1 1 skipped" in text
    assert notification.deliveries.count() == 2


def test_what_was_sent_before_the_week_is_not_in_it(receiver, anna):
    notification = tell(make_type("news"), [anna], version=make_version())
    drain()
    type(notification).objects.update(created_at=timezone.now() - dt.timedelta(days=7, minutes=1))
    assert sum(day.total for day in reports.last_days(now=timezone.now(), zone=dt.UTC)) == 0


def test_growth_counts_who_came_in_this_week(db):
    now = timezone.now()
    make_follower(email="old@example.com", now=now - dt.timedelta(days=8))
    make_follower(email="new@example.com", now=now)
    make_follower(email="gone@example.com", now=now, subscribed=False)
    total = keyset.Count(3, more=False)
    subscribed = keyset.Count(2, more=False)
    expected = reports.FollowerCounts(total=total, subscribed=subscribed, new=2)
    assert reports.follower_counts(now=now) == expected


@pytest.mark.parametrize("people", [2, 30])
def test_the_page_asks_the_same_few_questions_however_much_there_is(
    client, viewer, receiver, people, django_assert_max_num_queries
):
    kind = make_type("news")
    version = make_version()
    for number in range(people):
        tell(kind, [make_follower(email=f"f{number}@example.com")], version=version)
    as_role(client, viewer)
    with django_assert_max_num_queries(25):
        assert client.get("/").status_code == 200
    with django_assert_max_num_queries(10):
        assert client.get("/live/").status_code == 200


def test_a_campaign_that_goes_out_shows_how_far_it_is(client, viewer, receiver, anna, chen):
    stamp = {"by": TESTER, "now": timezone.now()}
    campaign = make_campaign()
    plan(lifecycle.send_now(campaign=campaign, **stamp))
    going = as_role(client, viewer).get("/live/")
    assert f"/campaigns/{campaign.uid}/" in page_of(going).links
    assert "1 of 4 · 25 %" in page_of(going).text  # Chen has no email; that one is decided already
    drain()
    assert "Nothing is going out" in page_of(client.get("/live/")).text
