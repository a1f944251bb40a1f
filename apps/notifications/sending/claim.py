"""Take the next due rows with a lease, judged as they are taken."""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import Case, F, Q, Value, When

from apps.content.render import compiled
from apps.followers.models import Channel
from apps.lib.queue.lanes import Lane
from apps.lib.steady_clock import database_now
from apps.notifications.accounts import routing
from apps.notifications.books import slices, tallies
from apps.notifications.decide import caps
from apps.notifications.limits import domains, grant
from apps.notifications.messages.person import complete
from apps.notifications.messages.row import Row
from apps.notifications.models import (
    Cap,
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
    ProviderAccount,
)
from apps.notifications.sending.choose import Way, due, groups_due, ways_out
from apps.notifications.sending.held import release, stopped
from apps.notifications.sending.judge import ALLOWED, decide_rows, judge_rows

# seconds after which a claim that finds only what may not go now leaves it to the next
LOOKING = 0.5


@dataclass(slots=True)
class Batch:
    """Rows that `owner` holds, in the order in which they are sent, and the way they go."""

    account: ProviderAccount
    rows: list[Row]
    last: bool = False  # nothing else was due, as far as the claim has looked


class _Taken(NamedTuple):
    """What one look has brought: `found` were there, at most as many as were asked for; of them
    `rows` may go. `spent`: the account has nothing to give to any notification now.
    """

    found: int = 0
    rows: Sequence[Row] = ()
    spent: bool = False


def claim(
    lane: Lane, *, owner: str, size: int, room: Mapping[int, int] | None = None
) -> Batch | None:
    """Take the next due rows of one notification, or of many small ones of a type; None when
    nothing is due that has a way out and may go now.

    At most `size`; through the accounts (by primary key) that are named in `room` at most so many,
    0 for none.
    """
    now = database_now()
    until = time.monotonic() + LOOKING
    room = room or {}
    full = {account for account, left in room.items() if not left}
    ways = ways_out(lane, full=full, now=now)
    limited = []
    if ways:
        limited = caps.enabled()
    reach = {}
    for channel, found in ways.items():
        reach[channel] = {routing.via(way.account) for way in found}
    groups = groups_due(lane, reach, limited=limited, now=now)
    # an account whose rate is used up is asked once, not for each of 500 notifications
    spent: set[int] = set()
    for done, (pks, channel) in enumerate(groups, start=1):
        for way in ways[channel]:
            account = way.account
            if account.pk in spent:
                continue
            wanted = room.get(account.pk, size)
            look = partial(
                _claim_from, pks, way, owner=owner, size=wanted, limited=limited, now=now
            )
            taken = look()
            looked = taken.found > 0
            # a whole country may be asleep
            while taken.found and not taken.rows and time.monotonic() < until:
                taken = look()
            if taken.spent:
                spent.add(account.pk)
            rows = _without_stopped(owner, account, taken.rows)
            if rows:
                last = taken.found < wanted and done == len(groups)
                return Batch(account, rows, last=last)
            if looked:  # everything claimed was skipped or put off: it may have been the last
                tallies.finish_all_done(pks, now=now)
    return None


def _without_stopped(owner: str, account: ProviderAccount, rows: Sequence[Row]) -> list[Row]:
    """Give back the rows whose notification was paused or cancelled while they were taken, or all
    where the account was switched off; the others. Whoever stopped it saw no rows in a sender's
    hands, and has not waited for these.
    """
    if not rows:
        return []
    gone = stopped({row.notification.pk for row in rows})
    if routing.outdated([(account.pk, account.revision)]):
        gone = {row.notification.pk for row in rows}
    if not gone:
        return list(rows)
    back = [row for row in rows if row.notification.pk in gone]
    release(owner, back)
    grant.give_back(notification=back[0].notification, account=account, count=len(back))
    return [row for row in rows if row.notification.pk not in gone]


def _claim_from(
    pks: Sequence[int],
    way: Way,
    *,
    owner: str,
    size: int,
    limited: Sequence[Cap],
    now: dt.datetime,
) -> _Taken:
    """Claim from one notification, or from several that have no limits of their own."""
    account = way.account
    with transaction.atomic():
        related = Notification.objects.select_related("notification_type", "version__template")
        wanted = related.filter(pk__in=pks, state=NotificationState.SENDING)
        live = list(wanted.order_by("pk"))
        if not live:
            return _Taken()
        notification = live[0]  # what is said of it below is true of all of them
        of = {each.pk: each for each in live}
        allowed = grant.grant(notification=notification, account=account, wanted=size, now=now)
        granted = allowed.count
        # a single notification has its rows in the order of an index
        mine = Q(notification=notification)
        if len(of) > 1:
            mine = Q(notification__in=of)
        found = due(account.channel, now).filter(way.which, mine).order_by("due_at", "pk")
        # SQLite has one writer at a time anyway
        skip = connection.features.has_select_for_update_skip_locked
        # no_key: an event's foreign key does not wait for it
        free = found.select_for_update(skip_locked=skip, no_key=True)
        ids = set()
        if granted:
            ids = set(free.values_list("pk", flat=True)[:granted])
        if len(of) == 1 and way.untried:
            rest = granted - len(ids)
            ids |= slices.take(notification.pk, account.channel, owner=owner, most=rest, now=now)
        judged = []
        if ids:
            judged = judge_rows(of, account.channel, ids)
        people = [row.person for row, verdict in judged if row.person and verdict in ALLOWED]
        ledger = caps.open_ledger(
            notification, account.channel, people, caps=limited, now=now, lock=True
        )
        rows = decide_rows(account.channel, judged, ledger=ledger, now=now)
        if account.channel == Channel.EMAIL and rows:
            rows = _in_turn(notification, account, rows, now=now)
        ledger.store((row.pk, row.person) for row in rows if row.person)
        grant.give_back(notification=notification, account=account, count=granted - len(rows))
        for row in rows:
            row.attempts += 1
        after = [row.place() for row in rows]
        before = [place._replace(status=DeliveryStatus.PENDING.value) for place in after]
        Delivery.objects.filter(pk__among={row.pk for row in rows}).update(
            status=DeliveryStatus.QUEUED,
            account=account,
            lease_owner=owner,
            lease_until=Case(When(in_slice=True, then=Value(None)), default=slices.lease_end()),
            attempts=F("attempts") + 1,
        )
        tallies.shift(tallies.moved(before, after))
    if not ids:
        return _Taken(spent=not granted and notification.rate is None)
    _complete_people(account.channel, rows)
    return _Taken(len(ids), rows)


def _complete_people(channel: str, rows: Sequence[Row]) -> None:
    """Parse the words and fetch what they ask for of their readers: the threads that hand over
    have no database.
    """
    known = set()
    if channel == Channel.EMAIL:
        known = {"email"}
    for version in {row.notification.version for row in rows}:
        asked = compiled(version).follower_fields - known
        if asked:
            mine = [row.person for row in rows if row.notification.version == version]
            complete([person for person in mine if person], fields=asked)


def _in_turn(
    notification: Notification, account: ProviderAccount, rows: list[Row], *, now: dt.datetime
) -> list[Row]:
    """Keep the rows whose domains may be written to now; the others wait for their turn,
    uncharged.
    """
    pairs = [(row.pk, row.domain) for row in rows]
    turn = domains.sort_out(notification=notification, account=account, rows=pairs, now=now)
    later = [Delivery(pk=pk, due_at=due_at) for pk, due_at in turn.later.items()]
    Delivery.objects.bulk_update(later, ["due_at", "in_slice"], batch_size=200)
    return [row for row in rows if row.pk in turn.go]
