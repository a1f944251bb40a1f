"""After a crash: read the dead sender's journal, book what it knew, and give the rest back."""

import datetime as dt
import logging

from django.db import transaction
from django.utils import timezone

from apps.channels.contract import Outcome, Result
from apps.lib.actor import SYSTEM
from apps.lib.events import Fact, Kind, publish
from apps.notifications import books, outcomes
from apps.notifications.journal import Note, of_the_dead, owners_here
from apps.notifications.models import Delivery, DeliveryEvent, DeliveryStatus
from apps.notifications.send import release

log = logging.getLogger("carillon.recover")

# A sender on another machine can't be asked; its journal may come back with it, so it is waited for this long.
ELSEWHERE = dt.timedelta(minutes=15)
MOST_CRASHES = 3  # a message that was in hand at that many crashes is set aside


def expired_leases(*, now: dt.datetime) -> None:
    """Schedule: dead senders of this machine at once, those of lost machines after their lease and a quarter hour."""
    for owner, notes in of_the_dead():
        _take_over(owner, notes)
    lost = Delivery.objects.filter(status=DeliveryStatus.QUEUED, lease_until__lt=now - ELSEWHERE)
    for owner in set(lost.values_list("lease_owner", flat=True)[:1000]) - owners_here():
        log.warning("The journal of %s is lost with its machine; what it held is in doubt", owner)
        held = Delivery.objects.filter(status=DeliveryStatus.QUEUED, lease_owner=owner).values_list("pk", flat=True)
        _take_over(owner, {pk: Note(handing_over=True) for pk in held})


def _take_over(owner: str, notes: dict[int, Note]) -> None:
    held = list(
        Delivery.objects.filter(status=DeliveryStatus.QUEUED, lease_owner=owner).select_related(
            "follower", "notification__notification_type", "account"
        )
    )
    if not held:
        return
    known, untouched, crashed = [], [], []
    for row in held:
        note = notes.get(row.pk)
        if note is None:
            untouched.append(row)
        elif note.outcome is not None:
            known.append((row, note.outcome))
        elif note.handing_over:
            said = "The sender died between handing the message over and reading the answer."
            known.append((row, Outcome(Result.IN_DOUBT, said)))
        else:
            crashed.append(row)
    log.warning(
        "Sender %s died with %d rows: %d known, %d not begun, %d in preparation",
        owner, len(held), len(known), len(untouched), len(crashed),
    )  # fmt: skip
    outcomes.record(owner, known)
    release(owner, untouched)
    for row in crashed:
        _count_crash(owner, row)
    for pk in {row.notification_id for row in held}:
        books.finish_if_done(pk, now=timezone.now())


def _count_crash(owner: str, row: Delivery) -> None:
    """It never left, but its sender died while preparing it: again, unless that keeps happening."""
    now = timezone.now()
    with transaction.atomic():
        if not outcomes.held_by(owner, [row.pk]):
            return
        crashes = 1 + DeliveryEvent.objects.filter(delivery=row, kind="crashed").count()
        said = f"The sender died while preparing this message ({crashes} of {MOST_CRASHES})."
        DeliveryEvent.objects.create(delivery=row, at=now, kind="crashed", detail={"owner": owner, "said": said})
        before = books.place(row)
        row.status, row.due_at = DeliveryStatus.PENDING, now + dt.timedelta(seconds=5)
        if crashes >= MOST_CRASHES:
            row.status, row.reason, row.finished_at = DeliveryStatus.FAILED, "quarantined", now
            data = {"channel": row.channel, "reason": row.reason, "said": said}
            publish(Fact(Kind.DELIVERY_FAILED, SYSTEM, now, "delivery", str(row.uid), str(row.follower or ""), data))
        row.error, row.lease_owner, row.lease_until = said, "", None
        row.save()
        books.shift(books.moved([before], [books.place(row)]))
