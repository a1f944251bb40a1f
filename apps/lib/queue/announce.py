"""Tell a lane that there is work. Only this package knows django-q2."""

import datetime as dt
from functools import lru_cache
from typing import Any, cast
from uuid import uuid4

from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ
from django_q.signing import SignedPackage

from apps.lib.queue.bell import ring
from apps.lib.queue.lanes import Lane
from apps.lib.queue.moved_tasks import path_now
from apps.lib.sql.writing.kept_insert import KeptInsert

_CALLS = KeptInsert(OrmQ)
RETRY = cast(
    float, settings.Q_CLUSTER["retry"]
)  # seconds for which a call that was taken is locked


def announce(task: str, *, lane: Lane, **ids: Any) -> None:
    """Put one call of the dotted path `task` into the lane,
    with keyword arguments that are ids only.

    The row is written through the default connection, so inside `atomic()` it commits and rolls
    back with the change it announces. A task may run twice or (if its lane is restarted at the
    wrong moment) late: it claims its work from our tables and finds nothing to do the second time;
    the tick announces what was forgotten.
    """
    payload = _payload(task, lane, tuple(ids.items()))
    _CALLS.store(OrmQ(key=lane.value, payload=payload, lock=timezone.now()))
    ring(lane)


@lru_cache(maxsize=100)
def _payload(task: str, lane: Lane, ids: tuple[tuple[str, Any], ...]) -> str:
    """The call as django-q2's `async_task` signs it, without what it does around that.

    Kept: most calls only say that there is work, and to sign one took a twentieth of a call to
    notify. Nothing asks when a call was made, or tells two of them apart by more than their rows.
    """
    call = {
        "id": uuid4().hex,
        "name": task,
        "func": task,
        "args": (),
        "kwargs": dict(ids),
        "cluster": lane.value,
        "ack_failure": True,
        "started": timezone.now(),
    }
    signed: str = SignedPackage.dumps(call)
    return signed


def waiting(lane: Lane) -> int:
    """How many wake-up calls nobody has taken yet (a handful: one per slice of work,
    never one per recipient).

    One that was taken is locked until `retry` seconds later, even if its worker died:
    it wakes nobody until then.
    """
    count: int = OrmQ.objects.filter(key=lane.value, lock__lte=timezone.now()).count()
    return count


def free_from_tomorrow(*, now: dt.datetime) -> None:
    """Schedule: let calls go that are locked for longer than any call can be: a clock that was
    ahead had written them, and they would wake nobody until it is right.
    """
    longest = dt.timedelta(seconds=2 * RETRY)
    OrmQ.objects.filter(lock__gt=now + longest).update(lock=now)


def answer_all(task: str, *, lane: Lane) -> None:
    """Whoever begins only now to look for work takes the calls that wait for it out of the lane.

    A call is committed together with the work it announces, so who can see the call finds the work.
    Left alone, each one would cost a process some 15 ms to find nothing: with a hundred messages a
    second more than the messages.
    """
    waits = OrmQ.objects.filter(key=lane.value, lock__lte=timezone.now())
    same = [row.pk for row in waits[:1000] if path_now(row.func()) == task]
    if same:  # not those that another process has taken meanwhile
        waits.filter(pk__in=same).delete()
