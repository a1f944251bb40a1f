"""A 5,000-follower campaign through real workers: one is killed in the middle,
a hundred people leave meanwhile.
"""

import os
import random
import signal
import time
from bisect import bisect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.campaigns import compose, lifecycle
from apps.followers.models import Follower
from apps.notifications.messages.links import unsubscribe_url
from apps.notifications.reports.balance import balance
from tests.chaos.log import Log
from tests.chaos.receiver import Witness
from tests.chaos.world import make_crowd
from tests.make import TESTER, make_type
from tests.notifications.world import make_accounts
from tests.ops.processes import program
from tests.patience import until

PEOPLE = 5000
LEAVING = 100
SLOWNESS = 0.02  # seconds in which the receiver thinks about a mail
FIVE_SECONDS = int(
    5 * 2 * 4 / SLOWNESS
)  # in mails that two senders of four connections hand over meanwhile

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def journals(tmp_path: Path) -> Iterator[Path]:
    """`manage.py worker` at work on the test's database;
    gives the folder of its senders' journals.
    """
    with program(tmp_path, "worker"):
        yield tmp_path / "journal"


def _kill_a_busy_sender(journals: Path) -> None:
    def busy() -> list[Path]:
        return [path for path in journals.glob("*.journal") if b" P " in path.read_bytes()]

    [journal, *_] = until(busy, "a sender has a message in hand")
    os.kill(int(journal.name.split("-")[0]), signal.SIGKILL)


def test_nothing_is_lost_nobody_is_written_to_twice_and_leaving_counts_at_once(
    journals: Path,
) -> None:
    log = Log(journals.parent / "received")
    with Witness(0, journals.parent / "received", faults={}, seed=0, slowness=SLOWNESS) as receiver:
        make_accounts(receiver)
        make_crowd(PEOPLE)
        kind = make_type("news")
        parts = {
            "email": {
                "subject": "Hello {{ follower.name }}",
                "html": "<p>Hello {{ follower.name }}</p>",
            }
        }
        campaign = compose.create_campaign(
            values=compose.CampaignValues(
                name="Five thousand",
                notification_type=kind,
                channels=["email"],
                translations={"en": parts},
                audience={"everyone": True},
            ),
            by=TESTER,
            now=timezone.now(),
        )
        run = lifecycle.send_now(campaign=campaign, by=TESTER, now=timezone.now())

        def arrived() -> int:
            return len(log.read().kept)

        until(lambda: arrived() > 500, "the first 500 mails have arrived", progress=arrived)
        _kill_a_busy_sender(journals)
        left: dict[str, float] = {}
        for person in random.sample(list(Follower.objects.prefetch_related("addresses")), LEAVING):
            path = unsubscribe_url(person, kind).removeprefix(settings.SITE_URL)
            response: Any = Client().post(path, {"List-Unsubscribe": "One-Click"})
            assert response.status_code == 200
            left[person.addresses.all()[0].value] = time.time()

        def state() -> str:
            campaign.refresh_from_db()
            return campaign.state

        until(lambda: state() == "sent", "the campaign has finished by itself", progress=arrived)

    copies = log.read().copies(run.notification.uid)
    sheet = balance(run.notification)
    times = sorted(one.at for one in log.kept)
    late = []
    for one in log.kept:
        if one.recipient in left and one.at > left[one.recipient]:
            mails_between = bisect(times, one.at) - bisect(times, left[one.recipient])
            if mails_between > FIVE_SECONDS:
                late.append(one)
    assert late == [], "mail to somebody who had left for longer than five seconds of sending"
    assert sheet.total == PEOPLE
    # one of the killed sender's doubtful ones may be among those who left: perhaps it has arrived
    assert sheet.sent <= len(copies) <= sheet.sent + sheet.in_doubt, (
        "the delivery report equals the receiver's log"
    )
    assert sheet.skipped.get("preference_off", 0) == PEOPLE - sheet.sent - sheet.in_doubt
    assert set(copies) >= {f"p{n}@example.com" for n in range(PEOPLE)} - set(left), (
        "somebody was lost"
    )
    assert sum(copies.values()) - len(copies) <= log.cut_off(), (
        "more doubles than transactions that were cut off"
    )
    assert max(copies.values()) <= 2
