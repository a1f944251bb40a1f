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
from apps.notifications.decide.decision import SpentCap
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
        day = used.astimezone(zone).date() + self.window
        return instant(dt.datetime.combine(day, dt.time()), zone)


def enabled() -> list[Cap]:
    """The caps that are switched on, a handful of rows."""
    return list(Cap.objects.filter(enabled=True))


def buckets_of(notification: Notification, channel: str, caps: Iterable[Cap]) -> list[Bucket]:
    """The buckets that a message of this notification counts in."""
    kind = notification.notification_type
    found = []
    for cap in caps:
        if channel in cap.channels and (kind.commercial or not cap.commercial):
            window = _window(cap.days, cap.seconds)
            found.append(Bucket(f"cap:{cap.pk}", cap.limit, window, bool(cap.days), cap.outcome))
    # a digest that is skipped would take all that it gathered with it: being one message,
    # it is throttled enough
    if kind.throttle_count and kind.throttle_seconds and notification.source != Source.DIGEST:
        window = _window(None, kind.throttle_seconds)
        key = f"throttle:{kind.pk}:{notification.throttle_key}"
        found.append(Bucket(key, kind.throttle_count, window))
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
    # followers that another transaction holds: their uses are not known yet
    busy: Collection[int] = ()
    # {(follower, bucket): {unit: when it leaves}}
    _used: dict[tuple[int, str], dict[object, dt.datetime]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def limits(self, person: Person) -> tuple[bool, SpentCap | None]:
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
            leaving = sorted(used.values())
            limit = SpentCap(leaving[len(used) - bucket.most], bucket.outcome)
            if strictest is None or _strictness(limit) > _strictness(strictest):
                strictest = limit
        return throttled, strictest

    def count(self, person: Person) -> None:
        """Count a message that goes: messages after it in this claim see it."""
        for bucket in self.buckets:
            leaves = bucket.leaves_at(self.now, zone_of(person))
            self._used[person.pk, bucket.key][self._unit(bucket)] = leaves

    def store(self, gone: Iterable[tuple[int, Person]]) -> None:
        """Write down what really goes: (delivery, follower).

        A delivery tried again counts once, from then on.
        """
        uses = []
        for delivery, person in gone:
            for bucket in self.buckets:
                use = Use(
                    follower_id=person.pk, bucket=bucket.key, delivery_id=delivery, at=self.now
                )
                uses.append(use)
        Use.objects.bulk_create(
            uses,
            update_conflicts=True,
            unique_fields=["delivery", "bucket"],
            update_fields=["at"],
            batch_size=1000,
        )

    def load(self, people: Iterable[Person]) -> None:
        """Read what these people have got so far."""
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
            leaves = bucket.leaves_at(at, zones[follower])
            if leaves > self.now:
                unit = notification
                if bucket.outcome:
                    unit = (notification, channel)
                used = self._used[follower, key]
                used[unit] = max(leaves, used.get(unit, leaves))

    def _unit(self, bucket: Bucket) -> object:
        """What counts as one message: for a throttle, a notification on all its channels."""
        if bucket.outcome:
            return self.notification.pk, self.channel
        return self.notification.pk


def _window(days: int | None, seconds: int | None) -> dt.timedelta:
    if days:
        return DAY * days
    return dt.timedelta(seconds=seconds or 0)


def _strictness(limit: SpentCap) -> tuple[bool, dt.datetime]:
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
    """Open the ledger of what these people have got so far.

    With `lock` in the claim's transaction, which then counts alone. A follower whose row another
    transaction holds is `busy` and not waited for: an import holds thousands for a second, and a
    change of an address holds a follower and waits for the deliveries that a claim holds.
    """
    ledger = Ledger(notification, channel, now, buckets_of(notification, channel, caps))
    known = {person.pk: person for person in people}
    if not ledger.buckets or not known:
        return ledger
    if lock:
        skip = connection.features.has_select_for_update_skip_locked  # SQLite has one writer
        rows = Follower.objects.filter(pk__among=set(known)).order_by("pk")
        free = rows.select_for_update(skip_locked=skip, no_key=True)
        held = set(free.values_list("pk", flat=True))
        ledger.busy = known.keys() - held
    ledger.load(known.values())
    return ledger


def forget_old(*, now: dt.datetime) -> None:
    """Schedule: delete uses that are in no window any more."""
    caps = Cap.objects.values_list("days", "seconds")
    windows = [_window(days, seconds) for days, seconds in caps]
    throttles = NotificationType.objects.filter(throttle_seconds__isnull=False)
    for seconds in throttles.values_list("throttle_seconds", flat=True):
        windows.append(_window(None, seconds))
    since = now - max(windows, default=DAY) - DAY
    old = Use.objects.filter(at__lt=since).order_by("at")
    ids = list(old.values_list("pk", flat=True)[:FORGET_AT_ONCE])
    Use.objects.filter(pk__in=ids).delete()
