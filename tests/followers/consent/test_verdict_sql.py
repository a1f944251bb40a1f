"""The set-wise verdict and the pure one are two spellings of the same rules."""

import itertools

import pytest
from django.utils import timezone

from apps.followers.consent.verdict import AddressFacts, FollowerFacts, judge
from apps.followers.consent.verdict_sql import type_facts, with_verdict
from apps.followers.models import (
    Address,
    ChannelMute,
    Follower,
    NotificationType,
    Preference,
    Suppression,
)
from tests.make import make_type

KINDS = [
    {"category": "marketing", "default_channels": ["email"]},
    {"category": "marketing", "default_channels": []},
    {"category": "informational", "default_channels": ["email"]},
    {"category": "informational", "default_channels": ["email"], "locked_channels": ["email"]},
    {"category": "critical", "default_channels": ["email"]},
    {"category": "critical", "default_channels": ["email"], "confirms": True},
    {"category": "marketing", "active": False},
    {"category": "informational", "channels": ["in_app"], "default_channels": ["in_app"]},
]


def _everybody(kind: NotificationType) -> dict[int, tuple[AddressFacts, FollowerFacts]]:
    """One follower for every combination of facts."""
    now = timezone.now()
    expected = {}
    states = ["", "unconfirmed", "active", "bounced", "suppressed", "off"]
    combinations = itertools.product(
        states, [False, True], [False, True], [False, True], [None, False, True]
    )
    for number, (state, listed, subscribed, muted, own) in enumerate(combinations):
        if listed and not state:
            continue
        follower = Follower.objects.create(
            name=f"F{number}",
            subscribed=subscribed,
            subscribed_at=now,
            created_at=now,
            updated_at=now,
        )
        if state:
            key = f"f{number}@example.com"
            Address.objects.create(
                follower=follower, channel="email", value=key, key=key, state=state, created_at=now
            )
            if listed:
                Suppression.objects.create(
                    channel="email", key=key, reason="manual", created_at=now
                )
        if muted:
            ChannelMute.objects.create(follower=follower, channel="email", created_at=now)
        if own is not None:
            Preference.objects.create(
                follower=follower,
                notification_type=kind,
                channel="email",
                allowed=own,
                updated_at=now,
            )
        expected[follower.pk] = (
            AddressFacts(True, state, listed),
            FollowerFacts(subscribed, muted, own),
        )
    return expected


@pytest.mark.parametrize("fields", KINDS)
def test_both_spellings_agree_on_every_combination_of_facts(
    db: None, fields: dict[str, object]
) -> None:
    kind = make_type("news", **fields)
    everybody = _everybody(kind)
    judged = dict(with_verdict(Follower.objects.all(), kind, "email").values_list("pk", "verdict"))
    assert judged == {
        pk: judge(address, type_facts(kind, "email"), person).reason.value
        for pk, (address, person) in everybody.items()
    }
    assert len(judged) == 6 * 24 - 12


def test_a_channel_without_addresses_asks_for_none(db: None) -> None:
    now = timezone.now()
    Follower.objects.create(
        name="Dana", subscribed=True, subscribed_at=now, created_at=now, updated_at=now
    )
    [dana] = with_verdict(Follower.objects.all(), make_type("news"), "in_app")
    assert dana.verdict == "default_on"


def test_whoever_has_many_phones_is_judged_once_for_each_that_is_not_gone(db: None) -> None:
    kind = make_type("news", channels=["push"], default_channels=["push"])
    now = timezone.now()
    chen = Follower.objects.create(
        name="Chen", subscribed=True, subscribed_at=now, created_at=now, updated_at=now
    )
    for token, state in [("a", "active"), ("b", "active"), ("c", "gone")]:
        Address.objects.create(
            follower=chen,
            channel="push",
            value=token,
            key=token,
            state=state,
            primary=False,
            created_at=now,
        )
    judged = with_verdict(Follower.objects.all(), kind, "push")
    found = judged.values_list("primary_address__key", "verdict").order_by("primary_address__key")
    assert list(found) == [("a", "default_on"), ("b", "default_on")]
