"""How fast a campaign goes out.

As fast as it can, at most so many a second, or evenly over a time.
"""

from typing import Any

FASTEST = 10_000.0
LONGEST = 7 * 24 * 3600
SLOWEST = 0.01
SHORTEST = 60


def wrong(columns: dict[str, Any]) -> tuple[str, str] | None:
    """Name the first of `rate` (a second) and `spread` (seconds) that can't be, and why."""
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
    """Return the columns that a new pace empties."""
    rate = columns.get("rate")
    spread = columns.get("spread")
    if rate and not spread:
        return {"spread": None}
    if spread and not rate:
        return {"rate": None}
    return {}


def words(rate: float | None, spread: int | None) -> str:
    """Say the pace in a sentence after "It goes out"; empty where nothing holds it back."""
    if rate is not None:
        return f"at most {_counted(rate, 'message')} a second"
    if spread is None:
        return ""
    hours, minutes = divmod(round(spread / 60), 60)
    parts = []
    if hours:
        parts.append(_counted(hours, "hour"))
    if minutes:
        parts.append(_counted(minutes, "minute"))
    return f"evenly over {' and '.join(parts)}"


def _counted(number: float, unit: str) -> str:
    if number == 1:
        return f"1 {unit}"
    return f"{number:,.6g} {unit}s"
