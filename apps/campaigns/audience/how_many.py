"""How many followers match, told within about a second.

The exact number if it is found by then; else a number reckoned from a sample, which is said to be
about right, or the most that there can be where the sample found few. Whoever asked asks again for
the exact one.
"""

import math
import random
import time
from dataclasses import dataclass

from django.db.models import Max, Min, QuerySet
from django.utils.translation import gettext as _

from apps.followers.models import Follower
from apps.lib.refusals import RefusalKind, Refused
from apps.lib.sql.cancellable import TookTooLong, at_most

AT_ONCE = 0.4  # seconds for the exact number
FOR_SAMPLE = 0.4  # seconds for the sample after that
LONGEST = 30.0  # seconds for the exact number when it is asked for
SAMPLE = 40_000  # ids that are tried; of a tenth that match the error is about 1.5 %
PARTS = 8  # of the sample, each of ids among all: those that are through in time count
ENOUGH = 1_000  # of them must match, or the error is more than 5 % now and then
DIGITS = 3
ROUGH = 2  # digits of the most that there can be


class CountTookTooLong(Refused):
    """The exact number was not found in LONGEST."""

    kind = RefusalKind.STATE


@dataclass(frozen=True, slots=True)
class HowMany:
    """A number, exact or about right; or one that they are fewer than (`below`)."""

    number: int
    exact: bool
    below: bool = False


def how_many(
    followers: QuerySet[Follower], *, sampled: QuerySet[Follower], exact: bool = False
) -> HowMany | None:
    """Count them. None if neither the number nor a part of the sample was had in time.

    `sampled`: the same followers, asked for in the way that suits a few ids (`alone` of sql.to_q).
    """
    limit = AT_ONCE
    if exact:
        limit = LONGEST
    try:
        with at_most(limit):
            return HowMany(followers.order_by().count(), exact=True)
    except TookTooLong:
        pass
    return _reckoned(sampled.order_by())


def exactly(followers: QuerySet[Follower]) -> int:
    """Count them, however long it takes. Raises CountTookTooLong."""
    try:
        with at_most(LONGEST):
            return followers.order_by().count()
    except TookTooLong as error:
        said = _("Counting this takes more than {seconds} seconds. Ask for fewer rules at once.")
        raise CountTookTooLong(said.format(seconds=round(LONGEST))) from error


def _reckoned(rows: QuerySet[Follower]) -> HowMany | None:
    """Try ids that lie evenly among all, one by chance from each stretch."""
    ends = Follower.objects.aggregate(first=Min("pk"), last=Max("pk"))
    first: int = ends["first"] or 0
    last: int = ends["last"] or 0
    length = last - first + 1
    stretch = length / SAMPLE
    chance = random.random  # nobody gains by guessing it
    ends_at = time.monotonic() + FOR_SAMPLE
    tried = 0
    found = 0
    for part in range(PARTS):
        numbers = range(part, SAMPLE, PARTS)
        ids = {first + int((number + chance()) * stretch) for number in numbers}
        try:
            with at_most(ends_at - time.monotonic()):
                found += rows.filter(pk__among=ids).count()
        except TookTooLong:
            break
        tried += len(ids)
    if not tried:
        return None
    each = length / tried
    if found >= ENOUGH:
        return HowMany(_rounded(found * each), exact=False)
    # one in a thousand times there are more
    most = found + 3 * math.sqrt(found) + 7
    return HowMany(min(_rounded_up(most * each), length + 1), exact=False, below=True)


def _rounded(number: float) -> int:
    """Keep as many digits as mean something."""
    step = _step(number, DIGITS)
    return round(number / step) * step


def _rounded_up(number: float) -> int:
    step = _step(number, ROUGH)
    return math.ceil(number / step) * step


def _step(number: float, digits: int) -> int:
    """The value of the last of so many digits, 1 where there are no more."""
    return int(10 ** max(len(str(int(number))) - digits, 0))
