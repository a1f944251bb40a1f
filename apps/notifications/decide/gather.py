"""What a decision depends on, fetched for many messages at once: for the rows of a claim,
and for one that is only imagined (forecast.py).
"""

import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

from apps.followers.consent.verdict import Reason, Verdict
from apps.followers.consent.verdict_sql import ALLOWING
from apps.followers.models import Category, Channel, Rhythm
from apps.notifications.decide.caps import Ledger
from apps.notifications.decide.decision import Act, ChainState, Decision, Facts, decide
from apps.notifications.decide.fallback import standings
from apps.notifications.decide.quiet_hours import Habits, habits_of
from apps.notifications.messages.person import Person
from apps.notifications.models import Notification, Source

# stored or told to a program at once; disturbs nobody
SILENT = frozenset({Channel.IN_APP, Channel.WEBHOOK})
AGAIN = dt.timedelta(seconds=0.25)  # another sender is at the same follower: it is through by then
NOT_NOW = ""  # the reason then; nobody is told


class Asked(NamedTuple):
    """One message to decide about.

    `verdict`: what consent says (a Reason); `tried`: it may have left before.
    """

    person: Person | None
    verdict: str
    tried: bool = False


def decisions(
    notification: Notification,
    channel: str,
    asked: Sequence[Asked],
    *,
    habits: dict[int, Habits],
    ledger: Ledger | None,
    now: dt.datetime,
    chain: dict[int, tuple[ChainState, dt.datetime]] | None = None,
) -> list[Decision]:
    """What to do with each message, in order; one that goes is counted in the ledger before the
    next is asked about.

    One query where the channel is not the first of a chain. `habits`: of `habits_of_all`. `ledger`
    None: caps and throttle are not asked (the message counts already). `chain`: what is to be
    assumed about the channels before, else it is looked up.
    """
    kind = notification.notification_type
    people = {each.person.pk: each.person for each in asked if each.person}
    if chain is None:
        chain = {}
        if notification.pk:
            chain = standings(notification=notification, channel=channel, followers=people, now=now)
    gathered = kind.digest and channel not in SILENT and notification.source != Source.DIGEST
    counting = None
    if ledger and ledger.buckets:
        counting = ledger
    decided = []
    for person, verdict, tried in asked:
        throttled = False
        capped = None
        earlier = ChainState.NONE
        chain_at = None
        wishes = None
        if person:
            earlier, chain_at = chain.get(person.pk, (ChainState.NONE, None))
            wishes = habits.get(person.pk)
        if person and counting:
            throttled, capped = counting.limits(person)
        facts = Facts(
            verdict=_VERDICTS[verdict],
            critical=kind.category == Category.CRITICAL,
            silent=channel in SILENT,
            digestible=gathered and not tried,
            due_since=notification.send_at,
            expires_at=notification.expires_at,
            earlier=earlier,
            chain_at=chain_at,
            habits=wishes,
            throttled=throttled,
            capped=capped,
        )
        decision = decide(facts, now=now)
        if decision.act is Act.SEND and counting and person:
            # a critical message counts and passes anyway
            if person.pk in counting.busy and not facts.critical:
                decision = Decision(Act.WAIT, NOT_NOW, now + AGAIN)
            else:
                counting.count(person)
        decided.append(decision)
    return decided


def habits_of_all(people: dict[int, Person]) -> dict[int, Habits]:
    """The rhythms of the people who have one: one query."""
    if not people:
        return {}
    found = {}
    for row in Rhythm.objects.filter(follower__pk__among=set(people)):
        person = people[row.pk]
        found[row.pk] = habits_of(row, person=person, uid=person.uid)
    return found


_VERDICTS = {reason.value: Verdict(reason in ALLOWING, reason) for reason in Reason}
