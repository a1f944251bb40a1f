"""Reports that come at the same moment are booked one after the other."""

import threading
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from apps.channels.sms.answers import Report
from apps.notifications.accounts.edit import create_account
from apps.notifications.models import Delivery, DeliveryEvent
from apps.notifications.sending.heard import provider_reports
from tests.fake_sms import FakeSms
from tests.make import TESTER, make_follower
from tests.notifications.world import drain, stands, tell
from tests.subscriptions.test_reports import a_type, version  # noqa: F401  (a fixture)


@pytest.mark.django_db(transaction=True)
def test_copies_and_contradictions_at_the_same_moment_end_as_one_after_the_other(
    version: Any,  # noqa: F811  (a fixture)
) -> None:
    with FakeSms() as fake:
        account = create_account(
            enabled=True,
            name="T",
            provider_key="twilio",
            settings=fake.settings("twilio"),
            by=TESTER,
            now=timezone.now(),
        )
        create_account(
            enabled=True,
            name="Inbox",
            provider_key="in_app",
            settings={},
            by=TESTER,
            now=timezone.now(),
        )
        people = [make_follower(name=f"P{n}", phone=f"+49151123400{n}0") for n in range(4)]
        kind = a_type(fallback=["sms", "in_app"], fallback_after=3600)
        notification = tell(kind, people, version=version, channels=["sms", "in_app"])
        drain()
    rows = list(Delivery.objects.filter(channel="sms"))
    assert {row.status for row in rows} == {"sent"}
    start = threading.Barrier(8)  # type: ignore[var-annotated]
    errors = []  # type: ignore[var-annotated]

    def post(arrived: bool) -> None:
        start.wait()
        try:
            for row in rows if arrived else reversed(rows):
                told = Report(row.uid, row.provider_id, arrived, "said")
                provider_reports.report(told=told, account=account, now=timezone.now())
        except Exception as error:  # noqa: BLE001  (told below)
            errors.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=post, args=[number % 2 == 0]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert {row.status for row in Delivery.objects.filter(channel="sms")} == {"delivered"}
    assert stands(notification)["delivered"] == 4
    assert DeliveryEvent.objects.filter(kind__in=("delivered", "undelivered")).count() == 8
