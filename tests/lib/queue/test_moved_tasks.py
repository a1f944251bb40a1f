"""A call that waited through an upgrade finds its task where it is now."""

from pydoc import locate  # how django-q2 finds a task

import pytest
from django.conf import settings
from django.utils.module_loading import import_string
from django_q.brokers import get_broker
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from apps.lib.queue.announce import announce, answer_all, waiting
from apps.lib.queue.broker import ListeningBroker
from apps.lib.queue.lanes import Lane

OLD = "apps.notifications.send.send_lane"
NEW = "apps.notifications.sending.sender.send_lane"


def taken_out(lane: Lane) -> list[str]:
    """The paths of the tasks that a cluster of the lane gets to see next."""
    found = get_broker(lane.value).dequeue() or []
    return [SignedPackage.loads(payload)["func"] for _, payload in found]


@pytest.mark.parametrize("path", sorted(settings.MOVED_TASKS))
def test_a_task_that_moved_is_there_under_its_new_path(path: str) -> None:
    assert callable(import_string(settings.MOVED_TASKS[path]))
    assert not callable(locate(path)), "nothing can be called there any more"


def test_the_clusters_use_our_broker(db: None) -> None:
    assert isinstance(get_broker("bulk"), ListeningBroker)


def test_a_call_under_an_old_path_is_taken_out_under_the_new_one(db: None) -> None:
    announce(OLD, lane=Lane.BULK, name="bulk")
    assert taken_out(Lane.BULK) == [NEW]


def test_a_call_of_a_task_that_stayed_is_taken_out_as_it_is(db: None) -> None:
    announce("apps.ops.heartbeat.canary", lane=Lane.BULK)
    assert taken_out(Lane.BULK) == ["apps.ops.heartbeat.canary"]


def test_a_call_that_nobody_can_read_is_left_to_the_cluster_which_throws_it_away(db: None) -> None:
    announce("apps.ops.heartbeat.canary", lane=Lane.BULK)
    OrmQ.objects.update(payload="not ours")
    found = get_broker("bulk").dequeue()
    assert [payload for _, payload in found] == ["not ours"]


def test_a_sender_answers_the_calls_under_both_paths(db: None) -> None:
    announce(OLD, lane=Lane.BULK, name="bulk")
    announce(NEW, lane=Lane.BULK, name="bulk")
    answer_all(NEW, lane=Lane.BULK)
    assert waiting(Lane.BULK) == 0
