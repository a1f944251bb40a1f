"""A notification reaches each of a follower's own addresses; a dead one falls silent,
a broken one is tried again.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from standardwebhooks import Webhook as Judge

from apps.channels.https import webhook
from apps.content import drafts
from apps.content.models import Version
from apps.followers.devices import webhooks
from apps.followers.models import Address, Follower, Webhook
from apps.notifications.accounts import routing
from apps.notifications.accounts.edit import create_account
from apps.notifications.models import ProviderAccount
from tests.channels.https.test_webhook import FakeReceiver
from tests.dashboard.pages import as_role, page_of
from tests.fake_esp import Answer
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_due, stands, tell


@pytest.fixture
def fake(db: None) -> Iterator[FakeReceiver]:
    webhook._resting.clear()
    create_account(
        enabled=True,
        name="Webhooks",
        provider_key="webhook",
        settings={},
        by=TESTER,
        now=timezone.now(),
    )
    with FakeReceiver() as fake:
        yield fake


@pytest.fixture
def version(db: None) -> Version:
    now = timezone.now()
    words = {"en": {"webhook": {"title": "Order", "body": "for {{ follower.name }}"}}}
    template = drafts.create_template(
        key="hook", name="Hook", translations=words, by=TESTER, now=now
    )
    return drafts.publish(template=template, by=TESTER, now=now)


def add(follower: Follower, url: str) -> str:
    return webhooks.create_webhook(follower=follower, url=url, by=TESTER, now=timezone.now())[1]


def a_type(key: str) -> Any:
    return make_type(key=key, channels=["webhook"], default_channels=["webhook"])


def test_each_address_gets_its_own_signed_message_once(
    fake: FakeReceiver, version: Version
) -> None:
    anna = make_follower(name="Anna")
    secrets = [add(anna, f"{fake.url}/hook/{number}") for number in range(2)]
    notification = tell(
        a_type("order"), [anna], version=version, channels=["webhook"], data={"order": 7}
    )
    drain()
    drain()
    assert stands(notification) == {"sent": 2}
    assert len(fake.calls) == 2
    assert len({call.headers["webhook-id"] for call in fake.calls}) == 2
    for call in fake.calls:
        said: Any = Judge(secrets[int(call.path[-1])]).verify(call.body, call.headers)
        assert said["type"] == "notification.order"
        assert said["data"] == {
            "notification": str(notification.uid),
            "follower": str(anna.uid),
            "title": "Order",
            "body": "for Anna",
            "data": {"order": 7},
        }


def test_one_that_answers_410_is_never_called_again_and_one_that_broke_is(
    fake: FakeReceiver, version: Version
) -> None:
    anna = make_follower(name="Anna")
    boris = make_follower(name="Boris")
    add(anna, f"{fake.url}/hook/dead")
    add(boris, f"{fake.url}/hook/broken")
    fake.faults = [Answer(410, "")]
    first = tell(a_type("a"), [anna], version=version, channels=["webhook"])
    drain()
    assert stands(first) == {"failed": 1}
    assert Address.objects.get(follower=anna).state == "off"
    assert Webhook.objects.get(address__follower=anna).off_reason == "gone"
    fake.faults = [Answer(500, "")]
    then = tell(a_type("b"), [anna, boris], version=version, channels=["webhook"])
    drain()
    assert stands(then) == {"skipped": 1, "pending": 1}
    assert then.deliveries.get(status="skipped").reason == "address_off"
    broken = Webhook.objects.get(address__follower=boris)
    assert (broken.answer, bool(broken.failing_since), broken.off_at) == ("500", True, None)
    make_due(then)
    drain()
    assert stands(then) == {"skipped": 1, "sent": 1}
    broken.refresh_from_db()
    assert (broken.answer, broken.failing_since, bool(broken.succeeded_at)) == ("200", None, True)
    assert [call.path[6:] for call in fake.calls] == ["dead", "broken", "broken"]
    assert fake.calls[1].headers["webhook-id"] == fake.calls[2].headers["webhook-id"]


def test_a_receiver_that_is_always_broken_keeps_nobody_else_waiting(
    fake: FakeReceiver, version: Version
) -> None:
    people = [make_follower(name=f"P{number}") for number in range(24)]
    for number, person in enumerate(people):
        add(person, f"{fake.url}/hook/{number}")
    fake.faults = [Answer(503, "")] * 20
    notification = tell(a_type("order"), people, version=version, channels=["webhook"])
    drain()
    assert stands(notification) == {"pending": 20, "sent": 4}
    account = ProviderAccount.objects.get()
    assert (account.tripped_at, account.paused_until, account.window_faults) == (None, None, 0)


def test_the_accounts_page_shows_the_public_half_of_its_key_only(
    client: Client, admin: Any, fake: FakeReceiver
) -> None:
    account = ProviderAccount.objects.get()
    key = routing.settings_of(account)["signing_key"]
    page = page_of(
        as_role(client, admin).get(reverse("dashboard:channel-account", args=[account.uid]))
    )
    assert webhook.public_key(key) in page.text
    assert (
        key
        not in client.get(reverse("dashboard:channel-account", args=[account.uid])).content.decode()
    )
