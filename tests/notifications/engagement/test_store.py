"""Open and click tracking are stored once, counted as the rows say,
and only of people who let themselves be measured.
"""

import datetime as dt
import random
import threading
from collections import Counter
from typing import Any

import pytest
from django.db import connection, connections
from django.utils import timezone

from apps.followers.models import Follower
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from apps.notifications.decide import machines
from apps.notifications.engagement import store as engagement_store
from apps.notifications.engagement.counts import Attention, engagement
from apps.notifications.models import Delivery, Engagement, EngagementTally, Notification
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, tell

LINKS = (
    '<p><a href="https://example.com/a?b=1&amp;c=%20">A</a> '
    '<a href="https://example.com/z">Z</a></p>'
)
AT = dt.datetime(2026, 5, 4, 12, 0, tzinfo=dt.UTC)
BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


@pytest.fixture
def letter(anna: Follower) -> Notification:
    people = [anna, make_follower(email="eva@example.com")]
    letter = tell(make_type("news"), people, version=make_version(body=LINKS), tracking=True)
    letter.deliveries.update(finished_at=AT - dt.timedelta(hours=1))
    return letter


def delivery_of(letter: Notification, follower: Follower) -> Delivery:
    return letter.deliveries.get(follower=follower)


def event(
    delivery: Delivery, link: int, *, seconds: int = 0, agent: str = BROWSER
) -> engagement_store.Event:
    return engagement_store.Event(delivery.uid, link, AT + dt.timedelta(seconds=seconds), agent)


def counted(letter: Notification) -> Attention:
    """From the rows, and proof that the tallies say the same."""
    everything = Engagement.objects.filter(delivery__notification=letter)
    rows = everything.filter(machine="")
    machines = everything.exclude(machine="")
    clicked = Counter(rows.filter(kind="click").values_list("link", flat=True))
    people = Counter(
        link for _, link in set(rows.filter(kind="click").values_list("delivery", "link"))
    )
    told = engagement(letter)
    assert (told.opened, told.opens, told.clicked, told.clicks) == (
        letter.deliveries.filter(opened_at__isnull=False).count(),
        rows.filter(kind="open").count(),
        letter.deliveries.filter(clicked_at__isnull=False).count(),
        rows.filter(kind="click").count(),
    )
    assert (told.machine_opens, told.machine_clicks) == (
        machines.filter(kind="open").count(),
        machines.filter(kind="click").count(),
    )
    assert {link.number: (link.people, link.times) for link in told.links if link.times} == {
        link: (people[link], times) for link, times in clicked.items()
    }
    return told


def test_first_times_stand_on_the_delivery_and_the_rest_in_its_events(
    letter: Notification, anna: Follower
) -> None:
    mine = delivery_of(letter, anna)
    engagement_store.store(
        [event(mine, 0, seconds=5), event(mine, 0, agent="A"), event(mine, 1, seconds=7)]
    )
    engagement_store.store(
        [event(mine, 0, seconds=60), event(mine, 1, seconds=61), event(mine, 2, seconds=72)]
    )
    mine.refresh_from_db()
    assert (mine.opened_at, mine.clicked_at) == (AT, AT + dt.timedelta(seconds=7))
    assert list(mine.engagements.values_list("kind", "link"))[:3] == [
        ("open", None),
        ("open", None),
        ("click", 1),
    ]
    assert mine.engagements.first().user_agent == "A"
    told = counted(letter)
    assert (told.opened, told.opens, told.clicked, told.clicks) == (1, 3, 1, 3)
    assert [(link.url, link.people, link.times) for link in told.links] == [
        ("https://example.com/a?b=1&c=%20", 1, 2),
        ("https://example.com/z", 1, 1),
    ]


def test_who_clicks_has_opened_though_no_image_was_loaded(
    letter: Notification, anna: Follower
) -> None:
    engagement_store.store([event(delivery_of(letter, anna), 1)])
    told = counted(letter)
    assert (told.opened, told.opens, told.clicked) == (1, 0, 1)
    engagement_store.store(
        [event(delivery_of(letter, anna), 0, seconds=9)]
    )  # the images are shown later
    assert (counted(letter).opened, counted(letter).opens) == (1, 1)
    assert delivery_of(letter, anna).opened_at == AT


def test_who_does_not_let_itself_be_measured_by_now_leaves_no_trace(
    letter: Notification, anna: Follower
) -> None:
    change_follower(follower=anna, values=Profile(measured=False), by=TESTER, now=timezone.now())
    engagement_store.store(
        [event(delivery_of(letter, anna), 0), event(delivery_of(letter, anna), 1)]
    )
    assert not Engagement.objects.exists()
    assert delivery_of(letter, anna).opened_at is None
    assert counted(letter) == Attention(links=engagement(letter).links)
    change_follower(follower=anna, values=Profile(measured=True), by=TESTER, now=timezone.now())
    engagement_store.store([event(delivery_of(letter, anna), 1)])
    assert counted(letter).clicked == 1


def test_events_of_what_is_gone_are_left_out_and_keep_no_others_out(
    letter: Notification, anna: Follower
) -> None:
    mine = delivery_of(letter, anna)
    gone = letter.deliveries.exclude(follower=anna).get()
    events = [event(gone, 1), event(mine, 1), event(gone, 0)]
    gone.delete()
    engagement_store.store(events)
    assert counted(letter).clicks == 1
    anna.delete()
    engagement_store.store([event(mine, 1)])
    assert counted(letter).clicks == 1


def test_a_browser_may_call_itself_anything(letter: Notification, anna: Follower) -> None:
    agents = ["x" * 5000, "nul\0 and \ud800 half a character", "", "😀" * 300]
    engagement_store.store([event(delivery_of(letter, anna), 0, agent=agent) for agent in agents])
    kept = list(Engagement.objects.values_list("user_agent", flat=True))
    assert kept == ["x" * 200, "nul and  half a character", "", "😀" * 200]


def test_a_program_that_repeats_a_link_for_ever_fills_no_disk(
    letter: Notification, anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engagement_store, "MOST_OF_ONE", 5)
    for _ in range(3):
        engagement_store.store([event(delivery_of(letter, anna), 1)] * 4)
    assert counted(letter).clicks == 5
    engagement_store.store([event(delivery_of(letter, anna), 2, seconds=60)])
    assert counted(letter).clicks == 6


@pytest.mark.django_db(transaction=True)
def test_of_a_hundred_at_once_none_is_lost_and_each_is_first_once(letter: Notification) -> None:
    deliveries = list(letter.deliveries.all())
    batches = [
        [event(each, link, seconds=n + 200 * link) for each in deliveries for link in (0, 1, 2)]
        for n in range(100)
    ]
    for number, batch in enumerate(batches):
        batch.sort(key=lambda each: (each.link, each.delivery), reverse=bool(number % 2))
    errors: list[BaseException] = []

    def store(batch: list[engagement_store.Event]) -> None:
        try:
            engagement_store.store(batch)
        except BaseException as error:  # noqa: BLE001  # shown below
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=store, args=(batch,)) for batch in batches]
    for some in (
        threads[start : start + 25] for start in range(0, 100, 25)
    ):  # the server allows a hundred connections
        for thread in some:
            thread.start()
        for thread in some:
            thread.join()
    assert errors == []
    told = counted(letter)
    assert (told.opened, told.opens, told.clicked, told.clicks) == (2, 200, 2, 400)
    assert [(link.people, link.times) for link in told.links] == [(2, 200), (2, 200)]


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif("connection.vendor == 'sqlite'", reason="one writer at a time anyway")
def test_two_batches_wait_for_each_other_in_one_order_and_do_not_deadlock(
    letter: Notification,
) -> None:
    assert connection.vendor == "postgresql"
    first, second = letter.deliveries.order_by("pk")
    done: list[Any] = []

    def store(deliveries: list[Delivery]) -> None:
        for n in range(30):
            engagement_store.store([event(each, 1, seconds=n) for each in deliveries])
        done.append(deliveries)
        connections.close_all()

    threads = [
        threading.Thread(target=store, args=(order,))
        for order in ([first, second], [second, first])
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 2
    assert counted(letter).clicks == 120


# ------------------------------------------------------------------ machines
@pytest.mark.reported
def test_what_machines_open_and_click_is_counted_apart(
    letter: Notification, anna: Follower
) -> None:
    mine = delivery_of(letter, anna)
    scanner = "Mozilla/5.0 (compatible; Barracuda Sentinel)"
    engagement_store.store(
        [event(mine, 0, agent="Mozilla/5.0"), event(mine, 1, agent=scanner), event(mine, 2)]
    )
    told = counted(letter)
    assert (told.opened, told.opens, told.clicked, told.clicks) == (0, 0, 0, 0)
    assert (told.machine_opens, told.machine_clicks) == (1, 2)
    assert list(mine.engagements.values_list("link", "machine")) == [
        (None, "privacy"),
        (1, "scanner"),
        (2, "burst"),
    ]
    engagement_store.store([event(mine, 1, seconds=60)])
    told = counted(letter)
    assert (told.opened, told.clicked, told.clicks, told.machine_clicks) == (1, 1, 1, 2)


@pytest.mark.reported
def test_a_click_is_taken_back_when_others_show_it_was_a_program(
    letter: Notification, anna: Follower
) -> None:
    mine = delivery_of(letter, anna)
    engagement_store.store([event(mine, 0, seconds=1), event(mine, 1, seconds=2)])
    told = counted(letter)
    assert (told.opened, told.clicked, told.links[0].people) == (1, 1, 1)
    engagement_store.store([event(mine, 2, seconds=3)])
    told = counted(letter)
    assert (told.opened, told.opens, told.clicked, told.clicks) == (1, 1, 0, 0)
    assert (told.machine_clicks, told.links[0].people, told.links[0].times) == (2, 0, 0)
    mine.refresh_from_db()
    assert (mine.opened_at, mine.clicked_at) == (AT + dt.timedelta(seconds=1), None)
    engagement_store.store([event(mine, 1, seconds=30)])
    assert counted(letter).links[0].people == 1


def test_in_whatever_batches_they_come_the_same_is_said_of_them(
    letter: Notification, anna: Follower
) -> None:
    """The first click of a burst is stored as a person's until the second comes."""
    other = letter.deliveries.exclude(follower=anna).get()
    mine = delivery_of(letter, anna)
    chance = random.Random(7)
    for _ in range(6):
        EngagementTally.objects.all().delete()
        Engagement.objects.all().delete()
        letter.deliveries.update(opened_at=None, clicked_at=None)
        made = [
            event(chance.choice([mine, other]), chance.randrange(3), seconds=chance.randrange(60))
            for _ in range(40)
        ]
        left = list(made)
        while left:
            size = chance.randrange(1, 9)
            engagement_store.store(left[:size])
            left = left[size:]
        counted(letter)
        for delivery in (mine, other):
            of_one = [each for each in made if each.delivery == delivery.uid]
            looks = [machines.Look(each.link, each.at, BROWSER) for each in of_one]
            clicks = [look for look in looks if look.link]
            hour_ago = AT - dt.timedelta(hours=1)
            expected = Counter(
                (look.link, machines.judge(look, handed_over=hour_ago, clicks=clicks))
                for look in looks
            )
            rows = delivery.engagements.values_list("link", "machine")
            assert Counter((link or 0, machine) for link, machine in rows) == expected


def test_what_a_robot_says_at_the_end_of_a_long_name_is_heard(
    letter: Notification, anna: Follower
) -> None:
    long = f"{BROWSER} {'Something/1.0 ' * 20} (compatible; Bot/1.0; +https://bot.example)"
    engagement_store.store([event(delivery_of(letter, anna), 1, agent=long)])
    row = Engagement.objects.get()
    assert (row.machine, len(row.user_agent)) == ("scanner", 200)
