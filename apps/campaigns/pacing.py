"""How fast a campaign goes out.

As fast as it can, at most so many a second, or evenly over a time.
"""

from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext, npgettext

from apps.lib.written import grouped

FASTEST = 10_000.0
LONGEST = 7 * 24 * 3600
SLOWEST = 0.01
SHORTEST = 60


def wrong(columns: dict[str, Any]) -> tuple[str, str] | None:
    """Name the first of `rate` (a second) and `spread` (seconds) that can't be, and why."""
    rate = columns.get("rate")
    spread = columns.get("spread")
    if rate is not None and not SLOWEST <= rate <= FASTEST:
        return "rate", _("Choose between 0.01 and 10,000 messages a second.")
    if spread is not None and not SHORTEST <= spread <= LONGEST:
        return "spread", _("Choose a time between a minute and seven days.")
    if rate is not None and spread is not None:
        said = _(
            "Choose either a rate or a time over which it goes out: each one decides the other."
        )
        return "spread", said
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
        return _rate_words(rate)
    if spread is None:
        return ""
    hours, minutes = divmod(round(spread / 60), 60)
    in_hours = npgettext("over", "{number} hour", "{number} hours", hours).format(number=hours)
    in_minutes = npgettext("over", "{number} minute", "{number} minutes", minutes).format(
        number=minutes
    )
    if not minutes:
        return _("evenly over {time}").format(time=in_hours)
    if not hours:
        return _("evenly over {time}").format(time=in_minutes)
    both = _("evenly over {hours} and {minutes}")
    return both.format(hours=in_hours, minutes=in_minutes)


def _rate_words(rate: float) -> str:
    whole = int(rate)
    if rate != whole:
        part = float(f"{rate:.6g}")
        return _("at most {number} messages a second").format(number=grouped(part))
    said = ngettext(
        "at most {number} message a second", "at most {number} messages a second", whole
    )
    return said.format(number=grouped(whole))
