"""The review before sending promises exactly what planning then does."""

from typing import Any

import pytest
from django.utils import timezone

from apps.campaigns import lifecycle, readiness
from apps.campaigns.models import Campaign
from apps.campaigns.review.review import review
from apps.followers.consent.acts import set_preferences
from apps.followers.consent.record import Proof
from apps.followers.consent.suppression import suppress
from apps.followers.models import Follower, NotificationType
from apps.notifications.models import Delivery, DeliveryStatus
from tests.campaigns.drafts import make_campaign, plan
from tests.campaigns.world import make_world
from tests.make import TESTER

pytestmark = pytest.mark.django_db


def act() -> dict[str, Any]:
    return {"by": TESTER, "now": timezone.now()}


@pytest.fixture
def campaign(anna: Any, boris: Any, chen: Any, dana: Any) -> Campaign:
    campaign = make_campaign()
    set_preferences(
        follower=dana,
        cells={("news", "in_app"): False},
        mutes={},
        proof=Proof(source="test", **act()),
    )
    suppress(channel="email", value="anna@example.com", reason="manual", **act())
    return campaign


def test_it_says_per_channel_who_gets_it_and_who_not_with_names(campaign: Campaign) -> None:
    found = review(campaign)
    assert (found.total, found.reached, found.problems) == (4, 2, ())
    by_mail, in_app = found.channels
    told = {reason.reason: [person.name for person in reason.samples] for reason in by_mail.reasons}
    assert told == {
        "address_suppressed": ["Anna Weber"],
        "unsubscribed": ["Борис Иванов"],
        "no_address": ["Chen Li", "Dana Null"],
    }
    assert (by_mail.will_get, by_mail.will_not) == (0, 4)
    told = {
        reason.reason: [person.name for person in reason.samples]
        for reason in in_app.reasons
        if not reason.allow
    }
    assert told == {"unsubscribed": ["Борис Иванов"], "preference_off": ["Dana Null"]}
    assert (in_app.will_get, in_app.will_not) == (2, 2)


def test_its_numbers_are_those_that_planning_writes(anna: Any) -> None:
    make_world(120)
    campaign = make_campaign(
        notification_type=NotificationType.objects.get(key="news"),
        audience={"tags": ["vip", "beta"], "exclude_tags": ["press"]},
    )
    promised = review(campaign)
    plan(lifecycle.send_now(campaign=campaign, **act()))
    for channel in promised.channels:
        for reason in channel.reasons:
            status = DeliveryStatus.SKIPPED
            if reason.allow:
                status = DeliveryStatus.PENDING
            rows = Delivery.objects.filter(
                channel=channel.channel, reason=reason.reason, status=status
            )
            assert rows.count() == reason.count
        assert channel.will_get + channel.will_not == promised.total > 0
    reached = (
        Delivery.objects.filter(status=DeliveryStatus.PENDING).values("follower").distinct().count()
    )
    assert reached == promised.reached


def test_an_audience_that_went_wrong_is_a_problem_and_not_an_error(campaign: Campaign) -> None:
    Campaign.objects.update(audience={"tags": ["gone"]})
    campaign.refresh_from_db()
    found = review(campaign)
    assert found.total == found.reached == 0
    assert [problem.step for problem in found.problems] == ["audience"]


def test_it_asks_the_database_a_few_questions_whatever_the_size(
    campaign: Campaign, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(45):
        review(campaign)
    NotificationType.objects.filter(key="news").update(key="old_news")
    make_world(100)
    assert Follower.objects.count() > 100
    campaign = Campaign.objects.get(pk=campaign.pk)
    with django_assert_max_num_queries(45):
        review(campaign)


def test_a_kind_of_message_that_was_switched_off_stops_it(campaign: Campaign) -> None:
    campaign.notification_type.active = False
    campaign.notification_type.save()
    assert [
        problem.step for problem in readiness.examine(campaign, now=timezone.now()).problems
    ] == ["content"]
