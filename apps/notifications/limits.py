"""How many may leave now: asked in each claim, answered from rows that all processes share.

What is held back costs nothing: without a limit no statement is made but one that finds no domain. `now` is the
database's clock (lib.clock), so that the clocks of several machines don't matter. Lock order: account, rates,
deliveries, domains, tallies; `heard` and `give_back` outside a claim are transactions of their own.
"""

import datetime as dt
import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from apps.channels.contract import Outcome
from apps.followers.addresses import BadAddress, normalise
from apps.followers.models import Channel
from apps.lib.actor import Actor
from apps.lib.events import Fact, Kind, publish
from apps.lib.queue.lanes import Lane
from apps.notifications import accounts_out, books, paces, slowing
from apps.notifications.models import DomainLimit, Notification, Pace, ProviderAccount, SlowDomain
from apps.notifications.warmup import warmup_cap

# A row that was put behind its domain's queue comes back on time, give or take the tick and a busy sender: five
# seconds' worth may go at once, or such a row would be put behind again.
DOMAIN_BURST = 5.0
# A slow notification that waits for its turn is woken by the tick: two seconds late, it is still at its rate.
NOTIFICATION_BURST = 2.0
LONGEST_NAP = 1.0  # a sender that waits for one limit does nothing for the others of its lane
REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Grant:
    """`count` may be claimed. With 0, nothing before `again_at`, because of `reason` (rate, daily, probe)."""

    count: int
    again_at: dt.datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows that may go, and when the others are due."""

    go: set[int]
    later: dict[int, dt.datetime]


# ------------------------------------------------------------------ notification and account
def grant(*, notification: Notification, account: ProviderAccount | None, wanted: int, now: dt.datetime) -> Grant:
    """How many of this notification may be claimed for this account; takes the tokens.

    In the claim's transaction, before its rows are chosen. What is then not claimed or not sent is given back.
    """
    if account and account.tripped_at:
        if not accounts_out.take_probe(account, now=now):
            return Grant(0, account.probing_until or account.paused_until, "probe")
        wanted = min(wanted, 1)
    rates, cap = _rates(notification, account), daily_cap(account, today=now.date()) if account else None
    if not rates and cap is None:
        return Grant(wanted)
    rows = paces.hold([each.key for each in rates] + ([_key(account)] if account and cap is not None else []))
    moment, count = now.timestamp(), wanted
    for rate in rates:
        free_at, chunk = rows[rate.key].free_at, min(wanted, rate.chunk)
        available = rate.available(free_at, moment)
        if available < chunk:  # its own: what a slower rate leaves is less than a fast one's chunk
            return _nothing(account, _moment(rate.ready_at(free_at, chunk)), "rate", now)
        count = min(count, available)
    if account and cap is not None:
        day = rows[_key(account)]
        if day.day != now.date():
            day.day, day.used = now.date(), 0
        if notification.lane != Lane.CRITICAL:  # counted, and not held up till tomorrow
            count = min(count, max(0, cap - day.used))
        if count == 0:
            tomorrow = dt.datetime.combine(now.date() + dt.timedelta(days=1), dt.time(), dt.UTC)
            # whoever has the account's row may wait for the rates that are held here: then the next claim says it
            if ProviderAccount.objects.select_for_update(skip_locked=True, no_key=True).filter(pk=account.pk):
                ProviderAccount.objects.filter(pk=account.pk).update(capped_until=tomorrow)
            return _nothing(account, tomorrow, "daily", now)
        day.used += count
    for rate in rates:
        rows[rate.key].free_at = rate.after(rows[rate.key].free_at, moment, count)
    paces.store(rows.values())
    return Grant(count)


def _nothing(account: ProviderAccount | None, again_at: dt.datetime, reason: str, now: dt.datetime) -> Grant:
    if account and account.tripped_at:
        accounts_out.leave_probe(account)
    if reason == "rate":
        _turn[0] = min(_turn[0], time.monotonic() + max(0.0, (again_at - now).total_seconds()))
    return Grant(0, max(again_at, now), reason)


def sleep_until_turn(until: float) -> bool:
    """Wait for the first rate that has refused a claim of this process since the last call; False, at once, where none
    has, or its turn comes later than LONGEST_NAP or `until` (monotonic). Outside any transaction: a sender that waits
    here keeps to the rate and keeps its connections; one that leaves is woken by the tick."""
    turn, _turn[0] = _turn[0], math.inf
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
        accounts_out.leave_probe(account)
    rates = _rates(notification, account)
    counted = account and daily_cap(account, today=dt.datetime.now(dt.UTC).date()) is not None
    if not rates and not counted:
        return
    with transaction.atomic():
        rows = paces.hold([each.key for each in rates] + ([_key(account)] if account and counted else []))
        for rate in rates:
            rows[rate.key].free_at -= count / rate.rate
        if account and counted:
            day = rows[_key(account)]
            day.used = max(0, day.used - count)
        paces.store(rows.values())


def _rates(notification: Notification, account: ProviderAccount | None) -> list[paces.Limit]:
    limits = []
    if notification.rate:
        limits.append(paces.limit(f"notification:{notification.pk}", notification.rate, burst=NOTIFICATION_BURST))
    if account and account.rate:
        limits.append(paces.limit(_key(account), account.rate, lane=Lane(notification.lane)))
    return limits


def _key(account: ProviderAccount) -> str:
    return f"account:{account.pk}"


def _moment(seconds: float) -> dt.datetime:
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
    return row.used if row else 0


def spread_out(*, notification: Notification) -> None:
    """Everyone is frozen: the rate at which they fill the time they shall go out over. In the planner's transaction."""
    if notification.spread:
        total = books.waiting(notification.pk)
        Notification.objects.filter(pk=notification.pk).update(rate=max(total, 1) / notification.spread)


# ------------------------------------------------------------------ receiving domains
def sort_out(
    *, notification: Notification, account: ProviderAccount, rows: Sequence[tuple[int, str]], now: dt.datetime
) -> Sorted:
    """Of e-mail rows (pk, domain) in their order: which may go by their domains' pace; takes the tokens.

    The others get a place in the queue of their notification and domain, one every 1 / rate seconds, so that a million
    rows to one slow domain are moved about once each and not looked at every second. The place is a hint: when it comes
    (or much later, after a pause) the pace is asked again. Critical ones always go, and the others wait for them.
    """
    _seen.add(account.pk, (domain for _, domain in rows), now)
    limits = _domain_limits(account, Lane(notification.lane), now)
    bound: dict[str, list[int]] = {}
    for pk, domain in rows:
        if domain in limits:
            bound.setdefault(domain, []).append(pk)
    go = {pk for pk, domain in rows if domain not in limits}
    later: dict[int, dt.datetime] = {}
    if not bound:
        return Sorted(go, later)
    queues = {domain: f"queue:{notification.pk}:{domain}" for domain in bound}
    held = paces.hold([*(each.key for domain in bound for each in limits[domain]), *queues.values()])
    moment = now.timestamp()
    for domain, pks in bound.items():
        count = min(len(pks), *(each.available(held[each.key].free_at, moment) for each in limits[domain]))
        if notification.lane == Lane.CRITICAL:
            count = len(pks)
        go.update(pks[:count])
        for each in limits[domain]:
            held[each.key].free_at = each.after(held[each.key].free_at, moment, count)
        queue, step = held[queues[domain]], 1 / min(each.rate for each in limits[domain])
        for pk in pks[count:]:
            queue.free_at = max(queue.free_at, moment) + step
            later[pk] = _moment(queue.free_at)
    paces.store(held.values())
    return Sorted(go, later)


def _domain_limits(account: ProviderAccount, lane: Lane, now: dt.datetime) -> dict[str, list[paces.Limit]]:
    """By domain; in one statement, because every claim makes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT domain, per_minute, 0, NULL FROM {DomainLimit._meta.db_table} UNION ALL "  # noqa: S608  # our names
            f"SELECT domain, rate, goal, heard_at FROM {SlowDomain._meta.db_table} WHERE account_id = %s",
            [account.pk],
        )
        found = cursor.fetchall()
    limits: dict[str, list[paces.Limit]] = {}
    for domain, number, goal, heard_at in found:
        if heard_at is None:
            key, rate = f"domain:{domain}", number / 60
        else:
            moment = heard_at if isinstance(heard_at, dt.datetime) else dt.datetime.fromisoformat(heard_at)
            slow = slowing.Slow(number, goal, moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC))
            key, rate = f"slow:{account.pk}:{domain}", slowing.rate_now(slow, now)
        if rate:
            limits.setdefault(domain, []).append(paces.limit(key, rate, lane=lane, burst=DOMAIN_BURST))
    return limits


def heard(*, account: ProviderAccount, results: Iterable[tuple[str, Outcome]], now: dt.datetime) -> None:
    """What the other side said, by domain: learns which ones want less. After a flush, in a transaction of its own."""
    said = {domain: outcome.detail for domain, outcome in results if domain and slowing.asks_to_slow(outcome)}
    if not said:
        return
    with transaction.atomic():
        known = SlowDomain.objects.select_for_update().filter(account=account, domain__in=said).order_by("domain")
        before = {row.domain: slowing.Slow(row.rate, row.goal, row.heard_at) for row in known}
        since = {row.domain: row.slowed_at for row in known}
        allowed = dict(DomainLimit.objects.filter(domain__in=said).values_list("domain", "per_minute"))
        rows, empty = [], []
        for domain, detail in sorted(said.items()):
            old = before.get(domain)
            seen, limit = _seen.rate(account.pk, domain, now), allowed.get(domain, 0) / 60 or None
            slow = slowing.slower(old, seen=seen, limit=limit, now=now)
            fresh = old is None or slowing.rate_now(old, now) is None
            rows.append(
                SlowDomain(
                    account=account, domain=domain, said=detail[:500],
                    rate=slow.rate, goal=slow.goal, heard_at=slow.heard_at, slowed_at=now if fresh else since[domain],
                )
            )  # fmt: skip
            if old is None or slow.heard_at != old.heard_at:
                pace = paces.limit(f"slow:{account.pk}:{domain}", slow.rate, burst=DOMAIN_BURST)
                empty.append(Pace(key=pace.key, free_at=now.timestamp() + pace.patience))  # slow means: not at once
        SlowDomain.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["account", "domain"],
            update_fields=["rate", "goal", "said", "slowed_at", "heard_at"],
        )
        paces.hold(row.key for row in empty)
        paces.store(empty)


def pace_of(row: SlowDomain, now: dt.datetime) -> float | None:
    """Messages a second it is written to now; None when it is as before again."""
    return slowing.rate_now(slowing.Slow(row.rate, row.goal, row.heard_at), now)


def forget_recovered(*, now: dt.datetime) -> None:
    """Schedule: domains that are at their old pace again, and limits that nobody used for an hour."""
    over = [row.pk for row in SlowDomain.objects.all() if pace_of(row, now) is None]
    SlowDomain.objects.filter(pk__in=over).delete()
    paces.forget_idle(now=now)


def reset_domain(*, account: ProviderAccount, domain: str, by: Actor, now: dt.datetime) -> bool:
    """A person's word: write to the domain as before. False if it was not slowed any more."""
    with transaction.atomic():
        gone, _ = SlowDomain.objects.filter(account=account, domain=domain).delete()
        if gone:
            data = {"domain": domain, "pace": "as before"}
            publish(Fact(Kind.PROVIDER_CHANGED, by, now, "provider_account", str(account.uid), account.name, data))
    return bool(gone)


class BadLimit(ValueError):
    """A limit that can't be set; the text says what to write."""


def set_domain_limit(*, domain: str, per_minute: float, by: Actor, now: dt.datetime) -> DomainLimit:
    """All accounts together write to the domain at most so often. Raises BadLimit."""
    try:
        name = normalise(Channel.EMAIL, f"postmaster@{domain.strip().lstrip('@')}")[0].rpartition("@")[2].lower()
    except BadAddress as error:
        raise BadLimit(f"{domain.strip()} is no domain. Write one like example.com.") from error
    if not 1 / 60 <= per_minute <= 600_000:
        raise BadLimit("Choose between one message an hour (0.0167) and 600,000 a minute.")
    with transaction.atomic():
        values = {"per_minute": per_minute, "created_at": now}
        limit, _ = DomainLimit.objects.update_or_create(domain=name, defaults=values)
        publish(_domain_fact(limit, by, now, per_minute=per_minute))
    return limit


def remove_domain_limit(*, limit: DomainLimit, by: Actor, now: dt.datetime) -> None:
    with transaction.atomic():
        publish(_domain_fact(limit, by, now, per_minute=None))
        limit.delete()


def _domain_fact(limit: DomainLimit, by: Actor, now: dt.datetime, **data: object) -> Fact:
    return Fact(Kind.DOMAIN_LIMIT_CHANGED, by, now, "domain_limit", limit.domain, limit.domain, data)


class _Seen:
    """What this process claimed for each domain within about a minute: the pace a slowed one starts from."""

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str], int] = {}
        self._before: dict[tuple[int, str], int] = {}
        self._since: dt.datetime | None = None

    def add(self, account: int, domains: Iterable[str], now: dt.datetime) -> None:
        if self._since is None or not 0 <= (now - self._since).total_seconds() < REMEMBERED_SECONDS:
            self._counts, self._before, self._since = {}, self._counts, now
        for domain in domains:
            self._counts[account, domain] = self._counts.get((account, domain), 0) + 1

    def rate(self, account: int, domain: str, now: dt.datetime) -> float:
        """A second; 0 when none was seen."""
        before = self._before.get((account, domain), 0)
        elapsed = (now - self._since).total_seconds() if self._since else 0.0
        count = self._counts.get((account, domain), 0) + before
        return count / max(1.0, elapsed + (REMEMBERED_SECONDS if before else 0.0))


_seen = _Seen()
