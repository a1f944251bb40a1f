"""A notification leaves as text messages: from the words of a template to the phone,
and the books say the same.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.content import drafts
from apps.content.models import Version
from apps.notifications.accounts.edit import create_account
from apps.notifications.models import ProviderAccount
from tests.campaigns.drafts import make_campaign
from tests.dashboard.pages import as_role, page_of
from tests.fake_esp import LOST, Answer
from tests.fake_sms import SAYS, FakeSms
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, stands, tell
from tests.subscriptions.pages import preferences_path, visit

BODY = (
    "Hi {{ follower.first_name }}: {{ follower.phone }}\n{% if false %}never{% endif %}Bye & thanks"
)


@pytest.fixture
def fake(db: None) -> Iterator[FakeSms]:
    with FakeSms() as fake:
        yield fake


@pytest.fixture(params=["twilio", "vonage", "sinch"])
def account(request: pytest.FixtureRequest, fake: FakeSms) -> ProviderAccount:
    return an_account(fake, request.param)


def an_account(fake: FakeSms, provider: str, **fields: Any) -> ProviderAccount:
    values = {"status_url": "https://carillon.example/hooks/sms", **fake.settings(provider)}
    return create_account(
        enabled=True,
        name=provider.title(),
        provider_key=provider,
        settings=values,
        by=TESTER,
        now=timezone.now(),
        **fields,
    )


@pytest.fixture
def version(db: None) -> Version:
    now = timezone.now()
    words = {
        "en": {"sms": {"body": BODY}},
        "ru": {"sms": {"body": "Привет, {{ follower.first_name }}"}},
    }
    template = drafts.create_template(
        key="text", name="Text", translations=words, by=TESTER, now=now
    )
    return drafts.publish(template=template, by=TESTER, now=now)


def a_type(**fields: Any) -> Any:
    return make_type(channels=["email", "sms"], default_channels=["email", "sms"], **fields)


def test_each_reader_gets_their_own_text_in_their_language_once(
    fake: FakeSms, account: ProviderAccount, version: Version
) -> None:
    people = [
        make_follower(name="Anna Weber", phone="+4915112340001"),
        make_follower(name="Борис Иванов", phone="+79161234567", language="ru"),
        make_follower(name="No Phone", email="nophone@example.com"),
    ]
    notification = tell(a_type(), people, version=version, channels=["sms"])
    drain()
    drain()
    assert stands(notification) == {"sent": 2, "skipped": 1}
    assert notification.deliveries.get(status="skipped").reason == "no_address"
    texts = {each.to: each for each in fake.arrived}
    assert texts["+4915112340001"].body == "Hi Anna: +4915112340001\nBye & thanks"
    assert texts["+79161234567"].body == "Привет, Борис"
    rows = {str(row.uid): row for row in notification.deliveries.filter(status="sent")}
    assert {each.delivery for each in fake.arrived} == set(rows)
    assert all(row.provider_id for row in rows.values())


def test_every_way_it_can_fail_is_booked_as_what_it_was(
    fake: FakeSms, account: ProviderAccount, version: Version
) -> None:
    people = [make_follower(name=f"P{n}", phone=f"+491511234000{n}") for n in range(5)]
    fake.bad = {"+4915112340000": "opted_out", "+4915112340001": "content"}
    notification = tell(a_type(doubt_policy="hold"), people[:3], version=version, channels=["sms"])
    drain()
    assert stands(notification) == {"sent": 1, "failed": 2}
    reasons = notification.deliveries.filter(status="failed").values_list(
        "address__value", "reason"
    )
    assert dict(reasons) == {
        "+4915112340000": "refused_recipient",
        "+4915112340001": "refused_content",
    }
    for fault, status in [
        (LOST, "in_doubt"),
        (Answer(500, "oops"), "in_doubt"),
        (Answer(429, {}), "pending"),
    ]:
        fake.faults = [fault]
        kind = a_type(key=f"k{status}{fault == LOST}", doubt_policy="hold")
        again = tell(kind, people[3:4], version=version, channels=["sms"])
        drain()
        assert stands(again) == {status: 1}


def test_an_account_that_is_refused_leaves_the_message_to_the_next_one(
    fake: FakeSms, version: Version
) -> None:
    first = an_account(fake, "twilio", position=1)
    an_account(fake, "sinch", position=2)
    fake.faults = [SAYS["twilio"]["account"]]
    person = make_follower(name="Anna", phone="+4915112340001")
    notification = tell(a_type(), [person], version=version, channels=["sms"])
    drain()
    drain()
    assert stands(notification) == {"sent": 1}
    assert [call.path.split("/")[1] for call in fake.calls] == ["twilio", "sinch"]
    assert [each.to for each in fake.arrived] == ["+4915112340001"]
    first.refresh_from_db()
    assert "•••" in first.last_error


def test_an_account_is_tried_with_a_real_text_to_a_phone(
    client: Client, admin: Any, fake: FakeSms, account: ProviderAccount
) -> None:
    page = page_of(
        as_role(client, admin).get(reverse("dashboard:channel-account", args=[account.uid]))
    )
    assert "Send a test to" in page.text
    url = reverse("dashboard:channel-account-test", args=[account.uid])
    answer = page_of(client.post(url, {"to": "+49 151 12340001"}, follow=True))
    assert "The server took the test for +49 151 12340001" in answer.text
    [arrived] = fake.arrived
    assert arrived.to == "+4915112340001"
    assert account.name in arrived.body
    fake.faults = [SAYS[account.provider]["sender"]]
    assert "was not taken" in page_of(client.post(url, {"to": "+4915112340001"}, follow=True)).text
    assert (
        "is not a phone number"
        in page_of(client.post(url, {"to": "me@staff.example"}, follow=True)).text
    )
    assert "Write the phone number" in page_of(client.post(url, {"to": ""}, follow=True)).text
    assert len(fake.calls) == 2


def test_the_preview_tells_what_a_text_costs_and_which_character_makes_it_dearer(
    client: Client, viewer: Any, version: Version
) -> None:
    as_role(client, viewer)
    url = reverse("dashboard:preview", args=[version.uid])
    english = page_of(client.get(url, {"channel": "sms", "language": "en"})).text
    assert "Hi Alex: Bye & thanks" in english
    assert "1 segment, and room for 138 more characters in it." in english
    assert "instead of 160" not in english
    russian = page_of(client.get(url, {"channel": "sms", "language": "ru"})).text
    assert (
        "“П” “р” “и” “в” “е” “т” are not in the alphabet of SMS: because of them a segment holds 70"
        " characters" in russian
    )


def test_a_text_with_a_picture_is_no_sms_and_is_not_counted_in_segments(
    client: Client, viewer: Any
) -> None:
    as_role(client, viewer)
    words = {"en": {"sms": {"media": "https://carillon.example/m/cat.png"}}}
    made = drafts.create_template(
        key="cat", name="Cat", translations=words, by=TESTER, now=timezone.now()
    )
    version = drafts.publish(template=made, by=TESTER, now=timezone.now())
    page = page_of(
        client.get(reverse("dashboard:preview", args=[version.uid]), {"channel": "sms"})
    ).text
    assert "https://carillon.example/m/cat.png" in page
    assert "The picture makes it an MMS" in page
    assert "segment" not in page


def test_the_preview_of_a_campaign_tells_it_too(client: Client, viewer: Any) -> None:
    campaign = make_campaign()
    words = {"en": {"sms": {"body": "It’s ready, {{ follower.name }}"}}}
    drafts.edit_draft(
        template=campaign.template,
        values=drafts.DraftValues(translations=words),
        by=TESTER,
        now=timezone.now(),
    )
    url = reverse("dashboard:campaign-preview", args=[campaign.uid])
    page = page_of(as_role(client, viewer).get(url, {"preview_channel": "sms"})).text
    assert "It’s ready, Alex Example" in page
    assert "1 segment, and room for 46 more characters in it." in page
    assert "“’” is not in the alphabet of SMS: because of it a segment holds 70 characters" in page


def test_the_preference_center_has_a_column_for_sms_that_says_when_there_is_no_number(
    client: Client, db: None
) -> None:
    a_type()
    with_phone = make_follower(email="with@example.com", phone="+4915112340001")
    without = make_follower(email="without@example.com")
    page = visit(client, preferences_path(with_phone)).text
    assert "SMS" in page
    assert "••• 01" in page
    assert "no phone yet" not in page
    assert "SMS: no phone yet – add one below." in visit(client, preferences_path(without)).text
