"""What load balancers and staff are told about the state of the whole."""

import datetime as dt
import re
from typing import Any

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.books.wake import SEND_TASK
from apps.notifications.sending.journal import Journal, NotWritten
from apps.ops import heartbeat
from apps.ops.models import LaneHeartbeat


def alive(*, but: str = "", seconds: int = 5) -> None:
    """All groups showed life just now; `but` did so `seconds` ago."""
    now = timezone.now()
    for group in heartbeat.GROUPS:
        heartbeat.begin(supervisor="here:1", group=group, now=now)
        ago = 1
        if group == but:
            ago = seconds
        LaneHeartbeat.objects.filter(lane=group).update(beat_at=now - dt.timedelta(seconds=ago))


def test_a_process_says_that_it_is_alive_without_a_database(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "alive"}


def test_ready_means_that_every_lane_showed_life(client: Client, db: None) -> None:
    alive()
    assert client.get("/readyz").json() == {"status": "ready"}


MONITOR = {"Authorization": "Bearer let-me-see-it-all"}


@pytest.fixture
def monitored(settings: Any) -> None:
    settings.MONITOR_TOKEN = "let-me-see-it-all"


@pytest.mark.reported
def test_which_part_is_wrong_is_told_to_staff_and_monitors_only(
    client: Client, viewer: Any, monitored: None
) -> None:
    alive()
    for stranger in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer ü"}):
        assert client.get("/readyz", headers=stranger).json() == {"status": "ready"}
    assert client.get("/readyz", headers=MONITOR).json()["groups"]["bulk"]["alive"] is True
    client.force_login(viewer)
    assert client.get("/readyz").json()["groups"]["bulk"]["alive"] is True


@pytest.mark.reported
def test_a_site_without_a_token_takes_none(client: Client, db: None) -> None:
    alive()
    for nothing in ("Bearer ", "Bearer", ""):
        answer = client.get("/readyz", headers={"Authorization": nothing})
        assert answer.json() == {"status": "ready"}


@pytest.mark.parametrize("seconds", [61, 3600])
def test_one_silent_lane_means_not_ready(
    client: Client, db: None, monitored: None, seconds: int
) -> None:
    alive(but="bulk", seconds=seconds)
    answer = client.get("/readyz", headers=MONITOR)
    assert answer.status_code == 503
    groups = answer.json()["groups"]
    assert [name for name, group in groups.items() if not group["alive"]] == ["bulk"]


@pytest.mark.reported
def test_a_lane_through_which_nothing_can_leave_means_not_ready(
    client: Client, db: None, monitored: None, admin: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive()
    monkeypatch.setenv("CARILLON_SUPERVISOR", "here:1")
    monkeypatch.setenv("CARILLON_GROUP", "bulk")
    monkeypatch.setattr(heartbeat, "_failing", False)
    full = "NotWritten: the disk is full"
    heartbeat.beat(SEND_TASK, full)
    assert client.get("/readyz", headers=MONITOR).status_code == 503
    assert client.get("/readyz", headers=MONITOR).json()["groups"]["bulk"]["alive"] is False
    assert f"Nothing can leave: {full}" in card(client, admin)
    heartbeat.beat("apps.followers.imports.run.run", "")
    assert client.get("/readyz", headers=MONITOR).status_code == 503, (
        "an import proves nothing of messages"
    )
    heartbeat.beat(heartbeat.CANARY_TASK, "")
    assert client.get("/readyz", headers=MONITOR).status_code == 200


@pytest.mark.reported
def test_a_canary_meets_what_a_message_would(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = LaneHeartbeat.objects.count()
    heartbeat.canary()
    assert LaneHeartbeat.objects.count() == rows

    def full(journal: Journal, delivery: int) -> None:
        raise NotWritten("The disk is full.")

    monkeypatch.setattr(Journal, "preparing", full)
    with pytest.raises(NotWritten):
        heartbeat.canary()


def test_no_worker_at_all_means_not_ready(client: Client, db: None) -> None:
    assert client.get("/readyz").status_code == 503


def test_one_living_machine_is_enough(client: Client, db: None) -> None:
    alive(but="bulk", seconds=300)
    heartbeat.begin(supervisor="there:2", group="bulk", now=timezone.now())
    LaneHeartbeat.objects.filter(supervisor="there:2").update(beat_at=timezone.now())
    assert client.get("/readyz").status_code == 200


def test_a_database_that_does_not_answer_means_not_ready(
    client: Client, monitored: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**kwargs: Any) -> None:
        raise OperationalError("connection refused")

    monkeypatch.setattr("apps.ops.health.signs", refuse)
    assert client.get("/readyz").json() == {"status": "unavailable"}
    answer = client.get("/readyz", headers=MONITOR)
    assert answer.status_code == 503
    assert answer.json()["database"] == "does not answer"


def replace(group: str, *, ago: dt.timedelta = dt.timedelta(0)) -> None:
    heartbeat.begin(
        supervisor="here:1",
        group=group,
        now=timezone.now() - ago,
        restart_reason="nothing came through for 46 s",
    )


def card(client: Client, person: Any) -> str:
    client.force_login(person)
    return " ".join(client.get(reverse("ops:health")).content.decode().split())


def test_staff_see_what_runs_and_what_waits(client: Client, viewer: Any) -> None:
    alive(but="bulk", seconds=3600)
    announce("apps.ops.heartbeat.canary", lane=Lane.CRITICAL)
    page = card(client, viewer)
    assert re.search(r"> 3[67]\d\d s ago", page)
    assert "not working" in page


@pytest.mark.reported
def test_a_site_that_starts_on_a_crowded_machine_is_starting_and_not_broken(
    client: Client, viewer: Any
) -> None:
    assert "Messages may leave late" in card(client, viewer), "nothing was ever started"
    now = timezone.now()
    for group in heartbeat.GROUPS:
        began = now - dt.timedelta(seconds=590)
        heartbeat.begin(supervisor="here:1", group=group, now=began)
    page = card(client, viewer)
    assert "Starting. What waits leaves" in page
    assert "· starting" in page
    LaneHeartbeat.objects.filter(lane="bulk").update(started_at=now - dt.timedelta(seconds=610))
    page = card(client, viewer)
    assert "Messages may leave late" in page
    assert "· not working" in page


@pytest.mark.reported
def test_that_a_part_was_replaced_is_told_to_administrators_once_and_to_nobody_else(
    client: Client, viewer: Any, sender: Any, admin: Any
) -> None:
    alive()
    replace("tick")
    replace("bulk")
    replace("bulk")
    for person in (viewer, sender):
        assert "was replaced" not in card(client, person)
        assert client.post(reverse("ops:health-read")).status_code == 403
    page = card(client, admin)
    assert "Tick was replaced once, last on" in page
    assert "Bulk was replaced 2 times, last on" in page
    assert ": nothing came through for 46 s. It lost nothing." in page
    assert client.post(reverse("ops:health-read")).status_code == 302
    assert "was replaced" not in card(client, admin)
    replace("bulk")
    assert "Bulk was replaced once" in card(client, admin)


@pytest.mark.reported
def test_that_a_part_was_replaced_is_not_told_for_ever(client: Client, admin: Any) -> None:
    alive()
    replace("bulk", ago=dt.timedelta(hours=23))
    assert "Bulk was replaced once" in card(client, admin)
    LaneHeartbeat.objects.update(started_at=timezone.now() - dt.timedelta(hours=25))
    assert "was replaced" not in card(client, admin)


def test_strangers_do_not_see_the_card(client: Client, db: None) -> None:
    assert client.get(reverse("ops:health")).status_code == 302


# ------------------------------------------------------------------ the rows behind it
def test_a_beat_is_written_for_the_group_the_process_belongs_to(
    db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for group in ("bulk", "critical"):
        heartbeat.begin(supervisor="here:1", group=group, now=timezone.now())
    monkeypatch.setenv("CARILLON_SUPERVISOR", "here:1")
    monkeypatch.setenv("CARILLON_GROUP", "bulk")
    monkeypatch.setattr(heartbeat, "_last_beat", 0.0)
    heartbeat.beat()
    assert [row.lane for row in LaneHeartbeat.objects.filter(beat_at__isnull=False)] == ["bulk"]


def test_a_process_that_nobody_watches_writes_nothing(
    db: None, django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):
        heartbeat.beat()


def test_what_a_killed_supervisor_left_is_forgotten_after_a_while(db: None) -> None:
    now = timezone.now()
    heartbeat.begin(supervisor="dead:1", group="bulk", now=now - dt.timedelta(hours=1))
    heartbeat.begin(supervisor="long:2", group="bulk", now=now - dt.timedelta(hours=1))
    LaneHeartbeat.objects.filter(supervisor="long:2").update(beat_at=now)
    heartbeat.begin(supervisor="new:3", group="bulk", now=now)
    heartbeat.forget_the_dead(now=now)
    assert set(LaneHeartbeat.objects.values_list("supervisor", flat=True)) == {"long:2", "new:3"}


def test_no_canary_is_added_to_a_lane_where_enough_waits(db: None) -> None:
    for _ in range(heartbeat.ENOUGH_WAITING + 5):
        heartbeat.send_canary(Lane.BULK)
    assert heartbeat.waiting(Lane.BULK) == heartbeat.ENOUGH_WAITING
