"""Working events off: each rule's answer is kept and can be read."""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.campaigns.audience.segments import (
    SegmentInUse,
    SegmentValues,
    create_segment,
    delete_segment,
)
from apps.campaigns.events import run_rules
from apps.campaigns.models import Event, EventOutcome
from apps.followers.models import Follower
from apps.lib.queue.announce import announce, waiting
from apps.lib.queue.lanes import Lane
from apps.notifications.models import Delivery, Notification
from tests.campaigns.events.world import NOW, PAID, happen, make_rule, told
from tests.make import TESTER, make_type


@pytest.mark.django_db
@pytest.mark.usefixtures("inbox")
class TestWorkingOff:
    def test_an_event_becomes_what_its_rules_say_and_each_answer_is_kept(
        self, anna: Follower
    ) -> None:
        big = make_rule(
            conditions={"all": [{"field": "data.total", "op": "greater", "value": 100}]}
        )
        make_rule(
            event="order.*",
            conditions={"all": [{"field": "data.total", "op": "greater", "value": 1000}]},
        )
        make_rule(event="user.*")
        make_rule(active=False)
        event = happen(follower=anna, data=PAID)
        assert waiting(Lane.TRANSACTIONAL) == 1
        run_rules.work_off()
        event.refresh_from_db()
        assert event.due_at is None
        assert told(event) == [("Rule 1", "notified"), ("Rule 2", "not_matched")]
        first, second = event.outcomes.all()
        assert (
            second.because == "data.total is “120.5”, and this asks: data.total is more than “1000”"
        )
        assert first.notification is not None
        assert first.notification.data["number"] == "A-17"
        assert first.notification.data["event"]["name"] == "order.paid"
        assert [row.follower for row in first.notification.deliveries.all()] == [anna]
        assert first.notification.notification_type == big.notification_type

    def test_worked_off_twice_it_notifies_once(self, anna: Follower) -> None:
        make_rule()
        event = happen(follower=anna)
        run_rules.work_off()
        run_rules.work_off()
        Event.objects.filter(pk=event.pk).update(
            due_at=event.received_at
        )  # as another worker still sees it
        with pytest.raises(IntegrityError), transaction.atomic():
            run_rules._react(event, now=timezone.now())
        assert Notification.objects.count() == EventOutcome.objects.count() == 1

    def test_a_worker_that_dies_half_way_leaves_all_as_it_was(
        self, anna: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_rule()
        event = happen(follower=anna)

        def die(*args: Any, **kwargs: Any) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(EventOutcome.objects, "bulk_create", die)
            with pytest.raises(KeyboardInterrupt):
                run_rules.work_off()
        event.refresh_from_db()
        assert event.due_at
        assert not Notification.objects.exists()
        run_rules.work_off()
        assert told(event) == [("Rule 1", "notified")]

    def test_a_rule_that_fails_does_not_stop_the_others(
        self, anna: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        unspoken = make_type("unspoken", category="informational")
        make_rule(notification_type=unspoken)
        broken = make_rule()
        make_rule()
        plain = run_rules.data_for
        monkeypatch.setattr(
            run_rules,
            "data_for",
            lambda rule, *rest: 1 / 0 if rule.pk == broken.pk else plain(rule, *rest),
        )
        event = happen(follower=anna)
        run_rules.work_off()
        first, second, third = event.outcomes.all()
        assert (first.result, second.result, third.result) == ("failed", "failed", "notified")
        assert "There is no default template of the type unspoken" in first.because
        assert "ZeroDivisionError" in second.because

    def test_an_event_that_can_not_be_worked_off_waits_and_lets_others_pass(
        self, anna: Follower, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        make_rule()
        bad, good = happen(follower=anna), happen(follower=anna)
        react = run_rules._react
        monkeypatch.setattr(
            run_rules,
            "_react",
            lambda event, now: 1 / 0 if event.pk == bad.pk else react(event, now=now),
        )
        began = timezone.now()
        run_rules.work_off()
        assert told(good) == [("Rule 1", "notified")]
        bad.refresh_from_db()
        assert bad.due_at is not None
        assert bad.due_at > began

    def test_the_delay_counts_from_when_it_happened(self, anna: Follower) -> None:
        make_rule(delay=3600)
        happened = timezone.now() - dt.timedelta(minutes=20)
        event = happen(follower=anna, occurred_at=happened)
        run_rules.work_off()
        assert Notification.objects.get().send_at == happened + dt.timedelta(hours=1)
        assert event.outcomes.get().result == "notified"

    def test_a_mapping_names_the_variables_and_the_throttle_counts_by_a_path(
        self, anna: Follower
    ) -> None:
        make_rule(
            mapping={
                "order": "data.number",
                "first": "data.items.0.sku",
                "who": "follower.name",
                "none": "data.x",
            },
            throttle_key="data.number",
        )
        happen(follower=anna, data=PAID)
        run_rules.work_off()
        made = Notification.objects.get()
        assert made.data == {"order": "A-17", "first": "lamp", "who": "Anna Weber"}
        assert made.throttle_key == "A-17"

    def test_a_segment_is_told_of_what_is_about_nobody(
        self, anna: Follower, boris: Follower
    ) -> None:
        rules = {"all": [{"field": "language", "op": "is", "value": "ru"}]}
        segment = create_segment(
            values=SegmentValues(name="Night watch", rules=rules), by=TESTER, now=NOW
        )
        make_rule(event="server.down", to="segment", segment=segment)
        make_rule(event="server.down")
        event = happen("server.down")
        run_rules.work_off()
        assert told(event) == [("Rule 1", "notified"), ("Rule 2", "failed")]
        assert [row.follower for row in Delivery.objects.all()] == [boris]
        with pytest.raises(SegmentInUse, match="Rule 1"):
            delete_segment(segment=segment, by=TESTER, now=NOW)

    def test_a_rehearsal_says_what_would_happen_and_leaves_nothing_behind(
        self, anna: Follower
    ) -> None:
        rule = make_rule(delay=60)
        sample = Event(
            name="order.paid", follower=anna, data=PAID, occurred_at=NOW, received_at=NOW
        )
        found = run_rules.rehearse(rule=rule, event=sample, now=timezone.now())
        assert found.outcome.result == "notified"
        assert [each[1:] for each in found.messages] == [
            ("Anna Weber", "in_app", "pending", "default_on")
        ]
        assert found.data["number"] == "A-17"
        assert not Notification.objects.exists()
        assert waiting(Lane.TRANSACTIONAL) == 0


@pytest.mark.django_db
def test_an_event_that_another_worker_could_work_off_stays_worked_off(
    anna: Follower, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = happen(follower=anna)
    react = run_rules._react

    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    def meanwhile(*_: Any) -> None:
        monkeypatch.setattr(run_rules, "_react", react)
        assert run_rules._next()

    monkeypatch.setattr(run_rules, "_react", fail)
    monkeypatch.setattr(run_rules.logger, "exception", meanwhile)
    assert run_rules._next()
    event.refresh_from_db()
    assert event.due_at is None


@pytest.mark.django_db
def test_one_worker_answers_the_calls_of_all_events_so_that_others_get_their_turn() -> None:
    announce("apps.notifications.plan.plan", lane=Lane.TRANSACTIONAL, notification_id=1)
    for _ in range(10):
        happen()
    assert waiting(Lane.TRANSACTIONAL) == 11
    run_rules.work_off()
    assert not Event.objects.exclude(due_at=None).exists()
    assert waiting(Lane.TRANSACTIONAL) == 1
