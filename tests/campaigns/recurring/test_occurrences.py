"""Recurring notifications: each time of each clock once, at the reader's own nine o'clock,
or a reason why not.
"""

import datetime as dt
from typing import Any

import pytest
from django.utils import timezone

from apps.accounts.models import AuditEntry
from apps.campaigns import launch
from apps.campaigns.audience.segments import (
    SegmentInUse,
    SegmentValues,
    create_segment,
    delete_segment,
)
from apps.campaigns.models import Occurrence, Recurring, RecurringZone
from apps.campaigns.recurring import clocks, edit, occurrences
from apps.campaigns.recurring.edit import BadRecurring, RecurringValues
from apps.followers.models import Follower
from apps.notifications.accounts import edit as accounts_edit
from apps.notifications.models import Delivery, Notification, TypeTemplate
from tests.make import TESTER, make_follower, make_template, make_type, nested

pytestmark = pytest.mark.django_db
MONDAY = dt.datetime(2026, 6, 1, 6, tzinfo=dt.UTC)
NINE = {"kind": "daily", "times": ["09:00"]}


@pytest.fixture(autouse=True)
def inbox(db: None) -> None:
    accounts_edit.create_account(
        enabled=True,
        name="Inbox",
        provider_key="in_app",
        settings={},
        by=TESTER,
        now=timezone.now(),
    )


def values(**fields: Any) -> RecurringValues:
    kind = fields.pop("notification_type", None) or make_type("digest", category="informational")
    known: dict[str, Any] = {
        "name": "Morning",
        "audience": {"everyone": True},
        "cadence": NINE,
        "channels": ["in_app"],
    }
    if not TypeTemplate.objects.filter(notification_type=kind).exists():
        TypeTemplate.objects.create(notification_type=kind, template=make_template(f"t-{kind.key}"))
    return RecurringValues(notification_type=kind, **known | fields)


def make(*, now: dt.datetime = MONDAY, **fields: Any) -> Recurring:
    return edit.create_recurring(values=values(**fields), by=TESTER, now=now)


def look(now: dt.datetime) -> list[Occurrence]:
    """What the tick and the launcher do; returns what is new."""
    before = set(Occurrence.objects.values_list("pk", flat=True))
    occurrences.start_due(now=now)
    new = list(Occurrence.objects.exclude(pk__in=before).order_by("pk"))
    for occurrence in new:
        occurrences.launch_occurrence(occurrence_id=occurrence.pk)
    return new


def reached(occurrence: Occurrence) -> set[str]:
    rows = Delivery.objects.filter(notification=occurrence.notification).select_related("follower")
    return {row.follower.name for row in rows if row.follower}


def test_it_goes_out_at_its_time_and_not_before_and_only_once(
    anna: Follower, boris: Follower
) -> None:
    make()
    nine = MONDAY.replace(hour=9)
    assert look(nine - dt.timedelta(seconds=1)) == []
    [occurrence] = look(nine)
    assert reached(occurrence) == {"Anna Weber", "Борис Иванов"}
    assert occurrence.notification is not None
    assert occurrence.notification.planned_at
    assert look(nine + dt.timedelta(seconds=1)) == []
    [tomorrow] = look(nine + dt.timedelta(days=1))
    assert tomorrow.at == nine + dt.timedelta(days=1)
    assert Notification.objects.count() == 2


def test_a_crash_between_claim_and_notification_loses_and_doubles_nothing(
    anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    nine = MONDAY.replace(hour=9)

    def crash(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(occurrences, "announce", crash)
        with pytest.raises(KeyboardInterrupt):
            occurrences.start_due(now=nine)
    assert (Occurrence.objects.count(), Notification.objects.count()) == (0, 0)
    clock = RecurringZone.objects.get()
    assert clock.next_at == nine
    assert len(look(nine + dt.timedelta(seconds=2))) == 1
    assert (
        occurrences.strike(clock=clock, now=nine) is None
    )  # the other tick, with what it read before


def test_a_clock_that_was_set_back_behind_its_last_strike_does_not_strike_twice(
    anna: Follower,
) -> None:
    row = make()
    nine = MONDAY.replace(hour=9)
    assert len(look(nine)) == 1
    evening = values(notification_type=row.notification_type, name="Evening")
    edit.change_recurring(
        recurring=row, values=evening, by=TESTER, now=nine - dt.timedelta(seconds=1)
    )
    assert look(nine + dt.timedelta(seconds=1)) == []
    assert RecurringZone.objects.get().next_at == nine + dt.timedelta(days=1)


def test_a_launch_whose_call_was_lost_is_found_again(
    anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    make()
    now = timezone.now()
    RecurringZone.objects.update(next_at=now)
    occurrences.start_due(now=now)
    called: list[int] = []
    monkeypatch.setattr(
        occurrences, "announce", lambda task, *, lane, occurrence_id: called.append(occurrence_id)
    )
    occurrences.resume_stalled(now=now + launch.UNHEARD)
    assert called == [Occurrence.objects.get().pk]
    occurrences.launch_occurrence(occurrence_id=called[0])
    occurrences.resume_stalled(now=now + dt.timedelta(minutes=1))
    assert len(called) == 1


def test_who_deletes_it_stops_what_was_about_to_go_and_leaves_what_went(anna: Follower) -> None:
    row = make()
    nine = MONDAY.replace(hour=9)
    [gone] = look(nine)
    occurrences.start_due(now=nine + dt.timedelta(days=1))  # its people are not frozen yet
    half = Notification.objects.get(planned_at=None)
    edit.delete_recurring(recurring=row, by=TESTER, now=timezone.now())
    half.refresh_from_db()
    assert half.state == "cancelled", "nobody would go on with it, nor close it"
    assert gone.notification
    gone.notification.refresh_from_db()
    assert gone.notification.state == "sending"
    occurrences.launch_occurrence(occurrence_id=gone.pk)


def test_a_change_at_the_very_moment_takes_no_time_away_but_a_pause_does(anna: Follower) -> None:
    row = make()
    nine = MONDAY.replace(hour=9)
    moment = nine + dt.timedelta(seconds=1)
    change = values(notification_type=row.notification_type, name="Dawn")
    edit.change_recurring(recurring=row, values=change, by=TESTER, now=moment)
    assert [each.at for each in look(moment)] == [nine]
    edit.pause(recurring=row, by=TESTER, now=moment + dt.timedelta(days=1))
    assert look(moment + dt.timedelta(days=1)) == []


def test_everybody_gets_it_at_their_own_nine() -> None:
    zones = {
        "Anna": "Europe/Berlin",
        "Chen": "Asia/Shanghai",
        "Nora": "America/New_York",
        "Site": "",
    }
    for name, zone in zones.items():
        make_follower(name=name, time_zone=zone)
    make(zone_mode="follower", now=MONDAY.replace(hour=0))
    found = {}
    for hour in range(24):
        now = MONDAY.replace(hour=hour)
        for occurrence in look(now):
            found[hour] = reached(occurrence)
    assert found == {1: {"Chen"}, 7: {"Anna"}, 9: {"Site"}, 13: {"Nora"}}
    assert not Occurrence.objects.exclude(problem="").exists()


def test_whoever_moves_west_during_the_day_gets_one_and_a_new_zone_gets_a_clock() -> None:
    mover = make_follower(name="Mover", time_zone="Europe/Berlin")
    _ = make_follower(name="Stayer", time_zone="Europe/Berlin")
    make(zone_mode="follower")
    [berlin] = look(MONDAY.replace(hour=7))
    assert reached(berlin) == {"Mover", "Stayer"}
    Follower.objects.filter(pk=mover.pk).update(time_zone="America/New_York")
    make_follower(name="Newcomer", time_zone="America/New_York")
    clocks.add_new_zones(now=MONDAY.replace(hour=8))
    clocks.add_new_zones(now=MONDAY.replace(hour=8))
    [new_york] = look(MONDAY.replace(hour=13))
    assert reached(new_york) == {"Newcomer"}
    assert reached(look(MONDAY.replace(hour=13) + dt.timedelta(days=1))[-1]) == {
        "Mover",
        "Newcomer",
    }


@pytest.mark.parametrize(("missed", "sent"), [("skip", False), ("once", True)])
def test_of_a_night_without_workers_the_latest_time_is_sent_once_or_left_out(
    anna: Follower, missed: str, sent: bool
) -> None:
    make(missed=missed)
    back = MONDAY + dt.timedelta(days=3, hours=8)
    [occurrence] = look(back)
    assert occurrence.at == MONDAY.replace(hour=9) + dt.timedelta(days=3)
    assert bool(occurrence.notification) is sent
    assert bool(occurrence.problem) is not sent
    assert look(back + dt.timedelta(minutes=1)) == []


def test_what_stands_in_the_way_is_written_down_and_the_next_time_is_another_chance(
    anna: Follower,
) -> None:
    row = make()
    row.notification_type.active = False
    row.notification_type.save()
    [refused] = look(MONDAY.replace(hour=9))
    assert "switched off" in refused.problem
    row.notification_type.active = True
    row.notification_type.save()
    assert reached(look(MONDAY.replace(hour=9) + dt.timedelta(days=1))[0]) == {"Anna Weber"}
    Follower.objects.all().delete()
    [empty] = look(MONDAY.replace(hour=9) + dt.timedelta(days=2))
    assert empty.problem == "Nobody was in the audience."


def test_it_starts_ends_pauses_and_goes_on_as_it_is_told(anna: Follower) -> None:
    start = MONDAY + dt.timedelta(days=1)
    end = MONDAY + dt.timedelta(days=3)
    row = make(starts_at=start, ends_at=end)
    assert clocks.coming(row, after=MONDAY) == [
        MONDAY.replace(hour=9) + dt.timedelta(days=n) for n in (1, 2)
    ]
    assert look(MONDAY.replace(hour=9)) == []
    edit.pause(recurring=row, by=TESTER, now=MONDAY)
    edit.pause(recurring=row, by=TESTER, now=MONDAY)
    tuesday = MONDAY.replace(hour=9) + dt.timedelta(days=1)
    assert look(tuesday) == []
    edit.resume(recurring=row, by=TESTER, now=tuesday + dt.timedelta(hours=1))
    assert len(look(tuesday + dt.timedelta(days=1))) == 1
    assert RecurringZone.objects.get().next_at is None
    kinds = (
        AuditEntry.objects.filter(subject_type="recurring")
        .order_by("pk")
        .values_list("kind", flat=True)
    )
    assert list(kinds) == ["recurring.changed", "recurring.paused", "recurring.resumed"]


def test_a_change_counts_from_the_next_time_on(anna: Follower) -> None:
    row = make()
    changed = values(
        notification_type=row.notification_type, cadence={"kind": "cron", "cron": "0 12 * * 1"}
    )
    edit.change_recurring(recurring=row, values=changed, by=TESTER, now=MONDAY)
    assert look(MONDAY.replace(hour=9)) == []
    assert len(look(MONDAY.replace(hour=12))) == 1
    entry = AuditEntry.objects.filter(kind="recurring.changed").latest("pk")
    assert entry.data["before"] == {"cadence": NINE}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"audience": {}}, "audience"),
        ({"data": {"offer": 1}}, "data"),
        ({"data": {"more": nested(12)}}, "data"),
        ({"channels": ["push"]}, "channels"),
        ({"channels": ["sms"]}, "channels"),
        ({"zone_mode": "named"}, "zone"),
        ({"zone": "Europe/Berlin"}, "zone"),
        ({"ends_at": MONDAY, "starts_at": MONDAY}, "ends_at"),
        ({"tolerance": 10**9}, "tolerance"),
        ({"name": " "}, "name"),
    ],
)
def test_what_can_not_be_sent_is_refused_beside_its_field(
    fields: dict[str, Any], field: str
) -> None:
    schema = {"type": "object", "properties": {"offer": {"type": "string"}}}
    channels = ["email", "in_app", "sms"]
    kind = make_type("digest", category="informational", schema=schema, channels=channels)
    with pytest.raises(BadRecurring) as refused:
        make(notification_type=kind, **fields)
    assert refused.value.field == field
    assert not Recurring.objects.exists()


def test_a_segment_that_is_used_is_not_deleted(anna: Follower) -> None:
    rules = {"all": [{"field": "language", "op": "is", "value": "en"}]}
    segment = create_segment(
        values=SegmentValues(name="English", rules=rules), by=TESTER, now=MONDAY
    )
    row = make(audience={"segments": [str(segment.uid)]})
    with pytest.raises(SegmentInUse, match="Morning"):
        delete_segment(segment=segment, by=TESTER, now=MONDAY)
    edit.delete_recurring(recurring=row, by=TESTER, now=MONDAY)
    delete_segment(segment=segment, by=TESTER, now=MONDAY)
