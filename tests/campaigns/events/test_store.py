"""Events and their rules: what happened is stored once, judged as it came,
and each rule's answer can be read.
"""

import datetime as dt
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from apps.accounts.models import AuditEntry
from apps.campaigns.audience.segments import (
    SegmentInUse,
    SegmentValues,
    create_segment,
    delete_segment,
)
from apps.campaigns.events import conditions, run_rules, store
from apps.campaigns.events import rules as events_rules
from apps.campaigns.events.conditions import BadConditions
from apps.campaigns.events.rules import BadRule, RuleNameTaken, RuleValues
from apps.campaigns.events.store import BadEvent, NewEvent
from apps.campaigns.models import Event, EventOutcome, EventRule
from apps.followers.models import Follower
from apps.lib.queue.announce import announce, waiting
from apps.lib.queue.lanes import Lane
from apps.notifications.accounts import edit
from apps.notifications.models import Delivery, Notification, TypeTemplate
from tests.make import TESTER, make_template, make_type, nested

NOW = dt.datetime(2026, 6, 1, 12, tzinfo=dt.UTC)
PAID = {
    "number": "A-17",
    "total": 120.5,
    "gift": True,
    "items": [{"sku": "lamp"}],
    "status": "Paid",
}


# ------------------------------------------------------------------ conditions, without a database
@pytest.mark.parametrize(
    ("field", "op", "value", "true"),
    [
        ("data.total", "greater", 100, True),
        ("data.total", "greater", "120.5", False),
        ("data.total", "less", 121, True),
        ("data.status", "less", 121, False),
        ("data.status", "is", "paid", True),
        ("data.total", "is", "120.50", True),
        ("data.gift", "is", True, True),
        ("data.gift", "is", "true", True),
        ("data.gift", "is", 1, False),
        ("data.gift", "greater", 0, False),
        ("data.status", "contains", "AI", True),
        ("data.items.0.sku", "is", "lamp", True),
        ("data.items.1.sku", "exists", None, False),
        ("data.items.1.sku", "not_exists", None, True),
        ("data.missing.deeper", "is_not", "x", True),
        ("follower.tags", "contains", "VIP", True),
        ("follower.metadata.plan", "is", "pro", True),
        ("event.name", "is", "order.paid", True),
    ],
)
def test_a_condition_is_true_or_false_of_what_is_there(
    field: str, op: str, value: Any, true: bool
) -> None:
    seen = {
        "event": {"name": "order.paid"},
        "data": PAID,
        "follower": {"tags": ["vip"], "metadata": {"plan": "Pro"}},
    }
    asked = conditions.parse({"all": [{"field": field, "op": op, "value": value}]})
    judgement = conditions.judge(asked, seen)
    assert judgement.matches is true
    assert field in judgement.because


SCALARS = st.one_of(st.text("ab1", min_size=1, max_size=2), st.integers(-2, 2), st.booleans())
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "field": st.sampled_from(["data.a", "data.b"]),
            "op": st.sampled_from(["is", "is_not", "contains"]),
            "value": SCALARS,
        }
    ),
    min_size=1,
    max_size=4,
)


@given(rows=ROWS, data=st.dictionaries(st.sampled_from("ab"), SCALARS))
def test_all_is_every_one_any_is_at_least_one_and_not_is_the_opposite(
    rows: list[dict[str, Any]], data: dict[str, Any]
) -> None:
    seen = {"data": data}

    def true(row: dict[str, Any]) -> bool:
        return conditions.judge(conditions.parse({"all": [row]}), seen).matches

    assert conditions.judge(conditions.parse({"all": rows}), seen).matches is all(map(true, rows))
    assert conditions.judge(conditions.parse({"any": rows}), seen).matches is any(map(true, rows))
    for row in rows:
        assert true(row | {"op": "is"}) is not true(row | {"op": "is_not"})


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"all": [], "any": []},
        {"all": [{"field": "total", "op": "is", "value": 1}]},
        {"all": [{"field": "data..x", "op": "is", "value": 1}]},
        {"all": [{"field": "data.x", "op": "like", "value": 1}]},
        {"all": [{"field": "data.x", "op": ["is"], "value": 1}]},
        {"all": [{"field": "data.x", "op": "greater", "value": "many"}]},
        {"all": [{"field": "data.x", "op": "greater", "value": 10**400}]},
        {"all": [{"field": "data.x", "op": "is"}]},
        {"all": [{"field": "data.x", "op": "is", "value": 1, "note": "?"}]},
    ],
)
def test_conditions_that_can_not_be_judged_are_refused(data: Any) -> None:
    with pytest.raises(BadConditions):
        conditions.parse(data)


# ------------------------------------------------------------------ with one
@pytest.fixture
def inbox(db: None) -> None:
    edit.create_account(
        name="Inbox", provider_key="in_app", settings={}, by=TESTER, now=timezone.now()
    )


def make_rule(**fields: Any) -> EventRule:
    known: dict[str, Any] = {"name": f"Rule {EventRule.objects.count() + 1}", "event": "order.paid"}
    if "notification_type" not in fields:
        kind = make_type(f"orders{EventRule.objects.count()}", category="informational")
        TypeTemplate.objects.create(notification_type=kind, template=make_template(f"t-{kind.key}"))
        known |= {"notification_type": kind, "channels": ["in_app"]}
    return events_rules.create_rule(values=RuleValues(**known | fields), by=TESTER, now=NOW)


def happen(name: str = "order.paid", follower: Follower | None = None, **fields: Any) -> Event:
    [(event, _)] = store.record(events=[NewEvent(name, follower, **fields)], now=timezone.now())
    return event


def told(event: Event) -> list[tuple[str, str]]:
    return [(outcome.rule_name, outcome.result) for outcome in event.outcomes.all()]


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
        assert "No template speaks for the type unspoken" in first.because
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
        assert found.messages == (("Anna Weber", "in_app", "pending", "default_on"),)
        assert found.data["number"] == "A-17"
        assert not Notification.objects.exists()
        assert waiting(Lane.TRANSACTIONAL) == 0


# ------------------------------------------------------------------ storing and forgetting
@pytest.mark.django_db
def test_the_same_event_twice_is_one_and_another_name_is_another(anna: Follower) -> None:
    twice = [
        NewEvent("order.paid", anna, dedup_id="17"),
        NewEvent("order.paid", anna, dedup_id="17"),
    ]
    stored = store.record(events=[*twice, NewEvent("order.sent", anna, dedup_id="17")], now=NOW)
    assert [new for _, new in stored] == [True, False, True]
    assert stored[0][0] == stored[1][0]


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("event", "field"),
    [
        (NewEvent("order..paid"), "name"),
        (NewEvent("order paid"), "name"),
        (NewEvent("x" * 101), "name"),
        (NewEvent("order.paid", data={"x": "y" * store.MAX_DATA}), "data"),
        (NewEvent("order.paid", data=nested(11)), "data"),
        (NewEvent("order.paid", occurred_at=NOW + dt.timedelta(hours=1)), "occurred_at"),
        (NewEvent("order.paid", occurred_at=dt.datetime.min.replace(tzinfo=dt.UTC)), "occurred_at"),
    ],
)
def test_an_event_that_can_not_be_is_refused_beside_its_field(event: NewEvent, field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        store.record(events=[event], now=NOW)
    assert refused.value.field == field
    assert not Event.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("inbox")
def test_data_as_deep_as_an_event_may_be_reaches_the_template(anna: Follower) -> None:
    make_rule()
    event = happen(follower=anna, data=nested(10))
    run_rules.work_off()
    assert [outcome.result for outcome in event.outcomes.all()] == ["notified"]


@pytest.mark.django_db
def test_old_events_are_forgotten_when_they_were_worked_off(settings: Any, anna: Follower) -> None:
    settings.EVENT_DAYS = 30
    old, waiting_, young = (happen(follower=anna) for _ in range(3))
    Event.objects.filter(pk__in=[old.pk, waiting_.pk]).update(received_at=NOW)
    Event.objects.filter(pk__in=[old.pk, young.pk]).update(due_at=None)
    Event.objects.filter(pk=young.pk).update(received_at=NOW + dt.timedelta(days=20))
    store.forget_old(now=NOW + dt.timedelta(days=31))
    assert set(Event.objects.all()) == {waiting_, young}


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
def test_the_tick_does_not_stand_still_while_millions_of_events_are_forgotten(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.EVENT_DAYS = 30
    monkeypatch.setattr(store, "CHUNK", 2)
    for _ in range(5):
        happen()
    Event.objects.update(received_at=NOW, due_at=None)
    left = []
    for _ in range(4):
        store.forget_old(now=NOW + dt.timedelta(days=31))
        left.append(Event.objects.count())
    assert left == [3, 1, 0, 0]


@pytest.mark.django_db
def test_a_call_that_was_lost_is_made_again() -> None:
    event = happen()
    store.announce_due(now=event.received_at)
    assert waiting(Lane.TRANSACTIONAL) == 1
    store.announce_due(now=event.received_at + dt.timedelta(seconds=3))
    assert waiting(Lane.TRANSACTIONAL) == 2


@pytest.mark.django_db
def test_one_worker_answers_the_calls_of_all_events_so_that_others_get_their_turn() -> None:
    announce("apps.notifications.plan.plan", lane=Lane.TRANSACTIONAL, notification_id=1)
    for _ in range(10):
        happen()
    assert waiting(Lane.TRANSACTIONAL) == 11
    run_rules.work_off()
    assert not Event.objects.exclude(due_at=None).exists()
    assert waiting(Lane.TRANSACTIONAL) == 1


# ------------------------------------------------------------------ rules
@pytest.mark.django_db
def test_a_rule_is_made_changed_and_deleted_and_the_history_says_so(anna: Follower) -> None:
    rule = make_rule()
    same = RuleValues(name=rule.name, event=rule.event, channels=rule.channels)
    events_rules.change_rule(rule=rule, values=same, by=TESTER, now=NOW)
    changed = RuleValues(active=False)
    events_rules.change_rule(rule=rule, values=changed, by=TESTER, now=NOW)
    event = happen(follower=anna)
    run_rules.work_off()
    assert told(event) == []
    with pytest.raises(RuleNameTaken):
        make_rule(name=rule.name)
    events_rules.delete_rule(rule=rule, by=TESTER, now=NOW)
    kinds = AuditEntry.objects.filter(subject_type="event_rule").order_by("pk")
    assert [entry.kind for entry in kinds] == [
        "event_rule.changed",
        "event_rule.changed",
        "event_rule.deleted",
    ]
    assert kinds[1].data == {"before": {"active": True}, "after": {"active": False}}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"event": "*"}, "event"),
        ({"event": "order.*.x"}, "event"),
        ({"channels": ["sms"]}, "channels"),
        ({"mapping": {"a b": "data.x"}}, "mapping"),
        ({"mapping": {"a": "x"}}, "mapping"),
        ({"throttle_key": "x"}, "throttle_key"),
        ({"delay": 10**9}, "delay"),
        ({"to": "segment"}, "segment"),
        ({"name": ""}, "name"),
    ],
)
def test_a_rule_that_can_not_be_is_refused_beside_its_field(
    fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(BadRule) as refused:
        make_rule(**fields)
    assert refused.value.field == field


@pytest.mark.django_db
def test_a_rule_names_no_channel_that_its_template_has_no_words_for(anna: Follower) -> None:
    kind = make_type("alarms", channels=["in_app", "sms"])
    silent = make_template("silent")
    unknown = make_template("unknown", publish=False)
    make_rule(notification_type=kind, template=unknown, channels=["in_app", "sms"])
    make_rule(notification_type=kind, template=silent, channels=["in_app"])
    make_rule(notification_type=kind, template=silent)
    with pytest.raises(
        BadRule, match="silent has no words for SMS, only for Email, In-app"
    ) as refused:
        make_rule(notification_type=kind, template=silent, channels=["in_app", "sms"])
    assert refused.value.field == "channels"


@pytest.mark.django_db
def test_events_of_a_prefix_are_those_below_it() -> None:
    assert events_rules.applies_to("order.*", "order.item.added")
    assert not events_rules.applies_to("order.*", "order")
    assert not events_rules.applies_to("order.*", "orders.created")
