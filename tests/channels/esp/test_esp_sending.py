"""A notification leaves through an ESP: in few calls, each reader's own words and links,
and the books say the same.
"""

import datetime as dt
import re
from collections.abc import Iterator

import pytest
from django.utils import timezone

from apps.notifications.accounts.edit import create_account
from apps.notifications.models import ProviderAccount
from tests.fake_esp import DIALECTS, LOST, Answer, FakeEsp
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell

BODY = (
    '<p>Hello {{ follower.name }}, 100% off</p><a href="https://shop.example/">shop</a><p>Bye {{'
    " follower.name }}</p>"
)


@pytest.fixture
def fake(db: None) -> Iterator[FakeEsp]:
    with FakeEsp() as fake:
        yield fake


@pytest.fixture(params=DIALECTS)
def account(request: pytest.FixtureRequest, fake: FakeEsp) -> ProviderAccount:
    now = timezone.now()
    values = fake.settings(request.param, connections=1)
    return create_account(
        enabled=True, name="ESP", provider_key=request.param, settings=values, by=TESTER, now=now
    )


def test_each_reader_gets_their_own_letter_out_of_few_calls(
    fake: FakeEsp, account: ProviderAccount
) -> None:
    people = [
        make_follower(email=f"p{number}@example.com", name=f"P{number}") for number in range(40)
    ]
    fake.bad = {"p7@example.com": "recipient"}
    notification = tell(make_type(), people, version=make_version(body=BODY), tracking=True)
    drain()
    assert stands(notification) == {"sent": 39, "failed": 1}
    assert notification.deliveries.get(status="failed").address.value == "p7@example.com"
    assert len(fake.calls) <= 13, "40 letters, and the one that nobody takes"
    assert sorted(each.to for each in fake.arrived) == sorted(
        f"p{number}@example.com" for number in range(40) if number != 7
    )
    for each in fake.arrived:
        name = each.to.partition("@")[0].title()
        assert each.subject == f"Hello {name}"
        assert f"Hello {name}, 100% off" in each.html
        assert f"Bye {name}" in each.html
        assert f"Hello {name}" in each.text
    found = [re.search(r'href="([^"]+/c/[^"]+)"', each.html) for each in fake.arrived]
    clicks = {link[1] for link in found if link}
    assert len(clicks) == 39, "each has links of their own"
    ways_out = {each.headers["list-unsubscribe"] for each in fake.arrived}
    assert len(ways_out) == 39
    ids = set(notification.deliveries.filter(status="sent").values_list("uid", flat=True))
    assert {each.delivery for each in fake.arrived} == {str(uid) for uid in ids}


def test_a_lost_answer_leaves_the_whole_call_in_doubt_and_a_throttle_holds_the_account(
    fake: FakeEsp, account: ProviderAccount
) -> None:
    people = [
        make_follower(email=f"p{number}@example.com", name=f"P{number}") for number in range(6)
    ]
    fake.faults = [LOST]
    notification = tell(make_type(doubt_policy="hold"), people[:3], version=make_version(body=BODY))
    drain()
    assert stands(notification) == {"in_doubt": 3}
    fake.faults = [Answer(429, {}, {"Retry-After": "120"})]
    again = tell(make_type("other"), people[3:], version=make_version("other", body=BODY))
    before = timezone.now()
    drain()
    assert stands(again) == {"pending": 3}
    account.refresh_from_db()
    assert account.paused_until is not None
    wait = dt.timedelta(seconds=120)
    leeway = dt.timedelta(seconds=20)
    assert before + wait - leeway < account.paused_until < timezone.now() + wait + leeway
