"""How fast a campaign goes out: as fast as it can, at most so many a second,
or evenly over a time.
"""

from typing import Any

FASTEST = 10_000.0
LONGEST = 7 * 24 * 3600
SLOWEST = 0.01
SHORTEST = 60


def wrong(columns: dict[str, Any]) -> tuple[str, str] | None:
    """The first of `rate` (a second) and `spread` (seconds) that can't be, and why."""
    rate = columns.get("rate")
    spread = columns.get("spread")
    if rate is not None and not SLOWEST <= rate <= FASTEST:
        return "rate", "Choose between 0.01 and 10,000 messages a second."
    if spread is not None and not SHORTEST <= spread <= LONGEST:
        return "spread", "Choose a time between a minute and seven days."
    if rate is not None and spread is not None:
        return (
            "spread",
            "Choose either a rate or a time over which it goes out: each one decides the other.",
        )
    return None


def instead(columns: dict[str, Any]) -> dict[str, None]:
    """What a new pace replaces."""
    return {
        old: None
        for new, old in (("rate", "spread"), ("spread", "rate"))
        if columns.get(new) and not columns.get(old)
    }


def words(rate: float | None, spread: int | None) -> str:
    """In a sentence after "It goes out"; empty where nothing holds it back."""
    if rate is not None:
        return f"at most {rate:,.6g} message{'' if rate == 1 else 's'} a second"
    if spread is None:
        return ""
    hours, minutes = divmod(round(spread / 60), 60)
    parts = [
        f"{n} {unit}{'' if n == 1 else 's'}"
        for n, unit in ((hours, "hour"), (minutes, "minute"))
        if n
    ]
    return f"evenly over {' and '.join(parts)}"
