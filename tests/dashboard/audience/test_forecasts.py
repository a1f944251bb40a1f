"""The page that says what would happen to a message, and the words of what was put off."""

from typing import Any

import pytest
from django.utils import timezone

from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, set_rhythm
from apps.notifications.models import Delivery, ProviderAccount
from apps.notifications.sending import claim
from tests.dashboard.pages import as_role, page_of
from tests.make import TESTER, make_type
from tests.notifications.world import make_version, tell

QUIET = {str(day): ["21:00", "09:00"] for day in range(7)}


@pytest.fixture
def email(db: None) -> Any:
    return ProviderAccount.objects.create(
        enabled=True, name="Mail", provider="smtp", channel="email", created_at=timezone.now()
    )


def test_a_viewer_asks_what_would_happen_and_reads_why_and_when(client, viewer, anna, email):
    make_type("news")
    set_rhythm(
        follower=anna,
        values=Wishes(quiet=QUIET),
        proof=Proof(source="test", by=TESTER, now=timezone.now()),
    )
    url = f"/followers/{anna.uid}/forecast/"
    as_role(client, viewer)
    assert url in page_of(client.get(f"/followers/{anna.uid}/")).links
    assert "Ask about a message" in page_of(client.get(url)).text
    noon = page_of(client.get(f"{url}?type=news&channel=email&at=2026-05-04T12:00")).text
    assert "Goes" in noon
    assert "4 May 2026, 12:00:00 in Europe/Berlin" in noon
    assert "Mail" in noon
    night = page_of(client.get(f"{url}?type=news&channel=email&at=2026-05-04T23:00")).text
    assert "It waits: the follower has quiet hours" in night
    assert "5 May 2026, 09:0" in night
    refused = page_of(client.get(f"{url}?type=news&channel=email&at=9999-12-31T23:59")).text
    assert "within 10 years" in refused
    assert not Delivery.objects.exists()


def test_a_delivery_that_was_put_off_says_until_when_and_why(
    client, viewer, anna, email, monkeypatch
):
    set_rhythm(
        follower=anna,
        values=Wishes(quiet=QUIET),
        proof=Proof(source="test", by=TESTER, now=timezone.now()),
    )
    night = timezone.now().replace(year=2026, month=5, day=4, hour=21)
    monkeypatch.setattr(claim, "database_now", lambda: night)
    kind = make_type("news", digest=True)
    notification = tell(kind, [anna], version=make_version(), now=night)
    claim.claim(claim.Lane.BULK, owner="me", size=1)
    text = page_of(
        as_role(client, viewer).get(f"/deliveries/{notification.deliveries.get().uid}/")
    ).text
    assert "Until 5 May 2026, 07:0" in text, "in the reader's zone"
    assert "has quiet hours" in text
    assert "Goes out with others" in text
