"""Digests: what was held for a follower's hour goes out together, as one message.

A held row's `due_at` is that hour (claim.py puts it there). When it has come, `flush` takes some
people's rows, decides again about each, and in the same transaction closes them and opens the
message that has them all: so nothing is lost or sent twice, wherever a process dies. A row that is
alone goes back to waiting and is sent as the message it is; one whose hour is another by now (a
pause that ends at night, quiet hours that end before the digest's) stays held.
"""

import datetime as dt
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.db.models import Q, QuerySet

from apps.content import stock
from apps.content.drafts import published_version
from apps.content.models import Template, Version
from apps.content.render import compiled
from apps.followers.consent.verdict_sql import reason_case
from apps.followers.models import Category, Follower, NotificationType
from apps.lib import steady_clock
from apps.lib.actor import SYSTEM
from apps.lib.processes.ticking import only_with
from apps.lib.queue.announce import announce, answer_all
from apps.lib.queue.lanes import Lane
from apps.notifications.books import tallies, transitions
from apps.notifications.decide import gather
from apps.notifications.decide.decision import Act, Decision, Why
from apps.notifications.decide.fallback import CHAINED, IN_DIGEST
from apps.notifications.digests.items import made_of
from apps.notifications.messages.person import COLUMNS, Person, complete
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Notification,
    NotificationState,
    Shelf,
    Source,
)
from apps.notifications.notify import Intent, lane_of, open_notification
from apps.notifications.plan import finish_planning

TEMPLATE = "digest"  # of all types but those with a template digest_<key> of their own
FLUSH_TASK = "apps.notifications.digests.flush.flush_due"
# at eight it has work for minutes, and a worker of the others would be missing to single messages
LANE = Lane.BULK
WORK_SECONDS = 8.0
PEOPLE = 200  # per transaction
LOOKED_AT = 1000  # due rows among which a flush looks for people whom no other flush has
RENDERED = 100  # items of a digest; the rest is counted in `omitted`


class _Group(NamedTuple):
    """What becomes one digest."""

    kind: NotificationType
    follower: int
    channel: str
    address: int | None


@dataclass(slots=True)
class _Found:
    """What becomes of the rows of one transaction."""

    # by reason
    denied: dict[str, list[Delivery]] = field(default_factory=lambda: defaultdict(list))
    later: list[tuple[Delivery, Decision]] = field(default_factory=list)
    alone: list[Delivery] = field(default_factory=list)
    gathered: dict[_Group, list[Delivery]] = field(default_factory=dict)
    items: dict[_Group, list[dict[str, Any]]] = field(default_factory=dict)


def due(now: dt.datetime) -> QuerySet[Delivery]:
    """The held rows whose hour has come; rows of a paused notification wait until it goes on."""
    held = Delivery.objects.filter(shelf=Shelf.HELD, due_at__lte=now)
    return held.filter(notification__state=NotificationState.SENDING).order_by("due_at", "pk")


@only_with(due)
def announce_due(*, now: dt.datetime) -> None:
    """Schedule: wake a worker for the digests whose hour has come."""
    # whatever else waits in the lane: on a busy day that is always something
    if due(now)[:1]:
        announce(FLUSH_TASK, lane=LANE)


def flush_due(**_: object) -> None:
    """Task: make digests for a few seconds, then announce the rest."""
    answer_all(FLUSH_TASK, lane=LANE)
    until = time.monotonic() + WORK_SECONDS
    while flush(now=steady_clock.now()):
        if time.monotonic() > until:
            announce(FLUSH_TASK, lane=LANE)
            return


class _Stopped(Exception):
    """Something of what was gathered is not to go now."""


def held_until(notification: Notification) -> dt.datetime | None:
    """When the last of what the notification has held goes into a digest; None when nothing is
    held.
    """
    held = Delivery.objects.filter(notification=notification, shelf=Shelf.HELD)
    return held.order_by("-due_at", "-pk").values_list("due_at", flat=True).first()


def flush(*, now: dt.datetime, people: int = PEOPLE) -> bool:
    """Make the digests of the next people, in one transaction; True when there may be more.

    A person is locked meanwhile: two flushes don't make two digests of what belongs into one.
    """
    try:
        return _flush(now=now, people=people)
    except _Stopped:
        return True  # all as before; the next look finds what is still to go


def _flush(*, now: dt.datetime, people: int) -> bool:
    with transaction.atomic():
        rows = _take(people, now)
        if not rows:
            return False
        versions: dict[int, Version | None] = {}
        found = _sort_out(rows, versions, now=now)
        deltas: Counter[tallies.Place] = Counter()
        for reason, denied in found.denied.items():
            deltas.update(_moved(denied, DeliveryStatus.SKIPPED, reason=reason, finished_at=now))
        _hold_on(found.later, now=now)
        deltas.update(_moved(found.alone, DeliveryStatus.PENDING, due_at=now))
        gathered = [row for members in found.gathered.values() for row in members]
        deltas.update(_moved(gathered, DeliveryStatus.SKIPPED, reason=IN_DIGEST, finished_at=now))
        opened = _open(found, versions, deltas, now=now)
        tallies.shift(deltas)
        for notification in opened:
            finish_planning(notification=notification, now=now)
        if not _all_sending({row.notification_id for row in gathered}):
            raise _Stopped
    tallies.finish_all_done({row.notification_id for row in rows}, now=now)
    return True


def _all_sending(notifications: set[int]) -> bool:
    """Whether none of the notifications was paused or cancelled since their rows were taken; they
    stay so until this is committed.

    Never waits, for a cancel locks the notification before its rows: a notification that is locked
    is taken for cancelled. Asked last, so that flushes of one large campaign don't stand in each
    other's way.
    """
    skip = connection.features.has_select_for_update_skip_locked
    going = Notification.objects.filter(pk__among=notifications, state=NotificationState.SENDING)
    locked = going.order_by("pk").select_for_update(skip_locked=skip, no_key=True)
    return set(locked.values_list("pk", flat=True)) == notifications


def _take(people: int, now: dt.datetime) -> list[Delivery]:
    """Lock all that is due of some people; and what belongs to nobody any more, for the claim to
    close.
    """
    looked_at = set(due(now).values_list("follower_id", flat=True)[:LOOKED_AT])
    theirs = Q(follower__in=_locked_people(looked_at - {None}, most=people))
    if None in looked_at:
        theirs |= Q(follower=None)
    # the order of the people first: where it is cut, one of them gets a second digest
    found = due(now).filter(theirs).order_by("follower_id", "notification__created_at", "pk")
    ids = set(found.values_list("pk", flat=True)[: transitions.CHUNK])
    asked = Delivery.objects.filter(pk__among=ids, status=DeliveryStatus.HELD)
    # locked in the order of all who lock many: a cancel may be at the same rows
    locked = asked.select_for_update(no_key=True).order_by("pk")
    taken = Delivery.objects.filter(pk__among=set(locked.values_list("pk", flat=True)))
    in_order = taken.select_related("follower").order_by("notification__created_at", "pk")
    rows = list(in_order)
    related = Notification.objects.select_related("notification_type", "version")
    notifications = related.in_bulk({row.notification_id for row in rows})
    for row in rows:
        row.notification = notifications[row.notification_id]
    return rows


def _locked_people(ids: set[int], *, most: int) -> list[int]:
    """Lock up to `most` of these followers whom no other flush has; their ids."""
    # SQLite has one writer at a time anyway
    skip = connection.features.has_select_for_update_skip_locked
    people = Follower.objects.filter(pk__among=ids).order_by("pk")
    free = people.select_for_update(skip_locked=skip, no_key=True)
    return list(free.values_list("pk", flat=True)[:most])


def _moved(
    rows: Iterable[Delivery], status: DeliveryStatus, **changes: object
) -> Counter[tallies.Place]:
    """Set the status of these rows; what that does to the tallies."""
    ids = {row.pk for row in rows}
    if not ids:
        return Counter()
    _, deltas = transitions.moved(Delivery.objects.filter(pk__among=ids), status, **changes)
    return deltas


def _hold_on(later: Sequence[tuple[Delivery, Decision]], *, now: dt.datetime) -> None:
    """Hold rows for another hour, with its reason."""
    events = []
    for row, fate in later:
        row.due_at = fate.at or now
        detail = {"reason": str(fate.reason), "until": row.due_at.isoformat()}
        events.append(DeliveryEvent(delivery=row, at=now, kind=EventKind.WAITS, detail=detail))
    Delivery.objects.bulk_update([row for row, _ in later], ["due_at"], batch_size=200)
    DeliveryEvent.objects.bulk_create(events, batch_size=1000)


# ------------------------------------------------------------------ what becomes of each row
def _sort_out(
    rows: Sequence[Delivery], versions: dict[int, Version | None], *, now: dt.datetime
) -> _Found:
    """What becomes of each row. `versions` learns which digest each type has."""
    found = _Found()
    groups: dict[_Group, list[Delivery]] = defaultdict(list)
    verdicts = _verdicts(rows)
    people = {}
    for row in rows:
        if row.follower:
            values = [getattr(row.follower, name) for name in COLUMNS]
            people[row.follower.pk] = Person(*values)
    habits = gather.habits_of_all(people)
    doubted = transitions.doubted_among(row.pk for row in rows)
    for row in rows:
        verdict = verdicts.get(row.pk)
        if row.follower_id is None or verdict is None:
            found.alone.append(row)
            continue
        asked = [gather.Asked(people[row.follower_id], verdict)]
        # No ledger: what is counted is the digest. No chain: a follower who was reached elsewhere
        # has no row here any more.
        [fate] = gather.decisions(
            row.notification, row.channel, asked, habits=habits, ledger=None, now=now, chain={}
        )
        match fate.act:
            case Act.SKIP:
                reason = str(fate.reason)
                if fate.reason == Why.EXPIRED:
                    reason = str(Why.EXPIRED_WHILE_WAITING)
                found.denied[reason].append(row)
            case Act.HOLD:
                found.later.append((row, fate))
            case Act.SEND if row.pk not in doubted:
                row.reason = verdict
                kind = row.notification.notification_type
                group = _Group(kind, row.follower_id, row.channel, row.address_id)
                groups[group].append(row)
            case _:
                # what has perhaps arrived goes as itself, by the same Message-ID
                found.alone.append(row)
    complete(list(people.values()), fields=["email", "phone", "tags"])
    for group, members in groups.items():
        if len(members) > 1 and _may_be_gathered(group, versions, now=now):
            members, items, broken = made_of(members, people[group.follower], most=RENDERED)
            found.alone += broken  # the sender says what is wrong with each
            if len(members) > 1:
                found.gathered[group] = members
                found.items[group] = items
                continue
        found.alone += members
    return found


def _verdicts(rows: Sequence[Delivery]) -> dict[int, str]:
    """What consent says now, by row: somebody may have switched the type off since."""
    asked: dict[tuple[NotificationType, str], set[int]] = defaultdict(set)
    for row in rows:
        if row.follower_id is not None:
            asked[row.notification.notification_type, row.channel].add(row.pk)
    verdicts: dict[int, str] = {}
    for (kind, channel), ids in asked.items():
        judged = Delivery.objects.filter(pk__among=ids).order_by()
        verdict = reason_case(kind, channel, follower="follower", address="address")
        verdicts.update(judged.annotate(verdict=verdict).values_list("pk", "verdict"))
    return verdicts


def _may_be_gathered(
    group: _Group, versions: dict[int, Version | None], *, now: dt.datetime
) -> bool:
    """Whether the group becomes a digest. What is critical or not to be gathered by now goes one by
    one, and so do all where the digest has no words.
    """
    kind = group.kind
    if kind.category == Category.CRITICAL or not kind.digest:
        return False
    if kind.pk not in versions:
        versions[kind.pk] = version_for(kind, now=now)
    version = versions[kind.pk]
    if version is None:
        return False
    translations = compiled(version).translations.values()
    return any(group.channel in parts for parts in translations)


def version_for(kind: NotificationType, *, now: dt.datetime) -> Version | None:
    """The published words of the type's digests: its own template's,
    else those that come with the product.
    """
    own = Template.objects.filter(key=f"{TEMPLATE}_{kind.key}", archived_at=None).first()
    if own:
        version = published_version(own)
        if version:
            return version
    return published_version(stock.ensure(TEMPLATE, by=SYSTEM, now=now))


def _open(
    found: _Found,
    versions: dict[int, Version | None],
    deltas: Counter[tallies.Place],
    *,
    now: dt.datetime,
) -> list[Notification]:
    """Open one notification for each type and channel, with one delivery for each group; `deltas`
    learns of them.

    A digest lives as long as the last of what it gathers: it may have to wait, for a cap or a way
    out.
    """
    places: dict[tuple[NotificationType, str], list[Notification]] = defaultdict(list)
    for group, members in found.gathered.items():
        places[group.kind, group.channel] += (row.notification for row in members)
    opened: dict[tuple[NotificationType, str], Notification] = {}
    for (kind, channel), gathered in places.items():
        intent = Intent(
            notification_type=kind,
            version=versions[kind.pk],
            channels=[channel],
            tracking=any(each.tracking for each in gathered),
            expires_at=_last_end(gathered),
            source=Source.DIGEST,
        )
        opened[kind, channel] = open_notification(
            intent=intent, lane=lane_of(kind), by=SYSTEM, now=now
        )
    digests: list[Delivery] = []
    events: list[DeliveryEvent] = []
    for group, members in found.gathered.items():
        notification = opened[group.kind, group.channel]
        items = found.items[group]
        data: dict[str, Any] = {
            "items": items,
            "total": len(members),
            "omitted": len(members) - len(items),
        }
        if chained := [row.pk for row in members if row.notification.fallback]:
            data[CHAINED] = chained
        digest = Delivery(
            notification=notification,
            follower_id=group.follower,
            address_id=group.address,
            channel=group.channel,
            status=DeliveryStatus.PENDING,
            reason=members[-1].reason,
            data=data,
            due_at=now,
            created_at=now,
        )
        digests.append(digest)
        waiting = DeliveryStatus.PENDING.value
        deltas[tallies.Place(notification.pk, group.channel, waiting, digest.reason)] += 1
        detail = {"digest": str(digest.uid)}
        events += (
            DeliveryEvent(delivery=row, at=now, kind=EventKind.IN_DIGEST, detail=detail)
            for row in members
        )
    Delivery.objects.bulk_create(digests, batch_size=500)
    DeliveryEvent.objects.bulk_create(events, batch_size=1000)
    return list(opened.values())


def _last_end(notifications: Iterable[Notification]) -> dt.datetime | None:
    """When the last of them expires; None where one never does."""
    ends = [each.expires_at for each in notifications]
    if None in ends:
        return None
    return max(end for end in ends if end)
