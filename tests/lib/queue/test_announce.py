"""A wake-up call commits and rolls back with the change it announces."""

import datetime as dt

import pytest
from django.db import transaction
from django.utils import timezone
from django_q.models import OrmQ

from apps.lib.queue.announce import announce, free_from_tomorrow, waiting
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


@pytest.mark.reported
def test_a_call_that_a_wrong_clock_has_locked_comes_back(db: None) -> None:
    now = timezone.now()
    for ahead in (dt.timedelta(hours=2), dt.timedelta(minutes=5)):
        announce("apps.ops.heartbeat.canary", lane=Lane.BULK)
        OrmQ.objects.filter(lock__lte=now + dt.timedelta(seconds=5)).update(lock=now + ahead)
    free_from_tomorrow(now=now)
    assert waiting(Lane.BULK) == 1, "five minutes is as long as a worker may have it"
