"""A sender answers all the calls that were made before it looked."""

import pytest
from django_q.models import OrmQ

from apps.followers.models import Follower
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane
from apps.notifications.books.wake import SEND_TASK
from apps.notifications.models import Delivery
from apps.notifications.sending.sender import send_lane
from tests.make import make_type
from tests.notifications.world import make_version, tell
from tests.receiver import Receiver

pytestmark = pytest.mark.django_db


def calls(lane: Lane) -> list[str]:
    return sorted(row.func() for row in OrmQ.objects.filter(key=lane.value))


def test_one_call_does_the_work_of_all_that_wait_and_leaves_other_tasks_alone(
    receiver: Receiver, anna: Follower, boris: Follower
) -> None:
    kind = make_type("orders", category="informational")
    version = make_version()
    for person in (anna, boris, anna):
        tell(kind, [person], version=version)
    announce("apps.ops.heartbeat.beat", lane=Lane.TRANSACTIONAL)
    assert calls(Lane.TRANSACTIONAL).count(SEND_TASK) == 3
    send_lane(name="transactional")
    assert set(Delivery.objects.values_list("status", flat=True)) == {"sent"}
    assert calls(Lane.TRANSACTIONAL) == ["apps.ops.heartbeat.beat"]


def test_in_the_bulk_lane_two_are_called_and_both_may_come(
    receiver: Receiver, anna: Follower
) -> None:
    tell(make_type("news"), [anna], version=make_version())
    assert calls(Lane.BULK) == [SEND_TASK, SEND_TASK]
    send_lane(name="bulk")
    assert calls(Lane.BULK) == [SEND_TASK, SEND_TASK]
