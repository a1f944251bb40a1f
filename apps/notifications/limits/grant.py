"""How many messages may leave now, by the rates of a notification and an account and the day's
volume.
"""

import datetime as dt
import math
import time
from dataclasses import dataclass

from django.db import transaction

from apps.lib.queue.lanes import Lane
from apps.notifications.accounts import health
from apps.notifications.books import tallies
from apps.notifications.limits import rates
from apps.notifications.limits.warmup import warmup_cap
from apps.notifications.models import Notification, Pace, ProviderAccount

# A slow notification that waits for its turn is woken by the tick: two seconds late,
# it is still at its rate.
NOTIFICATION_BURST = 2.0
LONGEST_NAP = 1.0  # a sender that waits for one limit does nothing for the others of its lane


@dataclass(frozen=True, slots=True)
class Grant:
    """How many may be claimed; with 0, nothing before `again_at`, because of `reason` (rate,
    daily, probe).
    """

    count: int
    again_at: dt.datetime | None = None
    reason: str = ""


def grant(
    *, notification: Notification, account: ProviderAccount | None, wanted: int, now: dt.datetime
) -> Grant:
    """How many of this notification may be claimed for this account; takes the tokens.

    In the claim's transaction, before its rows are chosen.
    What is then not claimed or not sent is given back.
    """
    if account and account.tripped_at:
        if not health.take_probe(account, now=now):
            return Grant(0, account.probing_until or account.paused_until, "probe")
        wanted = min(wanted, 1)
    limits = _limits(notification, account)
    cap = None
    if account:
        cap = daily_cap(account, today=now.date())
    if not limits and cap is None:
        return Grant(wanted)
    keys = [each.key for each in limits]
    if account and cap is not None:
        keys.append(_key(account))
    rows = rates.hold(keys)
    moment = now.timestamp()
    count = wanted
    for limit in limits:
        free_at = rows[limit.key].free_at
        # each limit's own chunk: what a slower one leaves is less than a fast one's chunk
        chunk = min(wanted, limit.chunk)
        available = limit.available(free_at, moment)
        if available < chunk:
            ready_at = rates.moment_of(limit.ready_at(free_at, chunk))
            return _nothing(account, ready_at, "rate", now)
        count = min(count, available)
    if account and cap is not None:
        day = rows[_key(account)]
        if day.day != now.date():
            day.day = now.date()
            day.used = 0
        # critical messages are counted, and not held up till tomorrow
        if notification.lane != Lane.CRITICAL:
            count = min(count, max(0, cap - day.used))
        if count == 0:
            tomorrow = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
            _close_until(account, tomorrow)
            return _nothing(account, tomorrow, "daily", now)
        day.used += count
    for limit in limits:
        row = rows[limit.key]
        row.free_at = limit.after(row.free_at, moment, count)
    rates.store(rows.values())
    return Grant(count)


def _close_until(account: ProviderAccount, tomorrow: dt.datetime) -> None:
    """Mark the account's day as used up, unless somebody has its row: whoever does may wait for
    the rates that are held here, and the next claim marks it.
    """
    rows = ProviderAccount.objects.select_for_update(skip_locked=True, no_key=True)
    if rows.filter(pk=account.pk):
        ProviderAccount.objects.filter(pk=account.pk).update(capped_until=tomorrow)


def _nothing(
    account: ProviderAccount | None, again_at: dt.datetime, reason: str, now: dt.datetime
) -> Grant:
    if account and account.tripped_at:
        health.leave_probe(account)
    if reason == "rate":
        _turn[0] = min(_turn[0], time.monotonic() + max(0.0, (again_at - now).total_seconds()))
    return Grant(0, max(again_at, now), reason)


def sleep_until_turn(until: float) -> bool:
    """Wait for the first rate that has refused a claim of this process since the last call. Returns
    False, at once, where none has, or its turn comes later than LONGEST_NAP or `until` (monotonic).

    Called outside any transaction. A sender that waits here keeps to the rate and keeps its
    connections; one that leaves is woken by the tick.
    """
    turn = _turn[0]
    _turn[0] = math.inf
    if turn >= min(until, time.monotonic() + LONGEST_NAP):
        return False
    time.sleep(max(0.0, turn - time.monotonic()))
    return True


_turn = [math.inf]  # the earliest, monotonic


def give_back(*, notification: Notification, account: ProviderAccount | None, count: int) -> None:
    """Give back the tokens of messages that were granted and did not leave."""
    if count <= 0:
        return
    if account and account.tripped_at:
        health.leave_probe(account)
    limits = _limits(notification, account)
    keys = [each.key for each in limits]
    today = dt.datetime.now(dt.UTC).date()
    counted = account is not None and daily_cap(account, today=today) is not None
    if account and counted:
        keys.append(_key(account))
    if not keys:
        return
    with transaction.atomic():
        rows = rates.hold(keys)
        for limit in limits:
            rows[limit.key].free_at -= count / limit.rate
        if account and counted:
            day = rows[_key(account)]
            day.used = max(0, day.used - count)
        rates.store(rows.values())


def _limits(notification: Notification, account: ProviderAccount | None) -> list[rates.RateLimit]:
    """The rates that staff set for the notification and for the account."""
    limits = []
    if notification.rate:
        key = f"notification:{notification.pk}"
        limits.append(rates.limit(key, notification.rate, burst=NOTIFICATION_BURST))
    if account and account.rate:
        lane = Lane(notification.lane)
        limits.append(rates.limit(_key(account), account.rate, lane=lane))
    return limits


def _key(account: ProviderAccount) -> str:
    return f"account:{account.pk}"


def daily_cap(account: ProviderAccount, *, today: dt.date) -> int | None:
    """What may leave through the account on this day (UTC); None = as much as there is."""
    return warmup_cap(
        today=today,
        daily=account.daily,
        start=account.warmup_start,
        first=account.warmup_first,
        growth=account.warmup_growth,
    )


def used_today(account: ProviderAccount, *, today: dt.date) -> int:
    """How many messages have left through the account on this day (UTC)."""
    row = Pace.objects.filter(key=_key(account), day=today).first()
    if row:
        return row.used
    return 0


def spread_out(*, notification: Notification) -> None:
    """Set the rate at which all that is planned fills the notification's `spread`.

    In the planner's transaction, when everyone is frozen.
    """
    if notification.spread:
        total = max(tallies.waiting(notification.pk), 1)
        rate = total / notification.spread
        Notification.objects.filter(pk=notification.pk).update(rate=rate)
