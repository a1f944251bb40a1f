"""One phone that several people register at the same moment has one owner,
and nobody sees an error.
"""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from apps.followers.devices import push_devices as devices_register
from apps.followers.models import Address
from tests.make import TESTER, make_follower


@pytest.mark.django_db(transaction=True)
def test_a_phone_that_many_register_at_once_belongs_to_one_of_them() -> None:
    people = [make_follower(name=f"P{number}") for number in range(3)]
    errors: list[str] = []

    def register(number: int) -> None:
        now = timezone.now()
        try:
            for turn in range(10):
                token = f"token-{turn % 2}"
                devices_register.register_app(
                    follower=people[number],
                    app=devices_register.AppDevice(service="fcm", token=token),
                    by=TESTER,
                    now=now,
                )
                if number == 0:
                    devices_register.gone(channel="push", value=token, now=now)
        except Exception as error:  # noqa: BLE001  (the test tells what it was)
            errors.append(repr(error))
        finally:
            connection.close()

    threads = [threading.Thread(target=register, args=(number,)) for number in range(len(people))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(Address.objects.values_list("value", flat=True)) == ["token-0", "token-1"]
