"""Apps and browsers register by the API, again and again, and leave by it."""

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from apps.followers.models import Address, Follower
from apps.notifications.accounts.browser_push import vapid_public_key
from apps.notifications.accounts.edit import create_account
from tests.followers.devices.test_push_devices import AUTH, ENDPOINT, P256DH
from tests.make import TESTER, make_follower

PHONE = {
    "channel": "push",
    "service": "fcm",
    "token": "fcm-token:1",
    "platform": "android",
    "label": "Pixel 9",
}
BROWSER = {
    "channel": "web_push",
    "endpoint": ENDPOINT,
    "keys": {"p256dh": P256DH, "auth": AUTH},
    "label": "Firefox",
}


def url(follower: Follower, device: str = "") -> str:
    return f"/api/v1/followers/{follower.uid}/devices" + (f"/{device}" if device else "")


def test_a_phone_and_a_browser_register_twice_are_listed_once_and_leave(
    api: APIClient, anna: Follower
) -> None:
    for body in (PHONE, BROWSER, PHONE):
        answer = api.post(url(anna), body)
        assert answer.status_code == 200, answer.json()
    listed = api.get(url(anna)).json()
    assert listed["server_key"] is None
    assert [(each["channel"], each["service"], each["label"]) for each in listed["results"]] == [
        ("push", "fcm", "Pixel 9"),
        ("web_push", "", "Firefox"),
    ]
    person = api.get(f"/api/v1/followers/{anna.uid}").json()
    assert [each["value"] for each in person["addresses"]] == [
        "anna@example.com",
        "Pixel 9",
        "Firefox",
    ]
    assert "fcm-token" not in f"{listed} {person}", (
        "a token is all that it takes to write to a phone"
    )
    first = listed["results"][0]["id"]
    assert api.delete(url(anna, first)).status_code == 204
    assert api.delete(url(anna, first)).status_code == 404
    assert len(api.get(url(anna)).json()["results"]) == 1


def test_a_browser_is_told_the_key_to_subscribe_with(api: APIClient, anna: Follower) -> None:
    create_account(
        enabled=True,
        name="Browsers",
        provider_key="web_push",
        settings={"subject": "mailto:a@example.com"},
        by=TESTER,
        now=timezone.now(),
    )
    key = api.get(url(anna)).json()["server_key"]
    assert key == vapid_public_key()
    assert api.post(url(anna), BROWSER | {"server_key": key}).status_code == 200
    assert Address.objects.get(channel="web_push").details["server_key"] == key


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (PHONE | {"channel": "email"}, "channel"),
        (PHONE | {"service": "icq"}, "service"),
        (PHONE | {"token": "a b"}, "token"),
        (PHONE | {"token": ""}, "token"),
        ({"channel": "push"}, "service"),
        (PHONE | {"endpoint": ENDPOINT}, "endpoint"),
        ({"channel": "web_push"}, "endpoint"),
        (
            BROWSER | {"endpoint": "https://169.254.169.254/x.push.services.mozilla.com/"},
            "endpoint",
        ),
        (BROWSER | {"endpoint": "https://example.com/hook"}, "endpoint"),
        (BROWSER | {"keys": {"p256dh": P256DH, "auth": "short"}}, "keys"),
        (BROWSER | {"keys": {"p256dh": P256DH}}, "keys.auth"),
        (BROWSER | {"expirationTime": None}, "expirationTime"),
    ],
)
def test_what_nothing_can_be_sent_to_is_refused_by_its_field(
    api: APIClient,
    anna: Follower,
    problem: Callable[..., dict[str, Any]],
    body: dict[str, Any],
    field: str,
) -> None:
    problem(api.post(url(anna), body), 400, field)
    assert not anna.addresses.exclude(channel="email")


def test_a_device_is_removed_by_its_own_follower_only(
    api: APIClient, anna: Follower, dana: Follower
) -> None:
    device = api.post(url(anna), PHONE).json()["id"]
    assert api.delete(url(dana, device)).status_code == 404
    email = anna.addresses.get(channel="email")
    assert api.delete(url(anna, str(email.uid))).status_code == 404
    assert api.post(url(dana), PHONE).json()["id"] != device, "it changed hands"
    assert api.get(url(anna)).json()["results"] == []
    assert api.get(url(make_follower(name="New"))).json()["results"] == []
