"""A sender died: its journal says what it did, and nothing is lost, doubled or hidden."""

import datetime as dt
import os
from itertools import pairwise
from typing import Any

import pytest
from django.db import DataError
from django.utils import timezone

from apps.channels.contract import Outcome, Result
from apps.followers.consent import acts
from apps.followers.consent.record import Proof
from apps.followers.models import Follower
from apps.lib.queue.lanes import Lane
from apps.notifications.messages.row import Row
from apps.notifications.models import Delivery, Notification
from apps.notifications.sending import claim, held, outcomes, recover
from apps.notifications.sending.journal import Journal, Note, Notes
from tests.make import TESTER, make_follower, make_type
from tests.notifications.world import drain, make_due, make_version, stands, tell
from tests.receiver import Receiver


def claimed(count: int, journal: Journal) -> tuple[Notification, list[Row]]:
    people = [make_follower(email=f"p{number}@example.com") for number in range(count)]
    notification = tell(make_type(), people, version=make_version())
    batch = claim.claim(Lane.BULK, owner=journal.owner, size=100)
    assert batch is not None
    return notification, batch.rows


def test_a_dead_senders_notes_are_booked_and_the_rest_goes_on(receiver: Receiver) -> None:
    journal = Journal()
    notification, rows = claimed(4, journal)
    for row in rows[:3]:
        journal.preparing(row.pk)
        journal.handing_over(row.pk)
    journal.ended(rows[0].pk, Outcome(Result.ACCEPTED, "250 ok", "q1"))
    journal.ended(rows[1].pk, Outcome(Result.PERMANENT_RECIPIENT, "550 no"))

    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"queued": 4}, "its owner lives: nobody touches its rows"

    journal.__exit__(RuntimeError, RuntimeError(), None)  # what kill -9 leaves: an unlocked file
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"sent": 1, "failed": 1, "pending": 2}
    by_pk = {row.pk: row for row in Delivery.objects.all()}
    assert by_pk[rows[0].pk].provider_id == "q1"
    assert (by_pk[rows[2].pk].attempts, by_pk[rows[3].pk].attempts) == (1, 0)
    assert by_pk[rows[2].pk].events.get().kind == "in_doubt"
    drain()
    assert sorted(receiver.recipients) == sorted(row.address for row in rows[2:])
    assert stands(notification) == {"sent": 3, "failed": 1}


def test_a_claim_that_is_committed_after_its_senders_death_is_undone_at_once(
    receiver: Receiver,
) -> None:
    journal = Journal()
    journal.__exit__(RuntimeError, RuntimeError(), None)
    recover.expired_leases(now=timezone.now())
    notification, _ = claimed(2, journal)  # the database had its COMMIT and was slow
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"pending": 2}, "not in doubt after a quarter of an hour"


def test_a_message_that_kills_its_sender_is_set_aside_after_three_starts(
    receiver: Receiver,
) -> None:
    notification = tell(
        make_type(), [make_follower(email="poison@example.com")], version=make_version()
    )
    for _ in range(3):
        make_due(notification)
        journal = Journal()
        batch = claim.claim(Lane.BULK, owner=journal.owner, size=100)
        assert batch is not None
        journal.preparing(batch.rows[0].pk)
        journal.__exit__(RuntimeError, RuntimeError(), None)
        recover.expired_leases(now=timezone.now())
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.reason) == ("failed", "quarantined")
    assert stands(notification) == {"failed": 1}
    make_due(notification)
    drain()
    assert receiver.arrived == []


def test_a_doubtful_message_to_somebody_who_left_meanwhile_stays_in_doubt(
    receiver: Receiver,
) -> None:
    journal = Journal()
    notification, rows = claimed(2, journal)
    journal.handing_over(rows[0].pk)
    journal.__exit__(RuntimeError, RuntimeError(), None)
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"pending": 2}
    for follower in Follower.objects.all():
        acts.unsubscribe(
            follower=follower, proof=Proof(source="one_click", by=TESTER, now=timezone.now())
        )
    drain()
    assert stands(notification) == {"in_doubt": 1, "skipped": 1}, (
        "it has perhaps arrived: skipped would be a claim"
    )


def test_messages_that_were_prepared_side_by_side_with_a_poison_are_tried_again_apart(
    receiver: Receiver,
) -> None:
    for pause in (recover.FIRST_CRASH_PAUSE, recover.CRASH_PAUSE):
        journal = Journal()
        Delivery.objects.update(status="queued", lease_owner=journal.owner)
        if not Delivery.objects.exists():
            claimed(3, journal)
        for pk in Delivery.objects.values_list("pk", flat=True):
            journal.preparing(pk)
        journal.__exit__(RuntimeError, RuntimeError(), None)
        recover.expired_leases(now=timezone.now())
        due = sorted(Delivery.objects.values_list("due_at", flat=True))
        pauses = [later - earlier for earlier, later in pairwise(due)]
        assert min(pauses) >= pause, (
            "claimed together, an innocent one would be blamed three times, too"
        )


def test_a_journal_that_can_not_be_booked_is_kept_and_holds_up_no_other(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = sorted((Journal(), Journal()), key=lambda journal: journal.owner)
    _, rows = claimed(2, first)
    held.release(first.owner, rows[1:])
    assert claim.claim(Lane.BULK, owner=second.owner, size=100)
    for journal, row in zip((first, second), rows, strict=True):
        journal.ended(row.pk, Outcome(Result.ACCEPTED, "250 ok"))
        journal.__exit__(RuntimeError, RuntimeError(), None)
    record = outcomes.record

    def not_the_first(owner: str, *args: Any, **others: Any) -> None:
        if owner == first.owner:
            raise DataError
        record(owner, *args, **others)

    monkeypatch.setattr(outcomes, "record", not_the_first)
    with pytest.raises(DataError):
        recover.expired_leases(now=timezone.now())
    assert dict(Delivery.objects.values_list("pk", "status")) == {
        rows[0].pk: "queued",
        rows[1].pk: "sent",
    }
    monkeypatch.undo()
    recover.expired_leases(now=timezone.now())
    assert set(Delivery.objects.values_list("status", flat=True)) == {"sent"}


def test_a_slow_old_owner_can_not_overwrite_its_successor(receiver: Receiver) -> None:
    journal = Journal()
    notification, rows = claimed(1, journal)
    held.release(journal.owner, rows)
    drain()
    outcomes.record(
        journal.owner, [(rows[0], Outcome(Result.PERMANENT_RECIPIENT, "550 late news"))]
    )
    assert stands(notification) == {"sent": 1}


def test_a_lost_machines_rows_are_in_doubt_after_a_quarter_of_an_hour(
    receiver: Receiver, anna: Follower
) -> None:
    notification = tell(make_type(), [anna], version=make_version())
    assert claim.claim(Lane.BULK, owner="elsewhere-1", size=100)
    ended = {minutes: timezone.now() - dt.timedelta(minutes=minutes) for minutes in (14, 16)}
    Delivery.objects.update(lease_until=ended[14])
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"queued": 1}
    Delivery.objects.update(lease_until=ended[16])
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"pending": 1}
    drain()
    assert receiver.recipients == ["anna@example.com"]


def test_a_line_at_which_its_sender_was_killed_is_not_believed(receiver: Receiver) -> None:
    journal = Journal()
    notification, rows = claimed(1, journal)
    journal.preparing(rows[0].pk)
    journal.handing_over(rows[0].pk)
    journal._put(journal._end, b'00000000 E 1 ["accepted", "250 o')
    journal.__exit__(RuntimeError, RuntimeError(), None)
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"pending": 1}
    assert Delivery.objects.get().events.get().kind == "in_doubt"


def test_a_journal_that_the_version_before_has_left_is_booked(receiver: Receiver) -> None:
    journal = Journal()
    notification, rows = claimed(4, journal)
    taken, doubted, begun, _ = (row.pk for row in rows)
    journal._path.write_text(
        f"P {taken} \nH {taken} \nP {doubted} \n"
        f'E {taken} ["accepted", "250 ok", "q1", null, true, "", null]\n'
        f"H {doubted} \nP {begun} \n"
    )
    journal.__exit__(RuntimeError, RuntimeError(), None)
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"sent": 1, "pending": 3}
    assert Delivery.objects.get(pk=taken).provider_id == "q1"
    events = dict(Delivery.objects.values_list("pk", "events__kind"))
    assert list(events.values()).count(None) == 2
    assert (events[doubted], events[begun]) == ("in_doubt", "crashed")


@pytest.mark.reported
@pytest.mark.parametrize(("policy", "stand"), [("resend", "pending"), ("hold", "in_doubt")])
def test_a_damaged_line_is_never_taken_for_nothing_happened(
    receiver: Receiver, policy: str, stand: str, caplog: pytest.LogCaptureFixture
) -> None:
    journal = Journal()
    people = [make_follower(email=f"p{number}@example.com") for number in range(3)]
    notification = tell(make_type(doubt_policy=policy), people, version=make_version())
    batch = claim.claim(Lane.BULK, owner=journal.owner, size=100)
    assert batch
    journal.ended(batch.rows[0].pk, Outcome(Result.ACCEPTED, "250 ok"))
    journal.handing_over(batch.rows[1].pk)
    os.truncate(journal._path, journal._end - 1)
    journal.__exit__(RuntimeError, RuntimeError(), None)
    recover.expired_leases(now=timezone.now())
    assert stands(notification) == {"sent": 1, stand: 2}
    doubted = Delivery.objects.filter(events__kind="in_doubt")
    assert {each.error for each in doubted} == {
        "The sender died, and its notes are damaged or lost: perhaps the message left."
    }
    assert doubted.count() == 2
    assert f"The notes of {journal.owner} can't be read whole: 2 messages are in doubt" in (
        caplog.text
    )


def test_a_crash_is_counted_once_though_two_recover_at_the_same_time(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal()
    notification, rows = claimed(1, journal)
    journal.preparing(rows[0].pk)
    held_rows = recover.held_rows
    overtaken = []

    def slow(owner: str) -> list[Row]:
        """Look at the rows, and be overtaken by another one that recovers."""
        found = held_rows(owner)
        monkeypatch.setattr(recover, "held_rows", held_rows)
        recover._take_over(owner, Notes({rows[0].pk: Note()}))
        overtaken.append(stands(notification))
        return found

    monkeypatch.setattr(recover, "held_rows", slow)
    journal.__exit__(RuntimeError, RuntimeError(), None)
    recover.expired_leases(now=timezone.now())
    assert overtaken == [{"pending": 1}]
    assert stands(notification) == {"pending": 1}
    assert [event.kind for event in Delivery.objects.get().events.all()] == ["crashed"]
