"""How many messages one follower may get in a time: caps for all of us together,
and the throttle of a type.

Counted where they are claimed, in the transaction that claims them, under the follower's row lock:
two workers can't both take the last place. A use counts as long as its message is on its way or
arrived, so one that failed, was skipped or went back to waiting gives its place back without a
statement of its own, and is counted anew when it goes.
"""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from django.db import connection

from apps.followers.consent.rhythm import zone_of
from apps.followers.models import Follower, NotificationType
from apps.lib.wallclock import instant
from apps.notifications.decide.decision import Limit
from apps.notifications.messages.person import Person
from apps.notifications.models import Cap, CapOutcome, DeliveryStatus, Notification, Source, Use

COUNTING = (
    DeliveryStatus.QUEUED,
    DeliveryStatus.SENT,
    DeliveryStatus.DELIVERED,
    DeliveryStatus.IN_DOUBT,
)
DAY = dt.timedelta(days=1)
FORGET_AT_ONCE = 10_000


@dataclass(frozen=True, slots=True)
class Bucket:
    """What is counted together. A throttle has no outcome: what is too much is skipped."""

    key: str
    most: int
    window: dt.timedelta
    days: bool = False  # calendar days in the follower's zone; else rolling
    outcome: str = ""

    def leaves_at(self, used: dt.datetime, zone: ZoneInfo) -> dt.datetime:
        """When a use does not count any more."""
        if not self.days:
            return used + self.window
        return instant(
            dt.datetime.combine(used.astimezone(zone).date() + self.window, dt.time()), zone
        )


def enabled() -> list[Cap]:
    """A handful of rows."""
    return list(Cap.objects.filter(enabled=True))


def buckets_of(notification: Notification, channel: str, caps: Iterable[Cap]) -> list[Bucket]:
    """Those that a message of this notification counts in."""
    kind = notification.notification_type
    found = [
        Bucket(
            f"cap:{cap.pk}", cap.limit, _window(cap.days, cap.seconds), bool(cap.days), cap.outcome
        )
        for cap in caps
        if channel in cap.channels and (kind.commercial or not cap.commercial)
    ]
    # a digest that is skipped would take all that it gathered with it: being one message,
    # it is throttled enough
    if kind.throttle_count and kind.throttle_seconds and notification.source != Source.DIGEST:
        window = _window(None, kind.throttle_seconds)
        found.append(
            Bucket(f"throttle:{kind.pk}:{notification.throttle_key}", kind.throttle_count, window)
        )
    return found


@dataclass(slots=True)
class Ledger:
    """What these people have got so far, and what they get in this claim.

    Counted are messages, not rows: one notification on one channel is one message, to however many
    phones it goes; for a throttle it is one on all its channels.
    """

    notification: Notification
    channel: str
    now: dt.datetime
    buckets: list[Bucket]
    busy: Collection[
        int
    ] = ()  # followers that another transaction holds: their uses are not known yet
    # {(follower, bucket): {unit: when it leaves}}
    _used: dict[tuple[int, str], dict[object, dt.datetime]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def limits(self, person: Person) -> tuple[bool, Limit | None]:
        """Whether the type's throttle is used up, and the strictest cap that is."""
        throttled = False
        strictest = None
        for bucket in self.buckets:
            used = self._used.get((person.pk, bucket.key))
            if not used or len(used) < bucket.most or self._unit(bucket) in used:
                continue
            if not bucket.outcome:
                throttled = True
                continue
            limit = Limit(sorted(used.values())[len(used) - bucket.most], bucket.outcome)
            if strictest is None or _strictness(limit) > _strictness(strictest):
                strictest = limit
        return throttled, strictest

    def count(self, person: Person) -> None:
        """It goes: those after it in this claim see it."""
        for bucket in self.buckets:
            leaves = bucket.leaves_at(self.now, zone_of(person))
            self._used[person.pk, bucket.key][self._unit(bucket)] = leaves

    def store(self, gone: Iterable[tuple[int, Person]]) -> None:
        """Write down what really goes: (delivery, follower).

        A delivery tried again counts once, from then on.
        """
        uses = [
            Use(follower_id=person.pk, bucket=bucket.key, delivery_id=delivery, at=self.now)
            for delivery, person in gone
            for bucket in self.buckets
        ]
        Use.objects.bulk_create(
            uses,
            update_conflicts=True,
            unique_fields=["delivery", "bucket"],
            update_fields=["at"],
            batch_size=1000,
        )

    def load(self, people: Iterable[Person]) -> None:
        zones = {person.pk: zone_of(person) for person in people}
        by_key = {bucket.key: bucket for bucket in self.buckets}
        # a day more: a window of calendar days begins at midnight, and a day may have 25 hours
        since = self.now - max(bucket.window for bucket in self.buckets) - DAY
        rows = Use.objects.filter(
            follower__pk__among=set(zones),
            bucket__in=by_key,
            at__gt=since,
            delivery__status__in=COUNTING,
        )
        columns = ("follower_id", "bucket", "at", "delivery__notification_id", "delivery__channel")
        for follower, key, at, notification, channel in rows.values_list(*columns):
            bucket = by_key[key]
            unit = (notification, channel)
            leaves = bucket.leaves_at(at, zones[follower])
            if leaves > self.now:
                used = self._used[follower, key]
                name = notification
                if bucket.outcome:
                    name = unit
                used[name] = max(leaves, used.get(name, leaves))

    def _unit(self, bucket: Bucket) -> object:
        if bucket.outcome:
            return self.notification.pk, self.channel
        return self.notification.pk


def _window(days: int | None, seconds: int | None) -> dt.timedelta:
    if days:
        return DAY * days
    return dt.timedelta(seconds=seconds or 0)


def _strictness(limit: Limit) -> tuple[bool, dt.datetime]:
    return limit.outcome == CapOutcome.DROP, limit.free_at


def open_ledger(
    notification: Notification,
    channel: str,
    people: Iterable[Person],
    *,
    caps: Iterable[Cap],
    now: dt.datetime,
    lock: bool,
) -> Ledger:
    """What these people have got so far.

    With `lock` in the claim's transaction, which then counts alone.

    Whoever's row another transaction holds is `busy` and not waited for: an import holds thousands
    for a second, and a change of an address holds a follower and waits for the deliveries that a
    claim holds.
    """
    ledger = Ledger(notification, channel, now, buckets_of(notification, channel, caps))
    known = {person.pk: person for person in people}
    if not ledger.buckets or not known:
        return ledger
    if lock:
        skip = connection.features.has_select_for_update_skip_locked  # SQLite has one writer
        free = Follower.objects.select_for_update(skip_locked=skip, no_key=True).filter(
            pk__among=set(known)
        )
        held = set(free.order_by("pk").values_list("pk", flat=True))
        ledger.busy = known.keys() - held
    ledger.load(known.values())
    return ledger


def forget_old(*, now: dt.datetime) -> None:
    """Schedule: uses that are in no window any more."""
    windows = [
        _window(days, seconds) for days, seconds in Cap.objects.values_list("days", "seconds")
    ]
    throttles = NotificationType.objects.filter(throttle_seconds__isnull=False)
    windows += [
        _window(None, seconds) for seconds in throttles.values_list("throttle_seconds", flat=True)
    ]
    old = Use.objects.filter(at__lt=now - max(windows, default=DAY) - DAY).order_by("at")
    Use.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:FORGET_AT_ONCE])).delete()
