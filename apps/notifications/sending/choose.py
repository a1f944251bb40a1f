"""What a sender claims from next: where something is due, and the accounts it can go through."""

import datetime as dt
import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from django.db import connection
from django.db.models import OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.db.models.lookups import Exact

from apps.followers.models import Address, NotificationType
from apps.lib.queue.lanes import Lane
from apps.lib.sql.raw import run
from apps.notifications.accounts import routing
from apps.notifications.models import (
    Cap,
    Delivery,
    Notification,
    ProviderAccount,
    Shelf,
    Slice,
)
from apps.notifications.sending.outcomes import TIRED_AFTER

FEW = 20  # rows of a notification that are looked at for a service


def due(channel: str, now: dt.datetime) -> QuerySet[Delivery]:
    """The channel's rows that are due.

    Each condition is in the index `delivery_due`: a million that can't go out now cost nothing.
    What is in slices is not among them.
    """
    return Delivery.objects.filter(shelf=Shelf.WAITING, channel=channel, due_at__lte=now)


class Way(NamedTuple):
    """An account to go through now, and which rows do; `untried`: what is in slices does, too."""

    account: ProviderAccount
    which: Q
    untried: bool = True


Group = tuple[list[int], str]  # notifications that are claimed from at once, and on which channel


def places(
    lane: Lane, reach: Mapping[str, Collection[str]], *, now: dt.datetime, most: int = 500
) -> list[tuple[int, int, bool, str]]:
    """List where something is due: (notification, its type, has limits of its own, channel); the
    oldest `most` of each channel. `reach`: by channel, the services whose addresses can be reached
    ("": all).

    By hand and in one statement: the ORM needs longer to write one for each channel, for every
    claim, than the database to answer it. The earliest row is asked for, and not whether there is
    any: for EXISTS PostgreSQL reads all that wait (docs/performance.md, "lanes"); for this, in any
    state of its statistics, one entry of `delivery_due`.

    Where only some services can be reached, their phones are looked for among the earliest FEW
    rows: else 500 messages for the phones of a service at rest keep all from the others. Whoever
    has more waiting is claimed from in any case.
    """
    deliveries = Delivery._meta.db_table
    moment = connection.ops.adapt_datetimefield_value(now)
    waiting = (
        f"FROM {deliveries} d "
        f"WHERE d.notification_id = n.id AND d.channel = %s AND d.shelf = {Shelf.WAITING.value}"
    )
    sliced = (
        f"EXISTS (SELECT 1 FROM {Slice._meta.db_table} s "  # noqa: S608  # a name of ours
        "WHERE s.notification_id = n.id AND s.channel = %s AND s.owner = '')"
    )
    one = (
        "SELECT * FROM (SELECT n.id, n.notification_type_id, "  # noqa: S608  # names and marks
        "n.rate IS NOT NULL OR coalesce(t.throttle_count, 0) > 0 AS apart, %s AS channel "
        f"FROM {Notification._meta.db_table} n "
        f"JOIN {NotificationType._meta.db_table} t ON t.id = n.notification_type_id "
        "WHERE n.lane = %s AND n.state = 'sending' AND n.wakes_at IS NULL "
        f"AND ((SELECT d.due_at {waiting} ORDER BY d.due_at LIMIT 1) <= %s {{theirs}}"
        f"OR (n.send_at <= %s AND {sliced})) "
        "ORDER BY n.id LIMIT %s) AS due"
    )
    asked = []
    params = []
    for channel, services in reach.items():
        theirs = ""
        values = []
        if "" not in services:
            marks = ", ".join(["%s"] * len(services))
            theirs = (
                f"AND (SELECT count(*) = {FEW} OR max("  # noqa: S608  # names and marks
                "CASE WHEN a.via IS NULL "
                f"OR a.via IN ({marks}) THEN 1 ELSE 0 END) = 1 "
                f"FROM (SELECT d.address_id {waiting} AND d.due_at <= %s "
                f"ORDER BY d.due_at LIMIT {FEW}) AS early "
                f"LEFT JOIN {Address._meta.db_table} a ON a.id = early.address_id) "
            )
            values = [*services, channel, moment]
        asked.append(one.format(theirs=theirs))
        params += [channel, lane.value, channel, moment, *values, moment, channel, most]
    if not asked:
        return []
    found = run(" UNION ALL ".join(asked), params)
    return [(pk, kind, bool(apart), channel) for pk, kind, apart, channel in found]


def groups_due(
    lane: Lane, reach: Mapping[str, Collection[str]], *, limited: Sequence[Cap], now: dt.datetime
) -> list[Group]:
    """Group the notifications that are claimed from at once: a program's single messages come by
    the hundred, each of them a notification, and a claim for each would cost more than the
    messages.

    A notification stands alone where it has a rate of its own, or where caps or a throttle count
    each notification as one.
    """
    capped = {channel for cap in limited for channel in cap.channels}
    found: dict[tuple[str, int, int], list[int]] = {}
    for pk, kind, apart, channel in places(lane, reach, now=now):
        one = 0
        if apart or lane is Lane.BULK or channel in capped:
            one = pk
        found.setdefault((channel, kind, one), []).append(pk)
    # types, and campaigns, share the lane instead of queueing behind the largest;
    # of a type the oldest go first
    turns: dict[tuple[object, ...], float] = defaultdict(random.random)

    def turn(each: tuple[tuple[str, int, int], list[int]]) -> tuple[float, list[int]]:
        (channel, kind, one), pks = each
        if lane is Lane.BULK:
            return turns[channel, kind, one], pks
        return turns[channel, kind], pks

    shared = sorted(found.items(), key=turn)
    return [(pks, channel) for (channel, _, _), pks in shared]


def ways_out(lane: Lane, *, full: Collection[int], now: dt.datetime) -> dict[str, list[Way]]:
    """The accounts to go through now, {channel: ways}, without those that are `full`: of each
    channel the first that can be used, and a second one for what the first has put off TIRED_AFTER
    times and more.

    A channel with several services (FCM, APNs) has such accounts for each, as an address is known
    to one of them only. What is in doubt never waits for a second account: such a message only
    waits again where its type says "send again" or a person did, and it carries the same
    Message-ID whatever way it takes.
    """
    ways: dict[str, list[Way]] = {}
    for (channel, via), accounts in routing.services(now=now, lane=lane.value).items():
        theirs = Q()
        if via:
            theirs = _known_to(via)
        first = accounts[0]
        other = next(iter(accounts[1:]), None)
        if other is None:
            found = [Way(first, theirs)]
        else:
            tired = Q(attempts__gte=TIRED_AFTER, account=first)
            fresh = theirs & (~tired | Q(account=None))
            found = [Way(first, fresh), Way(other, theirs & tired, untried=False)]
        free = [way for way in found if way.account.pk not in full]
        if free:
            ways.setdefault(channel, []).extend(free)
    return ways


def _known_to(via: str) -> Q:
    """Rows whose address the service knows, and rows that have no address any more: somebody has to
    see it and skip them.

    The service is asked as a value of each row: a join can't be locked where it may be empty, and
    for IN all addresses would be read.
    """
    theirs = Subquery(Address.objects.filter(pk=OuterRef("address_id")).order_by().values("via"))
    return Q(Exact(Coalesce(theirs, Value(via)), via))
