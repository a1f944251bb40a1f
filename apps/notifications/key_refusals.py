"""Who is to blame when a push service does not take our key: one subscription, or the account.

A subscription that was made with another key is refused for ever, and anybody can hand in a hundred of them: what one
follower's browsers meet says nothing about the account. A key, a contact or a clock that is really wrong is refused for
everybody, everywhere. So the account is to blame where SEVERAL followers in a row were refused and no service has taken
a message within TRUSTED; then it rests for all (breaker.py). It is remembered with the account, for all processes.
"""

import datetime as dt
from dataclasses import replace

from django.db import transaction

from apps.channels.contract import Outcome, Result
from apps.followers.models import Channel
from apps.notifications.claim import Ended
from apps.notifications.models import ProviderAccount

SEVERAL = 3  # followers
TRUSTED = dt.timedelta(hours=1)
TOLD_EVERY = dt.timedelta(minutes=1)  # that the key was taken: a row for each flush would be a hot spot


def blamed(*, refusers: int, taken_at: dt.datetime | None, now: dt.datetime) -> Result:
    """What a refusal of the key is, with so many followers refused since `taken_at`, when it was last taken."""
    several, trusted = refusers >= SEVERAL, taken_at is not None and now - taken_at < TRUSTED
    if several and not trusted:
        return Result.ACCOUNT
    if trusted and not several:
        return Result.PERMANENT_RECIPIENT
    return Result.TRANSIENT  # nobody knows yet: it waits, and is not lost


def judged(account: ProviderAccount, results: list[Ended], *, now: dt.datetime) -> list[Ended]:
    """A flush's results with each refusal of the key laid to whom it concerns. In a transaction of its own, or none."""
    if account.channel != Channel.WEB_PUSH:
        return results
    refused = any(outcome.key_refused for _, outcome in results)
    taken = any(outcome.result is Result.ACCEPTED for _, outcome in results)
    told = account.key_taken_at and now - account.key_taken_at < TOLD_EVERY and not account.key_refusers
    if not refused and (told or not taken):
        return results
    with transaction.atomic():
        row = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        if taken:  # first: what was refused in the same moment was refused by itself
            row.key_taken_at, row.key_refusers = now, []
        ends = [(each, _judged(row, each[0].person.pk if each[0].person else 0, each[1], now)) for each in results]
        row.save(update_fields=["key_taken_at", "key_refusers"])
    account.key_taken_at, account.key_refusers = row.key_taken_at, row.key_refusers
    return [(ended, outcome) for (ended, _), outcome in ends]


def _judged(account: ProviderAccount, follower: int, outcome: Outcome, now: dt.datetime) -> Outcome:
    if not outcome.key_refused:
        return outcome
    if follower not in account.key_refusers and len(account.key_refusers) < SEVERAL:
        account.key_refusers = [*account.key_refusers, follower]
    result = blamed(refusers=len(account.key_refusers), taken_at=account.key_taken_at, now=now)
    return replace(outcome, result=result, charged=result is not Result.ACCOUNT)
