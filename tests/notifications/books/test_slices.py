"""Slices and single rows: who is claimed is claimed once, and what comes back comes back once."""

import datetime as dt
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.channels.contract import Outcome, Result
from apps.followers.models import Follower
from apps.lib.queue.lanes import Lane
from apps.notifications import control, replay
from apps.notifications.books import sleep, slices, tallies
from apps.notifications.messages.row import Row
from apps.notifications.models import Delivery, Notification, Slice
from apps.notifications.notify import Intent, open_notification
from apps.notifications.plan import finish_planning, freeze_slice
from apps.notifications.sending import claim, held, outcomes, recover
from apps.notifications.sending.journal import Journal
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import make_due, make_version, stands
from tests.patience import PATIENCE
from tests.receiver import Receiver

ACCEPTED = Outcome(Result.ACCEPTED, "250 ok", "q1")
ENDS = {
    "accepted": ACCEPTED,
    "later": Outcome(Result.TRANSIENT, "451 later"),
    "refused": Outcome(Result.PERMANENT_RECIPIENT, "550 no"),
    "fault": Outcome(Result.THROTTLED, "421 slow down", charged=False),
}


@pytest.fixture
def from_two(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few are enough for a slice; one is not."""
    monkeypatch.setattr(slices, "LEAST", 2)


def planned(people: int, *, size: int) -> Notification:
    """A notification to so many, in slices of this size; who is left over waits by itself."""
    for number in range(people):
        make_follower(email=f"p{number}@example.com")
    intent = Intent(
        notification_type=make_type(),
        version=make_version(),
        channels=["email"],
        source="test",
    )
    now = timezone.now()
    notification = open_notification(intent=intent, lane=Lane.BULK, by=TESTER, now=now)
    while freeze_slice(
        notification=notification, followers=Follower.objects.all(), now=now, size=size
    ):
        pass
    finish_planning(notification=notification, now=now)
    notification.refresh_from_db()
    return notification


def take(owner: str, size: int) -> list[Row]:
    batch = claim.claim(Lane.BULK, owner=owner, size=size)
    if batch is None:
        return []
    return batch.rows


def ranges() -> list[tuple[int, int, str]]:
    return list(Slice.objects.order_by("first").values_list("first", "last", "owner"))


# ------------------------------------------------------------------ one after the other
def test_a_claim_takes_the_beginning_of_a_slice_and_the_next_one_goes_on_behind_it(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(7, size=4)
    pks = list(Delivery.objects.order_by("pk").values_list("pk", flat=True))
    assert ranges() == [(pks[0], pks[3], ""), (pks[4], pks[6], "")]
    assert [row.pk for row in take("ada", 3)] == pks[:3]
    assert [row.pk for row in take("bob", 3)] == pks[3:6], "across two slices"
    assert ranges() == [
        (pks[0], pks[2], "ada"),
        (pks[3], pks[3], "bob"),
        (pks[4], pks[5], "bob"),
        (pks[6], pks[6], ""),
    ]
    assert stands(notification) == {"queued": 6, "pending": 1}
    assert take("ada", 3)[0].pk == pks[6]
    assert take("bob", 3) == []


def test_what_was_sent_has_changed_no_index_and_leaves_no_slice(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(6, size=6)
    rows = take("ada", 4)
    outcomes.record("ada", [(row, ACCEPTED) for row in rows])
    assert {each.shelf for each in Delivery.objects.filter(status="sent")} == {0}
    assert len(ranges()) == 2
    outcomes.record("ada", [(row, ACCEPTED) for row in take("ada", 4)])
    slices.close_some()
    assert ranges() == []
    assert stands(notification) == {"sent": 6}


def test_what_comes_back_waits_by_itself_and_is_claimed_with_the_next_slice(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(6, size=6)
    first, second, third = take("ada", 3)
    outcomes.record("ada", [(first, ENDS["later"]), (second, ACCEPTED)])
    held.release("ada", [third])
    slices.close_some()
    assert [owner for *_, owner in ranges()] == [""]
    assert set(Delivery.objects.filter(in_slice=False).values_list("pk", "shelf")) == {
        (first.pk, 1),
        (third.pk, 1),
    }
    make_due(notification)
    assert {row.pk for row in take("bob", 10)} >= {first.pk, third.pk}
    assert stands(notification) == {"queued": 5, "sent": 1}


def test_who_was_put_off_while_nobody_had_the_slice_is_not_taken_with_it(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(5, size=5)
    late = Delivery.objects.order_by("pk")[1].pk
    Delivery.objects.filter(pk=late).update(due_at=timezone.now() + dt.timedelta(hours=1))
    rows = take("ada", 10)
    assert late not in {row.pk for row in rows}
    outcomes.record("ada", [(row, ACCEPTED) for row in rows])
    slices.close_some()
    assert Delivery.objects.get(in_slice=False).pk == late
    make_due(notification)
    assert [row.pk for row in take("bob", 10)] == [late]


def test_a_cancelled_notification_keeps_no_slice_but_of_what_is_in_hand(
    receiver: Receiver, from_two: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control, "wait_until_still", lambda notification: None)
    notification = planned(9, size=3)
    rows = take("ada", 2)
    control.cancel(notification=notification, by=TESTER, now=timezone.now())
    control.cancel_rest(notification_id=notification.pk)
    assert stands(notification) == {"queued": 2, "cancelled": 7}
    assert [owner for *_, owner in ranges()] == ["ada"]
    outcomes.record("ada", [(rows[0], ACCEPTED)])
    held.release("ada", rows[1:])
    slices.close_some()
    assert stands(notification) == {"sent": 1, "cancelled": 8}
    assert ranges() == []


def test_what_waits_of_a_cancelled_notification_is_left_to_whoever_cancels_it(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(9, size=3)
    # and the canceller has not begun
    Notification.objects.update(state="cancelled", finished_at=timezone.now())
    slices.close_some()
    assert len(ranges()) == 3
    assert not Delivery.objects.filter(in_slice=False).exists()
    control.cancel_rest(notification_id=notification.pk)
    assert stands(notification) == {"cancelled": 9}
    assert ranges() == []


def test_a_pause_lets_go_of_what_is_in_hand_and_the_rest_goes_on_afterwards(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(6, size=6)
    rows = take("ada", 4)
    control.pause(notification=notification, by=TESTER, now=timezone.now())
    assert take("bob", 10) == []
    assert held.stopped({notification.pk}) == {notification.pk}
    held.release("ada", rows)
    control.resume(notification=notification, by=TESTER, now=timezone.now())
    assert len(take("bob", 10)) == 6
    assert stands(notification) == {"queued": 6}


def test_a_notification_that_expired_before_its_turn_is_closed_slice_by_slice(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(7, size=3)
    now = timezone.now()
    Notification.objects.update(expires_at=now)
    for _ in range(4):
        control.close_leftovers(now=now)
    assert stands(notification) == {"skipped": 7}
    assert ranges() == []


def test_it_wakes_for_what_is_in_slices(receiver: Receiver, from_two: None) -> None:
    notification = planned(5, size=4)  # four in a slice, one by itself
    now = timezone.now()
    tomorrow = now + dt.timedelta(days=1)
    Delivery.objects.filter(in_slice=False).update(due_at=tomorrow)
    sleep.fall_asleep(now=now)
    notification.refresh_from_db()
    assert notification.wakes_at is None, "a slice is due"
    Notification.objects.update(wakes_at=tomorrow)
    sleep.wake_overslept(now=now)
    notification.refresh_from_db()
    assert notification.wakes_at is None
    assert len(take("ada", 10)) == 4
    Notification.objects.update(send_at=tomorrow)
    held.release("ada", [])
    outcomes.record("ada", [(row, ACCEPTED) for row in held.held_rows("ada")])
    sleep.fall_asleep(now=now)
    notification.refresh_from_db()
    assert notification.wakes_at == tomorrow


def test_who_is_in_no_slice_any_more_is_let_out_by_hand(
    receiver: Receiver, from_two: None, capsys: pytest.CaptureFixture[str]
) -> None:
    notification = planned(4, size=4)
    call_command("recount", str(notification.uid))
    assert "claimed" not in capsys.readouterr().out
    Slice.objects.all().delete()
    assert take("ada", 10) == []
    call_command("recount", str(notification.uid))
    assert "4 waited where nobody claimed them, and go on now" in capsys.readouterr().out
    assert len(take("ada", 10)) == 4


# ------------------------------------------------------------------ owners that are gone
def test_a_dead_owners_slice_is_booked_by_its_notes_and_given_back(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(6, size=6)
    journal = Journal()
    rows = take(journal.owner, 4)
    for row in rows[:3]:
        journal.preparing(row.pk)
    for row in rows[:2]:
        journal.handing_over(row.pk)
    journal.ended(rows[0].pk, ACCEPTED)
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"queued": 4, "pending": 2}, "its owner lives"
    journal.__exit__(RuntimeError, RuntimeError(), None)
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"sent": 1, "pending": 5}
    assert [owner for *_, owner in ranges()] == [""]
    kinds = Delivery.objects.filter(events__isnull=False).values_list("pk", "events__kind")
    assert dict(kinds) == {rows[1].pk: "in_doubt", rows[2].pk: "crashed"}
    make_due(notification)
    assert len(take("bob", 10)) == 5


def test_the_slice_of_a_lost_machine_is_taken_over_by_its_lease(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(4, size=4)
    take("far-away", 3)
    moment = timezone.now() - recover.ELSEWHERE
    Slice.objects.filter(owner="far-away").update(until=moment + dt.timedelta(seconds=5))
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"queued": 3, "pending": 1}, "it may come back with its journal"
    Slice.objects.filter(owner="far-away").update(until=moment - dt.timedelta(seconds=5))
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"pending": 4}
    events = Delivery.objects.values_list("events__kind", flat=True)
    assert Counter(events) == {"in_doubt": 3, None: 1}


def test_an_owner_that_renews_late_keeps_its_rows_and_one_that_lost_them_books_nothing(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(4, size=4)
    rows = take("slow", 4)
    past = timezone.now() - dt.timedelta(minutes=2)
    Slice.objects.update(until=past)
    recover.expired_leases(now=timezone.now())
    assert len(held.still_wanted("slow", rows, now=timezone.now())) == 4
    assert Slice.objects.get().until > timezone.now()  # type: ignore[operator]
    Slice.objects.update(until=timezone.now() - recover.ELSEWHERE - dt.timedelta(minutes=1))
    recover.expired_leases(now=timezone.now())
    outcomes.record("slow", [(row, ACCEPTED) for row in rows])
    assert stands(notification) == {"pending": 4}


def test_a_poison_in_a_slice_is_set_aside_and_the_others_are_not(
    receiver: Receiver, from_two: None
) -> None:
    notification = planned(5, size=5)
    poison = Delivery.objects.order_by("pk")[2].pk
    for _ in range(recover.MOST_CRASHES):
        make_due(notification)
        journal = Journal()
        rows = take(journal.owner, 10)
        journal.preparing(next(row.pk for row in rows if row.pk == poison))
        journal.__exit__(RuntimeError, RuntimeError(), None)
        recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"failed": 1, "pending": 4}
    assert Delivery.objects.get(status="failed").pk == poison


# ------------------------------------------------------------------ at once
@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_two_claims_at_once_take_different_slices(receiver: Receiver, from_two: None) -> None:
    notification = planned(8, size=4)

    def beside() -> set[int]:
        try:
            return {row.pk for row in take("bob", 10)}
        finally:
            connection.close()

    with transaction.atomic():
        mine = slices.take(notification.pk, "email", owner="ada", most=2, now=timezone.now())
        with ThreadPoolExecutor() as pool:
            theirs = pool.submit(beside).result(PATIENCE)
    assert len(mine) == 2
    assert len(theirs) == 4, "the slice that another claim holds is left to it"
    assert not mine & theirs


# ------------------------------------------------------------------ any history
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["take"] * 4
            + ["end"] * 4
            + ["give back", "kill", "tick", "tick", "due"]
            + ["pause", "go on", "look", "put off", "erase", "retry"]
        ),
        st.integers(0, 7),
        st.sampled_from(sorted(ENDS)),
    ),
    max_size=25,
)


class History:
    """Senders that take, end and die, and what has left."""

    def __init__(self, notification: Notification) -> None:
        self.notification = notification
        self.journals = [Journal() for _ in range(2)]
        self.hands: list[dict[int, Row]] = [{}, {}]
        self.left: Counter[int] = Counter()

    def step(self, what: str, number: int, end: str) -> None:
        who = number % 2
        hand = self.hands[who]
        journal = self.journals[who]
        now = timezone.now()
        match what:
            case "take":
                rows = take(journal.owner, 1 + number)
                others = self.hands[0].keys() | self.hands[1].keys()
                assert not others & {row.pk for row in rows}, "it is in somebody's hands"
                hand.update({row.pk: row for row in rows})
            case "end":
                rows = list(hand.values())[: 1 + number // 2]
                for row in rows:
                    self._hand_over(journal, row, end)
                outcomes.record(journal.owner, [(row, ENDS[end]) for row in rows])
                for row in rows:
                    del hand[row.pk]
            case "give back":
                held.release(journal.owner, list(hand.values()))
                hand.clear()
            case "kill":
                # the first is being made, the second has left, the third has its answer
                for row, steps in zip(hand.values(), (1, 2, 3), strict=False):
                    if steps == 3:
                        self._hand_over(journal, row, end)
                    else:
                        journal.preparing(row.pk)
                        if steps == 2:
                            journal.handing_over(row.pk)
                journal.__exit__(RuntimeError, RuntimeError(), None)
                self.journals[who] = Journal()
                hand.clear()
            case "tick":
                recover.expired_leases(now=now)
                control.close_leftovers(now=now)
            case "due":
                make_due(self.notification)
            case "pause":
                if self.notification.state == "sending":
                    Notification.objects.filter(state="sending").update(state="paused")
            case "go on":
                Notification.objects.filter(state="paused").update(state="sending")
            case "look":
                kept = held.still_wanted(journal.owner, list(hand.values()), now=now)
                assert len(kept) <= len(hand)
                self.hands[who] = {row.pk: row for row in kept}
            case "put off":
                waiting = Delivery.objects.filter(status="pending").order_by("pk")
                later = waiting.values_list("pk", flat=True)[number : number + 2]
                Delivery.objects.filter(pk__in=list(later)).update(due_at=now + dt.timedelta(1))
            case "erase":
                mine = Delivery.objects.order_by("pk").values_list("follower", flat=True)[number]
                Follower.objects.filter(pk=mine).update(subscribed=False)
            case "retry":
                if Delivery.objects.filter(status="failed").exists():
                    replay.retry_failed(notification=self.notification, by=TESTER, now=now)

    def _hand_over(self, journal: Journal, row: Row, end: str) -> None:
        journal.preparing(row.pk)
        journal.handing_over(row.pk)
        journal.ended(row.pk, ENDS[end])
        if end == "accepted":
            self.left[row.pk] += 1

    def check(self) -> None:
        """The tallies equal the rows, and each row has one place where it is found."""
        stands(self.notification)
        stretches = ranges()
        for (_, before, _), (after, _, _) in pairwise(stretches):
            assert before < after, "two slices have one delivery"
        for row in Delivery.objects.all():
            owners = [owner for first, last, owner in stretches if first <= row.pk <= last]
            if row.status in ("pending", "held", "failed", "in_doubt") and row.in_slice:
                assert owners, f"nobody finds {row.pk}, which is {row.status}"
            if row.status == "queued" and row.in_slice:
                assert owners == [row.lease_owner]
            if row.status == "pending" and not row.in_slice:
                assert row.shelf == 1

    def finish(self) -> None:
        """Let everybody die, and a new sender take all that is left."""
        self.step("kill", 0, "accepted")
        self.step("kill", 1, "accepted")
        self.step("go on", 0, "")
        for _ in range(60):
            recover.expired_leases(now=timezone.now())
            make_due(self.notification)
            self.check()
            while rows := take(self.journals[0].owner, 4):
                self.hands[0] = {row.pk: row for row in rows}
                self.step("end", 6, "accepted")
                self.step("end", 6, "accepted")
            if not tallies.waiting(self.notification.pk):
                break
        self.step("tick", 0, "")
        assert set(stands(self.notification)) <= {"sent", "failed", "skipped", "in_doubt"}
        assert max(self.left.values(), default=0) <= 1, "somebody got it twice"
        sent = Delivery.objects.filter(status="sent").values_list("pk", flat=True)
        assert set(sent) == set(self.left)
        assert ranges() == []


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(people=st.integers(1, 9), size=st.integers(1, 5), steps=STEPS)
def test_in_any_history_each_is_in_one_hand_and_leaves_once_and_the_sums_are_true(
    receiver: Receiver, from_two: None, people: int, size: int, steps: list[tuple[str, int, str]]
) -> None:
    with transaction.atomic():
        history = History(planned(people, size=size))
        for what, number, end in steps:
            if what == "erase" and number >= people:
                continue
            history.step(what, number, end)
            history.check()
        history.finish()
        for journal in history.journals:
            journal.leave(clean=True)
        transaction.set_rollback(True)
