"""What happens to messages in hand when a sender can't go on."""

from typing import Any

import pytest
from django.utils import timezone

from apps.lib.queue.lanes import Lane
from apps.notifications import recover, send
from apps.notifications.models import Delivery
from tests.make import make_follower, make_type
from tests.notifications.world import drain, make_due, make_version, stands, tell
from tests.receiver import Receiver


def test_a_message_that_eats_all_memory_is_set_aside_and_the_others_go(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    notification = tell(
        make_type(), [make_follower(email=f"p{number}@example.com") for number in range(4)], version=make_version()
    )
    make = send.message_of

    def hungry(row: Any, **more: Any) -> Any:
        if row.address == "p0@example.com":
            raise MemoryError
        return make(row, **more)

    monkeypatch.setattr(send, "message_of", hungry)
    for _ in range(recover.MOST_CRASHES):
        with pytest.raises(MemoryError):
            send.send_lane(name=Lane.BULK.value)
        recover.expired_leases(now=timezone.now())
        make_due(notification)
    drain()
    assert stands(notification) == {"failed": 1, "sent": 3}
    assert Delivery.objects.get(status="failed").reason == "quarantined"
    assert sorted(receiver.recipients) == [f"p{number}@example.com" for number in range(1, 4)]
