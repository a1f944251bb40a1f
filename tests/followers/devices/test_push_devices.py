"""Phones and browsers come, say that they are there, change hands,
and go only when somebody who knows says so.
"""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.channels.push.endpoints import BadEndpoint, origin_of
from apps.channels.push.web_push_encryption import Vapid, base64url, new_private_key
from apps.followers.devices import push_devices
from apps.followers.devices.push_devices import BadDevice, TooManyDevices
from apps.followers.models import Address, AddressState, Follower
from tests.make import TESTER

NOW = timezone.now().replace(microsecond=0)
TOKEN = "fcm-token:APA91b"
ENDPOINT = "https://updates.push.services.mozilla.com/wpush/v2/gAAAA"
P256DH = Vapid.read(new_private_key()).public
AUTH = base64url(b"0123456789abcdef")


def phone(follower: Follower, *, now: dt.datetime = NOW, **fields: Any) -> Address:
    values = {"service": "fcm", "token": TOKEN, "platform": "android", "label": "Pixel 9"} | fields
    return push_devices.register_app(
        follower=follower, app=push_devices.AppDevice(**values), by=TESTER, now=now
    )


def browser(follower: Follower, **fields: Any) -> Address:
    values = {"endpoint": ENDPOINT, "p256dh": P256DH, "auth": AUTH} | fields
    return push_devices.register_browser(
        follower=follower, browser=push_devices.BrowserDevice(**values), by=TESTER, now=NOW
    )


def facts(kind: str) -> list[Any]:
    return list(AuditEntry.objects.filter(kind=kind).order_by("pk").values_list("data", flat=True))


def test_a_phone_that_registers_again_is_the_same_one_seen_later(anna: Follower) -> None:
    first = phone(anna)
    later = phone(anna, now=NOW + dt.timedelta(days=3), label="Pixel  9\nPro")
    assert (later.pk, later.seen_at) == (first.pk, NOW + dt.timedelta(days=3))
    [row] = push_devices.devices_of(anna)
    assert (row.value, row.via, row.primary) == (TOKEN, "fcm", False)
    assert row.details == {"platform": "android", "label": "Pixel 9 Pro"}
    [told] = facts("device.registered")
    assert told["device"] == "Pixel 9"
    assert TOKEN not in str(told)


def test_a_token_of_apple_keeps_its_environment_and_one_spelling(anna: Follower) -> None:
    row = phone(
        anna, service="apns", token="AB" * 32, environment="sandbox", topic="com.example.app"
    )
    assert row.value == "ab" * 32
    assert (row.details["environment"], row.details["topic"]) == ("sandbox", "com.example.app")
    assert phone(anna, service="apns", token="ab" * 32).pk == row.pk


def test_a_browser_keeps_the_keys_it_is_written_to_with(anna: Follower) -> None:
    row = browser(anna, server_key=P256DH + "=", label="Firefox")
    assert row.details == {"p256dh": P256DH, "auth": AUTH, "server_key": P256DH, "label": "Firefox"}
    assert (row.value, row.via, row.key) == (ENDPOINT, "", push_devices.key_of(ENDPOINT))


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("service", {"service": "icq"}),
        ("token", {"token": ""}),
        ("token", {"token": "a b"}),
        ("token", {"token": "x" * 2001}),
        ("token", {"service": "apns", "token": "zz" * 32}),
        ("environment", {"service": "apns", "token": "ab" * 32, "environment": "test"}),
        ("topic", {"service": "apns", "token": "ab" * 32, "topic": "a\r\nb"}),
    ],
)
def test_a_token_that_nothing_can_be_sent_to_is_refused_by_its_field(
    anna: Follower, field: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(BadDevice) as refusal:
        phone(anna, **fields)
    assert refusal.value.field == field
    assert not push_devices.devices_of(anna)


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("endpoint", {"endpoint": "https://169.254.169.254/x.push.services.mozilla.com/"}),
        ("endpoint", {"endpoint": f"{ENDPOINT}/" + "x" * 2000}),
        ("keys", {"auth": "short"}),
        ("keys", {"p256dh": base64url(b"\x04" + b"\x01" * 64)}),
        ("keys", {"p256dh": "ä"}),
        ("server_key", {"server_key": "x"}),
    ],
)
def test_a_subscription_that_nothing_can_be_sent_to_is_refused_by_its_field(
    anna: Follower, field: str, fields: dict[str, Any]
) -> None:
    with pytest.raises(BadDevice) as refusal:
        browser(anna, **fields)
    assert refusal.value.field == field


SERVICES = ("push.services.mozilla.com", "googleapis.com", "127.0.0.1")


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://169.254.169.254/x.googleapis.com/",
        "https://notgoogleapis.com/x",
        "https://googleapis.com.evil.example/x",
        "https://evil.example\\@fcm.googleapis.com/x",
        "https://evil.example@fcm.googleapis.com/x",
        "https://fcm.googleapis.com@10.0.0.1/x",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com./x",
        "http://fcm.googleapis.com/x",
        "https://[::1]/googleapis.com",
        "https://[fcm.googleapis.com/x",
        "ftp://fcm.googleapis.com/x",
        "https:///fcm.googleapis.com",
        "https://fcm.googleapis.com/x\r\nHost: y",
        "",
    ],
)
def test_an_endpoint_elsewhere_is_no_push_service_however_it_is_spelt(endpoint: str) -> None:
    with pytest.raises(BadEndpoint):
        origin_of(endpoint, SERVICES)


def test_an_endpoint_of_a_known_push_service_has_its_origin() -> None:
    assert (
        origin_of("https://fcm.googleapis.com/fcm/send/x?y=1", SERVICES)
        == "https://fcm.googleapis.com"
    )
    assert origin_of(ENDPOINT, SERVICES) == "https://updates.push.services.mozilla.com"
    assert origin_of("http://127.0.0.1:9000/x", SERVICES) == "http://127.0.0.1:9000"
    with pytest.raises(BadEndpoint):
        origin_of("http://127.0.0.1:9000/x", SERVICES[:2])


def test_a_phone_that_changes_hands_takes_nothing_of_its_old_owner_along(
    anna: Follower, dana: Follower
) -> None:
    old = phone(anna)
    new = phone(dana)
    assert new.pk != old.pk
    assert not push_devices.devices_of(anna)
    assert [row.pk for row in push_devices.devices_of(dana)] == [new.pk]
    assert facts("device.gone")[0]["why"] == "registered by another follower"


def test_a_dead_token_goes_and_comes_back_when_it_registers_again(anna: Follower) -> None:
    row = phone(anna)
    assert push_devices.gone(channel="push", value=TOKEN, now=NOW)
    assert not push_devices.gone(channel="push", value=TOKEN, now=NOW)
    assert not push_devices.devices_of(anna)
    assert Address.objects.get(pk=row.pk).state == AddressState.GONE
    assert phone(anna).pk == row.pk
    assert [each.state for each in push_devices.devices_of(anna)] == [AddressState.ACTIVE]


def test_a_token_that_registered_after_it_was_seen_dead_stays(anna: Follower) -> None:
    phone(anna)
    assert not push_devices.gone(channel="push", value=TOKEN, since=NOW.timestamp() - 1, now=NOW)
    assert not push_devices.gone(channel="push", value="unknown", now=NOW)
    assert not push_devices.gone(channel="web_push", value=TOKEN, now=NOW)
    assert push_devices.devices_of(anna)
    assert push_devices.gone(channel="push", value=TOKEN, since=NOW.timestamp(), now=NOW)


def test_a_follower_has_a_hundred_devices_and_no_more(
    anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_devices, "MOST", 2)
    for number in range(2):
        phone(anna, token=f"token{number}")
    with pytest.raises(TooManyDevices):
        browser(anna)
    phone(anna, token="token1", now=NOW + dt.timedelta(days=1))  # not one more
    push_devices.gone(channel="push", value="token0", now=NOW)
    browser(anna)


def test_devices_that_are_not_heard_of_for_long_are_forgotten_and_the_others_stay(
    anna: Follower, settings: Any
) -> None:
    phone(anna, token="old", now=NOW - dt.timedelta(days=300))
    phone(anna, token="dead", now=NOW - dt.timedelta(days=300))
    push_devices.gone(channel="push", value="dead", now=NOW)
    kept = phone(anna, token="kept", now=NOW - dt.timedelta(days=269))
    assert push_devices.forget_idle(now=NOW) == 2
    assert push_devices.forget_idle(now=NOW) == 0
    assert [row.pk for row in Address.objects.filter(channel="push")] == [kept.pk]
    assert anna.email == "anna@example.com"
    settings.DEVICE_IDLE_DAYS = 0
    assert push_devices.forget_idle(now=NOW + dt.timedelta(days=999)) == 0


def test_a_device_that_is_removed_twice_is_told_of_once(anna: Follower) -> None:
    row = phone(anna)
    push_devices.unregister(device=row, by=TESTER, now=NOW)
    assert not Address.objects.filter(pk=row.pk).exists()
    push_devices.unregister(device=row, by=TESTER, now=NOW)
    assert len(facts("device.gone")) == 1
