"""Take the next due rows with a lease, judged as they are taken."""

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import connection, transaction
from django.db.models import F, Q

from apps.content.render import compiled
from apps.followers.models import Channel
from apps.lib.queue.lanes import Lane
from apps.lib.sql.database_clock import database_now
from apps.notifications.accounts import routing
from apps.notifications.books import tallies
from apps.notifications.decide import caps
from apps.notifications.limits import domains, grant
from apps.notifications.messages import person
from apps.notifications.messages.row import Row
from apps.notifications.models import (
    Cap,
    Delivery,
    DeliveryStatus,
    Notification,
    NotificationState,
    ProviderAccount,
)
from apps.notifications.sending.choose import due, groups_due, ways_out
from apps.notifications.sending.held import lease_end, release, stopped
from apps.notifications.sending.judge import ALLOWED, decide_rows, judge_rows

LOOKING = (
    0.5  # seconds after which a claim that finds only what may not go now leaves it to the next
)


@dataclass(slots=True)
class Batch:
    """Rows that `owner` holds, in the order in which they are sent, and the way they go."""

    account: ProviderAccount
    rows: list[Row]
    last: bool = False  # nothing else was due, as far as the claim has looked


class _Taken(NamedTuple):
    """`found` were there, at most as many as were asked for; of them `rows` may go.

    `spent`: the account has nothing to give to any notification now.
    """

    found: int = 0
    rows: Sequence[Row] = ()
    spent: bool = False


def claim(
    lane: Lane, *, owner: str, size: int, room: Mapping[int, int] | None = None
) -> Batch | None:
    """Take the next due rows; None when nothing is due that has a way out and may go now.

    Those of one notification, or of many small ones of a type. At most `size`; through the accounts
    (by primary key) that are named in `room` at most so many, 0 for none.
    """
    now = database_now()
    until = time.monotonic() + LOOKING
    room = room or {}
    ways = ways_out(lane, full={account for account, left in room.items() if not left}, now=now)
    limited = []
    if ways:
        limited = caps.enabled()
    reach = {
        channel: {routing.via(account) for account, _ in found} for channel, found in ways.items()
    }
    groups = groups_due(lane, reach, limited=limited, now=now)
    spent: set[int] = (
        set()
    )  # asked once: 500 notifications behind a rate that is used up were a second of the database
    for done, (pks, channel) in enumerate(groups, start=1):
        for way, which in ways[channel]:
            if way.pk in spent:
                continue
            wanted = room.get(way.pk, size)
            taken = _claim_from(pks, way, which, owner=owner, size=wanted, limited=limited, now=now)
            looked = taken.found > 0
            while (
                taken.found and not taken.rows and time.monotonic() < until
            ):  # a whole country may be asleep
                taken = _claim_from(
                    pks, way, which, owner=owner, size=wanted, limited=limited, now=now
                )
            if taken.spent:
                spent.add(way.pk)
            rows = list(taken.rows)
            # as they were taken: whoever stopped it saw none to wait for, and has returned
            if rows and (gone := stopped({row.notification.pk for row in rows})):
                back = [row for row in rows if row.notification.pk in gone]
                release(owner, back)
                grant.give_back(notification=back[0].notification, account=way, count=len(back))
                rows = [row for row in rows if row.notification.pk not in gone]
            if rows:
                return Batch(way, rows, last=taken.found < wanted and done == len(groups))
            if looked:  # everything claimed was skipped or put off: it may have been the last
                tallies.finish_all_done(pks, now=now)
    return None


def _claim_from(
    pks: Sequence[int],
    account: ProviderAccount,
    which: Q,
    *,
    owner: str,
    size: int,
    limited: Sequence[Cap],
    now: dt.datetime,
) -> _Taken:
    """From one notification, or several that are not limited (`_together`)."""
    with transaction.atomic():
        wanted = Notification.objects.select_related(
            "notification_type", "version__template"
        ).order_by("pk")
        live = list(wanted.filter(pk__in=pks, state=NotificationState.SENDING))
        if not live:
            return _Taken()
        notification = live[0]  # what is said of it below is true of all of them
        of = {each.pk: each for each in live}
        granted = grant.grant(
            notification=notification, account=account, wanted=size, now=now
        ).count
        # which has an index in order
        if len(of) > 1:
            mine = Q(notification__in=of)
        else:
            mine = Q(notification=notification)
        found = due(account.channel, now).filter(which, mine).order_by("due_at", "pk")
        skip = (
            connection.features.has_select_for_update_skip_locked
        )  # SQLite has one writer at a time anyway
        # an event's foreign key does not wait for it
        free = found.select_for_update(skip_locked=skip, no_key=True)
        ids = set()
        if granted:
            ids = set(free.values_list("pk", flat=True)[:granted])
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
            lease_owner=owner,
            lease_until=lease_end(),
            attempts=F("attempts") + 1,
        )
        tallies.shift(tallies.moved(before, after))
    if not ids:
        return _Taken(spent=not granted and notification.rate is None)
    for version in {row.notification.version for row in rows}:
        words = compiled(version)  # parsed here: the threads that hand over have no database
        if asked := words.follower_fields - (
            {"email"} if account.channel == Channel.EMAIL else set()
        ):
            people = [
                row.person for row in rows if row.person and row.notification.version == version
            ]
            person.complete(people, fields=asked)
    return _Taken(len(ids), rows)


def _in_turn(
    notification: Notification, account: ProviderAccount, rows: list[Row], *, now: dt.datetime
) -> list[Row]:
    """Those whose domains may be written to now; the others wait for their turn, uncharged."""
    pairs = [(row.pk, row.domain) for row in rows]
    turn = domains.sort_out(notification=notification, account=account, rows=pairs, now=now)
    later = [Delivery(pk=pk, due_at=due_at) for pk, due_at in turn.later.items()]
    Delivery.objects.bulk_update(later, ["due_at"], batch_size=200)
    return [row for row in rows if row.pk in turn.go]
