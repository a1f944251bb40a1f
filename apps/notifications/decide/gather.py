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
from apps.notifications.decide.decision import Act, Decision, Facts, Standing, decide
from apps.notifications.decide.fallback import standings
from apps.notifications.decide.quiet_hours import Habits, habits_of
from apps.notifications.messages.person import Person
from apps.notifications.models import Notification, Source

SILENT = frozenset(
    {Channel.IN_APP, Channel.WEBHOOK}
)  # stored or told to a program at once; disturbs nobody
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
    chain: dict[int, tuple[Standing, dt.datetime]] | None = None,
) -> list[Decision]:
    """What to do with each, in order; those that go are counted in the ledger before the next is
    asked about.

    One query where the channel is not the first of a chain. `habits`: of `habits_of_all`. `ledger`
    None: caps and throttle are not asked (it counts already). `chain`: what is to be assumed about
    the channels before, else it is looked up.
    """
    kind = notification.notification_type
    people = {each.person.pk: each.person for each in asked if each.person}
    if chain is None:
        chain = {}
        if notification.pk:
            chain = standings(notification=notification, channel=channel, followers=people)
    gathered = kind.digest and channel not in SILENT and notification.source != Source.DIGEST
    decided = []
    for person, verdict, tried in asked:
        if ledger and ledger.buckets and person:
            throttled, capped = ledger.limits(person)
        else:
            throttled = False
            capped = None
        if person:
            earlier, chain_at = chain.get(person.pk, (Standing.NONE, None))
        else:
            earlier = Standing.NONE
            chain_at = None
        facts = Facts(
            verdict=_VERDICTS[verdict],
            critical=kind.category == Category.CRITICAL,
            silent=channel in SILENT,
            digestible=gathered and not tried,
            due_since=notification.send_at,
            expires_at=notification.expires_at,
            earlier=earlier,
            chain_at=chain_at,
            habits=habits.get(person.pk) if person else None,
            throttled=throttled,
            capped=capped,
        )
        decision = decide(facts, now=now)
        if decision.act is Act.SEND and ledger and ledger.buckets and person:
            if person.pk in ledger.busy and not facts.critical:  # which counts and passes anyway
                decision = Decision(Act.WAIT, NOT_NOW, now + AGAIN)
            else:
                ledger.count(person)
        decided.append(decision)
    return decided


def habits_of_all(people: dict[int, Person]) -> dict[int, Habits]:
    """The rhythms of those who have one: one query."""
    rows = Rhythm.objects.filter(follower__pk__among=set(people)) if people else []
    return {row.pk: habits_of(row, person=people[row.pk], uid=people[row.pk].uid) for row in rows}


_VERDICTS = {reason.value: Verdict(reason in ALLOWING, reason) for reason in Reason}
