"""Recover after a crash: read the dead sender's journal, book what it knew, give the rest back."""

import datetime as dt
import logging
from typing import Any

from django.db import transaction
from django.db.models.functions import Now

from apps.channels.contract import Outcome, Result
from apps.lib import steady_clock
from apps.lib.actor import SYSTEM
from apps.lib.facts import Kind, tell
from apps.notifications.books import slices, tallies
from apps.notifications.messages.row import Row
from apps.notifications.models import (
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    EventKind,
    Shelf,
    sentences,
)
from apps.notifications.sending import outcomes
from apps.notifications.sending.held import held_by, held_rows, release
from apps.notifications.sending.journal import Notes, of_the_dead, owners_here

log = logging.getLogger("carillon.recover")

# A sender on another machine can't be asked; its journal may come back with it,
# so it is waited for this long.
ELSEWHERE = dt.timedelta(minutes=15)
# Messages of one crash are tried apart from each other. After the first crash most of them are
# innocent, and a killed sender had several in hand, so they follow each other sooner.
FIRST_CRASH_PAUSE = dt.timedelta(seconds=1)
CRASH_PAUSE = dt.timedelta(seconds=5)
MOST_CRASHES = 3  # a message that was in hand at that many crashes is set aside


def expired_leases(*, now: dt.datetime) -> None:
    """Schedule: take over from dead senders of this machine at once, from senders of lost machines
    after their lease and a quarter hour.
    """
    # by the clock of the database, as the lease was
    long_ago = Now() - ELSEWHERE
    lost = Delivery.objects.filter(shelf=Shelf.IN_HAND, lease_until__lt=long_ago)
    owners = set(lost.values_list("lease_owner", flat=True)[:1000])
    owners.update(slices.owned(until__lt=long_ago).values_list("owner", flat=True)[:1000])
    for owner in owners - owners_here():
        log.warning("The journal of %s is lost with its machine; what it held is in doubt", owner)
        _take_over(owner, Notes(unreadable=1))
    of_the_dead(_take_over)
    slices.close_some()


def _take_over(owner: str, notes: Notes) -> None:
    """Book what the dead owner knew of its rows, and give the others back."""
    held = held_rows(owner)
    if not held:
        return
    known = []
    untouched = []
    crashed = []
    guessed = 0
    for row in held:
        note = notes.about(row.pk)
        if note is None:
            untouched.append(row)
        elif note.outcome is not None:
            known.append((row, note.outcome))
        elif note.handing_over:
            said = sentences.ANSWER_LOST
            if note.guessed:
                said = sentences.NOTES_LOST
                guessed += 1
            known.append((row, Outcome(Result.IN_DOUBT, said)))
        else:
            crashed.append(row)
    log.warning(
        "Sender %s died with %d rows: %d known, %d not begun, %d in preparation",
        owner,
        len(held),
        len(known),
        len(untouched),
        len(crashed),
    )
    if guessed:
        log.error(
            "The notes of %s can't be read whole: %d messages are in doubt. They are sent again "
            "once or held, as their message types say; look under Failed messages, and at the disk "
            "of JOURNAL_DIR.",
            owner,
            guessed,
        )
    outcomes.record(owner, known)
    release(owner, untouched)
    for place, row in enumerate(crashed, start=1):
        # connections prepare side by side, and one message killed the sender: tried again apart,
        # the others get through
        _count_crash(owner, row, place=place)
    tallies.finish_all_done({row.notification.pk for row in held}, now=steady_clock.now())


def _count_crash(owner: str, row: Row, *, place: int) -> None:
    """Let a message wait again that never left, because its sender died while preparing it; set it
    aside where that keeps happening.

    `place`: the message's, among those the sender was preparing; 1 is the first.
    """
    now = steady_clock.now()
    with transaction.atomic():
        if not held_by(owner, [row.pk]):
            return
        crashes = 1 + DeliveryEvent.objects.filter(delivery=row.pk, kind=EventKind.CRASHED).count()
        said = sentences.SENDER_DIED.format(crashes=crashes, most=MOST_CRASHES)
        DeliveryEvent.objects.create(
            delivery_id=row.pk,
            at=now,
            kind=EventKind.CRASHED,
            detail={"owner": owner, "said": said},
        )
        pause = CRASH_PAUSE
        if crashes == 1:
            pause = FIRST_CRASH_PAUSE
        due_at = now + place * pause
        change: dict[str, Any] = {"status": DeliveryStatus.PENDING.value, "due_at": due_at}
        if crashes >= MOST_CRASHES:
            change = {
                "status": DeliveryStatus.FAILED.value,
                "reason": "quarantined",
                "finished_at": now,
            }
            data = {"channel": row.channel, "reason": "quarantined", "said": said}
            tell(Kind.DELIVERY_FAILED, by=SYSTEM, now=now, about=row, data=data)
        Delivery.objects.filter(pk=row.pk).update(
            error=said, lease_owner="", lease_until=None, in_slice=False, **change
        )
        place_now = row.place()
        reason = change.get("reason", row.reason)
        to = place_now._replace(status=change["status"], reason=reason)
        tallies.shift(tallies.moved([place_now], [to]))
