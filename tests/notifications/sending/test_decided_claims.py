"""The claim does what is decided, and the forecast says what the claim then does.

The clock stands still.
"""

import datetime as dt
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.consent.rhythm import Wishes, set_rhythm
from apps.followers.models import Follower, NotificationType
from apps.followers.people.contacts import change_follower
from apps.followers.people.profile import Profile
from apps.lib.queue.lanes import Lane
from apps.notifications.decide import caps
from apps.notifications.decide.decision import Act
from apps.notifications.digests import flush
from apps.notifications.forecast import Forecast, forecast
from apps.notifications.messages.row import Row
from apps.notifications.models import (
    Cap,
    Delivery,
    DeliveryEvent,
    Notification,
    ProviderAccount,
    Use,
)
from apps.notifications.sending import claim
from apps.notifications.sending import held as sending_held
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_version, stands, tell

NIGHT = dt.datetime(2026, 5, 4, 23, 0, tzinfo=dt.UTC)  # a Monday
HOUR = dt.timedelta(hours=1)
DAY = dt.timedelta(days=1)
NIGHTS = {str(day): ["22:00", "07:00"] for day in range(7)}
pytestmark = pytest.mark.django_db


class Clock:
    """The database's, as the claim reads it."""

    now = NIGHT


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(claim, "database_now", lambda: clock.now)
    for channel, provider in (("email", "smtp"), ("in_app", "in_app"), ("sms", "twilio")):
        ProviderAccount.objects.create(
            enabled=True, name=channel, provider=provider, channel=channel, created_at=NIGHT
        )
    return clock


def wish(follower: Follower, *, now: dt.datetime = NIGHT, **wishes: Any) -> None:
    set_rhythm(
        follower=follower, values=Wishes(**wishes), proof=Proof(source="test", by=TESTER, now=now)
    )


def cap(most: int, **fields: Any) -> Cap:
    values = {
        "name": f"at most {most}",
        "channels": ["email"],
        "commercial": False,
        "seconds": 3600,
    }
    return Cap.objects.create(limit=most, created_at=NIGHT, **(values | fields))


def send(
    kind: NotificationType, people: list[Follower], clock: Clock, **fields: Any
) -> Notification:
    """Tell them and let one sender take what goes."""
    notification = tell(kind, people, now=clock.now, **fields)
    take(Lane(notification.lane))
    return notification


def take(*lanes: Lane) -> list[Row]:
    """All that one sender can have now."""
    rows: list[Row] = []
    for lane in lanes or Lane:
        while batch := claim.claim(lane, owner="me", size=100):
            rows += batch.rows
    return rows


def only(notification: Notification) -> Delivery:
    return notification.deliveries.get()


@pytest.fixture
def kind(db: None) -> NotificationType:
    return make_type("letter", category="informational")


@pytest.fixture
def words(db: None) -> Any:
    return make_version("words", also={"sms": {"body": "Hello"}})


# ------------------------------------------------------------------ rhythm
def test_what_comes_at_night_waits_for_the_morning_uncharged_and_says_why_once(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    sleeper = make_follower(email="s@example.com")
    awake = make_follower(email="a@example.com")
    wish(sleeper, quiet=NIGHTS)
    notification = send(kind, [sleeper, awake], clock, version=words)
    assert stands(notification) == {"pending": 1, "queued": 1}
    row = notification.deliveries.get(follower=sleeper)
    assert 8 * HOUR <= row.due_at - NIGHT <= 8 * HOUR + dt.timedelta(minutes=2), (
        "at seven, and not all in one second"
    )
    assert row.attempts == 0
    Delivery.objects.filter(pk=row.pk).update(
        due_at=clock.now
    )  # asked once more for whatever reason
    take()
    event = DeliveryEvent.objects.get()
    assert (event.kind, event.detail) == (
        "waits",
        {"reason": "quiet_hours", "until": row.due_at.isoformat()},
    )
    clock.now = row.due_at
    assert [each.pk for each in take()] == [row.pk], "now it goes"


def test_an_unknown_zone_means_the_sites_and_never_at_any_time(
    clock: Clock, kind: NotificationType, words: Any, settings: Any
) -> None:
    settings.TIME_ZONE = "Asia/Tokyo"  # eight in the morning there
    sleeper = make_follower(email="s@example.com")
    wish(sleeper, quiet={str(day): ["07:30", "08:30"] for day in range(7)})
    Follower.objects.filter(pk=sleeper.pk).update(
        time_zone="Mars/Olympus_Mons"
    )  # of a later edition of the zones
    row = only(send(kind, [sleeper], clock, version=words))
    assert row.status == "pending"
    assert HOUR / 2 <= row.due_at - NIGHT <= HOUR / 2 + dt.timedelta(minutes=2)


def test_a_channel_of_a_chain_waits_for_the_one_before_it_and_goes_when_that_is_lost(
    clock: Clock, words: Any
) -> None:
    kind = make_type(
        "code",
        category="informational",
        channels=["sms", "email"],
        default_channels=["sms", "email"],
        fallback=["sms", "email"],
        fallback_after=600,
    )
    person = make_follower(email="p@example.com", phone="+493012345678")
    notification = send(kind, [person], clock, version=words, channels=["sms", "email"])
    sms, email = (notification.deliveries.get(channel=channel) for channel in ("sms", "email"))
    assert (sms.status, email.status) == ("queued", "pending")
    Delivery.objects.filter(pk=email.pk).update(due_at=clock.now)
    assert take() == []
    assert email.events.get().detail == {
        "reason": "earlier_channel",
        "until": email.due_at.isoformat(),
    }
    Delivery.objects.filter(pk=sms.pk).update(status="failed", reason="refused_recipient")
    Delivery.objects.filter(pk=email.pk).update(due_at=clock.now)
    assert [row.pk for row in take()] == [email.pk]


def test_what_may_be_gathered_is_held_and_the_notification_stays_open(
    clock: Clock, words: Any
) -> None:
    sleeper = make_follower(email="s@example.com")
    wish(sleeper, quiet=NIGHTS)
    notification = send(
        make_type("news", digest=True),
        [sleeper],
        clock,
        version=words,
        channels=["email", "in_app"],
    )
    assert stands(notification) == {"held": 1, "queued": 1}, "the inbox wakes nobody"
    notification.refresh_from_db()
    assert notification.state == "sending"


def test_what_dies_at_night_is_skipped_with_the_reason_and_a_critical_message_goes(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    sleeper = make_follower(email="s@example.com")
    wish(sleeper, quiet=NIGHTS, paused_until=NIGHT + HOUR)
    code = send(kind, [sleeper], clock, version=words, expires_at=NIGHT + HOUR)
    assert (only(code).status, only(code).reason) == ("skipped", "expired_while_waiting")
    alarm = send(make_type("alarm", category="critical"), [sleeper], clock, version=words)
    assert only(alarm).status == "queued"


def test_who_sets_quiet_hours_while_a_sender_has_the_message_gets_it_in_the_morning(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    sleeper = make_follower(email="s@example.com")
    notification = tell(kind, [sleeper], now=clock.now, version=words)
    held = take()
    wish(sleeper, quiet=NIGHTS)
    assert sending_held.still_wanted("me", held, now=clock.now) == []
    assert stands(notification) == {"pending": 1}
    assert only(notification).attempts == 0


def test_who_ends_a_snooze_gets_what_waited_at_once(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    person = make_follower(email="s@example.com")
    wish(person, paused_until=NIGHT + 5 * DAY)
    waits = send(kind, [person], clock, version=words)
    news = make_type("news", digest=True)
    gathered = [send(news, [person], clock, version=words) for _ in range(2)]
    later = tell(kind, [person], now=clock.now, version=words, send_at=NIGHT + DAY)
    assert {only(each).status for each in (waits, *gathered)} == {"pending", "held"}
    wish(person, paused_until=None)
    flush.flush(now=clock.now)
    take()
    assert [only(each).status for each in (waits, later)] == ["queued", "pending"]
    assert [stands(each) for each in gathered] == [{"skipped": 1}] * 2, "together, as they waited"
    assert stands(Notification.objects.get(source="digest")) == {"queued": 1}


def test_who_moves_to_another_zone_is_written_to_by_its_clock(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    person = make_follower(email="z@example.com")
    wish(person, quiet=NIGHTS)
    waits = send(kind, [person], clock, version=words)
    gathered = send(make_type("news", digest=True), [person], clock, version=words)
    assert {only(waits).due_at > clock.now, only(gathered).status == "held"} == {True}
    change_follower(follower=person, values=Profile(name="Zoe"), by=TESTER, now=clock.now)
    assert only(waits).due_at > clock.now
    change_follower(
        follower=person, values=Profile(time_zone="Asia/Tokyo"), by=TESTER, now=clock.now
    )  # eight in the morning there
    flush.flush(now=clock.now)
    take()
    assert [only(each).status for each in (waits, gathered)] == ["queued", "queued"]


def test_however_many_people_without_a_rhythm_a_claim_makes_as_many_statements(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    counts = []
    for number in (2, 1, 30):  # the first finds nothing in memory
        people = [make_follower(email=f"p{number}.{each}@example.com") for each in range(number)]
        tell(kind, people, now=clock.now, version=words)
        with CaptureQueriesContext(connection) as made:
            assert len(take()) == number
        counts.append(len(made))
    assert counts[1] == counts[2]
    assert sum("followers_rhythm" in each["sql"] for each in made) == 1
    assert not any("notifications_use" in each["sql"] for each in made)


# ------------------------------------------------------------------ caps and throttles
@pytest.mark.parametrize(
    ("outcome", "digest", "end"),
    [
        ("defer", True, ("pending", "default_on")),
        ("drop", True, ("skipped", "capped")),
        ("digest", True, ("held", "default_on")),
        ("digest", False, ("pending", "default_on")),
    ],
)
def test_one_too_many_waits_for_its_place_is_gathered_or_dropped(
    clock: Clock, words: Any, outcome: str, digest: bool, end: tuple[str, str]
) -> None:
    person = make_follower(email="p@example.com")
    kind = make_type("news", digest=digest)
    cap(2, outcome=outcome)
    first = send(kind, [person], clock, version=words)
    clock.now += dt.timedelta(minutes=10)
    second = send(kind, [person], clock, version=words)
    third = send(kind, [person], clock, version=words)
    assert [only(each).status for each in (first, second)] == ["queued", "queued"]
    row = only(third)
    assert (row.status, row.reason) == end
    if outcome != "drop":
        assert row.due_at == NIGHT + HOUR, "as the first leaves the window"


def test_a_place_comes_back_when_what_had_it_fails_and_a_new_try_counts_once(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    person = make_follower(email="p@example.com")
    cap(1)
    first = send(kind, [person], clock, version=words)
    Delivery.objects.filter(notification=first).update(
        status="pending", due_at=clock.now, lease_owner=""
    )
    take()
    assert (only(first).status, Use.objects.count()) == ("queued", 1)
    second = send(kind, [person], clock, version=words)
    assert only(second).status == "pending"
    Delivery.objects.filter(notification=first).update(status="failed", reason="refused_recipient")
    Delivery.objects.filter(notification=second).update(due_at=clock.now)
    take()
    assert only(second).status == "queued"


def test_a_critical_message_passes_a_cap_and_counts(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    person = make_follower(email="p@example.com")
    cap(1)
    alarm = make_type("alarm", category="critical")
    assert [only(send(alarm, [person], clock, version=words)).status for _ in range(2)] == [
        "queued",
        "queued",
    ]
    assert only(send(kind, [person], clock, version=words)).status == "pending"


def test_a_day_is_the_followers_own_and_a_cap_of_commercial_messages_leaves_the_others_alone(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    person = make_follower(
        email="p@example.com", time_zone="America/St_Johns"
    )  # half past nine in the evening
    cap(1, seconds=None, days=1, commercial=True)
    news = make_type("news")
    clock.now = NIGHT + HOUR + dt.timedelta(minutes=30)  # 22:00 there
    assert only(send(news, [person], clock, version=words)).status == "queued"
    assert only(send(kind, [person], clock, version=words)).status == "queued"
    again = only(send(news, [person], clock, version=words))
    assert again.status == "pending"
    assert again.due_at == dt.datetime(2026, 5, 5, 2, 30, tzinfo=dt.UTC), "midnight in St John's"
    clock.now = again.due_at
    assert [row.pk for row in take()] == [again.pk]


def test_a_throttle_skips_the_second_of_a_key_on_no_channel_of_the_first(
    clock: Clock, words: Any
) -> None:
    person = make_follower(email="p@example.com")
    kind = make_type("login", category="informational", throttle_count=1, throttle_seconds=600)
    first = send(
        kind, [person], clock, version=words, channels=["email", "in_app"], throttle_key="door"
    )
    assert stands(first) == {"queued": 2}, "one message, on two channels"
    other = send(kind, [person], clock, version=words, throttle_key="window")
    second = send(kind, [person], clock, version=words, throttle_key="door")
    assert [only(each).reason for each in (other, second)] == ["default_on", "throttled"]
    clock.now += dt.timedelta(seconds=600)
    assert only(send(kind, [person], clock, version=words, throttle_key="door")).status == "queued"


def test_of_several_caps_the_one_that_holds_longest_decides_and_dropping_before_all(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    person = make_follower(email="p@example.com")
    cap(1), cap(1, name="a day", seconds=86400)
    send(kind, [person], clock, version=words)
    assert only(send(kind, [person], clock, version=words)).due_at == NIGHT + DAY
    cap(1, name="drops", seconds=60, outcome="drop")
    Use.objects.create(
        follower=person,
        bucket=f"cap:{Cap.objects.get(name='drops').pk}",
        at=clock.now,
        delivery=Delivery.objects.filter(status="queued").get(),
    )
    assert only(send(kind, [person], clock, version=words)).reason == "capped"


def test_uses_are_forgotten_when_no_window_has_them_any_more(
    clock: Clock, kind: NotificationType, words: Any
) -> None:
    cap(1, seconds=None, days=2)
    send(kind, [make_follower(email="p@example.com")], clock, version=words)
    caps.forget_old(now=NIGHT + 2 * DAY)
    assert Use.objects.count() == 1
    caps.forget_old(now=NIGHT + 4 * DAY)
    assert Use.objects.count() == 0


# ------------------------------------------------------------------ the forecast
TIMES = st.integers(0, 23).map(lambda hour: f"{hour:02}:00")
SPANS = st.tuples(TIMES, TIMES).filter(lambda span: span[0] != span[1]).map(list)
RHYTHMS = st.fixed_dictionaries(
    {},
    optional={
        "quiet": st.dictionaries(st.integers(0, 6).map(str), SPANS, max_size=7),
        "cadence": st.sampled_from(["hourly", "daily", "weekly"]),
        "digest_at": TIMES,
        "paused_until": st.integers(1, 12),  # hours after the first message
    },
)
ZONES = [
    "Australia/Lord_Howe",
    "Pacific/Apia",
    "America/St_Johns",
    "Africa/Casablanca",
    "America/New_York",
    "",
]
CHANGES = [
    dt.datetime.fromisoformat(each)
    for each in (  # of their clocks, in 2026
        "2026-02-15T02:00Z",
        "2026-03-08T05:30Z",
        "2026-03-08T07:00Z",
        "2026-03-22T02:00Z",
        "2026-04-04T15:00Z",
        "2026-10-03T15:30Z",
        "2026-11-01T04:30Z",
        "2026-11-01T06:00Z",
    )
]
KINDS = st.fixed_dictionaries(
    {"category": st.sampled_from(["critical", "informational", "marketing"])},
    optional={"digest": st.just(True), "active": st.just(False), "default_channels": st.just([])},
)


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rhythm=RHYTHMS,
    fields=KINDS,
    channel=st.sampled_from(["email", "in_app", "sms"]),
    minutes=st.integers(0, 1440),
    change=st.sampled_from(CHANGES),
    zone=st.sampled_from(ZONES),
    muted=st.booleans(),
    allowed=st.none() | st.booleans(),
    lives=st.none() | st.integers(1, 40),
    most=st.none() | st.integers(1, 2),
    outcome=st.sampled_from(["defer", "digest", "drop"]),
    throttle=st.booleans(),
)
def test_the_forecast_says_what_the_claim_then_does(
    clock: Clock, words: Any, rhythm: Any, fields: Any, channel: str, minutes: int,
    change: dt.datetime, zone: str, muted: bool,
    allowed: bool | None, lives: int | None, most: int | None, outcome: str, throttle: bool,
) -> None:  # fmt: skip
    with transaction.atomic():
        clock.now = change - 12 * HOUR
        digest = {}
        if fields["category"] == "critical":
            digest = {"digest": False}
        pace = {}
        if throttle:
            pace = {"throttle_count": 1, "throttle_seconds": 7200}
        channels = {
            "channels": ["email", "in_app", "sms"],
            "default_channels": ["email", "in_app", "sms"],
        }
        kind = make_type("any", **(channels | fields | digest | pace))
        person = make_follower(email="p@example.com", phone="+493012345678", time_zone=zone)
        if most:
            cap(most, channels=[channel], outcome=outcome, seconds=4 * 3600)
        if most or throttle:
            _told(kind, person, channel, words, clock)  # so that something has been counted
        if hours := rhythm.get("paused_until"):
            rhythm = {**rhythm, "paused_until": clock.now + hours * HOUR}
        wish(person, now=clock.now, **rhythm)
        if muted:
            acts.set_preferences(
                follower=person,
                cells={},
                mutes={channel: True},
                proof=Proof(source="test", by=TESTER, now=NIGHT),
            )
        if allowed is not None and fields["category"] != "critical":
            cells = {("any", channel): allowed}
            acts.set_preferences(
                follower=person,
                cells=cells,
                mutes={},
                proof=Proof(source="test", by=TESTER, now=NIGHT),
            )
        clock.now += dt.timedelta(minutes=minutes)
        expires_at = None
        if lives:
            expires_at = clock.now + lives * HOUR
        said = forecast(
            follower=person,
            notification_type=kind,
            channel=channel,
            at=clock.now,
            expires_at=expires_at,
        )
        notification = _told(kind, person, channel, words, clock, expires_at=expires_at)
        _compare(said, only(notification))
        transaction.set_rollback(True)


def _told(
    kind: NotificationType, person: Follower, channel: str, words: Any, clock: Clock, **fields: Any
) -> Notification:
    return send(kind, [person], clock, version=words, channels=[channel], **fields)


def _compare(said: Forecast, row: Delivery) -> None:
    event = row.events.order_by("-pk").first()
    match said.decision.act:
        case Act.SEND:
            assert (row.status, row.reason) == ("queued", said.decision.reason)
            assert said.account is not None
        case Act.SKIP:
            assert (row.status, row.reason) == ("skipped", said.decision.reason)
            assert said.planned_at is None
        case waits:
            statuses = {Act.HOLD: "held", Act.WAIT: "pending"}
            assert row.status == statuses[waits]
            assert row.due_at == said.planned_at
            assert event
            assert event.detail["reason"] == said.decision.reason
