"""What hand-overs say about an account: when it is left alone, probed, and used again."""

import datetime as dt
import time
from collections.abc import Sequence
from dataclasses import astuple

from django.db import transaction
from django.db.models import Q

from apps.channels.contract import Outcome, Result
from apps.lib.actor import SYSTEM, Actor
from apps.lib.facts import Kind, tell
from apps.notifications.accounts import breaker
from apps.notifications.models import ProviderAccount

# What went well is written down that often, a change or a fault at once:
# a row for each flush would be a hot spot.
TOLD_EVERY = 10.0
# {account: (when this process last told (monotonic), what it has not told since)}
_told: dict[int, tuple[float, breaker.Untold]] = {}


def note(
    account: ProviderAccount, outcomes: Sequence[Outcome], *, now: dt.datetime
) -> dt.datetime | None:
    """Book what a flush's hand-overs say about the account, and change the caller's object.
    Returns until when the account is left alone, None if it can go on.

    Opens a transaction of its own, or none: what went well is written at most every TOLD_EVERY
    seconds.
    """
    outcomes = list(filter(breaker.concerns, outcomes))
    if not outcomes:
        if account.tripped_at:
            leave_probe(account)
        return None
    told_at, untold = _told.get(account.pk, (0.0, breaker.Untold()))
    refusals = sum(map(breaker.is_refusal, outcomes))
    calm = all(map(breaker.works, outcomes)) and not (
        account.failures or account.tripped_at or account.paused_until
    )
    mostly_taken = 2 * refusals < len(outcomes)
    if calm and mostly_taken and time.monotonic() - told_at < TOLD_EVERY:
        more = breaker.Untold(untold.tries + len(outcomes), untold.refusals + refusals)
        _told[account.pk] = (told_at, more)
        return None
    _told[account.pk] = (time.monotonic(), breaker.Untold())
    with transaction.atomic():
        row = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        before = state_of(row)
        state = breaker.after(before, outcomes, now=now, untold=untold)
        if any(map(breaker.works, outcomes)):
            row.last_ok_at = now
        if faults := [each for each in outcomes if not breaker.works(each)]:
            row.last_error = faults[-1].detail[:500]
            row.last_error_at = now
        put_state(row, state)
        if state.tripped_at and state.trips != before.trips:
            row.probing_until = None
            if not before.tripped_at:
                data = {"why": state.trouble, "said": row.last_error}
                tell(Kind.PROVIDER_STOPPED, by=SYSTEM, now=now, about=row, data=data)
        elif before.tripped_at and not state.tripped_at:
            row.probing_until = None
            tell(Kind.PROVIDER_RECOVERED, by=SYSTEM, now=now, about=row)
        row.save(
            update_fields=[*_MOVED, "probing_until", "last_ok_at", "last_error", "last_error_at"]
        )
    for name in (*_MOVED, "probing_until"):
        setattr(account, name, getattr(row, name))
    if row.paused_until and row.paused_until > now:
        return row.paused_until
    return None


def forget() -> None:
    """Forget what this process has told, for tests in which a primary key may come back."""
    _told.clear()


def pause(
    account: ProviderAccount, *, detail: str, now: dt.datetime, seconds: float | None = None
) -> dt.datetime:
    """Leave the account alone: as long as the provider asked, else by the breaker."""
    result = Result.THROTTLED
    if seconds is None:
        result = Result.ACCOUNT
    asked = Outcome(result, detail, retry_after=seconds)
    return note(account, [asked], now=now) or now


# the columns of breaker.State, in its order
_MOVED = (
    "failures",
    "paused_until",
    "tripped_at",
    "trips",
    "trouble",
    "window_at",
    "window_tries",
    "window_faults",
    "window_refusals",
)


def state_of(account: ProviderAccount) -> breaker.State:
    """The account's columns as the breaker's state."""
    return breaker.State(*(getattr(account, name) for name in _MOVED))


def put_state(account: ProviderAccount, state: breaker.State) -> None:
    """Set the breaker's state on the account; the caller saves it."""
    for name, value in zip(_MOVED, astuple(state), strict=True):
        setattr(account, name, value)


def take_probe(account: ProviderAccount, *, now: dt.datetime) -> bool:
    """Take the right to try an account that was left alone; True for one sender of all."""
    free = Q(probing_until__isnull=True) | Q(probing_until__lte=now)
    rested = Q(paused_until__isnull=True) | Q(paused_until__lte=now)
    due = ProviderAccount.objects.filter(free, rested, pk=account.pk, tripped_at__isnull=False)
    return bool(due.update(probing_until=now + breaker.PROBE_LEASE))


def leave_probe(account: ProviderAccount) -> None:
    """Give the right to try back: there was nothing to send."""
    ProviderAccount.objects.filter(pk=account.pk, tripped_at__isnull=False).update(
        probing_until=None
    )


def reset(*, account: ProviderAccount, by: Actor, now: dt.datetime) -> None:
    """Use the account again at once, as if nothing had happened: a person said so."""
    with transaction.atomic():
        row = ProviderAccount.objects.select_for_update(no_key=True).get(pk=account.pk)
        put_state(row, breaker.State())
        row.probing_until = None
        row.key_refusers = []
        row.save(update_fields=[*_MOVED, "probing_until", "key_refusers"])
        said = {"said": row.last_error}
        tell(Kind.PROVIDER_RESET, by=by, now=now, about=row, data=said)
