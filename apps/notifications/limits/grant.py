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
from apps.notifications.limits import rates as limits_rates
from apps.notifications.limits.warmup import warmup_cap
from apps.notifications.models import Notification, Pace, ProviderAccount

# A slow notification that waits for its turn is woken by the tick: two seconds late,
# it is still at its rate.
NOTIFICATION_BURST = 2.0
LONGEST_NAP = 1.0  # a sender that waits for one limit does nothing for the others of its lane


@dataclass(frozen=True, slots=True)
class Grant:
    """`count` may be claimed.

    With 0, nothing before `again_at`, because of `reason` (rate, daily, probe).
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
    rates = _rates(notification, account)
    cap = daily_cap(account, today=now.date()) if account else None
    if not rates and cap is None:
        return Grant(wanted)
    rows = limits_rates.hold(
        [each.key for each in rates] + ([_key(account)] if account and cap is not None else [])
    )
    moment = now.timestamp()
    count = wanted
    for rate in rates:
        free_at = rows[rate.key].free_at
        chunk = min(wanted, rate.chunk)
        available = rate.available(free_at, moment)
        if available < chunk:  # its own: what a slower rate leaves is less than a fast one's chunk
            return _nothing(account, moment_of(rate.ready_at(free_at, chunk)), "rate", now)
        count = min(count, available)
    if account and cap is not None:
        day = rows[_key(account)]
        if day.day != now.date():
            day.day = now.date()
            day.used = 0
        if notification.lane != Lane.CRITICAL:  # counted, and not held up till tomorrow
            count = min(count, max(0, cap - day.used))
        if count == 0:
            tomorrow = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
            # whoever has the account's row may wait for the rates that are held here:
            # then the next claim says it
            if ProviderAccount.objects.select_for_update(skip_locked=True, no_key=True).filter(
                pk=account.pk
            ):
                ProviderAccount.objects.filter(pk=account.pk).update(capped_until=tomorrow)
            return _nothing(account, tomorrow, "daily", now)
        day.used += count
    for rate in rates:
        rows[rate.key].free_at = rate.after(rows[rate.key].free_at, moment, count)
    limits_rates.store(rows.values())
    return Grant(count)


def _nothing(
    account: ProviderAccount | None, again_at: dt.datetime, reason: str, now: dt.datetime
) -> Grant:
    if account and account.tripped_at:
        health.leave_probe(account)
    if reason == "rate":
        _turn[0] = min(_turn[0], time.monotonic() + max(0.0, (again_at - now).total_seconds()))
    return Grant(0, max(again_at, now), reason)


def sleep_until_turn(until: float) -> bool:
    """Wait for the first rate that has refused a claim of this process since the last call; False,
    at once, where none has, or its turn comes later than LONGEST_NAP or `until` (monotonic).
    Outside any transaction: a sender that waits here keeps to the rate and keeps its connections;
    one that leaves is woken by the tick.
    """
    turn = _turn[0]
    _turn[0] = math.inf
    if turn >= min(until, time.monotonic() + LONGEST_NAP):
        return False
    time.sleep(max(0.0, turn - time.monotonic()))
    return True


_turn = [math.inf]  # the earliest, monotonic


def give_back(*, notification: Notification, account: ProviderAccount | None, count: int) -> None:
    """Tokens of messages that were granted and did not leave."""
    if count <= 0:
        return
    if account and account.tripped_at:
        health.leave_probe(account)
    rates = _rates(notification, account)
    counted = account and daily_cap(account, today=dt.datetime.now(dt.UTC).date()) is not None
    if not rates and not counted:
        return
    with transaction.atomic():
        rows = limits_rates.hold(
            [each.key for each in rates] + ([_key(account)] if account and counted else [])
        )
        for rate in rates:
            rows[rate.key].free_at -= count / rate.rate
        if account and counted:
            day = rows[_key(account)]
            day.used = max(0, day.used - count)
        limits_rates.store(rows.values())


def _rates(notification: Notification, account: ProviderAccount | None) -> list[limits_rates.Limit]:
    limits = []
    if notification.rate:
        limits.append(
            limits_rates.limit(
                f"notification:{notification.pk}", notification.rate, burst=NOTIFICATION_BURST
            )
        )
    if account and account.rate:
        limits.append(limits_rates.limit(_key(account), account.rate, lane=Lane(notification.lane)))
    return limits


def _key(account: ProviderAccount) -> str:
    return f"account:{account.pk}"


def moment_of(seconds: float) -> dt.datetime:
    return dt.datetime.fromtimestamp(seconds, dt.UTC)


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
    row = Pace.objects.filter(key=_key(account), day=today).first()
    if row:
        return row.used
    return 0


def spread_out(*, notification: Notification) -> None:
    """Everyone is frozen: the rate at which they fill the time they shall go out over.

    In the planner's transaction.
    """
    if notification.spread:
        total = tallies.waiting(notification.pk)
        Notification.objects.filter(pk=notification.pk).update(
            rate=max(total, 1) / notification.spread
        )
