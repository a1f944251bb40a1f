"""A push service that does not take our key speaks of one subscription,
until several people's say the same.
"""

import datetime as dt
from collections.abc import Iterator
from typing import Any

import pytest
from django.db.models import F
from django.utils import timezone

from apps.content import drafts
from apps.content.models import Version
from apps.followers.devices import push_devices
from apps.followers.models import Follower
from apps.notifications.accounts.edit import AccountValues, change_account, create_account
from apps.notifications.accounts.health import reset
from apps.notifications.models import ProviderAccount
from tests.fake_push import SUBJECT, FakePush
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_due, stands, tell


@pytest.fixture(scope="module")
def server() -> Iterator[FakePush]:
    with FakePush() as fake:
        yield fake


@pytest.fixture
def google(server: FakePush, db: None) -> FakePush:
    server.calls = []
    server.arrived = []
    server.faults = []
    server.bad = {}
    settings = {"subject": SUBJECT, "connections": 1}
    create_account(
        enabled=True,
        name="Browsers",
        provider_key="web_push",
        settings=settings,
        by=TESTER,
        now=timezone.now(),
    )
    return server


@pytest.fixture
def version(db: None) -> Version:
    now = timezone.now()
    words = {"en": {"web_push": {"title": "Order", "body": "It is on its way"}}}
    template = drafts.create_template(
        key="shipped", name="Shipped", translations=words, by=TESTER, now=now
    )
    return drafts.publish(template=template, by=TESTER, now=now)


def browser(google: FakePush, follower: Follower, *, refused: str = "") -> None:
    one = google.browser()
    if refused:
        google.bad[one.endpoint] = refused
    push_devices.register_browser(
        follower=follower,
        browser=push_devices.BrowserDevice(endpoint=one.endpoint, **one.keys()),
        by=TESTER,
        now=timezone.now(),
    )


def news(version: Version, people: list[Follower], key: str = "shipped") -> Any:
    kind = make_type(
        key=key, category="informational", channels=["web_push"], default_channels=["web_push"]
    )
    return tell(kind, people, version=version, channels=["web_push"])


def rests() -> bool:
    account = ProviderAccount.objects.get()
    return bool(account.paused_until or account.tripped_at or account.failures)


def test_one_person_with_many_forged_subscriptions_keeps_nobody_waiting(
    google: FakePush, version: Version, anna: Follower, dana: Follower
) -> None:
    for _ in range(8):
        browser(google, anna, refused="403")
    browser(google, dana)
    notification = news(version, [anna, dana])
    drain()
    assert not rests()
    assert stands(notification)["sent"] == 1
    assert len(google.arrived) == 1
    assert push_devices.devices_of(anna).count() == 8, "no refusal of the key takes a browser away"


def test_a_key_that_nobody_takes_rests_the_account_and_loses_no_message(
    google: FakePush, version: Version
) -> None:
    people = [make_follower(name=f"P{number}") for number in range(4)]
    for each in people:
        browser(google, each, refused="403")
    first = news(version, people[:2])
    drain()
    assert (stands(first), rests()) == ({"pending": 2}, False)
    then = news(version, people[2:], "then")
    drain()
    account = ProviderAccount.objects.get()
    assert (stands(then), rests()) == ({"pending": 2}, True)
    assert account.last_error.startswith("403")
    google.bad = {}
    make_due(then)
    make_due(first)
    drain()
    assert (stands(first), stands(then), rests()) == ({"sent": 2}, {"sent": 2}, False)


def test_a_key_that_was_taken_within_the_hour_is_no_accounts_fault_in_any_process(
    google: FakePush, version: Version
) -> None:
    people = [make_follower(name=f"P{number}") for number in range(4)]
    browser(google, people[0])
    for each in people[1:]:
        browser(google, each, refused="403")
    news(version, people[:1])
    drain()
    one = news(version, people[1:2], "one")
    drain()
    assert (stands(one), rests()) == ({"failed": 1}, False), (
        "it is known whose fault it is: nothing to wait for"
    )
    several = news(version, people[1:], "several")
    drain()
    assert (stands(several)["pending"], rests()) == (1, False), (
        "perhaps the service has trouble: it waits"
    )
    ProviderAccount.objects.update(key_taken_at=timezone.now() - dt.timedelta(minutes=61))
    make_due(several)
    drain()
    assert rests()


def test_new_settings_or_a_persons_word_start_anew(google: FakePush, version: Version) -> None:
    people = [make_follower(name=f"P{number}") for number in range(3)]
    for each in people:
        browser(google, each, refused="403")
    for number, act in enumerate(("settings", "reset")):
        news(version, people, f"first{number}")
        drain()
        account = ProviderAccount.objects.get()
        assert rests()
        if act == "settings":
            changed = {"subject": "mailto:ada@carillon.example"}
            change_account(
                account=account,
                values=AccountValues(settings=changed),
                by=TESTER,
                now=timezone.now(),
            )
        else:
            reset(account=account, by=TESTER, now=timezone.now())
        news(version, people[:1], f"then{number}")
        drain()
        assert not rests()
        ProviderAccount.objects.update(key_refusers=[])


def test_an_account_that_rests_is_not_kept_so_by_those_who_were_refused(
    google: FakePush, version: Version, dana: Follower
) -> None:
    people = [make_follower(name=f"P{number}") for number in range(3)]
    for each in people * 3:
        browser(google, each, refused="403")
    forged = news(version, people)

    def after(minutes: int) -> None:
        """The account is tried again, with whatever is due first."""
        sooner = {"due_at": F("due_at") - dt.timedelta(minutes=minutes)}
        forged.deliveries.filter(status="pending").update(**sooner)
        ProviderAccount.objects.update(paused_until=None)
        drain()

    for _ in range(6):
        after(minutes=65)
    assert ProviderAccount.objects.get().tripped_at, "one message at a time, and theirs come first"
    browser(google, dana)
    honest = news(version, [dana], "honest")
    for _ in range(4):
        after(minutes=14)
    assert (stands(honest), rests()) == ({"sent": 1}, False)
