"""Followers and addresses are deleted while messages to them are planned: no delivery points to
what is gone.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from apps.followers.models import Address, Follower
from apps.followers.people.further_addresses import delete_address
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Delivery, Notification, Source
from apps.notifications.notify import Intent, open_notification
from apps.notifications.plan import finish_planning, freeze_slice
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, stands, tell
from tests.patience import PATIENCE, until

pytestmark = pytest.mark.django_db(transaction=True)


def pointers_to_nothing() -> int:
    lost = 0
    for column, model in (("follower_id", Follower), ("address_id", Address)):
        named = Delivery.objects.filter(**{f"{column}__isnull": False})
        known = set(model.objects.values_list("pk", flat=True))
        lost += sum(pk not in known for pk in named.values_list(column, flat=True))
    return lost


def meanwhile(act: Callable[[], Any]) -> Callable[[], None]:
    """Run `act` in a thread with a connection of its own; what this gives sees it through."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001  (raised at the end)
            failed.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()

    def end() -> None:
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert failed == []

    return end


def somebody_waits() -> None:
    """Wait until a transaction waits for another one. On SQLite it does so from its beginning."""
    if connection.vendor == "postgresql":
        until(_not_granted, "the other one waits for a lock")


def _not_granted() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
        return bool(cursor.fetchone()[0])


def slice_of_all() -> Notification:
    intent = Intent(
        notification_type=make_type(), version=make_version(), channels=["email"], source=Source.API
    )
    notification = open_notification(intent=intent, lane=Lane.BULK, by=TESTER, now=timezone.now())
    plan(notification)
    return notification


def plan(notification: Notification, size: int = 100) -> bool:
    people = Follower.objects.all()
    return freeze_slice(notification=notification, followers=people, now=timezone.now(), size=size)


def one_message() -> Notification:
    return tell(make_type(), list(Follower.objects.all()), version=make_version())


def without_address(person: Follower) -> None:
    [address] = person.addresses.all()
    delete_address(address=address, by=TESTER, now=timezone.now())


def without_device(person: Follower) -> None:
    Address.objects.filter(follower=person).delete()


def gone(person: Follower) -> None:
    Follower.objects.get(pk=person.pk).delete()


DELETIONS = pytest.mark.parametrize("delete", [without_address, without_device, gone])
PLANS = pytest.mark.parametrize("write", [slice_of_all, one_message])


@DELETIONS
@PLANS
def test_who_is_deleted_while_a_plan_is_open_is_deleted_after_it(
    write: Callable[[], Notification], delete: Callable[[Follower], None]
) -> None:
    person = make_follower(email="anna@example.com")
    with transaction.atomic():
        write()
        end = meanwhile(lambda: delete(person))
        somebody_waits()
    end()
    assert Address.objects.count() == 0
    assert Delivery.objects.get().address_id is None
    assert pointers_to_nothing() == 0


@DELETIONS
@PLANS
def test_a_plan_that_comes_while_somebody_is_deleted_does_not_see_them(
    write: Callable[[], Notification], delete: Callable[[Follower], None]
) -> None:
    person = make_follower(email="anna@example.com")
    make_follower(email="boris@example.com")
    with transaction.atomic():
        delete(person)
        end = meanwhile(write)
        somebody_waits()
    end()
    assert pointers_to_nothing() == 0
    reached = Delivery.objects.filter(address__isnull=False).values_list("address__value")
    assert list(reached) == [("boris@example.com",)]


def test_planners_and_deletions_side_by_side_leave_no_pointer_to_nothing() -> None:
    people = [make_follower(email=f"p{number}@example.com") for number in range(40)]
    kind = make_type()
    version = make_version()
    intent = Intent(notification_type=kind, version=version, channels=["email"], source=Source.API)
    planned: list[Notification] = []
    over = threading.Event()

    def keep_planning() -> None:
        while not over.is_set():
            now = timezone.now()
            notification = open_notification(intent=intent, lane=Lane.BULK, by=TESTER, now=now)
            while plan(notification, size=7):
                notification.refresh_from_db()
            finish_planning(notification=notification, now=now)
            planned.append(notification)

    def keep_telling() -> None:
        while not over.is_set():
            tell(kind, people[::2], version=version)

    def delete_half() -> None:
        try:
            until(lambda: planned, "somebody is planned")
            for number, person in enumerate(people[:20]):
                [without_address, without_device, gone][number % 3](person)
        finally:
            over.set()

    ends = [meanwhile(act) for act in (keep_planning, keep_telling, delete_half)]
    for end in ends:
        end()
    assert pointers_to_nothing() == 0
    for notification in planned:
        stands(notification)
    assert Address.objects.count() == 20
