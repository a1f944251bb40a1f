"""Who is to blame when a push service does not take our key: one subscription, or the account.

A subscription that was made with another key is refused for ever, and anybody can hand in a hundred
of them: what one follower's browsers meet says nothing about the account. A key, a contact or a
clock that is really wrong is refused for everybody, everywhere. So the account is to blame where
SEVERAL followers in a row were refused and no service has taken a message within TRUSTED; then it
rests for all (breaker.py). It is remembered with the account, for all processes.
"""

import datetime as dt
from dataclasses import replace

from django.db import connection, transaction

from apps.channels.contract import Outcome, Result
from apps.followers.models import Channel
from apps.notifications.messages.row import Ended
from apps.notifications.models import Delivery, DeliveryStatus, ProviderAccount

SEVERAL = 3  # followers
TRUSTED = dt.timedelta(hours=1)
# four tries of an account that rests as long as it can (breaker.py)
PUT_OFF = dt.timedelta(hours=1)
# how often it is written down that the key was taken: a row for each flush would be a hot spot
TOLD_EVERY = dt.timedelta(minutes=1)


def blamed(*, refusers: int, taken_at: dt.datetime | None, now: dt.datetime) -> Result:
    """What a refusal of the key means, with so many followers refused since `taken_at`, when the
    key was last taken.
    """
    several = refusers >= SEVERAL
    trusted = taken_at is not None and now - taken_at < TRUSTED
    if several and not trusted:
        return Result.ACCOUNT
    if trusted and not several:
        return Result.PERMANENT_RECIPIENT
    return Result.TRANSIENT  # nobody knows yet: it waits, and is not lost


def judged(
    account: ProviderAccount, results: list[Ended], *, now: dt.datetime
) -> tuple[list[Ended], list[Outcome]]:
    """A flush's results as they are booked, with each refusal of the key laid to whom it concerns;
    and what the account hears. Changes the caller's `account`. In a transaction of its own, or
    none.

    Where the account is to blame, all that waits for this follower's browsers is put off, and the
    next try is somebody else's: else a few who forged their subscriptions would be due first each
    time, and keep the account at rest.
    """
    if account.channel != Channel.WEB_PUSH:
        return results, [outcome for _, outcome in results]
    refused = any(outcome.key_refused for _, outcome in results)
    taken = any(outcome.result is Result.ACCEPTED for _, outcome in results)
    told = (
        account.key_taken_at
        and now - account.key_taken_at < TOLD_EVERY
        and not account.key_refusers
    )
    if not refused and (told or not taken):
        return results, [outcome for _, outcome in results]
    booked: list[Ended] = []
    heard: list[Outcome] = []
    blaming: set[int] = set()
    with transaction.atomic():
        locked = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        if taken:
            # first: what was refused in the same moment was refused by itself
            locked.key_taken_at = now
            locked.key_refusers = []
        for row, outcome in results:
            if outcome.key_refused:
                follower = 0
                if row.person:
                    follower = row.person.pk
                whose = _blame(locked, follower, now)
                if whose is Result.ACCOUNT:
                    blaming.add(follower)
                    heard.append(replace(outcome, result=whose, charged=False))
                    booked.append((row, replace(outcome, retry_after=PUT_OFF.total_seconds())))
                    continue
                outcome = replace(outcome, result=whose)
            heard.append(outcome)
            booked.append((row, outcome))
        locked.save(update_fields=["key_taken_at", "key_refusers"])
    account.key_taken_at = locked.key_taken_at
    account.key_refusers = locked.key_refusers
    if blaming:
        _put_off(blaming, until=now + PUT_OFF)
    return booked, heard


def _put_off(followers: set[int], *, until: dt.datetime) -> None:
    """Put off what waits for these followers, apart from the account's lock and past what others
    hold: a claim has rows when it wants the account.
    """
    waiting = Delivery.objects.filter(
        follower__in=followers,
        channel=Channel.WEB_PUSH,
        status=DeliveryStatus.PENDING,
        due_at__lt=until,
    )
    skip = connection.features.has_select_for_update_skip_locked
    with transaction.atomic():
        locked = waiting.select_for_update(skip_locked=skip, no_key=True)
        free = set(locked.values_list("pk", flat=True))
        Delivery.objects.filter(pk__among=free).update(due_at=until)


def _blame(account: ProviderAccount, follower: int, now: dt.datetime) -> Result:
    if follower not in account.key_refusers and len(account.key_refusers) < SEVERAL:
        account.key_refusers = [*account.key_refusers, follower]
    return blamed(refusers=len(account.key_refusers), taken_at=account.key_taken_at, now=now)
