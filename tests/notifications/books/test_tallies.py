"""The sums beside the rows: many writers lose no count and wait in no ring,
and the rows can say it all again.
"""

import random
import threading
from collections import Counter

import pytest
from django.db import Error, connection, transaction
from django.utils import timezone

from apps.followers.models import Follower
from apps.lib.queue.lanes import Lane
from apps.notifications.books import tallies
from apps.notifications.models import Delivery, Notification, Tally
from apps.notifications.notify import Intent, open_notification
from apps.notifications.plan import finish_planning, freeze_slice
from apps.notifications.reports.balance import balance
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, stands
from tests.patience import until

STATUSES = ("pending", "queued", "sent", "skipped", "failed")


def opened() -> Notification:
    intent = Intent(
        notification_type=make_type(), version=make_version(), channels=["email"], source="test"
    )
    return open_notification(intent=intent, lane=Lane.BULK, by=TESTER, now=timezone.now())


@pytest.mark.django_db(transaction=True)
def test_eight_writers_that_move_several_times_in_a_transaction_end_and_lose_nothing() -> None:
    notification = opened()
    expected: Counter[tallies.Place] = Counter()
    said: list[Error] = []
    together, counting = threading.Barrier(8), threading.Lock()

    def write(number: int) -> None:
        dice = random.Random(number)
        together.wait()
        try:
            for _ in range(30):
                with transaction.atomic():
                    for _ in range(3):
                        moves = Counter(
                            {
                                tallies.Place(
                                    notification.pk, "email", status, "default_on"
                                ): dice.randint(-9, 9)
                                for status in dice.sample(STATUSES, 2)
                            }
                        )
                        tallies.shift(moves)
                        with counting:
                            expected.update(moves)
        except Error as error:
            said.append(error)
        finally:
            connection.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert said == []
    counted = {
        (place.channel, place.status, place.reason): count
        for place, count in expected.items()
        if count
    }
    assert dict(balance(notification).rows) == counted


def test_tallies_that_went_wrong_are_set_right_from_the_rows_and_right_ones_stay(db: None) -> None:
    for number in range(5):
        make_follower(email=f"p{number}@example.com")
    notification = opened()
    freeze_slice(notification=notification, followers=Follower.objects.all(), now=timezone.now())
    finish_planning(notification=notification, now=timezone.now())
    assert tallies.rebuild(notification.pk) == Counter()
    Delivery.objects.filter(follower__addresses__key="p0@example.com").update(
        status="failed", reason="gave_up"
    )
    Tally.objects.create(
        notification=notification, channel="sms", status="sent", reason="default_on", count=7
    )
    assert tallies.rebuild(notification.pk) == {
        tallies.Place(notification.pk, "email", "pending", "default_on"): -1,
        tallies.Place(notification.pk, "email", "failed", "gave_up"): 1,
        tallies.Place(notification.pk, "sms", "sent", "default_on"): -7,
    }
    assert stands(notification) == {"pending": 4, "failed": 1}


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_a_rebuild_counts_what_a_writer_is_about_to_commit_once() -> None:
    make_follower(email="anna@example.com")
    notification = opened()

    def rebuild() -> None:
        tallies.rebuild(notification.pk)
        connection.close()

    rebuilder = threading.Thread(target=rebuild)
    with transaction.atomic():
        freeze_slice(
            notification=notification, followers=Follower.objects.all(), now=timezone.now()
        )
        rebuilder.start()
        until(_somebody_waits_for_a_shard, "the rebuilder to wait for us")
    rebuilder.join()
    assert stands(notification) == {"pending": 1}


def _somebody_waits_for_a_shard() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        return bool(cursor.fetchone()[0])
