"""A database connection that was used a moment ago is not asked whether it is there.

Django asks before the first statement of each request (CONN_HEALTH_CHECKS), which is one of a
dozen round trips of a small call. A server that stops or is restarted closes its connections, and
that can be seen without asking: there is something to read where nothing is expected.
"""

import select
import time
from typing import Any

from django.core.signals import request_finished, request_started
from django.db import connections

from apps.lib.sql.undocumented import take_for_healthy

TRUSTED = 5.0  # seconds after a request: what is lost without a word is lost in longer pauses
_USED = "carillon_used_at"


def spare_questions() -> None:
    """Begin to do so. Call it when Django's own receivers are connected, once in a process."""
    request_started.connect(_trust, dispatch_uid="carillon-quiet-connection")
    request_finished.connect(_note, dispatch_uid="carillon-quiet-connection")


def _trust(**_: Any) -> None:
    for each in connections.all(initialized_only=True):
        used_at = getattr(each, _USED, 0.0)
        if time.monotonic() < used_at + TRUSTED and _quiet(each.connection):
            take_for_healthy(each)


def _note(**_: Any) -> None:
    for each in connections.all(initialized_only=True):
        setattr(each, _USED, time.monotonic())


def _quiet(driver: Any) -> bool:
    """Whether the driver's connection is open and has nothing to read."""
    if driver is None or not hasattr(driver, "fileno") or driver.closed:
        return False
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return not poll.poll(0)
