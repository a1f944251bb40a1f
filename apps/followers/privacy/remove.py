"""Take away what is the person's own, in one transaction, and then search the rest."""

import datetime as dt
import time

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.module_loading import import_string

from apps.followers.exports.source import PERSON
from apps.followers.models import (
    AddressClaim,
    Erasure,
    ErasureState,
    Export,
    Follower,
    SignUp,
    Suppression,
)
from apps.followers.privacy import files, search
from apps.followers.privacy.erase import TASK, person_of
from apps.lib import steady_clock
from apps.lib.erasing.person import DataSubject
from apps.lib.queue.announce import announce
from apps.lib.queue.lanes import Lane

RUN_SECONDS = 8  # then the next task takes over, so that the lane stays open for others
PATIENCE = dt.timedelta(seconds=20)  # after it a slice is taken for lost


class NotYet(Exception):
    """A sender holds a message to this person; it is asked again in a moment."""


def run(erasure_id: int, **_: object) -> None:
    """Task: erase for RUN_SECONDS, then announce the next one. Two at once do each step once."""
    stop = time.monotonic() + RUN_SECONDS
    while time.monotonic() < stop:
        if not step(erasure_id):
            return
    announce(TASK, lane=Lane.BULK, erasure_id=erasure_id)


def step(erasure_id: int) -> bool:
    """Do the next step of an erasure; False when there is none to do now."""
    now = steady_clock.now()
    _clear_files(erasure_id)
    try:
        with transaction.atomic():
            rows = Erasure.objects.select_for_update().exclude(state=ErasureState.DONE)
            erasure = rows.filter(pk=erasure_id).first()
            if erasure is None:
                return False
            person = person_of(erasure)
            if erasure.state == ErasureState.STOPPED:
                _remove(erasure, person, now=now)
                erasure.state = ErasureState.SEARCHING
            else:
                search.slice_of(erasure, person)
            if erasure.place == len(settings.SEARCHED):
                erasure.state = ErasureState.DONE
                erasure.finished_at = now
                erasure.person = ""
            erasure.touched_at = now
            erasure.save()
    except NotYet:
        return False
    return erasure.state != ErasureState.DONE


def _clear_files(erasure_id: int) -> None:
    """Go through files before the first slice is searched, in no transaction: they may be long, and
    a second time finds nothing.
    """
    searching = Erasure.objects.filter(state=ErasureState.SEARCHING, place=0, last_id=0)
    if erasure := searching.filter(pk=erasure_id).first():
        files.clear(person_of(erasure))


def resume_stalled(*, now: dt.datetime) -> int:
    """Tick: announce erasures again of which no step came for long. Returns how many."""
    left = Erasure.objects.exclude(state=ErasureState.DONE)
    lost = left.filter(touched_at__lt=now - PATIENCE)
    count = 0
    for pk in lost.values_list("pk", flat=True)[:100]:
        with transaction.atomic():
            # the update is the claim: of two ticks one announces
            if lost.filter(pk=pk).update(touched_at=now):
                announce(TASK, lane=Lane.BULK, erasure_id=pk)
                count += 1
    return count


def _remove(erasure: Erasure, person: DataSubject, *, now: dt.datetime) -> None:
    """Remove the person's rows, but for a sign-up of after the erasure began. Raises NotYet."""
    follower = Follower.objects.select_for_update().filter(pk=person.pk).first()
    if follower is None:
        return
    keys = list(follower.addresses.values_list("key", flat=True))
    before = Q(key__in=keys, created_at__lte=erasure.created_at)
    sign_ups = SignUp.objects.filter(Q(follower=follower) | before)
    consents = follower.consent_records.values_list("pk", flat=True)
    suppressions = Suppression.objects.filter(key__in=keys)
    if not erasure.tombstones.exists():
        # no mark has its word: what came since must not go with somebody deleted as a mistake
        suppressions = suppressions.none()
    person.subjects |= {
        "follower": [person.uid, *person.former],
        "consent_record": [str(pk) for pk in consents],
        "sign_up": [str(uid) for uid in sign_ups.values_list("uid", flat=True)],
        "suppression": [str(uid) for uid in suppressions.values_list("uid", flat=True)],
    }
    for path in settings.ERASES:
        import_string(path)(person=person, now=now)
    Export.objects.filter(kind=PERSON, asked__follower=person.uid).delete()
    sign_ups.delete()
    suppressions.delete()
    AddressClaim.objects.filter(key__in=keys).delete()
    follower.delete()
