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
from django.utils import timezone

from apps.content import stock
from apps.content.drafts import published_version
from apps.content.models import Template, Version
from apps.content.render import compiled
from apps.followers.consent.verdict_sql import reason_case
from apps.followers.models import Category, Follower, NotificationType
from apps.lib.actor import SYSTEM
from apps.lib.queue.announce import announce, answer_all
from apps.lib.queue.lanes import Lane
from apps.notifications.books import tallies, transitions
from apps.notifications.decide import gather
from apps.notifications.decide.decision import Act, Decision, Why
from apps.notifications.decide.fallback import CHAINED, IN_DIGEST
from apps.notifications.digests import items as digests_items
from apps.notifications.messages import person
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Notification,
    NotificationState,
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

    denied: dict[str, list[Delivery]] = field(
        default_factory=lambda: defaultdict(list)
    )  # by reason
    later: list[tuple[Delivery, Decision]] = field(default_factory=list)
    alone: list[Delivery] = field(default_factory=list)
    gathered: dict[_Group, list[Delivery]] = field(default_factory=dict)
    items: dict[_Group, list[dict[str, Any]]] = field(default_factory=dict)


def announce_due(*, now: dt.datetime) -> None:
    """Schedule: wake a worker for the digests whose hour has come."""
    if due(now)[:1]:  # whatever else waits in the lane: on a busy day that is always something
        announce(FLUSH_TASK, lane=LANE)


def flush_due(**_: object) -> None:
    """Task: make digests for a few seconds, then announce the rest."""
    answer_all(FLUSH_TASK, lane=LANE)
    until = time.monotonic() + WORK_SECONDS
    while flush(now=timezone.now()):
        if time.monotonic() > until:
            announce(FLUSH_TASK, lane=LANE)
            return


def due(now: dt.datetime) -> QuerySet[Delivery]:
    """Those of a paused notification wait until it goes on."""
    held = Delivery.objects.filter(status=DeliveryStatus.HELD, due_at__lte=now)
    return held.filter(notification__state=NotificationState.SENDING).order_by("due_at", "pk")


class _Stopped(Exception):
    """Of what was gathered something is not to go now."""


def held_until(notification: Notification) -> dt.datetime | None:
    """When the last of what it has held goes into a digest; None when nothing is held."""
    held = Delivery.objects.filter(notification=notification, status=DeliveryStatus.HELD)
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
    """Whether none of them was paused or cancelled since their rows were taken;
    they stay so until this is committed.

    Never waits, for a cancel locks the notification before its rows: of one that is locked, that is
    taken for said. It is asked last, so that flushes of one large campaign don't stand in each
    other's way.
    """
    skip = connection.features.has_select_for_update_skip_locked
    going = Notification.objects.filter(
        pk__among=notifications, state=NotificationState.SENDING
    ).order_by("pk")
    locked = going.select_for_update(skip_locked=skip, no_key=True).values_list("pk", flat=True)
    return set(locked) == notifications


def _take(people: int, now: dt.datetime) -> list[Delivery]:
    """All that is due of some people, locked; and what belongs to nobody any more,
    for the claim to close.
    """
    looked_at = set(due(now).values_list("follower_id", flat=True)[:LOOKED_AT])
    skip = (
        connection.features.has_select_for_update_skip_locked
    )  # SQLite has one writer at a time anyway
    free = Follower.objects.filter(pk__among=looked_at - {None}).order_by("pk")
    mine = list(
        free.select_for_update(skip_locked=skip, no_key=True).values_list("pk", flat=True)[:people]
    )
    if None in looked_at:
        theirs = Q(follower__in=mine) | Q(follower=None)
    else:
        theirs = Q(follower__in=mine)
    # the order of the people first: where it is cut, one of them gets a second digest
    found = due(now).filter(theirs).order_by("follower_id", "notification__created_at", "pk")
    asked = Delivery.objects.filter(
        pk__among=set(found.values_list("pk", flat=True)[: transitions.CHUNK])
    )
    # locked in the order of all who lock many: a cancel may be at the same rows
    locked = asked.filter(status=DeliveryStatus.HELD).select_for_update(no_key=True).order_by("pk")
    taken = Delivery.objects.filter(
        pk__among=set(locked.values_list("pk", flat=True))
    ).select_related("follower")
    rows = list(taken.order_by("notification__created_at", "pk"))
    related = Notification.objects.select_related("notification_type", "version")
    notifications = related.in_bulk({row.notification_id for row in rows})
    for row in rows:
        row.notification = notifications[row.notification_id]
    return rows


def _moved(
    rows: Iterable[Delivery], status: DeliveryStatus, **changes: object
) -> Counter[tallies.Place]:
    ids = {row.pk for row in rows}
    if ids:
        return transitions.moved(Delivery.objects.filter(pk__among=ids), status, **changes)[1]
    return Counter()


def _hold_on(later: Sequence[tuple[Delivery, Decision]], *, now: dt.datetime) -> None:
    """Another hour, with its reason."""
    for row, fate in later:
        row.due_at = fate.at or now
    Delivery.objects.bulk_update([row for row, _ in later], ["due_at"], batch_size=200)
    details = (
        (row, {"reason": str(fate.reason), "until": row.due_at.isoformat()}) for row, fate in later
    )
    events = [
        DeliveryEvent(delivery=row, at=now, kind=EventKind.WAITS, detail=detail)
        for row, detail in details
    ]
    DeliveryEvent.objects.bulk_create(events, batch_size=1000)


# ------------------------------------------------------------------ what becomes of each row
def _sort_out(
    rows: Sequence[Delivery], versions: dict[int, Version | None], *, now: dt.datetime
) -> _Found:
    found = _Found()
    groups = defaultdict(list)
    verdicts = _verdicts(rows)
    people = {row.follower.pk: person.Person(*(getattr(row.follower, name) for name in person.COLUMNS))
              for row in rows if row.follower}  # fmt: skip
    habits = gather.habits_of_all(people)
    doubted = transitions.doubted_among(row.pk for row in rows)
    for row in rows:
        verdict = verdicts.get(row.pk)
        if row.follower_id is None or verdict is None:
            found.alone.append(row)
            continue
        asked = [gather.Asked(people[row.follower_id], verdict)]
        # no ledger: what is counted is the digest. No chain:
        # who was reached elsewhere has no row here any more
        [fate] = gather.decisions(
            row.notification, row.channel, asked, habits=habits, ledger=None, now=now, chain={}
        )
        match fate.act:
            case Act.SKIP:
                reason = Why.EXPIRED_WHILE_WAITING if fate.reason == Why.EXPIRED else fate.reason
                found.denied[str(reason)].append(row)
            case Act.HOLD:
                found.later.append((row, fate))
            case Act.SEND if row.pk not in doubted:
                row.reason = verdict
                kind = row.notification.notification_type
                groups[_Group(kind, row.follower_id, row.channel, row.address_id)].append(row)
            case _:  # one that has perhaps arrived goes as itself, by the same Message-ID
                found.alone.append(row)
    person.complete(list(people.values()), fields=["email", "phone", "tags"])
    for group, members in groups.items():
        if len(members) > 1 and _may_be_gathered(group, versions, now=now):
            members, items, broken = digests_items.made_of(
                members, people[group.follower], most=RENDERED
            )
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
    """Not what is critical or not to be gathered by now, nor where the digest has no words:
    that goes one by one.
    """
    kind = group.kind
    if kind.category == Category.CRITICAL or not kind.digest:
        return False
    if kind.pk not in versions:
        versions[kind.pk] = version_for(kind, now=now)
    version = versions[kind.pk]
    return version is not None and any(
        group.channel in parts for parts in compiled(version).translations.values()
    )


def version_for(kind: NotificationType, *, now: dt.datetime) -> Version | None:
    """The published words of the type's digests: its own template's,
    else those that come with the product.
    """
    own = Template.objects.filter(key=f"{TEMPLATE}_{kind.key}", archived_at=None).first()
    return (own and published_version(own)) or published_version(
        stock.ensure(TEMPLATE, by=SYSTEM, now=now)
    )


def _open(
    found: _Found,
    versions: dict[int, Version | None],
    deltas: Counter[tallies.Place],
    *,
    now: dt.datetime,
) -> list[Notification]:
    """One notification for each type and channel, with one delivery for each group;
    `deltas` learns of them.

    A digest lives as long as the last of what it gathers: it may have to wait,
    for a cap or a way out.
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
            tracked=any(each.tracked for each in gathered),
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
            notification=notification, follower_id=group.follower, address_id=group.address, channel=group.channel,
            status=DeliveryStatus.PENDING, reason=members[-1].reason, data=data, due_at=now, created_at=now,
        )  # fmt: skip
        digests.append(digest)
        deltas[
            tallies.Place(
                notification.pk, group.channel, DeliveryStatus.PENDING.value, digest.reason
            )
        ] += 1
        detail = {"digest": str(digest.uid)}
        events += (
            DeliveryEvent(delivery=row, at=now, kind=EventKind.IN_DIGEST, detail=detail)
            for row in members
        )
    Delivery.objects.bulk_create(digests, batch_size=500)
    DeliveryEvent.objects.bulk_create(events, batch_size=1000)
    return list(opened.values())


def _last_end(notifications: Iterable[Notification]) -> dt.datetime | None:
    ends = [each.expires_at for each in notifications]
    if None in ends:
        return None
    return max(end for end in ends if end)
