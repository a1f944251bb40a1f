"""How much may leave through an account on a day, when a new sender starts slowly."""

import datetime as dt
import math


def warmup_cap(
    *, today: dt.date, daily: int | None, start: dt.date | None, first: int | None, growth: float
) -> int | None:
    """Messages of this day: `first` on the day `start` (and before), each day `growth` times the
    day before, at most `daily`. None = as many as there are.

    Without `daily` the ramp ends at a million a day: who sends more needs no warm-up.
    """
    if start is None or first is None:
        return daily
    days = max(0, (today - start).days)
    ceiling = 1_000_000
    if daily is not None:
        ceiling = daily
    # by logarithms, because 1.5 ** 2000 is no float any more
    if first > 0 and math.log(first) + days * math.log(growth) >= math.log(max(ceiling, 1)):
        return daily
    return min(ceiling, math.floor(first * growth**days))
