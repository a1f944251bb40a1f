"""From its time to "sent": started once, planned in slices that survive anything,
truthful when stopped.
"""

import datetime as dt
import threading
from typing import Any

import pytest
from django.db import close_old_connections, connection
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.campaigns import launch, lifecycle
from apps.campaigns.audience.segments import SegmentValues, create_segment
from apps.campaigns.models import Campaign, CampaignState, Run
from apps.followers.models import NotificationType, Tag
from apps.lib.queue.announce import waiting
from apps.lib.queue.lanes import Lane
from apps.notifications import control, replay
from apps.notifications import plan as planning
from apps.notifications.models import Delivery, Notification, NotificationState
from apps.notifications.reports.balance import balance
from tests.campaigns.drafts import make_campaign, plan
from tests.campaigns.world import make_world
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_version, stands, tell
from tests.receiver import Receiver


def act() -> dict[str, Any]:
    return {"by": TESTER, "now": timezone.now()}


def test_a_campaign_goes_out_and_is_sent_when_the_last_message_is(
    receiver: Receiver, anna: Any, boris: Any
) -> None:
    campaign = make_campaign()
    run = lifecycle.send_now(campaign=campaign, **act())
    plan(run)
    assert stands(run.notification) == {
        "pending": 2,
        "skipped": 2,
    }  # Boris unsubscribed from both channels
    drain()
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENT
    assert stands(run.notification) == {"sent": 2, "skipped": 2}
    assert [mail.recipient for mail in receiver.arrived] == ["anna@example.com"]
    assert AuditEntry.objects.filter(kind="campaign.finished").count() == 1


@pytest.mark.django_db
def test_what_is_due_is_started_once_and_what_is_not_waits(anna: Any) -> None:
    now = timezone.now()
    wall = (now + dt.timedelta(hours=1)).replace(tzinfo=None)
    campaign = make_campaign(now=now)
    lifecycle.schedule(campaign=campaign, wall=wall, zone="UTC", by=TESTER, now=now)
    launch.start_due(now=now)
    assert not Run.objects.exists()
    later = now + dt.timedelta(hours=2)
    launch.start_due(now=later)
    launch.start_due(now=later)
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENDING
    assert Run.objects.count() == 1
    assert waiting(Lane.BULK) == 1


@pytest.mark.django_db
def test_one_that_cannot_go_out_any_more_is_a_draft_again_with_the_reason(anna: Any) -> None:
    now = timezone.now()
    Tag.objects.create(name="VIP", slug="vip", created_at=now)
    make_follower(email="vip@example.com", tags=["VIP"])
    campaign = make_campaign(audience={"tags": ["vip"]}, now=now)
    other = make_campaign("Other", notification_type=campaign.notification_type, now=now)
    wall = (now + dt.timedelta(minutes=1)).replace(tzinfo=None)
    for each in (campaign, other):
        lifecycle.schedule(campaign=each, wall=wall, zone="UTC", by=TESTER, now=now)
    Tag.objects.all().delete()
    launch.start_due(now=now + dt.timedelta(hours=1))
    states = dict(Campaign.objects.values_list("name", "state"))
    assert states == {"Spring news": "draft", "Other": "sending"}
    reason = AuditEntry.objects.get(kind="campaign.unscheduled").data["problems"]
    assert reason == ["There is no tag “vip”. Choose another one or create it first."]


@pytest.mark.django_db
def test_a_time_that_comes_when_no_provider_is_left_makes_it_a_draft_again(
    anna: Any, settings: Any
) -> None:
    now = timezone.now()
    campaign = make_campaign(now=now)
    wall = (now + dt.timedelta(minutes=1)).replace(tzinfo=None)
    lifecycle.schedule(campaign=campaign, wall=wall, zone="UTC", by=TESTER, now=now)
    settings.PROVIDERS = {"in_app": settings.PROVIDERS["in_app"]}
    launch.start_due(now=now + dt.timedelta(hours=1))
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.DRAFT
    assert (
        "No provider sends on: email"
        in AuditEntry.objects.get(kind="campaign.unscheduled").data["problems"][0]
    )
    assert not Run.objects.exists()


@pytest.mark.django_db
def test_everyone_is_planned_once_in_slices_even_when_the_launcher_dies(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_world(90)
    campaign = make_campaign(notification_type=_news())
    run = lifecycle.send_now(campaign=campaign, **act())
    slices = _small_slices(monkeypatch, die_after=2)
    with pytest.raises(SystemExit):
        plan(run)
    assert Delivery.objects.count() == 2 * 40  # two slices of 20 on two channels
    plan(run)  # the dead one's lease still holds: nothing happens
    assert Delivery.objects.count() == 2 * 40
    now = timezone.now() + launch.LEASE * 2
    before = waiting(Lane.BULK)
    launch.resume_stalled(now=now)
    assert waiting(Lane.BULK) == before + 1
    slices["die_after"] = 10**6
    Run.objects.update(lease_until=timezone.now() - dt.timedelta(seconds=1))
    plan(run)
    run.notification.refresh_from_db()
    assert run.notification.planned_at
    assert Delivery.objects.count() == 2 * 90
    assert Delivery.objects.values("follower").distinct().count() == 90
    calm = waiting(Lane.BULK)
    launch.resume_stalled(now=now)
    assert waiting(Lane.BULK) == calm
    assert Run.objects.get().lease_until is None


@pytest.mark.django_db
def test_a_launch_whose_call_was_lost_with_its_lane_is_announced_again_within_seconds() -> None:
    make_world(3)
    run = lifecycle.send_now(campaign=make_campaign(notification_type=_news()), **act())
    before = waiting(Lane.BULK)
    launch.resume_stalled(now=run.started_at + dt.timedelta(seconds=5))
    assert waiting(Lane.BULK) == before, "it may still be on its way"
    launch.resume_stalled(now=run.started_at + dt.timedelta(seconds=15))
    assert waiting(Lane.BULK) == before + 1


@pytest.mark.django_db
def test_a_long_launch_gives_way_and_goes_on_in_the_next_task(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_world(90)
    run = lifecycle.send_now(campaign=make_campaign(notification_type=_news()), **act())
    _small_slices(monkeypatch)
    monkeypatch.setattr(launch, "WORK_SECONDS", 0.0)
    before = waiting(Lane.BULK)
    plan(run)
    assert Delivery.objects.count() == 2 * 20
    assert waiting(Lane.BULK) == before + 1
    for _ in range(5):
        plan(run)
    assert Delivery.objects.count() == 2 * 90


@pytest.mark.django_db
def test_cancel_stops_planning_and_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    make_world(90)
    campaign = make_campaign(notification_type=_news(), channels=["in_app"])
    run = lifecycle.send_now(campaign=campaign, **act())
    _small_slices(monkeypatch)
    monkeypatch.setattr(launch, "WORK_SECONDS", 0.0)
    plan(run)
    counts = lifecycle.cancel(campaign=campaign, **act())
    assert counts["total"] == 20
    assert counts["cancelled"] == Delivery.objects.filter(status="cancelled").count() > 0
    assert counts["handed_off"] == counts["waiting"] == 0
    plan(run)
    assert Delivery.objects.count() == 20
    run.notification.refresh_from_db()
    assert run.notification.state == NotificationState.CANCELLED
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.CANCELLED


def test_cancel_in_the_middle_of_sending_tells_who_already_got_it(receiver: Receiver) -> None:
    for number in range(6):
        make_follower(email=f"p{number}@example.com")
    campaign = make_campaign(channels=["email", "in_app"])
    run = lifecycle.send_now(campaign=campaign, **act())
    plan(run)
    Delivery.objects.filter(channel="email").update(due_at=timezone.now() + dt.timedelta(hours=1))
    drain()  # the six in-app ones
    counts = lifecycle.cancel(campaign=campaign, **act())
    assert (counts["total"], counts["handed_off"], counts["cancelled"]) == (12, 6, 6)
    assert sum(counts.values()) == 24  # all parts add up to the total
    assert stands(run.notification) == {"sent": 6, "cancelled": 6}
    Delivery.objects.filter(channel="email").update(due_at=timezone.now())
    drain()
    assert receiver.arrived == []


def test_a_paused_campaign_sends_nothing_and_resumes_where_it_was(
    receiver: Receiver, anna: Any
) -> None:
    campaign = make_campaign(channels=["email"])
    run = lifecycle.send_now(campaign=campaign, **act())
    lifecycle.pause(campaign=campaign, **act())
    plan(run)  # planning may go on while it is paused
    drain()
    assert stands(run.notification) == {"pending": 1}
    assert lifecycle.resume(campaign=campaign, **act())["waiting"] == 1
    drain()
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENT
    assert len(receiver.arrived) == 1


def test_only_the_failed_are_sent_again_and_the_campaign_is_sent_once_more(
    receiver: Receiver, anna: Any
) -> None:
    make_follower(email="gone@example.com")
    receiver.answers["RCPT"] = lambda address: (
        "550 5.7.1 no such user" if "gone" in address else None
    )
    campaign = make_campaign(channels=["email"])
    run = lifecycle.send_now(campaign=campaign, **act())
    plan(run)
    drain()
    assert stands(run.notification) == {"sent": 1, "failed": 1}
    receiver.answers.clear()
    assert lifecycle.retry_failed(campaign=campaign, **act()) == 1
    assert campaign.state == CampaignState.SENDING
    drain()
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENT
    assert sorted(mail.recipient for mail in receiver.arrived) == [
        "anna@example.com",
        "gone@example.com",
    ]


@pytest.mark.parametrize("archived", [False, True])
def test_a_delivery_retried_on_its_own_page_sets_its_campaign_going_again(
    receiver: Receiver, anna: Any, archived: bool
) -> None:
    receiver.answers["RCPT"] = "550 5.7.1 no such user"
    campaign = make_campaign(channels=["email"])
    run = lifecycle.send_now(campaign=campaign, **act())
    plan(run)
    drain()
    if archived:
        lifecycle.archive(campaign=campaign, **act())
    receiver.answers.clear()
    replay.retry_delivery(delivery=run.notification.deliveries.get(), **act())
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENDING
    drain()
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENT


@pytest.mark.django_db
def test_a_campaign_whose_audience_is_empty_at_its_time_is_sent_to_nobody(anna: Any) -> None:
    now = timezone.now()
    english = {"all": [{"field": "language", "op": "is", "value": "en"}]}
    segment = create_segment(
        values=SegmentValues(name="English", rules=english), by=TESTER, now=now
    )
    campaign = make_campaign(audience={"segments": [str(segment.uid)]}, now=now)
    wall = (now + dt.timedelta(minutes=1)).replace(tzinfo=None)
    lifecycle.schedule(campaign=campaign, wall=wall, zone="UTC", by=TESTER, now=now)
    anna.delete()
    launch.start_due(now=now + dt.timedelta(hours=1))
    plan(Run.objects.get())
    campaign.refresh_from_db()
    assert campaign.state == CampaignState.SENT
    assert balance(Notification.objects.get()).total == 0


@pytest.mark.django_db(transaction=True)
def test_ten_people_who_press_send_at_once_make_one_run() -> None:
    make_follower(email="anna@example.com")
    campaign = make_campaign()
    found: list[Any] = []

    def press() -> None:
        try:
            found.append(
                lifecycle.send_now(campaign=Campaign.objects.get(pk=campaign.pk), **act()).pk
            )
        finally:
            close_old_connections()
            connection.close()

    presses = [threading.Thread(target=press) for _ in range(10)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    assert len(found) == 10
    assert len(set(found)) == Run.objects.count() == Notification.objects.count() == 1


def _news() -> NotificationType:
    return NotificationType.objects.get(key="news")


def _small_slices(monkeypatch: pytest.MonkeyPatch, die_after: int = 10**6) -> dict[str, int]:
    """Slices of 20, and a launcher that is killed after so many of them."""
    state = {"die_after": die_after, "done": 0}

    def freeze(**values: Any) -> bool:
        if state["done"] >= state["die_after"]:
            raise SystemExit
        state["done"] += 1
        return planning.freeze_slice(**values)

    monkeypatch.setattr(launch, "SLICE", 20)
    monkeypatch.setattr(launch, "freeze_slice", freeze)
    return state


@pytest.mark.reported
@pytest.mark.django_db
@pytest.mark.parametrize("written", ["lease_until", "started_at"])
def test_a_launch_that_a_wrong_clock_has_written_goes_on(written: str) -> None:
    make_world(3)
    run = lifecycle.send_now(campaign=make_campaign(notification_type=_news()), **act())
    Run.objects.update(**{written: timezone.now() + dt.timedelta(hours=2)})
    before = waiting(Lane.BULK)
    launch.resume_stalled(now=timezone.now())
    assert waiting(Lane.BULK) == before + 1
    plan(run)
    run.notification.refresh_from_db()
    assert run.notification.planned_at is not None


@pytest.mark.reported
def test_what_a_wrong_clock_said_is_due_now_goes_now(receiver: Receiver, anna: Any) -> None:
    now = timezone.now()
    ahead = now + dt.timedelta(hours=2)
    version = make_version()
    late = tell(make_type(), [anna], version=version, now=ahead)
    planned = tell(make_type("more"), [anna], version=version, send_at=ahead)
    control.fetch_from_tomorrow(now=now)
    drain()
    assert (stands(late), stands(planned)) == ({"sent": 1}, {"pending": 1})
