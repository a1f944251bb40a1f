"""A notification leaves for phones and browsers: each of a person's devices gets it,
dead ones go, live ones stay.
"""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.content import drafts
from apps.content.models import Version
from apps.followers.devices import push_devices
from apps.followers.models import Address, Follower
from apps.notifications.accounts.browser_push import vapid_public_key
from apps.notifications.accounts.edit import AccountValues, change_account, create_account
from apps.notifications.accounts.routing import settings_of
from apps.notifications.models import ProviderAccount
from apps.notifications.sending import choose
from tests.dashboard.pages import as_role, page_of
from tests.fake_apns import FakeApns, says
from tests.fake_push import SAYS, SUBJECT, FakePush
from tests.make import TESTER, make_type
from tests.notifications.world import drain, make_due, stands, tell

WORDS = {
    "title": "Order {{ follower.first_name }}",
    "body": "It is on its way",
    "link": "https://carillon.example/o",
}
IPHONE = "ab" * 32


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[FakePush, FakeApns]]:
    folder: Path = tmp_path_factory.mktemp("apns")
    with FakePush() as google, FakeApns(folder) as apple:
        yield google, apple


@pytest.fixture
def google(servers: tuple[FakePush, FakeApns], db: None) -> FakePush:
    fake = servers[0]
    fake.calls = []
    fake.arrived = []
    fake.faults = []
    fake.bad = {}
    return fake


@pytest.fixture
def apple(
    servers: tuple[FakePush, FakeApns], db: None, monkeypatch: pytest.MonkeyPatch
) -> FakeApns:
    fake = servers[1]
    monkeypatch.setenv("SSL_CERT_FILE", fake.authority)
    fake.arrived = []
    fake.faults = []
    fake.bad = {}
    return fake


@pytest.fixture
def version(db: None) -> Version:
    now = timezone.now()
    words = {"en": {"push": WORDS, "web_push": WORDS}}
    template = drafts.create_template(
        key="shipped", name="Shipped", translations=words, by=TESTER, now=now
    )
    return drafts.publish(template=template, by=TESTER, now=now)


def account(provider: str, settings: dict[str, Any], **fields: Any) -> ProviderAccount:
    return create_account(
        enabled=True,
        name=provider,
        provider_key=provider,
        settings=settings,
        by=TESTER,
        now=timezone.now(),
        **fields,
    )


def a_type(**fields: Any) -> Any:
    return make_type(channels=["push", "web_push"], default_channels=["push", "web_push"], **fields)


def phone(follower: Follower, token: str, **fields: Any) -> Address:
    service = "fcm"
    if token == IPHONE:
        service = "apns"
    now = fields.pop("now", None) or timezone.now()
    app = push_devices.AppDevice(**({"service": service, "token": token} | fields))
    return push_devices.register_app(follower=follower, app=app, by=TESTER, now=now)


def browser(follower: Follower, google: FakePush) -> Address:
    one = google.browser(server_key=vapid_public_key() or "")
    device = push_devices.BrowserDevice(
        endpoint=one.endpoint, server_key=one.server_key, **one.keys()
    )
    return push_devices.register_browser(
        follower=follower, browser=device, by=TESTER, now=timezone.now()
    )


def test_each_device_of_a_person_gets_it_through_the_service_that_knows_it(
    google: FakePush, apple: FakeApns, version: Version, anna: Follower, dana: Follower
) -> None:
    account("fcm", google.settings("fcm"))
    account("apns", apple.settings())
    account("web_push", {"subject": SUBJECT})
    for token in ("pixel", "tablet", IPHONE):
        phone(anna, token)
    seen = browser(anna, google)
    notification = tell(a_type(), [anna, dana], version=version, channels=["push", "web_push"])
    drain()
    drain()
    assert stands(notification) == {"sent": 4, "skipped": 2}
    assert {each.token for each in google.arrived} == {"pixel", "tablet", seen.value}
    assert [each.token for each in apple.arrived] == [IPHONE]
    everywhere = [*google.arrived, *apple.arrived]
    assert {each.title for each in everywhere} == {"Order Anna"}
    rows = {str(row.uid): row for row in notification.deliveries.filter(status="sent")}
    assert {each.delivery for each in everywhere} == set(rows)
    assert all(row.provider_id for row in rows.values())


def test_dead_tokens_go_and_live_ones_stay_whatever_else_goes_wrong(
    google: FakePush, apple: FakeApns, version: Version, anna: Follower
) -> None:
    account("fcm", google.settings("fcm"))
    account("apns", apple.settings())
    for token in ("dead", "alive", IPHONE):
        phone(anna, token)
    google.bad = {"dead": "unregistered"}
    yesterday = (timezone.now().timestamp() - 86_400) * 1000
    apple.bad = {
        IPHONE: says(410, "Unregistered", timestamp=yesterday)
    }  # but it registered again today
    notification = tell(a_type(), [anna], version=version, channels=["push"])
    drain()
    drain()
    assert stands(notification) == {"sent": 1, "failed": 2}
    assert {row.value for row in push_devices.devices_of(anna)} == {"alive", IPHONE}
    for fault in ("internal", "denied"):
        google.faults = [SAYS[fault]]
        tell(a_type(key=f"k{len(google.calls)}"), [anna], version=version, channels=["push"])
        drain()
        ProviderAccount.objects.update(paused_until=None, failures=0)
    assert {row.value for row in push_devices.devices_of(anna)} == {"alive", IPHONE}


def test_what_waits_for_a_phone_that_changed_hands_reaches_nobody(
    google: FakePush, version: Version, anna: Follower, dana: Follower
) -> None:
    account("fcm", google.settings("fcm"))
    phone(anna, "pixel")
    google.faults = [SAYS["internal"]]
    notification = tell(a_type(), [anna], version=version, channels=["push"])
    drain()
    assert stands(notification) == {"pending": 1}
    phone(dana, "pixel")
    make_due(notification)
    drain()
    assert stands(notification) == {"skipped": 1}
    assert notification.deliveries.get().reason == "no_address"
    assert google.arrived == []


def test_a_subscription_goes_when_its_service_says_so_and_outlives_an_outage(
    google: FakePush, version: Version, anna: Follower
) -> None:
    account("web_push", {"subject": SUBJECT})
    dead = browser(anna, google)
    alive = browser(anna, google)
    google.bad = {dead.value: "410", alive.value: "503"}
    notification = tell(a_type(), [anna], version=version, channels=["web_push"])
    drain()
    assert stands(notification) == {"failed": 1, "pending": 1}
    assert [row.pk for row in push_devices.devices_of(anna)] == [alive.pk]
    google.bad = {}
    make_due(notification)
    drain()
    assert stands(notification) == {"failed": 1, "sent": 1}


def test_an_account_makes_its_own_keys_and_shows_the_public_one(client: Client, admin: Any) -> None:
    assert vapid_public_key() is None
    as_role(client, admin)
    form = {
        "name": "Browsers",
        "position": 10,
        "s_subject": SUBJECT,
        "s_timeout": 30,
        "s_connections": 4,
    }
    client.post(
        reverse("dashboard:channel-account-add", args=["web_push"]), form | {"warmup_growth": 1.5}
    )
    row = ProviderAccount.objects.get(provider="web_push")
    page = page_of(client.get(reverse("dashboard:channel-account", args=[row.uid])))
    assert "Browsers register once it is on." in page.text
    client.post(reverse("dashboard:channel-account-switch", args=[row.uid]), {"enabled": "1"})
    key = vapid_public_key()
    private = settings_of(row)["private_key"]
    assert key
    page = page_of(client.get(reverse("dashboard:channel-account", args=[row.uid])))
    assert key in page.text
    assert private not in page.text
    change_account(
        account=row, values=AccountValues(settings={"renew": True}), by=TESTER, now=timezone.now()
    )
    row.refresh_from_db()
    assert vapid_public_key() != key
    assert settings_of(row)["previous_key"] == private
    change_account(account=row, values=AccountValues(enabled=False), by=TESTER, now=timezone.now())
    assert vapid_public_key() is None


def test_what_waits_for_phones_of_a_service_at_rest_keeps_nothing_from_those_of_another(
    google: FakePush,
    apple: FakeApns,
    version: Version,
    anna: Follower,
    dana: Follower,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    resting = account("fcm", google.settings("fcm"))
    account("apns", apple.settings())
    change_account(
        account=resting, values=AccountValues(enabled=False), by=TESTER, now=timezone.now()
    )
    phone(anna, "pixel")
    phone(dana, IPHONE)
    monkeypatch.setattr(choose, "places", partial(choose.places, most=3))
    kind = a_type(category="informational")
    waiting = [tell(kind, [anna], version=version, channels=["push"]) for _ in range(3)]
    last = tell(kind, [dana], version=version, channels=["push"])
    drain()
    assert stands(last) == {"sent": 1}
    assert [stands(each) for each in waiting] == [{"pending": 1}] * 3
