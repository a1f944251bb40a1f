"""The brake: a send that many refuse is paused by itself, says why, and waits for a person."""

import datetime as dt
import re
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.followers.models import Follower
from apps.notifications import control
from apps.notifications.accounts.hold_ups import HoldUpKind, hold_ups_of
from apps.notifications.models import Notification, ProviderAccount
from apps.notifications.safety import brake
from apps.notifications.sending import shift
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver


@pytest.mark.parametrize(
    ("refused", "tried", "stops"),
    [(20, 200, True), (20, 201, False), (19, 19, False), (20, 20, True), (0, 0, False)],
)
def test_a_tenth_and_twenty_at_least_are_too_many(refused: int, tried: int, stops: bool) -> None:
    assert brake.too_many(refused=refused, tried=tried, least=20, percent=10) is stops


def test_without_a_share_nothing_is_too_many() -> None:
    assert not brake.too_many(refused=500, tried=500, least=20, percent=0)


def people(count: int, *, gone: int) -> list[Follower]:
    """So many people, each `gone`th of whom has no mailbox any more."""
    found = []
    for number in range(count):
        name = "here"
        if number % gone == 0:
            name = "gone"
        found.append(make_follower(email=f"{name}{number}@example.com"))
    return found


@pytest.fixture
def dirty(receiver: Receiver, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Notification:
    """A send to sixty people, half of whom don't exist, of whom only some were asked yet."""
    monkeypatch.setattr(shift, "FIRST_CLAIM", 12)
    monkeypatch.setattr(shift, "LARGEST_CLAIM", 12)
    settings.BRAKE_LEAST = 5
    receiver.answers["RCPT"] = lambda address: (
        "550 5.1.1 no such user" if "gone" in address else None
    )
    ProviderAccount.objects.filter(name="Receiver").update(rate=10.0)
    return tell(make_type(), people(60, gone=2), version=make_version())


def work(notification: Notification) -> None:
    """Let senders work until the brake holds, or all is done."""
    for _ in range(20):
        drain()
        notification.refresh_from_db()
        if notification.state != "sending":
            return


@pytest.mark.reported
def test_a_send_that_many_refuse_is_paused_by_itself_and_says_why(dirty: Notification) -> None:
    work(dirty)
    stand = stands(dirty)
    assert dirty.state == "paused"
    assert stand["pending"] > 20, "most were not tried"
    assert re.fullmatch(
        r"\d+ of \d+ messages were refused, so Carillon has paused it\. Look at the failed "
        r"messages, then resume or cancel it\.",
        dirty.paused_why,
    )
    told = AuditEntry.objects.get(kind="notification.paused")
    assert (told.data["why"], told.actor_kind) == (dirty.paused_why, "system")
    (hold_up,) = hold_ups_of(dirty, ["email"], now=timezone.now())
    assert (hold_up.kind, hold_up.sentence) == (HoldUpKind.PAUSED_BY_ITSELF, dirty.paused_why)
    assert list(brake.stopped()) == [dirty]


@pytest.mark.reported
def test_a_person_who_resumes_it_has_decided(dirty: Notification) -> None:
    work(dirty)
    control.resume(notification=dirty, by=TESTER, now=timezone.now())
    assert (dirty.state, dirty.paused_why, dirty.brake_off) == ("sending", "", True)
    ProviderAccount.objects.update(rate=None)
    work(dirty)
    assert (dirty.state, stands(dirty)) == ("done", {"sent": 30, "failed": 30})


def test_one_that_a_person_paused_keeps_its_brake(receiver: Receiver, anna: Follower) -> None:
    later = timezone.now() + dt.timedelta(hours=1)
    notification = tell(make_type(), [anna], version=make_version(), send_at=later)
    act: dict[str, Any] = {"by": TESTER, "now": timezone.now()}
    control.pause(notification=notification, **act)
    assert notification.paused_why == ""
    control.resume(notification=notification, **act)
    assert not notification.brake_off


def test_what_is_through_is_not_paused(receiver: Receiver, settings: Any) -> None:
    settings.BRAKE_LEAST = 1
    receiver.answers["RCPT"] = "550 5.1.1 no such user"
    notification = tell(make_type(), people(3, gone=1), version=make_version())
    work(notification)
    assert (notification.state, stands(notification)) == ("done", {"failed": 3})


def test_the_brake_can_be_switched_off(dirty: Notification, settings: Any) -> None:
    settings.BRAKE_PERCENT = 0
    ProviderAccount.objects.update(rate=None)
    work(dirty)
    assert (dirty.state, stands(dirty)) == ("done", {"sent": 30, "failed": 30})
