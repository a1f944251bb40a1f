"""What would happen to a message, over the API."""

from typing import Any

import pytest
from django.utils import timezone

from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, set_rhythm
from apps.followers.models import Follower, NotificationType
from apps.notifications.models import Delivery, ProviderAccount, TypeTemplate
from tests.make import TESTER, make_template, make_type

pytestmark = pytest.mark.django_db


@pytest.fixture
def accounts(db: None) -> None:
    for channel, provider in (("email", "smtp"), ("sms", "twilio")):
        ProviderAccount.objects.create(
            enabled=True,
            name=f"Our {channel}",
            provider=provider,
            channel=channel,
            created_at=timezone.now(),
        )


def test_it_says_whether_when_why_and_which_way(
    api: Any, accounts: None, anna: Follower, news: NotificationType
) -> None:
    quiet = {str(day): ["21:00", "09:00"] for day in range(7)}
    set_rhythm(
        follower=anna,
        values=Wishes(quiet=quiet),
        proof=Proof(source="test", by=TESTER, now=timezone.now()),
    )
    path = f"/api/v1/followers/{anna.uid}/delivery-check?type=news&channel=email"
    noon = api.get(f"{path}&at=2026-05-04T12:00:00Z").json()
    account = noon.pop("account")
    assert (account["name"], account["provider"]) == ("Our email", "smtp")
    assert noon == {
        "act": "send", "reason": "default_on", "explanation": "It goes: is on by default.",
        "planned_at": "2026-05-04T12:00:00Z", "segments": None,
    }  # fmt: skip
    night = api.get(f"{path}&at=2026-05-04T20:00:00Z").json()
    assert (night["act"], night["reason"]) == ("wait", "quiet_hours")
    assert night["planned_at"].startswith("2026-05-05T07:0"), (
        "nine in Berlin, and up to two minutes"
    )
    late = api.get(f"{path}&at=2026-05-04T20:00:00Z&expires_at=2026-05-04T21:00:00Z").json()
    assert (late["act"], late["reason"], late["planned_at"], late["account"]) == (
        "skip", "expired_while_waiting", None, None,
    )  # fmt: skip
    assert not Delivery.objects.exists()


def test_it_says_what_a_text_message_costs_and_where_no_account_is_open(
    api: Any, accounts: None, chen: Follower
) -> None:
    kind = make_type(
        "code",
        category="informational",
        channels=["sms", "in_app"],
        default_channels=["sms", "in_app"],
    )
    words = {
        "en": {
            "sms": {"body": "Your code is ready, {{ follower.name }} “now”"},
            "in_app": {"title": "Code"},
        }
    }
    TypeTemplate.objects.create(
        notification_type=kind, template=make_template("code", translations=words)
    )
    said = api.get(f"/api/v1/followers/{chen.uid}/delivery-check?type=code&channel=sms").json()
    assert said["act"] == "send"
    assert said["segments"] == {"encoding": "UCS-2", "count": 1, "units": 33}
    closed = api.get(f"/api/v1/followers/{chen.uid}/delivery-check?type=code&channel=in_app").json()
    assert (closed["act"], closed["account"]) == ("send", None)
    assert "No account" in closed["explanation"]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("channel=email", "type"),
        ("type=none&channel=email", "type"),
        ("type=news&channel=pigeon", "channel"),
        ("type=news&channel=email&at=soon", "at"),
        ("type=news&channel=email&at=9999-12-31T23:59:59Z", "at"),
        ("type=news&channel=email&when=now", "when"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    api: Any, anna: Follower, news: NotificationType, problem: Any, query: str, field: str
) -> None:
    problem(api.get(f"/api/v1/followers/{anna.uid}/delivery-check?{query}"), 400, field)
