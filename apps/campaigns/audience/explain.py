"""Why a follower matches rules or is in an audience, in sentences."""

import datetime as dt
from dataclasses import dataclass

from apps.campaigns.audience import words
from apps.campaigns.audience.language import Group
from apps.campaigns.audience.sql import to_q
from apps.followers.models import Follower


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a follower is in an audience, or not. `because` has one sentence per way in or out."""

    matches: bool
    because: tuple[str, ...]


def why_match(ids: list[int], group: Group, *, now: dt.datetime) -> dict[int, list[str]]:
    """Find the followers (by primary key) who match, each with the rules that are true of them.

    One query per rule whatever the number of followers; meant for a page of names, not for a whole
    audience.
    """
    page = Follower.objects.filter(pk__in=ids).order_by()
    matching = page.filter(to_q(group, now=now)).values_list("pk", flat=True)
    why: dict[int, list[str]] = {pk: [] for pk in matching}
    for part in group.parts:
        said = words.sentence(part)
        for pk in page.filter(to_q(part, now=now)).values_list("pk", flat=True):
            if pk in why:
                why[pk].append(said)
    if group.unless is not None:
        for sentences in why.values():
            sentences.append(words.denial(group.unless))
    return why
