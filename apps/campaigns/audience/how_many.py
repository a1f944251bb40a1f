"""How many followers match, told within about a second.

The exact number if it is found by then; else a number reckoned from a sample, which is said to be
about right, and whoever asked asks again for the exact one.
"""

import random
from dataclasses import dataclass

from django.db.models import Max, Min, QuerySet
from django.utils.translation import gettext as _

from apps.followers.models import Follower
from apps.lib.refusals import RefusalKind, Refused
from apps.lib.sql.cancellable import TookTooLong, at_most

AT_ONCE = 0.6  # seconds for the exact number
FOR_SAMPLE = 0.6  # seconds for the sample after that
LONGEST = 30.0  # seconds for the exact number when it is asked for
SAMPLE = 40_000  # ids that are tried; of a tenth that match the error is about 1.5 %
ENOUGH = 1_000  # of them must match, or the error is more than 5 % now and then
DIGITS = 3


class CountTookTooLong(Refused):
    """The exact number was not found in LONGEST."""

    kind = RefusalKind.STATE


@dataclass(frozen=True, slots=True)
class HowMany:
    """A number, exact or about right."""

    number: int
    exact: bool


def how_many(
    followers: QuerySet[Follower], *, sampled: QuerySet[Follower], exact: bool = False
) -> HowMany | None:
    """Count them. None if neither the number nor a sample that tells enough was had in time.

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
    try:
        with at_most(FOR_SAMPLE):
            return _reckoned(sampled.order_by())
    except TookTooLong:
        return None


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
    ids = {first + int((number + chance()) * stretch) for number in range(SAMPLE)}
    found = rows.filter(pk__among=ids).count()
    if found < ENOUGH:
        return None
    return HowMany(_rounded(found * length / len(ids)), exact=False)


def _rounded(number: float) -> int:
    """Keep as many digits as mean something."""
    if number < 10**DIGITS:
        return round(number)
    digits = len(str(int(number)))
    step = int(10 ** (digits - DIGITS))
    return round(number / step) * step
