"""What happens to messages in hand when a sender can't go on."""

import threading
from collections import deque
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.utils import timezone

from apps.lib.queue.lanes import Lane
from apps.notifications.messages.row import Row
from apps.notifications.models import Delivery
from apps.notifications.sending import claim, recover, sender, shift
from apps.notifications.sending.journal import Journal, NotWritten
from apps.notifications.sending.line import Hand, Line
from tests.make import make_follower, make_type
from tests.notifications.world import drain, make_due, make_version, stands, tell
from tests.patience import PATIENCE
from tests.receiver import Receiver


def test_a_message_that_eats_all_memory_is_set_aside_and_the_others_go(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    notification = tell(
        make_type(),
        [make_follower(email=f"p{number}@example.com") for number in range(4)],
        version=make_version(),
    )
    make = shift.message_of

    def hungry(row: Any, **more: Any) -> Any:
        if row.address == "p0@example.com":
            raise MemoryError
        return make(row, **more)

    monkeypatch.setattr(shift, "message_of", hungry)
    for _ in range(recover.MOST_CRASHES):
        with pytest.raises(MemoryError):
            sender.send_lane(name=Lane.BULK.value)
        recover.expired_leases(now=timezone.now())
        make_due(notification)
    drain()
    assert stands(notification) == {"failed": 1, "sent": 3}
    assert Delivery.objects.get(status="failed").reason == "quarantined"
    assert sorted(receiver.recipients) == [f"p{number}@example.com" for number in range(1, 4)]


def test_what_is_made_while_another_takes_back_what_was_made_is_not_lost(
    receiver: Receiver,
) -> None:
    tell(
        make_type(),
        [make_follower(email=f"p{number}@example.com") for number in range(2)],
        version=make_version(),
    )
    with Journal() as journal:
        batch = claim.claim(Lane.BULK, owner=journal.owner, size=10)
        assert batch
        taken, may_go_on = threading.Event(), threading.Event()

        def slowly(row: Row) -> Row:
            taken.set()
            may_go_on.wait(PATIENCE)
            return row

        line = Line(account=1, journal=journal, make=slowly, local=False)
        line.put(batch.rows)
        hand = Hand(line)
        maker = threading.Thread(target=hand._make, kwargs={"wait": False})

        class Looked(deque[Any]):
            """The message is finished just as somebody has looked through what was made,
            and puts the rest back.
            """

            looks = 0

            def __iter__(self) -> Iterator[Any]:
                yield from list(super().__iter__())
                self.looks += 1
                if self.looks < 2:
                    return
                may_go_on.set()
                maker.join(0.2)

        hand.made = Looked()
        maker.start()
        taken.wait(PATIENCE)
        taken_back = line.withdraw()
        maker.join()
        taken_back += line.withdraw()
        assert {row.pk for row in taken_back} == {row.pk for row in batch.rows}
        assert line.quiet()


def test_a_line_hears_of_a_broken_journal_also_where_messages_are_made_ahead(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise NotWritten("The disk is full.")

    tell(
        make_type(),
        [make_follower(email=f"p{number}@example.com") for number in range(2)],
        version=make_version(),
    )
    with Journal() as journal:
        batch = claim.claim(Lane.BULK, owner=journal.owner, size=10)
        assert batch
        line = Line(
            account=1,
            journal=journal,
            make=lambda row: SimpleNamespace(delivery=row.uid),
            local=False,
        )
        line.put(batch.rows)
        hand = Hand(line)
        assert hand._make(wait=False)
        monkeypatch.setattr(journal, "given_back", full)
        hand.broke(NotWritten("The disk is full."))
        assert isinstance(line.error, NotWritten)
        assert {row.pk for row in line.withdraw()} == {row.pk for row in batch.rows}
