"""The pace of receiving domains: learned from their answers, or set by staff."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction
from django.utils.translation import gettext

from apps.channels.contract import Outcome
from apps.followers.addresses import BadAddress, normalise
from apps.followers.models import Channel
from apps.lib.actor import Actor
from apps.lib.facts import Kind, tell
from apps.lib.queue.lanes import Lane
from apps.lib.refusals import Refused
from apps.notifications.accounts import slow_domains
from apps.notifications.limits import rates
from apps.notifications.models import DomainLimit, Notification, Pace, ProviderAccount, SlowDomain

# A row that was put behind its domain's queue comes back on time, give or take the tick and a busy
# sender: five seconds' worth may go at once, or such a row would be put behind again.
DOMAIN_BURST = 5.0
REMEMBERED_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Sorted:
    """Rows that may go, and when the others are due."""

    go: set[int]
    later: dict[int, dt.datetime]


def sort_out(
    *,
    notification: Notification,
    account: ProviderAccount,
    rows: Sequence[tuple[int, str]],
    now: dt.datetime,
) -> Sorted:
    """Say which email rows, (pk, domain) in their order, may go by their domains' pace, and take
    the tokens.

    The others get a place in the queue of their notification and domain, one every 1 / rate
    seconds, so that a million rows to one slow domain are moved about once each and not looked at
    every second. The place is a hint: when it comes (or much later, after a pause) the pace is
    asked again. Critical ones always go, and the others wait for them.
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
    keys = list(queues.values())
    for domain in bound:
        keys += [each.key for each in limits[domain]]
    held = rates.hold(keys)
    moment = now.timestamp()
    for domain, pks in bound.items():
        count = len(pks)
        if notification.lane != Lane.CRITICAL:
            for each in limits[domain]:
                count = min(count, each.available(held[each.key].free_at, moment))
        go.update(pks[:count])
        for each in limits[domain]:
            row = held[each.key]
            row.free_at = each.after(row.free_at, moment, count)
        queue = held[queues[domain]]
        step = 1 / min(each.rate for each in limits[domain])
        for pk in pks[count:]:
            queue.free_at = max(queue.free_at, moment) + step
            later[pk] = rates.moment_of(queue.free_at)
    rates.store(held.values())
    return Sorted(go, later)


def _domain_limits(
    account: ProviderAccount, lane: Lane, now: dt.datetime
) -> dict[str, list[rates.RateLimit]]:
    """The limits of each domain: {domain: limits}. In one statement, because every claim asks."""
    asked = (
        "SELECT domain, per_minute, 0, NULL "  # noqa: S608  # names of ours and a mark, no value
        f"FROM {DomainLimit._meta.db_table} UNION ALL "
        "SELECT domain, rate, goal, heard_at "
        f"FROM {SlowDomain._meta.db_table} WHERE account_id = %s"
    )
    with connection.cursor() as cursor:
        cursor.execute(asked, [account.pk])
        found = cursor.fetchall()
    limits: dict[str, list[rates.RateLimit]] = {}
    for domain, number, goal, heard_at in found:
        rate: float | None
        if heard_at is None:
            key = f"domain:{domain}"
            rate = number / 60
        else:
            key = f"slow:{account.pk}:{domain}"
            slow = slow_domains.Slow(number, goal, _as_moment(heard_at))
            rate = slow_domains.rate_now(slow, now)
        if rate:
            limit = rates.limit(key, rate, lane=lane, burst=DOMAIN_BURST)
            limits.setdefault(domain, []).append(limit)
    return limits


def _as_moment(stored: dt.datetime | str) -> dt.datetime:
    """A moment as a statement of ours gives it: SQLite gives text, without a zone."""
    if isinstance(stored, str):
        stored = dt.datetime.fromisoformat(stored)
    if stored.tzinfo:
        return stored
    return stored.replace(tzinfo=dt.UTC)


def heard(
    *, account: ProviderAccount, results: Iterable[tuple[str, Outcome]], now: dt.datetime
) -> None:
    """Learn from the answers, (domain, outcome) each, which domains want less.

    After a flush, in a transaction of its own.
    """
    said: dict[str, str] = {}
    for domain, outcome in results:
        if domain and slow_domains.asks_to_slow(outcome):
            said[domain] = outcome.detail
    if not said:
        return
    with transaction.atomic():
        known = SlowDomain.objects.select_for_update().filter(account=account, domain__in=said)
        before = {row.domain: row for row in known.order_by("domain")}
        limited = DomainLimit.objects.filter(domain__in=said)
        allowed = dict(limited.values_list("domain", "per_minute"))
        rows = []
        empty = []
        for domain, detail in sorted(said.items()):
            row = before.get(domain)
            old = None
            slowed_at = now
            if row:
                old = slow_domains.Slow(row.rate, row.goal, row.heard_at)
                if slow_domains.rate_now(old, now) is not None:
                    slowed_at = row.slowed_at
            seen = _seen.rate(account.pk, domain, now)
            limit = allowed.get(domain, 0) / 60 or None
            slow = slow_domains.slower(old, seen=seen, limit=limit, now=now)
            rows.append(
                SlowDomain(
                    account=account,
                    domain=domain,
                    said=detail[:500],
                    rate=slow.rate,
                    goal=slow.goal,
                    heard_at=slow.heard_at,
                    slowed_at=slowed_at,
                )
            )
            if old is None or slow.heard_at != old.heard_at:
                pace = rates.limit(f"slow:{account.pk}:{domain}", slow.rate, burst=DOMAIN_BURST)
                # slow means: not at once
                empty.append(Pace(key=pace.key, free_at=now.timestamp() + pace.patience))
        SlowDomain.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["account", "domain"],
            update_fields=["rate", "goal", "said", "slowed_at", "heard_at"],
        )
        rates.hold(row.key for row in empty)
        rates.store(empty)


def pace_of(row: SlowDomain, now: dt.datetime) -> float | None:
    """Messages a second that the domain gets now; None when it is written to as before."""
    return slow_domains.rate_now(slow_domains.Slow(row.rate, row.goal, row.heard_at), now)


def forget_recovered(*, now: dt.datetime) -> None:
    """Schedule: domains that are at their old pace again,
    and limits that nobody used for an hour.
    """
    over = [row.pk for row in SlowDomain.objects.all() if pace_of(row, now) is None]
    SlowDomain.objects.filter(pk__in=over).delete()
    rates.forget_idle(now=now)


def reset_domain(*, account: ProviderAccount, domain: str, by: Actor, now: dt.datetime) -> bool:
    """Write to the domain as before: a person said so. False if it was not slowed any more."""
    with transaction.atomic():
        gone, _ = SlowDomain.objects.filter(account=account, domain=domain).delete()
        if gone:
            data = {"domain": domain, "pace": "as before"}
            tell(Kind.PROVIDER_CHANGED, by=by, now=now, about=account, data=data)
    return bool(gone)


class BadLimit(Refused):
    """A limit that can't be set; the text says what to write."""


def set_domain_limit(*, domain: str, per_minute: float, by: Actor, now: dt.datetime) -> DomainLimit:
    """Let all accounts together write to the domain at most so often. Raises BadLimit."""
    name = domain.strip().lstrip("@")
    try:
        address, _ = normalise(Channel.EMAIL, f"postmaster@{name}")
        name = address.rpartition("@")[2].lower()
    except BadAddress as error:
        said = gettext("{domain} is no domain. Write one like example.com.")
        raise BadLimit(said.format(domain=domain.strip())) from error
    if not 1 / 60 <= per_minute <= 600_000:
        raise BadLimit(gettext("Choose between one message an hour (0.0167) and 600,000 a minute."))
    with transaction.atomic():
        values = {"per_minute": per_minute, "created_at": now}
        limit, _ = DomainLimit.objects.update_or_create(domain=name, defaults=values)
        data = {"per_minute": per_minute}
        tell(Kind.DOMAIN_LIMIT_CHANGED, by=by, now=now, about=limit, data=data)
    return limit


def delete_domain_limit(*, limit: DomainLimit, by: Actor, now: dt.datetime) -> None:
    with transaction.atomic():
        data = {"per_minute": None}
        tell(Kind.DOMAIN_LIMIT_CHANGED, by=by, now=now, about=limit, data=data)
        limit.delete()


class _Seen:
    """Counts what this process claimed for each domain within about a minute: the pace from which
    a slowed one starts.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[int, str], int] = {}
        self._before: dict[tuple[int, str], int] = {}
        self._since: dt.datetime | None = None

    def add(self, account: int, domains: Iterable[str], now: dt.datetime) -> None:
        if self._since is None or not 0 <= (now - self._since).total_seconds() < REMEMBERED_SECONDS:
            self._before = self._counts
            self._counts = {}
            self._since = now
        for domain in domains:
            self._counts[account, domain] = self._counts.get((account, domain), 0) + 1

    def rate(self, account: int, domain: str, now: dt.datetime) -> float:
        """Messages a second; 0 when none was seen."""
        before = self._before.get((account, domain), 0)
        count = self._counts.get((account, domain), 0) + before
        seconds = 0.0
        if self._since:
            seconds = (now - self._since).total_seconds()
        if before:
            seconds += REMEMBERED_SECONDS
        return count / max(1.0, seconds)


_seen = _Seen()
