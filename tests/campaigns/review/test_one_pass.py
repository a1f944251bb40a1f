"""One statement says of everybody what planning then does."""

import random
from collections import Counter
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from apps.campaigns import lifecycle
from apps.campaigns.models import Campaign
from apps.campaigns.review import one_pass
from apps.campaigns.review.numbers import Numbers
from apps.campaigns.review.review import look, question_of, review
from apps.followers.models import (
    Address,
    AddressState,
    Channel,
    ChannelMute,
    Follower,
    NotificationType,
    Preference,
    Suppression,
    Tag,
    Tagging,
)
from apps.notifications.models import Cap, Delivery, DeliveryStatus
from tests.campaigns.drafts import WORDS, make_campaign, plan
from tests.make import TESTER, make_type

pytestmark = pytest.mark.django_db

NOW = timezone.now()
CHANNELS = ["email", "sms", "push", "web_push", "in_app", "voice"]
DEVICES = {"push", "web_push"}
LANGUAGES = ["en", "ru", "de"]
KINDS: list[dict[str, Any]] = [
    {"category": "marketing", "default_channels": ["email", "push"]},
    {"category": "informational", "default_channels": ["sms", "in_app", "web_push"]},
    {"category": "informational", "locked_channels": ["email", "push"]},
    {"category": "critical"},
]


def crowd(dice: random.Random, kinds: list[NotificationType], size: int) -> None:
    """People of whom each says something else."""
    people = [
        Follower(
            language=dice.choice(LANGUAGES),
            subscribed=dice.random() < 0.7,
            subscribed_at=NOW,
            created_at=NOW,
            updated_at=NOW,
        )
        for _ in range(size)
    ]
    tag = Tag.objects.create(name="Press", slug="press", created_at=NOW)
    followers = Follower.objects.bulk_create(people)
    addresses: list[Address] = []
    taggings = []
    mutes = []
    cells = []
    for follower in followers:
        addresses += _addresses(dice, follower)
        if dice.random() < 0.4:
            taggings.append(Tagging(follower=follower, tag=tag, created_at=NOW))
        for channel in CHANNELS:
            if dice.random() < 0.1:
                mutes.append(ChannelMute(follower=follower, channel=channel, created_at=NOW))
            for kind in kinds:
                if dice.random() < 0.2:
                    cell = {"follower": follower, "notification_type": kind, "channel": channel}
                    allowed = dice.random() < 0.5
                    cells.append(Preference(**cell, allowed=allowed, updated_at=NOW))
    Address.objects.bulk_create(addresses)
    Tagging.objects.bulk_create(taggings)
    ChannelMute.objects.bulk_create(mutes)
    Preference.objects.bulk_create(cells)
    listed = [
        Suppression(channel=each.channel, key=each.key, reason="manual", created_at=NOW)
        for each in addresses
        if dice.random() < 0.1
    ]
    Suppression.objects.bulk_create(listed)


def _addresses(dice: random.Random, follower: Follower) -> list[Address]:
    found = []
    for channel in ("email", "sms", *DEVICES):
        for number in range(dice.choice([0, 1, 1, 2])):
            key = f"{follower.pk}-{channel}-{number}"
            found.append(
                Address(
                    follower=follower,
                    channel=channel,
                    value=key,
                    key=key,
                    state=dice.choice(["active", "active", *AddressState.values]),
                    primary=channel not in DEVICES and number == 0,
                    created_at=NOW,
                )
            )
    return found


def numbers_of(campaign: Campaign) -> Numbers:
    ready = look(campaign, now=NOW)
    return one_pass.count(question_of(campaign, ready), now=NOW)


def test_it_counts_and_names_exactly_whom_planning_writes() -> None:
    dice = random.Random(2026)
    kinds = []
    for number, fields in enumerate(KINDS):
        kinds.append(make_type(f"kind_{number}", **{"channels": CHANNELS} | fields))
    crowd(dice, kinds, 300)
    # a cap is judged at the hand-over: it takes nobody out of the plan
    Cap.objects.create(name="Few", channels=CHANNELS, limit=1, seconds=60, created_at=NOW)
    words = {channel: {"body": "Hello"} for channel in ("sms", "push", "web_push", "voice")}
    words["push"] = words["web_push"] = {"title": "Hello", "body": "Hello"}
    for kind in kinds:
        channels = dice.sample(CHANNELS, 4)
        campaign = make_campaign(
            notification_type=kind,
            channels=channels,
            translations={"en": WORDS["en"] | words},
            audience=dice.choice(
                [{"everyone": True}, {"everyone": True, "exclude_tags": ["press"]}]
            ),
        )
        promised = numbers_of(campaign)
        run = lifecycle.send_now(campaign=campaign, by=TESTER, now=NOW)
        plan(run)
        rows = Delivery.objects.filter(notification=run.notification)
        written = Counter(rows.values_list("channel", "reason"))
        told = {}
        for channel, reasons in promised.channels.items():
            for each in reasons:
                told[channel, each.reason] = each.count
                got = rows.filter(channel=channel, reason=each.reason)
                whom = set(got.values_list("follower_id", flat=True))
                assert whom.issuperset(each.samples)
                assert len(each.samples) == min(one_pass.SAMPLE, len(whom))
        assert told == written
        going = rows.filter(status=DeliveryStatus.PENDING)
        reached = set(going.values_list("follower__language", "follower_id"))
        assert promised.readers == Counter(language for language, _ in reached)
        assert promised.reached == len(reached)
        assert promised.total == rows.values("follower").distinct().count()


def test_people_who_sit_together_are_named_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a large crowd one of each slice of ids is known; here all share the same slice."""
    monkeypatch.setattr(one_pass, "SLICES", 1)
    crowd(random.Random(7), [], 60)
    campaign = make_campaign(audience={"everyone": True}, channels=["email"])
    by_mail = numbers_of(campaign).channels["email"]
    assert sum(each.count for each in by_mail) == 60
    monkeypatch.undo()
    alone = {each.reason: each for each in numbers_of(campaign).channels["email"]}
    for each in by_mail:
        assert each.count == alone[each.reason].count
        assert each.samples == alone[each.reason].samples


def test_it_asks_the_same_few_questions_whatever_the_crowd(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    crowd(random.Random(3), [], 40)
    campaign = make_campaign(audience={"everyone": True})
    ready = look(campaign, now=NOW)
    question = question_of(campaign, ready)
    with django_assert_num_queries(2):  # the ends of all ids, and one for all
        one_pass.count(question, now=NOW)


def test_each_channel_is_judged_for_its_own_words() -> None:
    assert {*CHANNELS, Channel.WEBHOOK} == set(Channel)
    crowd(random.Random(5), [], 20)
    found = review(make_campaign(audience={"everyone": True}))
    assert [each.channel for each in found.channels] == ["email", "in_app"]
    assert all(each.will_get + each.will_not == 20 for each in found.channels)
