"""Rate limits that hold across processes and machines: a leaky bucket (GCRA) in one row per caller.

An allowance of N calls per minute may be used at once, and then comes back evenly. One conditional
UPDATE decides and counts, so two workers can't both spend the last call.
"""

import math
import time
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import connection
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from apps.api.auth import caller_of
from apps.api.models import Allowance
from apps.lib.sql.prepared import NO_WAIT, run_prepared

WINDOW = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Spent:
    """What a call left: `remaining` calls now, all of them again after `reset` seconds;
    `wait` > 0 means refused.
    """

    limit: int
    remaining: int
    reset: int
    wait: float

    def headers(self) -> dict[str, str]:
        """The fields of draft-ietf-httpapi-ratelimit-headers-07, in seconds from now."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset),
            "RateLimit-Policy": f"{self.limit};w={WINDOW:.0f}",
        }


def spend(caller: str, *, calls: int, limit: int, now: float) -> Spent:
    """Take `calls` from the caller's allowance of `limit` per minute,
    or say how long to wait. `now`: Unix time.
    """
    cost = WINDOW * min(calls, limit) / limit
    until = _take(caller, cost, now)
    if until is None:
        # refused, or the first call of all; then somebody else may be making the row just now
        Allowance.objects.get_or_create(caller=caller, defaults={"spent_until": 0.0})
        until = _take(caller, cost, now)
    taken = until is not None
    if until is None:  # read after the refusal, so the wait can't come out as none
        until = Allowance.objects.values_list("spent_until", flat=True).get(caller=caller)
    ahead = max(until - now, 0.0)
    wait = ahead + cost - WINDOW
    if taken:
        wait = 0.0
    # a rounding error of floats must not hide a call
    left = (WINDOW - ahead) * limit / WINDOW + 1e-6
    return Spent(
        limit=limit,
        remaining=max(math.floor(left), 0),
        reset=math.ceil(ahead),
        wait=wait,
    )


def _take(caller: str, cost: float, now: float) -> float | None:
    """One statement that decides, counts and says what is spent now; None: not affordable,
    or nobody by that name.
    """
    table = Allowance._meta.db_table
    greatest = "GREATEST"
    if connection.vendor == "sqlite":
        greatest = "MAX"
    told = "spent_until"
    if connection.vendor == "postgresql" and connection.get_autocommit():
        # a call that a crash of the server forgets is none to wait for the disk for
        told += NO_WAIT
    found = run_prepared(
        f"UPDATE {table} SET spent_until = {greatest}(spent_until, %s) + %s "  # noqa: S608  # ours
        f"WHERE caller = %s AND spent_until <= %s RETURNING {told}",
        [now, cost, caller, now + WINDOW - cost],
    )
    if not found:
        return None
    spent_until: float = found[0][0]
    return spent_until


class PerCaller(BaseThrottle):
    """Each key and each member of staff has settings.API_CALLS_PER_MINUTE;
    a view's `cost` says how many it takes.
    """

    spent: Spent

    def allow_request(self, request: Request, view: Any) -> bool:
        self.spent = spend(
            caller_of(request).name,
            calls=getattr(view, "cost", 1),
            limit=settings.API_CALLS_PER_MINUTE,
            now=time.time(),
        )
        # Endpoint writes it into the headers of every answer
        request.spent = self.spent  # type: ignore[attr-defined]  # an attribute of ours
        return not self.spent.wait

    def wait(self) -> float:
        return self.spent.wait


def headers_of(request: Any) -> dict[str, str]:
    """The RateLimit fields of a call that was counted; nothing for one that was refused before."""
    spent: Spent | None = getattr(request, "spent", None)
    if spent:
        return spent.headers()
    return {}
