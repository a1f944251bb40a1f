"""Counting an audience: at once where people are few, else in a thread that can be ended.

A site of up to FEW followers is counted in the call that asks, every time. On a larger one

1. numbers that were counted less than KEPT ago, for the very same question (audience with the rules
   of its segments, channels, what the message type says), are given again, with their moment:
   people come and go meanwhile;
2. else a count begins, or the one that this process is at is shared;
3. whoever waits for it leaves when nobody listens to him any more: the count ends with the last.
   One that was promised to a caller of the API goes on to its end.

Its row in AudienceCount is a promise and a note, and can go at any time.
"""

import datetime as dt
import hashlib
import json
import threading
from dataclasses import asdict, dataclass
from enum import StrEnum

from django.db.models import Max, Min

from apps.campaigns.models import AudienceCount, Campaign
from apps.campaigns.review import one_pass
from apps.campaigns.review.numbers import Numbers, Question
from apps.followers.consent.verdict_sql import type_facts
from apps.followers.models import Follower
from apps.lib.sql.cancellable import Background, Cancelled, TookTooLong, at_most

FEW = 50_000  # followers of the site, whoever of them is meant; counted in a fifth of a second
KEPT = dt.timedelta(minutes=10)
LONGEST = 60.0  # seconds; then it is given up
FORGOTTEN = dt.timedelta(days=1)
LOST = dt.timedelta(seconds=2 * LONGEST)  # whoever counted is dead


class CountStatus(StrEnum):
    """How a count stands."""

    COUNTING = "counting"
    DONE = "done"
    FAILED = "failed"  # given up, or its process ended: ask again


class NotCounted(Exception):
    """The count was given up: it took too long, or its process ended."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Numbers and when they were true."""

    numbers: Numbers
    at: dt.datetime
    kept: bool  # from before: people may have come and gone since


class Counting:
    """A count that is under way, or done."""

    def __init__(self, campaign: Campaign, question: Question, *, now: dt.datetime) -> None:
        asked = _digest(campaign, question)
        self.row = AudienceCount.objects.create(campaign=campaign, asked=asked, started_at=now)
        self._question = question
        self._now = now
        self._waiting = 1
        self._promised = False
        self._background = Background(self._work)

    def wait(self, seconds: float) -> bool:
        """Whether it is done, at the latest after some seconds."""
        return self._background.wait(seconds)

    def promise(self) -> None:
        """Let it go on to its end though nobody waits."""
        self._promised = True

    def leave(self) -> None:
        """Wait no longer. The last one who leaves ends it, unless it is done or promised."""
        with _lock:
            self._waiting -= 1
            nobody = self._waiting <= 0 and not self._promised
            if nobody:  # whoever asks from now on begins anew
                self._forget()
        if nobody and not self._background.wait(0):
            self._background.cancel()
            self.row.delete()

    def result(self) -> Counted:
        """Give the numbers, once it is done. Raises NotCounted."""
        try:
            return Counted(self._background.result(), self._now, kept=False)
        except (TookTooLong, Cancelled) as error:
            raise NotCounted from error

    def _forget(self) -> None:
        """Let nobody join it any more. With the lock."""
        if _under_way.get(self.row.asked) is self:
            del _under_way[self.row.asked]

    def _join(self) -> "Counting":
        self._waiting += 1
        return self

    def _start(self) -> "Counting":
        self._background.start()
        return self

    def _work(self) -> Numbers:
        row = AudienceCount.objects.filter(pk=self.row.pk)
        try:
            with at_most(LONGEST):
                numbers = one_pass.count(self._question, now=self._now)
        except BaseException:
            row.update(failed=True)
            raise
        finally:
            with _lock:
                self._forget()
        row.update(numbers=numbers.as_data(), counted_at=self._now)
        return numbers


_lock = threading.Lock()
_under_way: dict[str, Counting] = {}


def are_few() -> bool:
    """Whether the site has so few followers that anything about them is counted at once."""
    ends = Follower.objects.aggregate(first=Min("pk"), last=Max("pk"))
    return (ends["last"] or 0) - (ends["first"] or 0) < FEW


def at_once(question: Question, *, now: dt.datetime) -> Counted:
    """Count in this call."""
    return Counted(one_pass.count(question, now=now), now, kept=False)


def at_hand(
    campaign: Campaign, question: Question, *, now: dt.datetime, again: bool
) -> Counted | None:
    """Give numbers that take no time: people are few, or were counted just now; None without any.

    `again`: those from before don't do.
    """
    if question.audience.is_empty or are_few():
        return at_once(question, now=now)
    if again:
        return None
    return kept(campaign, question, now=now)


def kept(campaign: Campaign, question: Question, *, now: dt.datetime) -> Counted | None:
    """Find numbers that are not older than KEPT; None if there are none."""
    rows = AudienceCount.objects.filter(
        asked=_digest(campaign, question), counted_at__gt=now - KEPT
    )
    row = rows.order_by("-pk").first()
    if row is None:
        return None
    return found_by(row)


def found_by(row: AudienceCount) -> Counted | None:
    """Give what a count has found; None while it is under way, and if it failed."""
    if row.numbers is None or row.counted_at is None:
        return None
    return Counted(Numbers.stored(row.numbers), row.counted_at, kept=True)


def status_of(row: AudienceCount, *, now: dt.datetime) -> CountStatus:
    """Say how a count stands."""
    if row.counted_at:
        return CountStatus.DONE
    if row.failed or row.started_at < now - LOST:
        return CountStatus.FAILED
    return CountStatus.COUNTING


def begin(campaign: Campaign, question: Question, *, now: dt.datetime) -> Counting:
    """Begin to count, or join the count of the same question. Whoever calls it must `leave`."""
    asked = _digest(campaign, question)
    with _lock:
        if count := _under_way.get(asked):
            return count._join()
        AudienceCount.objects.filter(campaign=campaign, started_at__lt=now - FORGOTTEN).delete()
        count = Counting(campaign, question, now=now)
        _under_way[asked] = count
    return count._start()


def _digest(campaign: Campaign, question: Question) -> str:
    """Name what is asked, so that any change of it is another question."""
    facts = {channel: type_facts(question.kind, channel) for channel in question.channels}
    said = {
        "campaign": campaign.pk,
        "audience": question.audience.frozen(),
        "channels": {channel: asdict(each) for channel, each in facts.items()},
        "type": question.kind.pk,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()
