"""Webhooks in the dashboard: how each stands, a secret shown once, off and on,
and who may do that.
"""

import datetime as dt
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.followers.devices import webhooks
from apps.followers.devices.webhook_calls import CallResult, heard
from apps.followers.models import Address, Follower, Webhook
from apps.lib.crypto import decrypt
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER

URL = "https://hooks.example/anna"


@pytest.fixture
def row(anna: Follower) -> Address:
    return webhooks.create_webhook(follower=anna, url=URL, by=TESTER, now=timezone.now())[0]


@pytest.fixture
def broken(row: Address) -> Address:
    for days in range(6, 0, -1):
        said = CallResult(URL, good=False, gone=False, said="500 oops")
        heard([said], now=timezone.now() - dt.timedelta(days=days))
    return row


def act(client: Client, row: Address, do: str, **fields: str) -> Any:
    return client.post(reverse("dashboard:webhook", args=[row.uid]), {"do": do, **fields})


def test_staff_see_which_one_failed_since_when_and_what_it_said(
    client: Client, viewer: Any, broken: Address
) -> None:
    as_role(client, viewer)
    page = page_of(client.get(reverse("dashboard:webhooks"), {"state": "off"}))
    for words in (
        URL,
        "Anna Weber",
        "Switched off",
        "Its calls failed for days",
        "500 oops",
        "failing since",
    ):
        assert words in page.text
    assert "1 webhook was switched off in 7 days" in page_of(client.get("/")).text
    assert not page.forms & {reverse("dashboard:webhook", args=[broken.uid])}, (
        "a viewer changes nothing"
    )
    assert (
        "No such webhook"
        in page_of(client.get(reverse("dashboard:webhooks"), {"state": "good"})).text
    )
    assert (
        "No such webhook" in page_of(client.get(reverse("dashboard:webhooks"), {"q": "zebra"})).text
    )
    assert act(client, broken, "on").status_code == 403
    assert Webhook.objects.get().off_at


def test_an_editor_switches_it_on_off_and_away_and_twice_is_once(
    client: Client, editor: Any, broken: Address
) -> None:
    as_role(client, editor)
    for do, state in (("on", "active"), ("on", "active"), ("off", "off"), ("nonsense", "off")):
        assert act(client, broken, do).url == reverse(
            "dashboard:follower-webhooks", args=[broken.follower.uid]
        )
        assert Address.objects.get(pk=broken.pk).state == state
    for _ in range(2):
        assert act(client, broken, "remove", back="all").url == reverse("dashboard:webhooks")
    assert not Webhook.objects.exists()


def test_a_secret_is_shown_once_and_a_repeated_post_makes_no_other(
    client: Client, editor: Any, row: Address
) -> None:
    as_role(client, editor)
    form = {"once": "abc"}
    answer = client.post(reverse("dashboard:webhook-secret", args=[row.uid]), form)
    row.refresh_from_db()
    assert row.details
    secret = str(decrypt(row.details["secret"]))
    assert secret in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]
    again = client.post(reverse("dashboard:webhook-secret", args=[row.uid]), form)
    kept = Address.objects.get(pk=row.pk).details
    assert (again.status_code, kept) == (302, row.details)
    page = client.get(reverse("dashboard:follower-webhooks", args=[row.follower.uid]))
    assert secret not in page.content.decode()


def test_one_is_added_on_the_followers_page_and_a_bad_address_is_refused_in_words(
    client: Client, editor: Any, anna: Follower
) -> None:
    as_role(client, editor)
    url = reverse("dashboard:follower-webhooks", args=[anna.uid])
    assert url in page_of(client.get(reverse("dashboard:follower", args=[anna.uid]))).links
    add = reverse("dashboard:follower-webhook-add", args=[anna.uid])
    refused = page_of(client.post(add, {"url": "http://10.0.0.1/", "once": "a"}, follow=True))
    assert "must begin with https://" in refused.text
    made = client.post(add, {"url": URL, "once": "b"}).content.decode()
    assert "whsec_" in made
    known = page_of(client.post(add, {"url": URL, "once": "c"}, follow=True))
    assert "posted there already" in known.text
    assert Webhook.objects.count() == 1
    assert URL in page_of(client.get(url)).text
