"""A segment's rules as SQL: conditions on Follower that never multiply rows.

What each rule asks is said in `questions`, how they are put together here. An opposite is pushed
down to the single questions: of NOT EXISTS PostgreSQL makes a join that reads a table once, of
NOT (... EXISTS ...) a look for each follower.
"""

import datetime as dt
from collections.abc import Callable
from functools import reduce
from operator import and_, or_
from typing import Any

from django.db.models import Q
from django.utils import timezone

from apps.campaigns.audience import language, questions
from apps.campaigns.audience.language import Group, Rule


def rules_to_q(data: Any, *, now: dt.datetime | None = None, alone: bool = True) -> Q:
    """Make a segment's stored rules a condition on Follower (`alone` as in to_q).

    Raises language.BadRules.
    """
    return to_q(language.parse(data), now=now or timezone.now(), alone=alone)


def to_q(part: Rule | Group, *, now: dt.datetime, denied: bool = False, alone: bool = True) -> Q:
    """Make rules a condition on Follower, of subqueries only, so that it never multiplies rows.

    `denied` asks for the opposite. `alone`: nothing else lets somebody in who does not meet it, so
    that an index may find those who do; not worth it where a statement asks about a few only.
    """
    if isinstance(part, Rule):
        return questions.ask(part, now=now, denied=denied, alone=alone)
    if part.unless is None:
        return _parts(part, now=now, denied=denied, alone=alone)
    if not part.parts:
        return to_q(part.unless, now=now, denied=not denied, alone=alone)
    stays_alone = alone and not denied
    joined = _parts(part, now=now, denied=denied, alone=stays_alone)
    without = to_q(part.unless, now=now, denied=not denied, alone=stays_alone)
    if denied:
        return joined | without
    return joined & without


def _parts(group: Group, *, now: dt.datetime, denied: bool, alone: bool) -> Q:
    """Put together a group's parts, without its "not"."""
    all_hold = group.every != denied
    stays_alone = alone and all_hold
    # an index finds who meets one of several questions if it answers each of them
    if alone and not denied and all(map(questions.has_words, group.parts)):
        stays_alone = True
    conditions = [to_q(part, now=now, denied=denied, alone=stays_alone) for part in group.parts]
    together: Callable[[Q, Q], Q] = or_
    if all_hold:
        together = and_
    return reduce(together, conditions)
