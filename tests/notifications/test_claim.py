"""Rows that a sender holds and has not begun: none of them may fall between two looks."""

from typing import Any

from django.utils import timezone

from apps.lib.queue.lanes import Lane
from apps.notifications import claim
from tests.make import make_follower, make_type
from tests.notifications.world import make_version, tell
from tests.receiver import Receiver


def test_rows_of_two_claims_of_one_notification_are_all_looked_at_again(db: None, receiver: Receiver) -> None:
    people = [make_follower(email=f"p{n}@example.com", subscribed=True) for n in range(4)]
    kind = make_type()
    tell(kind, people, version=make_version())
    held: list[Any] = []
    for _ in range(2):
        batch = claim.claim(Lane.BULK, owner="me", size=2)
        assert batch is not None
        held += batch.rows
    wanted = claim.still_wanted("me", held, now=timezone.now())
    assert [row.address for row in wanted] == [person.email for person in people]
