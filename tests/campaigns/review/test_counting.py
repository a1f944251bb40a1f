"""A count is shared, kept, and ended when nobody waits for it any more."""

import datetime as dt
import threading
from typing import Any

import pytest
from django.utils import timezone

from apps.campaigns.models import AudienceCount, Campaign
from apps.campaigns.review import counting, one_pass
from apps.campaigns.review.counting import CountStatus, NotCounted
from apps.campaigns.review.numbers import Question
from apps.campaigns.review.review import look, question_of
from tests.campaigns.drafts import make_campaign
from tests.lib.sql.slow import never_ending
from tests.make import make_follower
from tests.patience import PATIENCE

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let three people be many."""
    monkeypatch.setattr(counting, "FEW", 0)
    for number in range(3):
        make_follower(email=f"p{number}@example.com")


def asked(campaign: Campaign) -> Question:
    return question_of(campaign, look(campaign, now=timezone.now()))


def counted(campaign: Campaign, now: dt.datetime) -> Any:
    count = counting.begin(campaign, asked(campaign), now=now)
    assert count.wait(PATIENCE)
    count.leave()
    return count.result()


def test_numbers_are_given_again_for_the_same_question_and_say_from_when_they_are() -> None:
    campaign = make_campaign()
    now = timezone.now()
    question = asked(campaign)
    assert counting.at_hand(campaign, question, now=now, again=False) is None
    first = counted(campaign, now)
    assert (first.numbers.total, first.at, first.kept) == (3, now, False)
    make_follower(email="late@example.com")
    later = now + dt.timedelta(minutes=9)
    again = counting.at_hand(campaign, question, now=later, again=False)
    assert again is not None
    assert (again.numbers, again.at, again.kept) == (first.numbers, now, True)
    assert counting.at_hand(campaign, question, now=later, again=True) is None
    too_late = now + counting.KEPT
    assert counting.at_hand(campaign, question, now=too_late, again=False) is None


def test_any_change_of_the_question_is_another_question() -> None:
    campaign = make_campaign()
    now = timezone.now()
    counted(campaign, now)
    campaign.channels = ["email"]
    assert counting.kept(campaign, asked(campaign), now=now) is None
    campaign.channels = ["email", "in_app"]
    assert counting.kept(campaign, asked(campaign), now=now)
    kind = campaign.notification_type
    kind.default_channels = []
    assert counting.kept(campaign, asked(campaign), now=now) is None


def test_few_people_are_counted_at_once_and_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "FEW", 1000)
    campaign = make_campaign()
    now = timezone.now()
    found = counting.at_hand(campaign, asked(campaign), now=now, again=False)
    assert found is not None
    assert (found.numbers.total, found.kept) == (3, False)
    assert not AudienceCount.objects.exists()


def test_the_last_who_leaves_ends_the_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_pass, "count", lambda *args, **kwargs: never_ending())
    campaign = make_campaign()
    now = timezone.now()
    count = counting.begin(campaign, asked(campaign), now=now)
    assert counting.begin(campaign, asked(campaign), now=now) is count
    count.leave()
    assert not count.wait(0.2)
    count.leave()
    assert count.wait(PATIENCE)
    with pytest.raises(NotCounted):
        count.result()
    assert not AudienceCount.objects.exists()
    another = counting.begin(campaign, asked(campaign), now=now)
    assert another is not count
    another.leave()
    assert another.wait(PATIENCE)


def test_whoever_asks_when_the_last_has_just_left_gets_a_count_of_their_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    left = threading.Event()
    real = one_pass.count

    def held(*args: Any, **kwargs: Any) -> Any:
        left.wait(PATIENCE)
        return real(*args, **kwargs)

    monkeypatch.setattr(one_pass, "count", held)
    campaign = make_campaign()
    now = timezone.now()
    first = counting.begin(campaign, asked(campaign), now=now)
    first.leave()  # it is to end, and has not yet
    second = counting.begin(campaign, asked(campaign), now=now)
    assert second is not first
    assert counting.begin(campaign, asked(campaign), now=now) is second
    left.set()
    assert first.wait(PATIENCE)
    assert second.wait(PATIENCE)
    assert second.result().numbers.total == 3


def test_a_count_that_was_promised_goes_on_without_anybody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = threading.Event()
    real = one_pass.count

    def held(*args: Any, **kwargs: Any) -> Any:
        go.wait(PATIENCE)
        return real(*args, **kwargs)

    monkeypatch.setattr(one_pass, "count", held)
    campaign = make_campaign()
    now = timezone.now()
    count = counting.begin(campaign, asked(campaign), now=now)
    count.promise()
    count.leave()
    row = AudienceCount.objects.get()
    assert counting.status_of(row, now=now) == CountStatus.COUNTING
    assert counting.found_by(row) is None
    assert counting.status_of(row, now=now + dt.timedelta(minutes=3)) == CountStatus.FAILED
    go.set()
    assert count.wait(PATIENCE)
    row.refresh_from_db()
    assert counting.status_of(row, now=now) == CountStatus.DONE
    found = counting.found_by(row)
    assert found is not None
    assert found.numbers.total == 3


def test_a_count_that_fails_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "LONGEST", 0.05)
    monkeypatch.setattr(one_pass, "count", lambda *args, **kwargs: never_ending())
    campaign = make_campaign()
    now = timezone.now()
    count = counting.begin(campaign, asked(campaign), now=now)
    assert count.wait(PATIENCE)
    with pytest.raises(NotCounted):
        count.result()
    assert counting.status_of(AudienceCount.objects.get(), now=now) == CountStatus.FAILED
