"""Who matches rules while they are being written: how many, and the first with the reasons."""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from apps.campaigns.audience import language
from apps.campaigns.audience.explain import why_match
from apps.campaigns.audience.language import BadRules
from apps.campaigns.audience.sql import rules_to_q
from apps.campaigns.audience.words import sentence
from apps.followers.models import Follower

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Matches:
    """The rules in words, how many followers match, and the newest of them with the rules that
    are true of each; or only what is wrong with the rules.
    """

    sentence: str = ""
    count: int = 0
    people: tuple[tuple[Follower, list[str]], ...] = ()
    problem: str = ""


def matches_of(data: Any, *, now: dt.datetime) -> Matches:
    """Who matches these rules, stored or just typed."""
    try:
        group = language.parse(data)
        language.check_names(group)
    except BadRules as error:
        return Matches(problem=str(error))
    found = Follower.objects.filter(rules_to_q(data, now=now))
    page = list(found.order_by("-pk").prefetch_related("addresses")[:SHOWN])
    why = why_match([person.pk for person in page], group, now=now)
    return Matches(
        sentence=sentence(group),
        count=found.order_by().count(),
        people=tuple((person, why.get(person.pk, [])) for person in page),
    )
