"""Who matches rules while they are being written: how many, and the first with the reasons."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Max, QuerySet

from apps.campaigns.audience import language
from apps.campaigns.audience.explain import why_match
from apps.campaigns.audience.how_many import LONGEST, HowMany, how_many
from apps.campaigns.audience.language import BadRules
from apps.campaigns.audience.sql import to_q
from apps.campaigns.audience.words import sentence
from apps.followers.models import Follower
from apps.lib.sql.cancellable import TookTooLong, at_most

SHOWN = 20
AT_ONCE = 0.2  # seconds for finding the first of them
FEW = 0.001  # of all: so many are sorted, where more are met soon on the way from the newest


@dataclass(frozen=True, slots=True)
class Matches:
    """The rules in words, how many followers match, and the newest of them with the rules that
    are true of each; or only what is wrong with the rules.

    `how_many` is None, and `people` empty, where that took too long: ask again for the exact ones.
    """

    sentence: str = ""
    how_many: HowMany | None = None
    people: tuple[tuple[Follower, list[str]], ...] = ()
    problem: str = ""

    @property
    def exact(self) -> bool:
        return self.how_many is not None and self.how_many.exact

    @property
    def number(self) -> int:
        """How many match, or about so many, or the most that may."""
        if self.how_many is None:
            return 0
        return self.how_many.number


def matches_of(data: Any, *, now: dt.datetime, exact: bool = False) -> Matches:
    """Who matches these rules, stored or just typed, told in about a second unless `exact`."""
    try:
        group = language.parse(data)
        language.check_names(group)
    except BadRules as error:
        return Matches(problem=str(error))
    found = Follower.objects.filter(to_q(group, now=now))
    sampled = Follower.objects.filter(to_q(group, now=now, alone=False))
    number = how_many(found, sampled=sampled, exact=exact)
    limit = AT_ONCE
    if exact:
        limit = LONGEST
    try:
        with at_most(limit):
            people = _newest(found, number)
            why = why_match([person.pk for person in people], group, now=now)
    except TookTooLong:
        people = []
        why = {}
    return Matches(
        sentence=sentence(group),
        how_many=number,
        people=tuple((person, why.get(person.pk, [])) for person in people),
    )


def _newest(found: QuerySet[Follower], number: HowMany | None) -> list[Follower]:
    """Fetch those who came last.

    Where few match, the order is said as a sum that no index has: PostgreSQL, which can't know how
    few they are, would else walk past everybody to find them.
    """
    order = F("pk").desc()
    if number is not None and number.number < FEW * _all():
        order = (F("pk") + 0).desc()
    return list(found.order_by(order).prefetch_related("addresses")[:SHOWN])


def _all() -> int:
    """How many followers there are, about."""
    last: int | None = Follower.objects.aggregate(last=Max("pk"))["last"]
    return last or 0
