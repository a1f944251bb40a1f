"""A wake-up call commits and rolls back with the change it announces."""

import pytest
from django.db import transaction

from apps.lib.queue.announce import announce, waiting
from apps.lib.queue.lanes import Lane


def test_an_announcement_waits_in_its_own_lane(db: None) -> None:
    announce("apps.ops.heartbeat.canary", lane=Lane.BULK)
    assert {lane: waiting(lane) for lane in Lane} == {
        Lane.CRITICAL: 0,
        Lane.TRANSACTIONAL: 0,
        Lane.BULK: 1,
    }


def test_an_announcement_is_gone_when_its_change_is_rolled_back(db: None) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():  # noqa: PT012
        announce("apps.ops.heartbeat.canary", lane=Lane.BULK)
        raise ZeroDivisionError
    assert waiting(Lane.BULK) == 0
