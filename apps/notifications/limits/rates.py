"""Rates that hold across processes: one row per limit says how far it is used up (the generic cell
rate algorithm).

`free_at` is the moment at which everything given out so far is paid for. Giving out n moves it by n
/ rate; it may lie ahead of now by the limit's patience and no further. So in any time t at most
rate × (t + patience) go, whoever asks, and a limit that was idle needs no row at all.
"""

import datetime as dt
import math
from collections.abc import Iterable
from dataclasses import dataclass

from django.db import transaction

from apps.lib.queue.lanes import Lane
from apps.notifications.models import Pace

# How late a sender may come without falling behind the rate; and what goes at once after a rest.
BURST_SECONDS = 1.0
# Fewer than a quarter second's worth is not worth a claim: it waits until there is so much.
CHUNK_SECONDS = 0.25
# The others may run a limit into debt that bulk then pays back:
# a code never waits behind a campaign.
_TURN = {Lane.BULK: 1, Lane.TRANSACTIONAL: 2, Lane.CRITICAL: 3}
IDLE = dt.timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A rate: `rate` messages a second, counted under `key`; `patience` is how many seconds' worth
    may go at once.
    """

    key: str
    rate: float
    patience: float

    def available(self, free_at: float, now: float) -> int:
        """How many may go at `now`, a Unix time, by a row that is paid for until `free_at`."""
        spare = self.patience - max(free_at - now, 0.0)
        # 1e-6: Unix time as a float is good for a microsecond
        return max(0, math.floor(spare * self.rate + 1e-6))

    def after(self, free_at: float, now: float, count: int) -> float:
        """The row's `free_at` when `count` have been given out."""
        return max(free_at, now) + count / self.rate

    def ready_at(self, free_at: float, count: int) -> float:
        """When so many are available."""
        return free_at + count / self.rate - self.patience

    @property
    def chunk(self) -> int:
        """The fewest that are worth a claim."""
        return max(1, int(self.rate * CHUNK_SECONDS))


def limit(
    key: str, rate: float, *, lane: Lane = Lane.BULK, burst: float = BURST_SECONDS
) -> RateLimit:
    """A rate that lets one message and `burst` seconds' worth go at once; more in lanes that go
    first.
    """
    return RateLimit(key, rate, _TURN[lane] * (1 / rate + burst))


def hold(keys: Iterable[str]) -> dict[str, Pace]:
    """The rows of these limits, made where they are missing, locked until the transaction ends.

    Always in the order of their keys, so that two who want the same ones never wait for each other.
    """
    wanted = sorted(set(keys))
    rows = _locked(wanted)
    if missing := [key for key in wanted if key not in rows]:
        Pace.objects.bulk_create([Pace(key=key) for key in missing], ignore_conflicts=True)
        rows = _locked(wanted)  # another process may have been faster, and taken from it
    return rows


def _locked(keys: list[str]) -> dict[str, Pace]:
    rows = Pace.objects.select_for_update().filter(key__in=keys).order_by("key")
    return {row.key: row for row in rows}


def moment_of(seconds: float) -> dt.datetime:
    """A row's Unix time as a moment."""
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


def store(rows: Iterable[Pace]) -> None:
    """Write the rows down, in the transaction that holds them."""
    Pace.objects.bulk_create(
        sorted(rows, key=lambda row: row.key),
        update_conflicts=True,
        unique_fields=["key"],
        update_fields=["free_at", "day", "used"],
    )


def forget_idle(*, now: dt.datetime) -> None:
    """Schedule: delete rows that say nothing any more; a row that somebody holds is not idle."""
    idle = Pace.objects.filter(free_at__lt=(now - IDLE).timestamp()).exclude(day__gte=now.date())
    with transaction.atomic():
        keys = list(idle.select_for_update(skip_locked=True).values_list("key", flat=True)[:1000])
        Pace.objects.filter(key__in=keys).delete()
