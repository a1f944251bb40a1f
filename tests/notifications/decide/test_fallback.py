"""One channel after the other, until one got through; never wider than consent."""

import datetime as dt
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from apps.content.drafts import published_version
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Follower, NotificationType
from apps.notifications.books import tallies
from apps.notifications.decide import fallback
from apps.notifications.decide.decision import ChainState
from apps.notifications.engagement import store
from apps.notifications.models import Delivery, Notification
from tests.make import TESTER, make_follower, make_template, make_type
from tests.notifications.world import drain, make_due, make_version, stands, tell
from tests.receiver import Receiver

CHAIN = ["in_app", "email", "sms"]
SOON = dt.timedelta(seconds=600)


@pytest.fixture
def kind(db: None) -> NotificationType:
    return make_type(
        "code",
        category="informational",
        channels=CHAIN,
        default_channels=CHAIN,
        fallback=CHAIN,
        fallback_after=600,
    )


@pytest.fixture
def emil(db: None) -> Follower:
    return make_follower(email="emil@example.com", phone="+4915112345678", name="Emil")


def told(
    kind: NotificationType, *people: Follower, channels: list[str] = CHAIN, **fields: Any
) -> Notification:
    words = {
        "in_app": {"title": "Hi"},
        "email": {"subject": "Hi", "text": "Hi"},
        "sms": {"body": "Hi"},
    }
    version = published_version(make_template("code", translations={"en": words}))
    return tell(kind, list(people), version=version, channels=channels, **fields)


def row(notification: Notification, channel: str) -> Delivery:
    return notification.deliveries.get(channel=channel)


def waits(notification: Notification) -> dict[str, int]:
    """Seconds after the beginning at which each waiting row is due."""
    rows = notification.deliveries.filter(status="pending")
    return {
        each.channel: round((each.due_at - notification.send_at).total_seconds()) for each in rows
    }


def lose(notification: Notification, channel: str, *, status: str = "failed") -> None:
    """As a sender books a refusal for good."""
    gone = row(notification, channel)
    deltas = tallies.moved(
        [tallies.Place(notification.pk, channel, gone.status, gone.reason)],
        [tallies.Place(notification.pk, channel, status, "refused_recipient")],
    )
    Delivery.objects.filter(pk=gone.pk).update(status=status, reason="refused_recipient")
    fallback.advance(deliveries=[gone.pk], now=timezone.now())
    tallies.shift(deltas)


def arrive(notification: Notification, channel: str, status: str) -> Delivery:
    """As a sender books that it was handed over, or a provider reports that it arrived."""
    rows = notification.deliveries.filter(channel=channel)
    before = [tallies.Place(notification.pk, channel, each.status, each.reason) for each in rows]
    tallies.shift(tallies.moved(before, [place._replace(status=status) for place in before]))
    rows.update(status=status)
    return rows.get()


def test_each_channel_of_a_chain_waits_for_the_time_of_those_before_it(
    kind: NotificationType, emil: Follower
) -> None:
    notification = told(kind, emil)
    assert (notification.fallback, notification.fallback_after) == (CHAIN, 600)
    assert waits(notification) == {"in_app": 0, "email": 600, "sms": 1200}


def test_a_channel_that_was_skipped_at_birth_takes_no_time(
    kind: NotificationType, emil: Follower, anna: Follower
) -> None:
    acts.set_preferences(
        follower=emil,
        cells={("code", "in_app"): False},
        mutes={},
        proof=Proof(source="test", by=TESTER, now=timezone.now()),
    )
    his = told(kind, emil)
    assert waits(his) == {"email": 0, "sms": 600}
    assert row(his, "in_app").reason == "preference_off"
    assert stands(his) == {"pending": 2, "skipped": 1}


def test_a_chain_covers_only_the_channels_the_message_goes_out_on(
    kind: NotificationType, emil: Follower
) -> None:
    notification = told(kind, emil, channels=["sms", "email"])
    assert notification.fallback == ["email", "sms"]
    assert waits(notification) == {"email": 0, "sms": 600}
    alone = tell(kind, [emil], version=notification.version, channels=["sms"])
    assert (alone.fallback, waits(alone)) == ([], {"sms": 0})


def test_a_channel_outside_the_chain_goes_at_once(kind: NotificationType, emil: Follower) -> None:
    NotificationType.objects.update(fallback=["email", "sms"])
    kind.refresh_from_db()
    assert waits(told(kind, emil)) == {"in_app": 0, "email": 0, "sms": 600}


def test_a_failure_for_good_makes_the_next_channel_due_now_and_only_that(
    kind: NotificationType, emil: Follower
) -> None:
    notification = told(kind, emil)
    lose(notification, "email")
    assert waits(notification) == {"in_app": 0, "sms": 1200}, "the first one may still get through"
    lose(notification, "in_app")
    assert row(notification, "sms").due_at <= timezone.now()
    assert stands(notification) == {"failed": 2, "pending": 1}


def test_a_try_that_was_put_off_keeps_its_own_time(kind: NotificationType, emil: Follower) -> None:
    notification = told(kind, emil)
    notification.deliveries.filter(channel="email").update(attempts=1)
    lose(notification, "in_app")
    assert waits(notification)["email"] == 600


def test_whoever_was_reached_gets_nothing_on_the_later_channels(
    kind: NotificationType, emil: Follower, anna: Follower
) -> None:
    notification = told(kind, emil)
    hers = told_again(notification, anna)
    first = arrive(notification, "in_app", "delivered")
    tallies.shift(fallback.reached(deliveries=[first.pk], now=timezone.now()))
    assert {(each.channel, each.status, each.reason) for each in notification.deliveries.all()} == {
        ("in_app", "delivered", "default_on"),
        ("email", "skipped", "reached_elsewhere"),
        ("sms", "skipped", "reached_elsewhere"),
    }
    assert stands(notification) == {"delivered": 1, "skipped": 2}
    assert set(waits(hers)) == {"in_app", "email"}, "another person's message waits as before"


def told_again(notification: Notification, *people: Follower) -> Notification:
    return tell(
        notification.notification_type, list(people), version=notification.version, channels=CHAIN
    )


BROWSER = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0"


def click(mail: Delivery, at: dt.datetime, *links: int, agent: str = BROWSER) -> None:
    """Links of the mail are opened, and some seconds pass."""
    store.store([store.Event(mail.uid, link, at, agent) for link in links])
    store.tell_chains(now=at + dt.timedelta(seconds=5))


def mailed_first(kind: NotificationType, emil: Follower) -> tuple[Notification, Delivery]:
    """A mail handed over an hour ago, and an SMS whose time has come; nobody took it yet."""
    notification = told(kind, emil, channels=["email", "sms"])
    mail = arrive(notification, "email", "sent")
    now = timezone.now()
    notification.deliveries.filter(channel="email").update(finished_at=now - 6 * SOON)
    notification.deliveries.filter(channel="sms").update(due_at=now)
    assert stands(notification) == {"sent": 1, "pending": 1}
    return notification, mail


def test_a_click_of_the_reader_calls_off_the_next_channel(
    kind: NotificationType, emil: Follower
) -> None:
    notification, mail = mailed_first(kind, emil)
    now = timezone.now()
    store.store([store.Event(mail.uid, 1, now, BROWSER)])
    store.tell_chains(now=now + dt.timedelta(seconds=4))
    assert stands(notification) == {"sent": 1, "pending": 1}, "it may be one of a burst"
    store.tell_chains(now=now + dt.timedelta(seconds=5))
    assert row(notification, "sms").reason == "reached_elsewhere"
    assert stands(notification) == {"sent": 1, "skipped": 1}


def test_the_claim_waits_for_a_click_that_may_be_one_of_a_burst(
    kind: NotificationType, emil: Follower
) -> None:
    notification, mail = mailed_first(kind, emil)
    at = notification.send_at + 2 * SOON
    store.store([store.Event(mail.uid, 1, at, BROWSER)])
    asked: dict[str, Any] = {
        "notification": notification, "channel": "sms", "followers": [emil.pk],
    }  # fmt: skip
    until = at + dt.timedelta(seconds=5)
    waits = fallback.standings(**asked, now=at)
    assert waits == {emil.pk: (ChainState.TRYING, until)}
    assert fallback.standings(**asked, now=until)[emil.pk][0] is ChainState.REACHED
    store.store([store.Event(mail.uid, 2, at + dt.timedelta(seconds=1), BROWSER)])
    assert fallback.standings(**asked, now=until)[emil.pk] == (
        ChainState.TRYING,
        notification.send_at + SOON,
    )


@pytest.mark.reported
@pytest.mark.parametrize(
    ("links", "agent"),
    [
        ([0], BROWSER),
        ([0, 0, 0], BROWSER),
        ([0], "Mozilla/5.0"),
        ([0], "Mozilla/5.0 (Windows NT 5.1) Gecko (via ggpht.com GoogleImageProxy)"),
        ([1, 2, 3], BROWSER),
        ([1, 2], BROWSER),
        ([1], "Mozilla/5.0 (compatible; Barracuda Sentinel)"),
        ([1], "python-requests/2.32"),
        ([1], ""),
    ],
    ids=["an open", "opens", "Apple Mail", "Gmail", "three links", "two links", "gateway",
         "program", "nameless"],
)  # fmt: skip
def test_a_scanner_or_an_open_does_not_call_off_the_fallback(
    kind: NotificationType, emil: Follower, links: list[int], agent: str
) -> None:
    notification, mail = mailed_first(kind, emil)
    click(mail, timezone.now(), *links, agent=agent)
    assert stands(notification) == {"sent": 1, "pending": 1}
    asked = fallback.standings(
        notification=notification, channel="sms", followers=[emil.pk], now=timezone.now() + SOON
    )
    assert asked[emil.pk][0] is ChainState.TRYING


@pytest.mark.reported
def test_a_click_seconds_after_the_hand_over_does_not_call_off_the_fallback(
    kind: NotificationType, emil: Follower
) -> None:
    notification, mail = mailed_first(kind, emil)
    now = timezone.now()
    Delivery.objects.filter(pk=mail.pk).update(finished_at=now - dt.timedelta(seconds=4))
    click(mail, now, 1)
    assert stands(notification) == {"sent": 1, "pending": 1}


@pytest.mark.reported
@pytest.mark.parametrize("category", ["critical", "action_required"])
def test_what_somebody_has_to_know_ends_by_their_own_word_only(
    kind: NotificationType, emil: Follower, category: str
) -> None:
    NotificationType.objects.update(category=category)
    kind.refresh_from_db()
    notification, mail = mailed_first(kind, emil)
    now = timezone.now()
    click(mail, now, 1)
    arrive(notification, "email", "delivered")
    tallies.shift(fallback.reached(deliveries=[mail.pk], now=now))
    assert stands(notification) == {"delivered": 1, "pending": 1}
    asked: dict[str, Any] = {
        "notification": notification, "channel": "sms", "followers": [emil.pk], "now": now + SOON,
    }  # fmt: skip
    assert fallback.standings(**asked)[emil.pk][0] is ChainState.TRYING
    fallback.acknowledge(delivery=mail, by=TESTER, now=now)
    assert mail.acknowledged_at == now
    assert stands(notification) == {"delivered": 1, "skipped": 1}
    assert fallback.standings(**asked)[emil.pk][0] is ChainState.REACHED
    fallback.acknowledge(delivery=mail, by=TESTER, now=now + SOON)
    assert mail.acknowledged_at == now
    assert mail.events.get().kind == "acknowledged"


@pytest.mark.reported
@pytest.mark.parametrize("category", ["critical", "action_required"])
def test_reading_in_the_inbox_ends_the_chain_of_what_somebody_has_to_know(
    kind: NotificationType, emil: Follower, category: str
) -> None:
    NotificationType.objects.update(category=category)
    kind.refresh_from_db()
    notification = told(kind, emil)
    item = arrive(notification, "in_app", "sent")
    fallback.read(deliveries=[item.uid], now=timezone.now())
    assert stands(notification) == {"delivered": 1, "skipped": 2}


def test_reading_in_the_inbox_spares_the_fallbacks_beside_it_but_not_their_first(
    kind: NotificationType, emil: Follower
) -> None:
    NotificationType.objects.update(fallback=["email", "sms"])
    kind.refresh_from_db()
    notification = told(kind, emil)
    item = arrive(notification, "in_app", "sent")
    fallback.read(deliveries=[item.uid], now=timezone.now())
    assert stands(notification) == {"delivered": 1, "pending": 1, "skipped": 1}
    assert set(waits(notification)) == {"email"}
    fallback.read(deliveries=[item.uid, UUID(int=7)], now=timezone.now())
    assert stands(notification) == {"delivered": 1, "pending": 1, "skipped": 1}, (
        "once and twice is the same"
    )


@pytest.mark.parametrize(
    ("before", "standing", "turn"),
    [
        ("pending", ChainState.TRYING, 1),
        ("sent", ChainState.TRYING, 1),
        ("in_doubt", ChainState.TRYING, 1),
        ("delivered", ChainState.REACHED, 1),
        ("failed", ChainState.NONE, 0),
        ("cancelled", ChainState.NONE, 0),
    ],
)
def test_the_claim_is_told_how_the_earlier_channels_stand(
    kind: NotificationType, emil: Follower, before: str, standing: ChainState, turn: int
) -> None:
    notification = told(kind, emil, channels=["email", "sms"])
    notification.deliveries.filter(channel="email").update(status=before)
    now = timezone.now()
    asked: dict[str, Any] = {"notification": notification, "followers": [emil.pk], "now": now}
    assert fallback.standings(channel="sms", **asked) == {
        emil.pk: (standing, notification.send_at + turn * SOON)
    }
    assert fallback.standings(channel="email", **asked) == {}, "the first one waits for nobody"


def test_what_went_into_a_digest_may_still_get_through(
    kind: NotificationType, emil: Follower
) -> None:
    notification = told(kind, emil, channels=["email", "sms"])
    notification.deliveries.filter(channel="email").update(status="skipped", reason="in_digest")
    found = fallback.standings(
        notification=notification, channel="sms", followers=[emil.pk], now=timezone.now()
    )
    assert found[emil.pk][0] is ChainState.TRYING


# ------------------------------------------------------------------ as the senders do it
@pytest.fixture
def mail_first(receiver: Receiver) -> NotificationType:
    return make_type(
        "hint", category="informational", fallback=["email", "in_app"], fallback_after=600
    )


def hinted(kind: NotificationType, person: Follower) -> Notification:
    version = make_version("hint")
    return tell(kind, [person], version=version, channels=["in_app", "email"])


def test_a_refused_mail_is_made_up_for_by_the_inbox_at_once(
    mail_first: NotificationType, anna: Follower, receiver: Receiver
) -> None:
    receiver.answers["RCPT"] = "550 5.1.1 nobody of that name"
    notification = hinted(mail_first, anna)
    drain()
    drain()
    assert stands(notification) == {"failed": 1, "sent": 1}
    assert notification.deliveries.get(status="sent").channel == "in_app"


def test_a_mail_that_was_taken_has_its_time_and_then_the_inbox_has_it(
    mail_first: NotificationType, anna: Follower, receiver: Receiver
) -> None:
    notification = hinted(mail_first, anna)
    drain()
    assert stands(notification) == {"sent": 1, "pending": 1}
    make_due(notification)  # not its turn: the mail's time is not over
    drain()
    assert stands(notification) == {"sent": 1, "pending": 1}
    Notification.objects.update(send_at=notification.send_at - SOON)
    make_due(notification)
    drain()
    assert stands(notification) == {"sent": 2}


def test_a_fallback_that_was_switched_off_meanwhile_is_not_sent(
    mail_first: NotificationType, anna: Follower, receiver: Receiver
) -> None:
    receiver.answers["RCPT"] = "550 5.1.1 nobody of that name"
    notification = hinted(mail_first, anna)
    acts.set_preferences(
        follower=anna,
        cells={("hint", "in_app"): False},
        mutes={},
        proof=Proof(source="test", by=TESTER, now=timezone.now()),
    )
    drain()
    drain()
    assert stands(notification) == {"failed": 1, "skipped": 1}
    assert row(notification, "in_app").reason == "preference_off"


def test_a_first_channel_that_was_switched_off_meanwhile_gives_way_at_once(
    mail_first: NotificationType, anna: Follower, receiver: Receiver
) -> None:
    notification = hinted(mail_first, anna)
    acts.set_preferences(
        follower=anna,
        cells={("hint", "email"): False},
        mutes={},
        proof=Proof(source="test", by=TESTER, now=timezone.now()),
    )
    drain()
    drain()
    assert stands(notification) == {"skipped": 1, "sent": 1}
    assert not receiver.arrived
