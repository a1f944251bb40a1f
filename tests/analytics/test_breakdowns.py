"""What is counted from many rows is kept, exact as long as nothing changes, and says when it was
true.
"""

import datetime as dt
import random
from typing import Any

import pytest
from django.utils import timezone

from apps.analytics import erased
from apps.analytics.models import Breakdown
from apps.analytics.results import breakdowns
from apps.analytics.results.breakdowns import announce_due, breakdown_of, count_again
from apps.analytics.results.counts import Counts, count
from apps.followers.models import Follower
from apps.lib.erasing.person import DataSubject
from apps.notifications.engagement import store
from apps.notifications.models import Delivery, Notification
from tests.dashboard.send.results.world import AT, BODY, make_people, make_world
from tests.make import make_type
from tests.notifications.world import make_version, tell

pytestmark = pytest.mark.django_db
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def sent() -> Notification:
    return make_world(5, people=6).notifications[0]


@pytest.fixture
def large(sent: Notification, monkeypatch: pytest.MonkeyPatch) -> Notification:
    """One that has many, for this site."""
    monkeypatch.setattr(breakdowns, "FEW", 3)
    return sent


def look_again(sent: Notification) -> None:
    """Somebody opens, who had not."""
    mail = Delivery.objects.filter(notification=sent, channel="email", opened_at=None)
    row = mail.filter(follower__isnull=False).first()
    assert row is not None
    Delivery.objects.filter(pk=row.pk).update(finished_at=AT)
    event = store.Event(row.uid, 0, AT + dt.timedelta(hours=2), BROWSER)
    store.store([event])


def test_few_are_counted_each_time(sent: Notification) -> None:
    now = timezone.now()
    before = breakdown_of(sent, now=now)
    look_again(sent)
    after = breakdown_of(sent, now=now)
    assert (before.kept, after.kept) == (False, False)
    assert after.counts.channels["email"].opened == before.counts.channels["email"].opened + 1
    assert not Breakdown.objects.exists()


def test_what_is_kept_reads_as_it_was_counted(large: Notification) -> None:
    counted = breakdown_of(large, now=timezone.now())
    kept = Breakdown.objects.get()
    assert Counts.from_data(kept.counts) == counted.counts == count(large)
    again = breakdown_of(large, now=timezone.now())
    assert (again.counts, again.kept, again.at) == (counted.counts, True, kept.counted_at)


def test_what_took_long_is_not_counted_again_soon_and_says_so(large: Notification) -> None:
    now = timezone.now()
    counted = breakdown_of(large, now=now)
    Breakdown.objects.update(took=2.0)
    look_again(large)
    later = breakdown_of(large, now=now + dt.timedelta(seconds=99))
    assert (later.counts, later.kept, later.at) == (counted.counts, True, now)
    at_last = breakdown_of(large, now=now + dt.timedelta(seconds=101))
    assert not at_last.kept
    assert at_last.counts == count(large)
    assert at_last.counts != counted.counts


def test_who_is_erased_takes_the_counts_along(large: Notification) -> None:
    """A domain may be one person's."""
    breakdown_of(large, now=timezone.now())
    someone = Follower.objects.filter(deliveries__notification=large).first()
    assert someone is not None
    person = DataSubject(pk=someone.pk, uid=str(someone.uid), addresses=())
    erased.forget(person=person, now=timezone.now())
    assert not Breakdown.objects.exists()


def test_large_sends_of_campaigns_are_counted_ahead(
    large: Notification, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(breakdowns, "announce", lambda task, **rest: asked.append((task, rest)))
    now = AT + dt.timedelta(hours=3)
    announce_due(now=now)
    announce_due(now=now)  # what was announced is not announced again
    campaigns = Notification.objects.filter(run__isnull=False)
    assert [rest["notification_id"] for _, rest in asked] == list(
        campaigns.order_by("-pk").values_list("pk", flat=True)
    )
    assert {task for task, _ in asked} == {"apps.analytics.results.breakdowns.count_again"}
    for _, rest in asked:
        count_again(notification_id=rest["notification_id"])
    assert breakdown_of(large, now=timezone.now()).counts == count(large)
    asked.clear()
    announce_due(now=now + dt.timedelta(hours=1))
    assert asked == []
    look_again(large)
    Breakdown.objects.update(counted_at=now)
    announce_due(now=now + dt.timedelta(hours=1))
    assert [rest["notification_id"] for _, rest in asked] == [large.pk]
    count_again(notification_id=0)  # is gone by now


def test_domains_beyond_the_largest_are_told_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.analytics.results.counts.MOST", 2)
    people = make_people(20, random.Random(1))
    sent = tell(make_type("news"), people, version=make_version(body=BODY), now=AT)
    counts = count(sent)
    assert len(counts.domains) == 2
    shown = sum(part.planned for part in counts.domains.values())
    assert shown + counts.others.planned == 20
    assert counts.others.planned > 0
